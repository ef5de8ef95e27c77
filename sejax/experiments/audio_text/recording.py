"""A plain recording with its transcript as a trained network takes it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sejax.data.buckets import Buckets, cut
from sejax.data.streams import read_batch
from sejax.data.text import tokens
from sejax.experiments.audio_text.results import described

_LEAST = {"samples": 8192, "words": 8}  # of a shape: lengths double from here, so that few are compiled


class _One(NamedTuple):
    """A set of one utterance, as `sejax.data.buckets.cut` takes it."""

    offset: np.ndarray
    utterance_ids: tuple[str, ...] = ("the recording",)


def pieces_of(
    waveform: np.ndarray, rate: int, *, text: str, types: tuple[str, ...], longest: int, most_words: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], tuple[tuple[str, ...], ...]]:
    """Pieces of a recording, cut as in training.

    Args:
      waveform: int16[T] at `rate` Hz. text: its transcript.
      types: the words of the training corpus; others are given the number len(types).
      longest, most_words: samples and words of a piece at most.

    Returns:
      start and end f64[N] in seconds, a batch of arrays [N, 1, ...] (waveform, length, words, word_count), and the
      words of each piece.
    """
    words, number = tokens(text), {word: place for place, word in enumerate(types)}
    ids = np.array([number.get(word, len(types)) for word in words], np.int32)
    found = cut(_One(np.array([0, len(waveform)])), [ids], longest=longest, most_words=most_words)
    rows = np.arange(len(found.length))
    shape = Buckets((_room(found.length, "samples"),), (_room(found.word_count, "words"),))
    batch = read_batch(waveform, found, shape, rows, np.ones(len(rows), bool))
    values = {name: batch[name][:, None] for name in ("waveform", "length", "words", "word_count")}
    said = [words[first:][:count] for first, count in zip(found.first_word, found.word_count, strict=True)]
    return found.start / rate, (found.start + found.length) / rate, values, tuple(said)


def described_piece(
    batch: Mapping[str, np.ndarray], row: int, words: Sequence[str], explained: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """A piece of `pieces_of` as drawings have an example: of a truth and of word times nothing is known."""
    samples = batch["waveform"][row, 0, : batch["length"][row, 0]]
    return {"label": None, "start": None, "end": None} | described(samples, words, explained)


def _room(counts: np.ndarray, kind: str) -> int:
    return 1 << (max(int(counts.max()), _LEAST[kind]) - 1).bit_length()
