"""Any corpus through a CSV manifest, labelled or not.

Header: `path,label[,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split]`. Paths
are relative to the CSV, start and end are seconds. Without a label column, or in a row whose label is empty,
utterances are unlabelled. Under the name of one of the paper's corpora the labels must come from its class list; those
of sal and vam may be left to the ratings, where there is no label column.
"""

import functools
import math
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, About, Corpus, Recording
from sejax.corpora.csv_rows import Form, Row, read_rows
from sejax.corpora.names import on_disk
from sejax.corpora.problems import BadRecording, Problem, Problems
from sejax.corpora.published import PUBLISHED, QUADRANTS, quadrant
from sejax.corpora.waveform import Header, inspect, refuse_too_long
from sejax.errors import InputError

COLUMNS = (
    *("path", "label", "id", "speaker", "session", "sex", "start", "end", "transcript"),
    *("valence", "activation", "dominance", "split"),
)
MANIFEST = Form("corpora/manifest", COLUMNS, needed=("path",), example="path,label,id,speaker")
SEXES = {"": "", "male": "male", "female": "female", "m": "male", "f": "female"}
SPLITS = {split: split for split in ("", "train", "valid", "test")}
Note = Callable[[str, str], None]  # what is wrong with a row, and the remedy


def recording(cells: dict[str, str], folder: Path, note: Note) -> Recording:
    """Turn a row's cells into a recording; every cell that cannot be understood is noted."""
    if not cells["path"]:
        note("the path is empty", "name an audio file")
    start, end = _number(cells, "start", 0.0, note), _number(cells, "end", math.inf, note)
    if start < 0 or end <= start:
        note(f"start {start} s, end {end} s", "start must be at least 0 and before end")
    sex = _choice(cells, "sex", SEXES, note)
    dimensions = {name: _number(cells, name, NOT_RATED, note) for name in ("valence", "activation", "dominance")}
    return Recording(
        id=cells.get("id") or _default_id(cells),
        path=str(on_disk(folder / cells["path"])),
        start=start,
        end=end,
        sex=sex,
        emotion_original=cells.get("label", ""),
        emotion=cells.get("label", ""),
        split=_choice(cells, "split", SPLITS, note),
        **{name: cells.get(name, "") for name in ("speaker", "session", "transcript")},
        **dimensions,
    )


def _default_id(cells: dict[str, str]) -> str:
    """The path without its extension, and the times where they select a part."""
    name = cells["path"].removesuffix(Path(cells["path"]).suffix)
    times = [cells[column] for column in ("start", "end") if cells.get(column)]
    return "_".join([name, *times])


def _number(cells: dict[str, str], column: str, default: float, note: Note) -> float:
    cell = cells.get(column, "")
    if not cell:
        return default
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        note(f"{column} is {cell!r}, not a number", f"write {column} as in 1.25, or leave it empty")
        return default
    return value


def _choice(cells: dict[str, str], column: str, known: dict[str, str], note: Note) -> str:
    cell = cells.get(column, "").lower()
    if cell not in known:
        names = ", ".join(sorted(name for name in known if name))
        note(f"{column} is {cell!r}", f"use one of {names}, or leave it empty")
    return known.get(cell, "")


