"""The rows of a CSV manifest: its columns, and how cells become the fields of a recording."""

import math
from pathlib import Path

from sejax.corpora.csv_rows import Form, Row
from sejax.corpora.problems import Problems
from sejax.corpora.utterance import NOT_RATED, Recording

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
