"""Reading a CSV that somebody wrote by hand or saved from a spreadsheet: its header, its rows and their lines."""

import csv
import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sejax.corpora.problems import Problems
from sejax.errors import InputError


@dataclass(frozen=True)
class Form:
    """What a kind of CSV holds.

    name: what its errors begin with; columns: those that mean something; needed: those of them that must be there;
    also: other names of columns, such as {"path": "wav"}; example: a header. yields: a column under another name means
    nothing beside the column itself; it is an error otherwise.
    """

    name: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    example: str
    also: Mapping[str, str] = field(default_factory=dict)
    yields: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a CSV: the line of the file where it ends and its cells by column."""

    line: int
    cells: dict[str, str]

    def at(self, path: Path) -> str:
        """Where this row stands, for error messages."""
        return f"{path}, line {self.line}"


def read_rows(path: Path, form: Form, problems: Problems) -> list[Row]:
    """Read a CSV in UTF-8, delimited by commas, semicolons or tabs.

    Rows with too few or too many cells are noted; a file that is no such CSV, lacks a column or has no row raises
    InputError.
    """
    text = _text(path, form)
    lines = text.splitlines()
    if not lines:
        raise InputError(f"{form.name}: {path} is empty; it needs a header such as {form.example}")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        columns = _columns(path, form, [cell.strip() for cell in next(reader)])
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
            f"{form.name}: {path}, line {reader.line_num}: {error}; save it as plain CSV (quotes in pairs)"
        ) from error
    if not rows and not problems.found:
        raise InputError(f"{form.name}: {path} has a header and no rows; add a row per utterance")
    return rows


def _text(path: Path, form: Form) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"byte 0x{data[error.start]:02x}"
        raise InputError(f"{form.name}: {path}, line {line}: {byte} is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{form.name}: {path}, line {line}: holds a NUL character; save the file as plain CSV")
    return text


def _columns(path: Path, form: Form, columns: list[str]) -> list[str]:
    """Check the header; further columns are allowed unless one looks like a misspelt known one."""
    columns = [column.lower() for column in columns]
    taken = columns if form.yields else ()
    called = [form.also.get(column, column) for column in columns]
    columns = [own if meant in taken else meant for own, meant in zip(columns, called, strict=True)]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise InputError(f"{form.name}: {path}, line 1: column {twice[0]!r} occurs twice; rename one of them")
    for column in columns:
        close = difflib.get_close_matches(column, [*form.columns, *form.also], n=1, cutoff=0.75)
        if column not in form.columns and close and form.also.get(close[0], close[0]) not in columns:
            raise InputError(
                f"{form.name}: {path}, line 1: unknown column {column!r}; did you mean {close[0]!r}? Rename it"
            )
    for column in form.needed:
        if column not in columns:
            raise InputError(
                f"{form.name}: {path}, line 1: no column {column!r} among {', '.join(columns)};"
                f" name the columns {', '.join(form.columns)}"
            )
    return columns