def check_name(name: str) -> None:
    """Raise InputError for a name that no corpus may have."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"corpora: --name={name!r}; use small letters, digits and _, beginning with a letter")


_SLACK = 0.05  # seconds that `end` may lie beyond the file: annotation tools round


def open_corpus(
    source: Path,
    *,
    name: str = "manifest",
    classes: tuple[str, ...] | None = None,
    allow_partial: bool = False,
) -> Corpus:
    """Look through a manifest. `source` is the CSV, or a folder that holds `manifest.csv`.

    `classes` is the class list; it is the published one for the names of the paper's corpora and otherwise the sorted
    labels that occur, in small letters. A label is matched as it is written, then in small letters. Every bad row is
    reported at once with its line number, unless `allow_partial`.
    """
    check_name(name)
    if classes is None and name in PUBLISHED:
        classes = PUBLISHED[name].classes
    path = source / "manifest.csv" if source.is_dir() else source
    if not path.is_file():
        raise InputError(f"corpora/manifest: there is no file {path}; pass the CSV as --source")
    problems = Problems(name)
    header = functools.cache(_header)
    recordings = _check(read_rows(path, MANIFEST, problems), path, classes, header, problems)
    if classes is None:
        classes = sorted({item.emotion for item in recordings} - {""})
    about = About(description=f"Utterances listed in a CSV manifest under the name {name}.")
    # Sets made of compressed files when parts of them were decoded after a seek are not taken for new ones.
    compressed = any(header(item.path).compressed for item in recordings)
    options = {"compressed": "decoded from the beginning"} if compressed else {}
    return Corpus.checked(
        problems, recordings, about, classes=tuple(classes), options=options, allow_partial=allow_partial
    )


def _check(
    rows: list[Row],
    path: Path,
    classes: Collection[str] | None,
    header: Callable[[str], Header | Problem],
    problems: Problems,
) -> list[Recording]:
    """Turn rows into recordings; a row with any problem is noted and left out."""
    kept: list[Recording] = []
    ids: dict[str, int] = {}
    sexes: dict[str, tuple[str, int]] = {}
    for row in rows:
        before = len(problems.found)
        note = functools.partial(problems.add, row.at(path))
        item = recording(row.cells, path.parent, note)
        item = replace(item, emotion=_class_of(item.emotion, classes, note))
        if classes == QUADRANTS and "label" not in row.cells:
            item = replace(item, emotion=_quadrant_of(item, note))
        if row.cells["path"]:
            item = _check_file(row.cells["path"], item, header(item.path), note)
        first = ids.setdefault(item.id, row.line)
        if first != row.line:
            note(f"id {item.id!r} is also that of line {first}", "give every row its own id")
        sex, line = sexes.setdefault(item.speaker, (item.sex, row.line)) if item.speaker else (item.sex, 0)
        if sex != item.sex:
            here, there = item.sex or "of no sex", sex or "of no sex"
            note(f"speaker {item.speaker!r} is {here} here and {there} in line {line}", "give the speaker one sex")
        if len(problems.found) == before:
            kept.append(item)
    return kept


def _class_of(label: str, classes: Collection[str] | None, note: Note) -> str:
    """The class of a label: as it is written or in small letters, whichever is among the classes."""
    small = label.lower()
    if not label or classes is None:
        return small
    if label in classes or small in classes:
        return label if label in classes else small
    alike = [name for name in classes if name.lower() == small]
    but = f" ({', '.join(alike)} differs in capital letters alone)" if alike else ""
    note(f"unknown label {label!r}{but}", f"use one of the classes {', '.join(classes)}")
    return ""


def _quadrant_of(item: Recording, note: Note) -> str:
    """The quadrant of a row's ratings, "" where one of them is missing."""
    ratings = item.valence, item.activation
    if not all(map(math.isfinite, ratings)):
        return ""
    if max(map(abs, ratings)) > 1:
        what = f"valence {item.valence:g} and activation {item.activation:g} lie outside -1 to 1"
        note(what, "give ratings whose middle is 0, or a label column with q1 to q4")
    return quadrant(*ratings)


def _header(path: str) -> Header | Problem:
    try:
        return inspect(path)
    except BadRecording as error:
        return error.problem


def _check_file(name: str, item: Recording, header: Header | Problem, note: Note) -> Recording:
    """Check that the row's audio file can be read and that start and end lie in it; returns it with its duration."""
    if isinstance(header, Problem):
        note(f"{header.where}: {header.what}", header.remedy)
        return item
    if item.start >= header.seconds or (item.end != math.inf and item.end > header.seconds + _SLACK):
        where = f"lie outside {name} ({header.seconds:.3f} s)"
        note(f"start {item.start} s, end {item.end} s {where}", "mend start and end (seconds)")
        return item
    seconds = min(item.end, header.seconds) - item.start
    try:
        refuse_too_long(item.path, seconds)
    except BadRecording as error:
        note(f"{error.problem.where}: {error.problem.what}", error.problem.remedy)
    return replace(item, seconds=seconds)
