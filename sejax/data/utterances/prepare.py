"""Original files -> utterances -> whole-utterance spectrograms with ratings and word times, resumable."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.spectrogram import filterbank
from sejax.audio.voice_activity import made_by, voiced_frames
from sejax.corpora.corpus import Corpus, Utterance
from sejax.data.store.writing import (
    Contents,
    Preparation,
    UtteranceRow,
    check_rate,
    offsets,
    prepare_set,
    words_inside,
    write_array,
)
from sejax.data.utterances.frames import frame_batches
from sejax.data.utterances.load import UtteranceSettings

_DIMENSIONS = ("valence", "activation", "dominance")


@dataclass(frozen=True)
class FramesRow(UtteranceRow):
    """What a preparation remembers of an utterance.

    `frames` is their number, `maximum` the highest dB in them, `span_start` and `span_end` are in frames, `spans` says
    what they are: "words", "voiced" or "whole". Ratings are nan where there are none.
    """

    valence: float
    activation: float
    dominance: float
    frames: int
    spans: str
    span_start: list[float]
    span_end: list[float]
    maximum: float = 0.0


@dataclass(frozen=True, eq=False)
class Spans:
    """Where in an utterance somebody speaks: f64[S] in seconds from its start, S >= 1, 0 <= start <= end <= duration.

    kind: "words", "voiced" or "whole", what the spans are.
    """

    start: np.ndarray
    end: np.ndarray
    kind: str


def prepare_utterances(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    settings: UtteranceSettings | None = None,
    **how,
) -> Path:
    """Prepare a corpus; returns the folder of its set, DATA_DIR/<corpus>/utterance_spectrograms-<hash>.

    The arguments are those of `sejax.data.store.writing.prepare_set`, and what the set depends on beside the corpus.
    Raises InputError also for bands that the Fourier transform cannot tell apart.
    """
    settings = settings or UtteranceSettings()
    filterbank(settings.spectrogram, fmax=settings.fmax)  # raises for impossible bands, before any file is read
    return prepare_set(preparation(settings), corpus, source, data_dir, **how)


def preparation(settings: UtteranceSettings) -> Preparation:
    """How sets with these settings are made."""
    return Preparation(
        features="utterance_spectrograms",
        stage="spectrograms",
        decides={
            "settings": settings.as_dict(),
            "spectrogram": asdict(settings.spectrogram),
            **made_by(settings.voice_activity),
        },
        write=functools.partial(_write, settings=settings),
    )


def _write(
    corpus: Corpus, utterances, folder: Path, report: Callable[[float], None], *, settings: UtteranceSettings
) -> Contents:
    """Write frames.npy."""
    rows = write_array(
        utterances,
        folder,
        functools.partial(_describe, settings=settings),
        functools.partial(_frames, settings=settings),
        array="frames",
        shape=(settings.bands,),
        dtype="<f2",
        row=FramesRow,
        length=lambda row: row.frames,
        seconds_each=settings.window_hop,
        level=settings.level,
        report=report,
    )
    columns = {
        "offset": offsets((row.frames for row in rows), np.int64),
        "maximum": np.array([row.maximum for row in rows], np.float32),
        "span_start": np.array([start for row in rows for start in row.span_start], np.float32),
        "span_end": np.array([end for row in rows for end in row.span_end], np.float32),
        "span_offset": offsets((len(row.span_start) for row in rows), np.int32),
        "aligned": np.array([row.spans == "words" for row in rows]),
    }
    columns |= {name: np.array([getattr(row, name) for row in rows], np.float32) for name in _DIMENSIONS}
    rated = ~np.isnan(columns["valence"]) & ~np.isnan(columns["activation"])
    kinds = Counter(row.spans for row in rows)
    counts = {
        "frames": int(columns["offset"][-1]),
        "rated": int(rated.sum()),
        "ranges": {name: _range(columns[name]) for name in _DIMENSIONS},
        "words": sum(len(row.span_start) for row in rows if row.spans == "words"),
        "spans": {kind: kinds[kind] for kind in ("words", "voiced", "whole")},
    }
    if settings.voice_activity is not None and kinds["words"] < len(rows):
        counts |= _heard(rows, settings)
    return Contents(rows, columns=columns, counts=counts)


def _heard(rows: list[FramesRow], settings: UtteranceSettings) -> dict[str, float]:
    """Seconds of the utterances without word times, in which a detector looked for speech, and of what it found."""
    asked = [row for row in rows if row.spans != "words"]
    frames = sum(sum(row.span_end) - sum(row.span_start) for row in asked if row.spans == "voiced")
    return {
        "seconds_heard": sum(row.seconds for row in asked),
        "seconds_speech": frames * settings.spectrogram.hop_length / RATE,
    }


def _frames(waveforms: Iterator[np.ndarray], rows: list, settings: UtteranceSettings) -> Iterator[np.ndarray]:
    """Yield the frames of utterances, f16[n, bands]; then their rows hold the maxima."""
    highest = []
    for frames, peaks in frame_batches(waveforms, settings):
        highest.append(peaks)
        yield frames
    first = np.cumsum([0, *(row.frames for row in rows)])[:-1]
    maxima = np.maximum.reduceat(np.concatenate(highest), first)
    rows[:] = [replace(row, maximum=float(maximum)) for row, maximum in zip(rows, maxima, strict=True)]


def _describe(utterance: Utterance, settings: UtteranceSettings) -> tuple[FramesRow, np.ndarray]:
    """The row of an utterance, without its maximum, and its samples int16[T]."""
    check_rate(utterance)
    spans, rate = spans_of(utterance, settings), RATE / settings.spectrogram.hop_length  # frames a second
    row = FramesRow.of(
        utterance,
        **{name: getattr(utterance, name) for name in _DIMENSIONS},
        frames=settings.spectrogram.frames(len(utterance.waveform)),
        spans=spans.kind,
        span_start=(spans.start * rate).tolist(),
        span_end=(spans.end * rate).tolist(),
    )
    return row, utterance.waveform


def spans_of(utterance: Utterance, settings: UtteranceSettings) -> Spans:
    """The words of an utterance that has word times, else its voiced stretches, else the whole of it."""
    if words := words_inside(utterance):
        return Spans(np.array([word.start for word in words]), np.array([word.end for word in words]), "words")
    start, end = _voiced_stretches(utterance, settings)
    if len(start):
        return Spans(start, end, "voiced")
    return Spans(np.zeros(1), np.full(1, len(utterance.waveform) / utterance.rate), "whole")


def _voiced_stretches(utterance: Utterance, settings: UtteranceSettings) -> tuple[np.ndarray, np.ndarray]:
    """Runs of voiced frames of the detector, start and end f64[R] in seconds; none without a detector."""
    if settings.voice_activity is None:
        return np.zeros(0), np.zeros(0)
    voiced = voiced_frames(utterance.waveform, utterance.rate, mode=settings.voice_activity, frame_ms=settings.frame_ms)
    edges = np.flatnonzero(np.diff(voiced.astype(np.int8), prepend=0, append=0))
    return edges[::2] * settings.frame_ms / 1000, edges[1::2] * settings.frame_ms / 1000


def _range(values: np.ndarray) -> list[float] | None:
    """Lowest and highest rating, None where nothing is rated."""
    rated = values[~np.isnan(values)]
    return [float(rated.min()), float(rated.max())] if len(rated) else None
