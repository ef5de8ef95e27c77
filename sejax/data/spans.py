"""Where in an utterance somebody speaks: its words, or its voiced stretches where nobody aligned them."""

from dataclasses import dataclass

import numpy as np

from sejax.audio.voice_activity import voiced_frames
from sejax.corpora.utterance import Utterance, Word
from sejax.data.utterance_settings import UtteranceSettings


@dataclass(frozen=True, eq=False)
class Spans:
    """start and end f64[S] in seconds from the utterance's start, S >= 1, 0 <= start <= end <= duration.

    kind: "words", "voiced" or "whole", what the spans are.
    """

    start: np.ndarray
    end: np.ndarray
    kind: str


def spans_of(utterance: Utterance, settings: UtteranceSettings) -> Spans:
    """The words of an utterance that has word times, else its voiced stretches, else the whole of it."""
    if words := words_inside(utterance):
        return Spans(np.array([word.start for word in words]), np.array([word.end for word in words]), "words")
    start, end = _voiced_stretches(utterance, settings)
    if len(start):
        return Spans(start, end, "voiced")
    return Spans(np.zeros(1), np.full(1, len(utterance.waveform) / utterance.rate), "whole")


def words_inside(utterance: Utterance) -> list[Word]:
    """The words that lie in an utterance, with 0 <= start <= end <= duration in seconds.

    Words that begin after the last sample or end before the first are passed over, the others are cut there.
    """
    seconds = len(utterance.waveform) / utterance.rate
    found = []
    for word in utterance.words:
        if word.start < seconds and word.end >= 0:
            start = max(word.start, 0.0)
            found.append(Word(word.text, start, min(max(word.end, start), seconds)))
    return found


def _voiced_stretches(utterance: Utterance, settings: UtteranceSettings) -> tuple[np.ndarray, np.ndarray]:
    """Runs of voiced frames of the detector, start and end f64[R] in seconds; none without a detector."""
    if settings.voice_activity is None:
        return np.zeros(0), np.zeros(0)
    voiced = voiced_frames(utterance.waveform, utterance.rate, mode=settings.voice_activity, frame_ms=settings.frame_ms)
    edges = np.flatnonzero(np.diff(voiced.astype(np.int8), prepend=0, append=0))
    return edges[::2] * settings.frame_ms / 1000, edges[1::2] * settings.frame_ms / 1000
