"""Prepared sets of waveforms with transcripts and word times: how one is read or found, which needs numpy alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sejax.audio.level import FULL_SCALE
from sejax.audio.samples import RATE
from sejax.data.store.sets import UtteranceSet, find_utterances

SETTINGS = {"rate": RATE}  # Hz

_PIECE = 1 << 16  # samples summed at once


@dataclass(frozen=True, eq=False, kw_only=True)
class Waveforms(UtteranceSet):
    """A prepared set: U utterances one after the other, T samples in all. `settings` are the rate in Hz.

    Attributes:
      waveform: int16[T] at 16 kHz; memory-mapped.
      offset: i64[U + 1]; utterance u is waveform[offset[u] : offset[u + 1]], at least one sample.
      transcripts: U texts in the corpus's own spelling, "" where there is none.
      word_text: W words that the corpus aligned, in its own spelling.
      word_start, word_end: f32[W], seconds from the utterance's start, inside the utterance.
      word_offset: i32[U + 1]; the aligned words of utterance u are word_offset[u] : word_offset[u + 1], none where
        there are no word times.
      mean_absolute: f32[U], mean of |x| of the samples x in [-1, 1) (Lima and Bak, 2018, Table 8: their average).
      deviation: f32[U], standard deviation of the samples in [-1, 1) (Table 8).
    """

    KIND: ClassVar[str] = "waveforms"
    LARGE: ClassVar[str] = "waveform"
    MADE_AS: ClassVar[str] = "waveforms"
    EDGES: ClassVar[tuple[str, ...]] = ("offset", "word_offset")

    waveform: np.ndarray
    offset: np.ndarray
    transcripts: tuple[str, ...]
    word_text: tuple[str, ...]
    word_start: np.ndarray
    word_end: np.ndarray
    word_offset: np.ndarray
    mean_absolute: np.ndarray
    deviation: np.ndarray

    def _damage(self) -> str:
        utterances = len(self.label)
        for name, array, edges in (
            ("waveform", self.waveform, self.offset),
            ("word_start", self.word_start, self.word_offset),
        ):
            if len(edges) != utterances + 1 or edges[-1] != len(array):
                return f"{len(array)} rows of {name} of {utterances} utterances, which should have {edges[-1]}"
        if len(self.transcripts) != utterances or len(self.word_text) != len(self.word_start):
            return f"{len(self.transcripts)} transcripts of {utterances} utterances, or words amiss"
        return ""

    def _content(self) -> list[str]:
        """Transcripts and words."""
        counts = self.counts
        return [
            f"audio       {counts['seconds']:.1f} s",
            f"transcripts {counts['transcripts']} utterances, {counts['words']} words",
            f"word times  {counts['timed']} utterances, {counts['timed_words']} words",
        ]


def find_waveforms(data_dir: str | Path, corpus: str, *, level: str = "none", word_times: str = "note") -> Waveforms:
    """The finished set of waveforms with transcripts of a corpus.

    Args:
      data_dir: as given to `sejax prepare`.
      corpus: its name.
      level: what recordings were brought to.
      word_times: the rule of `sejax.data.store.sets.WORD_TIMES`, for corpora with such.

    Raises:
      InputError: no such set (the command that makes it is named), or several (of other files).
    """
    return find_utterances(Waveforms, data_dir, corpus, level=level, word_times=word_times)


def statistics(samples: np.ndarray) -> tuple[float, float]:
    """Mean of |x| and standard deviation of an utterance's samples int16[T], as numbers x in [-1, 1).

    Whole numbers are summed, so that the result does not depend on the pieces that it is computed in.
    """
    count, total, absolute, squares = len(samples), 0, 0, 0
    for first in range(0, count, _PIECE):
        piece = samples[first : first + _PIECE].astype(np.int64)
        total, absolute = total + int(piece.sum()), absolute + int(np.abs(piece).sum())
        squares += int(np.square(piece).sum())
    variance = (squares * count - total * total) / count**2  # of exact integers: rounding cannot make it negative
    return absolute / count / FULL_SCALE, variance**0.5 / FULL_SCALE
