"""Any corpus through a CSV manifest, labelled or not.

Header: `path,label[,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split]`. Paths
are relative to the CSV, start and end are seconds. Without a label column, or in a row whose label is empty,
utterances are unlabelled. Under the name of one of the paper's corpora the labels must come from its class list.
"""

import math
import re
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, About, Corpus, Recording
from sejax.corpora.csv_rows import Form, Row, read_rows
from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.published import PUBLISHED
from sejax.corpora.waveform import Header, inspect, refuse_too_long
from sejax.errors import InputError

COLUMNS = (
    "path",
    "label",
    "id",
    "speaker",
    "session",
    "sex",
    "start",
    "end",
    "transcript",
    "valence",
    "activation",
    "dominance",
    "split",
)
MANIFEST = Form("corpora/manifest", COLUMNS, needed=("path",), example="path,label,id,speaker")
SEXES = {"": "", "male": "male", "female": "female", "m": "male", "f": "female"}
SPLITS = ("", "train", "valid", "test")


def recording(row: Row, path: Path, problems: Problems) -> Recording:
    """Turn a row's cells into a recording; every cell that cannot be understood is noted."""
    cells = row.cells
    if not cells["path"]:
        problems.add(row.at(path), "the path is empty", "name an audio file")
    start = _number(row, path, "start", 0.0, problems)
    end = _number(row, path, "end", math.inf, problems)
    if start < 0 or end <= start:
        problems.add(row.at(path), f"start {start} s, end {end} s", "start must be at least 0 and before end")
    return Recording(
        id=cells.get("id") or _default_id(cells),
        path=str(path.parent / cells["path"]),
        start=start,
        end=end,
        speaker=cells.get("speaker", ""),
        sex=_choice(row, path, "sex", SEXES, problems),
        session=cells.get("session", ""),
        emotion_original=cells.get("label", ""),
        emotion=cells.get("label", "").lower(),
        transcript=cells.get("transcript", ""),
        valence=_number(row, path, "valence", NOT_RATED, problems),
        activation=_number(row, path, "activation", NOT_RATED, problems),
        dominance=_number(row, path, "dominance", NOT_RATED, problems),
        split=_choice(row, path, "split", {split: split for split in SPLITS}, problems),
    )


def _default_id(cells: dict[str, str]) -> str:
    """The path without its extension, and the times where they select a part."""
    name = cells["path"].removesuffix(Path(cells["path"]).suffix)
    times = [cells[column] for column in ("start", "end") if cells.get(column)]
    return "_".join([name, *times])


def _number(row: Row, path: Path, column: str, default: float, problems: Problems) -> float:
    cell = row.cells.get(column, "")
    if not cell:
        return default
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        what = f"{column} is {cell!r}, not a number"
        problems.add(row.at(path), what, f"write {column} as in 1.25, or leave it empty")
        return default
    return value


def _choice(row: Row, path: Path, column: str, known: dict[str, str], problems: Problems) -> str:
    cell = row.cells.get(column, "").lower()
    if cell not in known:
        names = ", ".join(sorted(name for name in known if name))
        problems.add(row.at(path), f"{column} is {cell!r}", f"use one of {names}, or leave it empty")
        return ""
    return known[cell]


_SLACK = 0.05  # seconds that `end` may lie beyond the file: annotation tools round


def open_corpus(
    source: str | Path,
    *,
    name: str = "manifest",
    classes: tuple[str, ...] | None = None,
    allow_partial: bool = False,
) -> Corpus:
    """Look through a manifest. `source` is the CSV, or a folder that holds `manifest.csv`.

    `classes` is the class list; it is the published one for the names of the paper's corpora and otherwise the sorted
    labels that occur. Every bad row is reported at once with its line number, unless `allow_partial`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"corpora: --name={name!r}; use small letters, digits and _, beginning with a letter")
    if classes is None and name in PUBLISHED:
        classes = PUBLISHED[name].classes
    path = _manifest_file(Path(source))
    problems = Problems(name)
    rows = read_rows(path, MANIFEST, problems)
    recordings = _check(rows, path, classes, problems)
    left_out = problems.settle(allow_partial=allow_partial)
    if not recordings:
        raise InputError(f"corpora/{name}: {path} has no usable row; add rows that name audio files")
    if classes is None:
        classes = tuple(sorted({item.emotion for item in recordings} - {""}))
    return Corpus(
        name=name,
        classes=tuple(classes),
        recordings=recordings,
        left_out=left_out,
        about=About(description=f"Utterances listed in a CSV manifest under the name {name}."),
    )


def _manifest_file(source: Path) -> Path:
    if source.is_dir():
        source = source / "manifest.csv"
    if not source.is_file():
        raise InputError(f"corpora/manifest: there is no file {source}; pass the CSV as --source")
    return source


def _check(rows: list[Row], path: Path, classes: tuple[str, ...] | None, problems: Problems) -> tuple[Recording, ...]:
    """Turn rows into recordings; a row with any problem is noted and left out."""
    kept: list[Recording] = []
    ids: dict[str, int] = {}
    sexes: dict[str, tuple[str, int]] = {}
    headers: dict[str, Header | BadRecording] = {}
    for row in rows:
        before = len(problems.found)
        item = recording(row, path, problems)
        _check_label(row, item, classes, problems, path)
        item = _check_file(row, item, headers, problems, path)
        first = ids.setdefault(item.id, row.line)
        if first != row.line:
            problems.add(row.at(path), f"id {item.id!r} is also that of line {first}", "give every row its own id")
        sex, line = sexes.setdefault(item.speaker, (item.sex, row.line)) if item.speaker else (item.sex, 0)
        if sex != item.sex:
            problems.add(
                row.at(path),
                f"speaker {item.speaker!r} is {item.sex or 'of no sex'} here and {sex or 'of no sex'} in line {line}",
                "give the speaker one sex",
            )
        if len(problems.found) == before:
            kept.append(item)
    return tuple(kept)


def _check_label(row: Row, item: Recording, classes, problems: Problems, path: Path) -> None:
    if item.emotion and classes is not None and item.emotion not in classes:
        problems.add(
            row.at(path), f"unknown label {item.emotion_original!r}", f"use one of the classes {', '.join(classes)}"
        )


def _check_file(row: Row, item: Recording, headers: dict, problems: Problems, path: Path) -> Recording:
    """Check the row's audio file (once per file) and that start and end lie in it."""
    if not row.cells.get("path"):
        return item
    if item.path not in headers:
        try:
            headers[item.path] = inspect(item.path)
        except BadRecording as error:
            headers[item.path] = error
    header = headers[item.path]
    if isinstance(header, BadRecording):
        problem = header.problem
        problems.add(row.at(path), f"{problem.where}: {problem.what}", problem.remedy)
        return item
    if item.start >= header.seconds or (item.end != float("inf") and item.end > header.seconds + _SLACK):
        problems.add(
            row.at(path),
            f"start {item.start} s, end {item.end} s lie outside {row.cells['path']} ({header.seconds:.3f} s)",
            "mend start and end (seconds)",
        )
        return item
    seconds = min(item.end, header.seconds) - item.start
    try:
        refuse_too_long(item.path, seconds)
    except BadRecording as error:
        problems.add(row.at(path), f"{error.problem.where}: {error.problem.what}", error.problem.remedy)
    return replace(item, seconds=seconds)
