"""The rows of a CSV manifest: reading the file and turning cells into the fields of a recording."""

import csv
import difflib
import io
import math
from dataclasses import dataclass
from pathlib import Path

from sejax.corpora.problems import Problems
from sejax.corpora.utterance import NOT_RATED, Recording
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
SEXES = {"": "", "male": "male", "female": "female", "m": "male", "f": "female"}
SPLITS = ("", "train", "valid", "test")


@dataclass(frozen=True)
class Row:
    """One row of a manifest: the line of the file where it ends and its cells by column."""

    line: int
    cells: dict[str, str]

    def at(self, path: Path) -> str:
        """Where this row stands, for error messages."""
        return f"{path}, line {self.line}"


def read_rows(path: Path, problems: Problems) -> list[Row]:
    """Read a manifest; rows with too few or too many cells are noted, a file that is no manifest raises InputError."""
    text = _text(path)
    lines = text.splitlines()
    if not lines:
        raise InputError(f"corpora/manifest: {path} is empty; it needs a header such as path,label,id,speaker")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        columns = _columns(path, [cell.strip() for cell in next(reader)])
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                problems.add(
                    f"{path}, line {reader.line_num}",
                    f"{len(cells)} cells where the header has {len(columns)}",
                    "quote cells that hold a comma",
                )
                continue
            rows.append(Row(reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=True))))
    except csv.Error as error:
        raise InputError(
            f"corpora/manifest: {path}, line {reader.line_num}: {error}; save it as plain CSV (quotes in pairs)"
        ) from error
    if not rows and not problems.found:
        raise InputError(f"corpora/manifest: {path} has a header and no rows; add a row per utterance")
    return rows


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


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"byte 0x{data[error.start]:02x}"
        raise InputError(
            f"corpora/manifest: {path}, line {line}: {byte} is not UTF-8; save the file as UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"corpora/manifest: {path}, line {line}: holds a NUL character; save the file as plain CSV")
    return text


def _columns(path: Path, columns: list[str]) -> list[str]:
    """Check the header; further columns are allowed unless one looks like a misspelt known one."""
    columns = [column.lower() for column in columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise InputError(f"corpora/manifest: {path}, line 1: column {twice[0]!r} occurs twice; rename one of them")
    for column in columns:
        close = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.75)
        if column not in COLUMNS and close and close[0] not in columns:
            raise InputError(
                f"corpora/manifest: {path}, line 1: unknown column {column!r}; did you mean {close[0]!r}? Rename it"
            )
    if "path" not in columns:
        raise InputError(
            f"corpora/manifest: {path}, line 1: no column 'path' among {', '.join(columns)};"
            f" name the columns {', '.join(COLUMNS)}"
        )
    return columns


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
