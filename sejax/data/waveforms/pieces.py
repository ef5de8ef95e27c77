"""A recording with its transcript as a trained network takes it: pieces of bounded length with their words."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from sejax.data.buckets import Buckets, cut
from sejax.data.streams import read_batch
from sejax.data.text import tokens

LEAST = {"samples": 8192, "words": 8}  # of a shape: lengths double from here, so that few are compiled


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
    speech = SimpleNamespace(offset=np.array([0, len(waveform)]), utterance_ids=("the recording",))
    pieces = cut(speech, [ids], longest=longest, most_words=most_words)
    rows = np.arange(len(pieces.length))
    shape = Buckets((_room(pieces.length, "samples"),), (_room(pieces.word_count, "words"),))
    batch = read_batch(waveform, pieces, shape, rows, np.ones(len(rows), bool))
    values = {name: batch[name][:, None] for name in ("waveform", "length", "words", "word_count")}
    said = [words[first:][:count] for first, count in zip(pieces.first_word, pieces.word_count, strict=True)]
    return pieces.start / rate, (pieces.start + pieces.length) / rate, values, tuple(said)


def _room(counts: np.ndarray, kind: str) -> int:
    return 1 << (max(int(counts.max()), LEAST[kind]) - 1).bit_length()
