"""Pretrained word vectors for the words of a corpus, from files in word2vec's or GloVe's formats.

word2vec's files begin with a line of two numbers, how many rows and how many values in each; a row is a word, a blank
and the values, as text on a line of its own or as float32 (binary). GloVe's files are the text without that line.
"""

import gzip
import re
import zlib
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sejax.errors import InputError

UNKNOWN = 0.25  # vectors of words that the file lacks are uniform in +- this, about the spread of word2vec's own

_HEAD, _CHUNK = 1 << 16, 1 << 20  # bytes: what the format is seen from, and what is read at a time
_GZIP, _ZIP, _PICKLE = b"\x1f\x8b", b"PK\x03\x04", b"\x80"
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors put before UTF-8, no part of the first word
_FORMATS = "word2vec's text or binary format, or GloVe's text"
_COPY = "get the file again"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """values f32[S, E], a vector for each of S word types; found bool[S]: whether it comes from the file."""

    values: np.ndarray
    found: np.ndarray


def read_word_vectors(
    path: str | Path, types: Sequence[str], *, limit: int | None = None, seed: int = 0
) -> WordVectors:
    """Read the vectors of the given words from a file of pretrained ones.

    word2vec's binary and text formats and GloVe's text, each also gzipped; which one it is, the file shows. The file
    is read through once and only the rows that are wanted are kept: a binary one of 3 million rows of 300 values
    (3.6 GB) takes 20 MiB of memory beside them and 10 s where it lies in the disk's cache.

    Args:
      path: the file.
      types: S words in lower case, as `sejax.data.text.word_types` gives them. A word that the file lacks is looked for
        capitalised, then in capitals; a tag such as "[laughter]" then as the word in its brackets.
      limit: look at so many rows alone, the first; files put frequent words first.
      seed: of the vectors of words that are not found, uniform in +-0.25.

    Raises:
      InputError: no file there, an empty one, one in another format, one that is cut short or broken, a row with a
        wrong number of values, a value that is no finite number; a limit below 1.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise InputError(f"word vectors: limit={limit}; look at one row at least, or leave it out for all")
    layout = recognised(path)
    spelled = [[word.encode() for word in _spellings(each)] for each in types]
    rows = cut(path, layout, frozenset(word for words in spelled for word in words), limit=limit)
    values = np.random.default_rng(seed).uniform(-UNKNOWN, UNKNOWN, (len(types), layout.values)).astype(np.float32)
    chosen = [next((word for word in words if word in rows), None) for words in spelled]
    found = np.array([word is not None for word in chosen], bool)
    vectors = {word: _finite(path, layout, word, stored) for word, stored in rows.items()}
    if vectors:
        values[found] = [vectors[word] for word in chosen if word is not None]
    return WordVectors(values, found)


def coverage(found: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Shares of word types ("types") and of running words ("words") that have a vector.

    found bool[S]; counts [S], how often each type occurs. Types that do not occur count for nothing; where none
    does, both shares are 0.
    """
    counts = np.asarray(counts)
    occurs = counts > 0
    return {
        "types": float((found & occurs).sum() / max(occurs.sum(), 1)),
        "words": float(counts[found].sum() / max(counts.sum(), 1)),
    }


def _spellings(word: str) -> list[str]:
    """How a file may write a word, in the order in which they are tried."""
    bare = word.strip("[]")
    return list(dict.fromkeys(form for text in (word, bare) for form in (text, text.capitalize(), text.upper())))


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
    kept: dict[bytes, bytes] = {}
    with _opened(path) as file:
        if layout.rows is not None:
            file.readline()
        each = _binary_rows if layout.binary else _text_rows
        for place, word, values in each(path, file, layout, rows):
            if word not in wanted or word in kept:
                continue
            if not layout.binary and not all(map(_is_number, values.split(b" "))):
                raise InputError(
                    f"word vectors: {path}, line {place}: a value of {word.decode()!r} is no number; {_COPY}"
                )
            kept[word] = bytes(values)
    return kept


def _finite(path: Path, layout: Layout, word: bytes, values: bytes) -> np.ndarray:
    """f32[E] of a row's values as `cut` gives them."""
    numbers = np.frombuffer(values, "<f4") if layout.binary else np.array([float(text) for text in values.split(b" ")])
    with np.errstate(over="ignore"):
        vector = numbers.astype(np.float32)
    if not np.isfinite(vector).all():
        raise InputError(f"word vectors: {path}: the vector of {word.decode()!r} is not finite; {_COPY}")
    return vector


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
        count = row.count(b" ")
        if count == layout.values:
            yield line, word, values
        elif count < layout.values or _is_number(values.partition(b" ")[0]):
            raise InputError(
                f"word vectors: {path}, line {line}: {count} values where rows have {layout.values}; {_COPY}"
            )
    if layout.rows is not None and number < rows:
        raise _short(path, layout, number)


def _short(path: Path, layout: Layout, rows: int) -> InputError:
    return InputError(
        f"word vectors: {path} ends after {rows} whole rows where its first line promises {layout.rows} of"
        f" {layout.values} values; it was cut short: {_COPY}"
    )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes behind a byte order mark, unpacked where it is gzip; a broken archive raises InputError."""
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            if file.read(len(_MARK)) != _MARK:
                file.seek(0)
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
