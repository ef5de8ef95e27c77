"""Any corpus through a CSV manifest, labelled or not.

Header: `path,label[,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split]`. Paths
are relative to the CSV, start and end are seconds. Without a label column, or in a row whose label is empty,
utterances are unlabelled. Under the name of one of the paper's corpora the labels must come from its class list.
"""

import re
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.csv_rows import Row, read_rows
from sejax.corpora.manifest_rows import MANIFEST, recording
from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.published import PUBLISHED
from sejax.corpora.utterance import Recording
from sejax.corpora.waveform import Header, inspect, refuse_too_long
from sejax.errors import InputError

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
