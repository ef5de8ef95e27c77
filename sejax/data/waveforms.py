"""Prepared sets of waveforms with transcripts and word times; `load` needs numpy alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepared_set import damaged
from sejax.data.utterance_set import UtteranceSet, read_utterances

FULL_SCALE = 32768  # int16 samples lie in [-1, 1) after the division by it
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

    waveform: np.ndarray
    offset: np.ndarray
    transcripts: tuple[str, ...]
    word_text: tuple[str, ...]
    word_start: np.ndarray
    word_end: np.ndarray
    word_offset: np.ndarray
    mean_absolute: np.ndarray
    deviation: np.ndarray


_COLUMNS = ("offset", "word_start", "word_end", "word_offset", "mean_absolute", "deviation")
_NAMES = ("transcripts", "word_text")


def load(folder: str | Path) -> Waveforms:
    """Read a prepared set; the samples stay on the disk until they are asked for.

    Raises InputError when the folder is not a finished set of waveforms, or its files do not fit together.
    """
    fields = read_utterances(
        folder, array="waveform", columns=_COLUMNS, names=_NAMES, kind="waveforms", features="waveforms"
    )
    utterances = len(fields["label"])
    for array, offset in (("waveform", "offset"), ("word_start", "word_offset")):
        edges, count = fields[offset], len(fields[array])
        if len(edges) != utterances + 1 or edges[-1] != count:
            raise damaged(folder, f"{count} rows of {array} of {utterances} utterances, which should have {edges[-1]}")
    if len(fields["transcripts"]) != utterances or len(fields["word_text"]) != len(fields["word_start"]):
        raise damaged(folder, f"{len(fields['transcripts'])} transcripts of {utterances} utterances, or words amiss")
    return Waveforms(**fields)


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
