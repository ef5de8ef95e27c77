"""Files of pretrained word vectors: which format one has, and its rows for the words that are wanted.

word2vec's files begin with a line of two numbers, how many rows and how many values in each; a row is a word, a blank
and the values, as text on a line of its own or as float32 (binary). GloVe's files are the text without that line.
"""

import gzip
import re
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sejax.errors import InputError

_HEAD, _CHUNK = 1 << 16, 1 << 20  # bytes: what the format is seen from, and what is read at a time
_GZIP, _ZIP, _PICKLE = b"\x1f\x8b", b"PK\x03\x04", b"\x80"
_FORMATS = "word2vec's text or binary format, or GloVe's text"
_COPY = "get the file again"


@dataclass(frozen=True)
class Layout:
    """binary: values are float32, not text; rows: what the header promises, None without one; values of each row."""

    binary: bool
    rows: int | None
    values: int


def recognised(path: Path) -> Layout:
    """The format of a file, gzip or not, from its beginning.

    Raises:
      InputError: there is no such file; it is empty, cut short, or in another format.
    """
    if not path.is_file():
        raise InputError(f"word vectors: there is no file {path}; name a file in {_FORMATS} (.gz too)")
    with _opened(path) as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise InputError(f"word vectors: {path} is empty; {_COPY}")
    if head.startswith(_ZIP):
        raise InputError(f"word vectors: {path} is a zip archive; unpack it and name a file of it")
    first, _, second = head.partition(b"\n")
    header = re.fullmatch(rb"\s*(\d+)[ \t]+(\d+)\s*", first)
    if header:
        rows, values = int(header[1]), int(header[2])
        if rows and values:
            return Layout(not _is_text(second.partition(b"\n")[0]), rows, values)
        raise InputError(f"word vectors: {path} begins with {first.decode()!r}, no rows or no values; {_COPY}")
    columns = first.rstrip().split(b" ")
    if len(columns) > 1 and all(map(_is_number, columns[1:])):
        return Layout(False, None, len(columns) - 1)
    remedy = "save its vectors with gensim's save_word2vec_format" if head.startswith(_PICKLE) else f"use {_FORMATS}"
    raise InputError(
        f"word vectors: {path} begins with {first[:40]!r}, neither a count of rows and values nor a word and its"
        f" values; {remedy}"
    )


def cut(path: Path, layout: Layout, wanted: Container[bytes], *, limit: int | None = None) -> dict[bytes, bytes]:
    """The wanted rows of a file, word (UTF-8) -> its values as they stand there; of a word's rows the first.

    The file is read once, a piece at a time; only wanted rows stay in memory.

    Args:
      limit: rows to look at, from the first; None for all.

    Raises:
      InputError: a file cut short, a row with another number of values, a wanted row whose values are no numbers.
    """
    rows = min((count for count in (layout.rows, limit) if count is not None), default=None)
    found: dict[bytes, bytes] = {}
    with _opened(path) as file:
        if layout.rows is not None:
            file.readline()
        each = _binary_rows if layout.binary else _text_rows
        for place, word, values in each(path, file, layout, rows):
            if word not in wanted or word in found:
                continue
            if not layout.binary and not all(map(_is_number, values.split(b" "))):
                raise InputError(
                    f"word vectors: {path}, line {place}: a value of {word.decode()!r} is no number; {_COPY}"
                )
            found[word] = bytes(values)
    return found


def _binary_rows(path: Path, file: BinaryIO, layout: Layout, rows: int) -> Iterator[tuple[int, bytes, memoryview]]:
    """Each row's number, word and values."""
    size, buffer, start = 4 * layout.values, b"", 0
    for number in range(rows):
        while (blank := buffer.find(b" ", start)) < 0 or len(buffer) - blank <= size:
            more = file.read(_CHUNK)
            if not more:
                raise _short(path, layout, number)
            buffer, start = buffer[start:] + more, 0
        # Some programs end a row's values with a newline.
        yield number, buffer[start:blank].lstrip(b"\n"), memoryview(buffer)[blank + 1 : blank + 1 + size]
        start = blank + 1 + size
    if rows == layout.rows and (buffer[start:].strip(b"\n") or file.read(1)):
        raise InputError(
            f"word vectors: {path} goes on after the {rows} rows of {layout.values} values that its first line"
            f" promises; {_COPY}"
        )


def _text_rows(path: Path, file: BinaryIO, layout: Layout, rows: int | None) -> Iterator[tuple[int, bytes, bytes]]:
    """Each row's line, word and values; rows whose word holds blanks, as some of GloVe's do, are passed over."""
    number = 0
    for line, row in enumerate(file, 1 if layout.rows is None else 2):
        if number == rows:
            return
        row = row.rstrip()
        if not row:
            continue
        number += 1
        word, _, values = row.partition(b" ")
        found = row.count(b" ")
        if found == layout.values:
            yield line, word, values
        elif found < layout.values or _is_number(values.partition(b" ")[0]):
            raise InputError(
                f"word vectors: {path}, line {line}: {found} values where rows have {layout.values}; {_COPY}"
            )
    if layout.rows is not None and number < rows:
        raise _short(path, layout, number)


def _short(path: Path, layout: Layout, found: int) -> InputError:
    return InputError(
        f"word vectors: {path} ends after {found} whole rows where its first line promises {layout.rows} of"
        f" {layout.values} values; it was cut short: {_COPY}"
    )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it is gzip; a broken archive raises InputError."""
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"word vectors: {path} is a broken gzip file ({error}); {_COPY}") from error


def _is_text(row: bytes) -> bool:
    """Whether a row holds text behind its word: float32 values are full of bytes that no text has."""
    values = row.partition(b" ")[2].strip()
    return bool(values) and values.isascii() and values.decode().isprintable()


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
