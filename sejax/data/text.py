"""What was said: transcripts as words and when each was said, the words that a model knows, and tables of texts.

Pretrained vectors of the words are read by `sejax.data.word_vectors`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.rng import hashed_bits
from sejax.errors import InputError

_TAG = re.compile(r"\[([^\[\]]*)\]")
_APOSTROPHES = "'\u2019\u02bc"  # typewriter, typographic, and the letter that Ukrainian and others use


class _Kept(dict):
    """What becomes of a character: it stays, or a blank takes its place; for `str.translate`, filled as asked."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _APOSTROPHES:
            kept = "'"
        elif category == "Cf":  # soft hyphens, byte-order marks: they stand inside words and are no part of them
            kept = ""
        else:  # marks are the vowel signs of many scripts
            kept = character if category[0] in "LMN" else " "
        self[code] = kept
        return kept


_KEPT = _Kept()


def tokens(text: str) -> tuple[str, ...]:
    """The words of a transcript, in order.

    Words are in lower case (Unicode's composed form, NFC), without punctuation; hyphens part words, apostrophes inside
    a word stay ("don't"). A tag in square brackets is one token: "[LAUGHTER]" gives "[laughter]". Any script will do;
    one that puts no blanks between words (Chinese, Thai) needs them in the transcript, or a clause is one word.
    """
    said: list[str] = []
    for place, stretch in enumerate(_TAG.split(unicodedata.normalize("NFC", text.lower()))):
        words = [word for word in (piece.strip("'") for piece in stretch.translate(_KEPT).split()) if word]
        if place % 2:  # what stood between brackets
            said += [f"[{'_'.join(words)}]"] if words else []
        else:
            said += words
    return tuple(said)


