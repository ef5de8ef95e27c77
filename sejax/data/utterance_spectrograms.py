"""Prepared sets of whole-utterance spectrograms with ratings and word times; `load` needs numpy alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepared_set import damaged
from sejax.data.utterance_set import UtteranceSet, read_utterances


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceSpectrograms(UtteranceSet):
    """A prepared set: U utterances one after the other, T frames in all. `settings` as `UtteranceSettings.as_dict`.

    Attributes:
      frames: f16[T, bands] in dB, low bands first; memory-mapped. Frame t of an utterance is centred on its second
        t * window_hop.
      offset: i64[U + 1]; utterance u is frames[offset[u] : offset[u + 1]], at least one frame.
      maximum: f32[U], the highest dB of each utterance.
      span_start, span_end: f32[S], in frames from the utterance's start (seconds / window_hop): its words, or its
        voiced stretches where it has no word times, or the whole of it where nothing is voiced either.
      span_offset: i32[U + 1]; the spans of utterance u are span_offset[u] : span_offset[u + 1], at least one.
      aligned: bool[U], True where the spans are words.
      valence, activation, dominance: f32[U] on the corpus's own scale, nan where not rated.
    """

    frames: np.ndarray
    offset: np.ndarray
    maximum: np.ndarray
    span_start: np.ndarray
    span_end: np.ndarray
    span_offset: np.ndarray
    aligned: np.ndarray
    valence: np.ndarray
    activation: np.ndarray
    dominance: np.ndarray


_COLUMNS = (
    *("offset", "maximum", "span_start", "span_end", "span_offset", "aligned"),
    *("valence", "activation", "dominance"),
)


def load(folder: str | Path) -> UtteranceSpectrograms:
    """Read a prepared set; the frames stay on the disk until they are asked for.

    Raises InputError when the folder is not a finished set of utterance spectrograms, or its files do not fit together.
    """
    fields = read_utterances(
        folder,
        array="frames",
        columns=_COLUMNS,
        kind="utterance spectrograms",
        features="utterance_spectrograms",
    )
    frames, offset, utterances = fields["frames"], fields["offset"], len(fields["label"])
    if len(offset) != utterances + 1 or offset[-1] != len(frames):
        raise damaged(folder, f"{len(frames)} frames of {utterances} utterances, which should have {offset[-1]}")
    return UtteranceSpectrograms(**fields)
