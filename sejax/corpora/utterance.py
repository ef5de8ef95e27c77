"""The utterance record that every corpus is read into."""

from dataclasses import dataclass, fields

import numpy as np

NOT_RATED = float("nan")


@dataclass(frozen=True)
class Word:
    """One word of a transcript with its times in seconds from the utterance's start."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What one rater said about an utterance: labels in the corpus's spelling, dimensions on the corpus's scale.

    A dimension that the rater left out is nan. `self_report`: the rater is one of the recorded speakers.
    """

    rater: str
    labels: tuple[str, ...] = ()
    valence: float = NOT_RATED
    activation: float = NOT_RATED
    dominance: float = NOT_RATED
    self_report: bool = False


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a corpus says about one utterance before its samples are read.

    `start` and `end` (seconds) select a part of the file at `path`; `end` is `inf` for "to the end of the
    file". `seconds` is the duration that the file's header promises. `emotion_original` is the corpus's own
    spelling, `emotion` one of the corpus's classes, or "" for an unlabelled utterance. `sex` is "male", "female"
    or "". `valence`, `activation` and `dominance` are the corpus's means over its raters, nan where there are none;
    `ratings` holds each rater's own values where the corpus publishes them, and `rater_labels` the labels that
    raters other than the speakers gave, in their order.
    """

    id: str
    path: str = ""
    start: float = 0.0
    end: float = float("inf")
    seconds: float = 0.0
    speaker: str = ""
    sex: str = ""
    session: str = ""
    emotion_original: str = ""
    emotion: str = ""
    rater_labels: tuple[str, ...] = ()
    ratings: tuple[Rating, ...] = ()
    valence: float = NOT_RATED
    activation: float = NOT_RATED
    dominance: float = NOT_RATED
    transcript: str = ""
    words: tuple[Word, ...] = ()
    split: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Utterance(Recording):
    """A recording with its samples: `waveform` int16[T] at `rate` Hz, one channel."""

    waveform: np.ndarray
    rate: int


def with_waveform(recording: Recording, waveform: np.ndarray, rate: int, **changes) -> Utterance:
    """Join a recording with its samples, int16[T] at `rate` Hz; `changes` replaces fields (word times, say)."""
    values = {field.name: getattr(recording, field.name) for field in fields(Recording)}
    return Utterance(**(values | changes), waveform=waveform, rate=rate)