def word_types(transcripts: Iterable[str]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Every different word of the transcripts, and the transcripts as indices into these.

    Returns:
      types, sorted by code point, and for each transcript i32[n_u], n_u >= 0 words.
    """
    said = [tokens(text) for text in transcripts]
    types = tuple(sorted({word for words in said for word in words}))
    number = {word: index for index, word in enumerate(types)}
    return types, [np.array([number[word] for word in words], np.int32) for words in said]


def word_times(
    words: Sequence[str], aligned: Sequence[str], start: Sequence[float], end: Sequence[float], *, seconds: float
) -> tuple[list[float], list[float]] | None:
    """Start and end of each word in seconds; None where fewer than half of the words were aligned.

    Alignments lack what is no word (laughter, breath) and may spell otherwise. Words that were not aligned share the
    time between their neighbours equally.

    Args:
      words: as `tokens` gives them.
      aligned: words in any spelling, with their start and end in seconds.
      seconds: of the recording.
    """
    said = [" ".join(tokens(word)) for word in aligned]
    begin, stop = np.full(len(words), np.nan), np.full(len(words), np.nan)
    for ours, theirs, size in SequenceMatcher(None, list(words), said, autojunk=False).get_matching_blocks():
        begin[ours : ours + size], stop[ours : ours + size] = start[theirs : theirs + size], end[theirs : theirs + size]
    lacking = np.isnan(begin)
    if not len(words) or 2 * lacking.sum() > len(words):
        return None
    place = 0
    while place < len(words):
        last = place + 1
        if lacking[place]:
            while last < len(words) and lacking[last]:
                last += 1
            before = stop[place - 1] if place else 0.0
            after = max(begin[last] if last < len(words) else seconds, before)
            edges = np.linspace(before, after, last - place + 1)
            begin[place:last], stop[place:last] = edges[:-1], edges[1:]
        place = last
    return begin.round(3).tolist(), stop.round(3).tolist()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """lookup i32[S]: the embedding's row of each of S word types, 0 for what no training utterance holds.

    size: rows of the embedding, row 0 included; counts i64[S]: how often training utterances hold each type.
    """

    lookup: np.ndarray
    size: int
    counts: np.ndarray


def vocabulary(ids: Sequence[np.ndarray], trains: np.ndarray, *, types: int, minimum: int = 1) -> Vocabulary:
    """The vocabulary of the training utterances: words of others have no part in it.

    Args:
      ids: for each of U utterances, i32[n_u] of word types.
      trains: bool[U].
      types: number of word types S.
      minimum: a word is known from so many occurrences on, at least 1.

    Raises:
      InputError: a minimum below 1.
    """
    if minimum < 1:
        raise InputError(f"vocabulary: minimum={minimum}; a word must occur at least once in training to be known")
    said = [words for words, train in zip(ids, trains, strict=True) if train]
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *said]), minlength=types).astype(np.int64)
    known = counts >= minimum
    return Vocabulary(np.where(known, np.cumsum(known), 0).astype(np.int32), int(known.sum()) + 1, counts)


def drop_probability(counts: np.ndarray, *, t: float = 8000.0) -> np.ndarray:
    """f32[S]: how likely each word is left out, sqrt(f / t) of its count f >= 0, clipped to [0, 1).

    Lima and Bak (2018), equation 1, whose f counts a word in the data set; here in the training utterances. No word
    is left out always: from f = t on the probability is the largest float below 1.

    Raises:
      InputError: t that is not above 0.
    """
    if not t > 0:
        raise InputError(f"drop_probability: t={t}; use a count above 0, the paper's is 8000")
    return np.minimum(np.sqrt(np.asarray(counts) / t), np.nextafter(np.float32(1), np.float32(0))).astype(np.float32)


def subsampled(seed, words: jax.Array, word_count: jax.Array, drop: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Utterances with some of their words left out and the gaps closed: what was apart can become neighbours.

    Pure jax. What is drawn for a word depends on the seed, its row and its place alone: columns of padding or further
    rows change nothing. An utterance may lose all of its words.

    Args:
      seed: u32[] or a typed key.
      words: i32[B, W], word types; what stands beyond an utterance's words does not matter.
      word_count: i32[B], 0 to W.
      drop: f32[S] in [0, 1), the probability with which each word type is left out.

    Returns:
      words i32[B, W] with zeros beyond the words that are left, and how many these are, i32[B].
    """
    rows, width = words.shape
    bits = jax.vmap(lambda row: hashed_bits(row, (width,)))(hashed_bits(seed, (rows,)))  # [B, W]
    uniform = (bits >> 8).astype(jnp.float32) * 2**-24  # [0, 1) in steps that float32 holds
    keep = (jnp.arange(width) < word_count[:, None]) & (uniform >= drop[words])
    count = keep.sum(1, dtype=jnp.int32)
    closed = jnp.take_along_axis(words, jnp.argsort(~keep, axis=1, stable=True), axis=1)
    return jnp.where(jnp.arange(width) < count[:, None], closed, 0), count


def read_table(path: str | Path) -> list[tuple[Path, str]]:
    """The audio files of a CSV with the columns path and transcript, as a manifest's are called, and what is said.

    Relative paths are relative to the CSV; a transcript may be empty, and the column left out. Further columns are
    passed over, but for start and end: files are taken whole. Nothing is read of the audio. Tables of other programs
    may say file or wav, and text.

    Raises:
      InputError: no such file, no such CSV; every bad row at once, with its line: no path, a start or end.
    """
    from sejax.corpora.csv_rows import Form, read_rows  # here, since training has texts and reads no such table
    from sejax.corpora.problems import Problems, listed

    also = {"file": "path", "wav": "path", "text": "transcript"}
    form = Form("table", columns=("path", "transcript"), needed=("path",), example="path,transcript", also=also)
    path = Path(path)
    if not path.is_file():
        raise InputError(f"table: there is no file {path}; name a CSV with the columns path and transcript")
    problems = Problems("table")
    rows = read_rows(path, form, problems)
    for row in rows:
        if any(row.cells.get(column) for column in ("start", "end")):
            problems.add(row.at(path), "has a start or end", "cut that part into a file of its own")
        if not row.cells["path"]:
            problems.add(row.at(path), "the path is empty", "name an audio file")
    if problems.found:
        raise InputError(f"table: {listed(problems.found)}")
    return [(path.parent / row.cells["path"], row.cells.get("transcript", "")) for row in rows]
