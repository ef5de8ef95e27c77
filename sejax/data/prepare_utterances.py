"""Original files -> utterances -> whole-utterance spectrograms with ratings and word times, resumable."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sejax.audio.spectrogram import filterbank
from sejax.corpora.corpus import Corpus, Progress
from sejax.corpora.utterance import Utterance
from sejax.data.index import write_utterance_index
from sejax.data.prepared_set import prepare_set, reporter
from sejax.data.rows import Row
from sejax.data.settings import RATE
from sejax.data.spans import spans_of
from sejax.data.utterance_frames import frame_batches, frame_count
from sejax.data.utterance_settings import UtteranceSettings
from sejax.data.written_groups import utterances_of, write_groups

_DIMENSIONS = ("valence", "activation", "dominance")


@dataclass(frozen=True)
class UtteranceRow(Row):
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


def prepare_utterances(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    settings: UtteranceSettings | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Prepare a corpus; returns the folder of its set, DATA_DIR/<corpus>/utterance_spectrograms-<hash>.

    A set that exists is returned as it is; a preparation that was killed goes on where it was, to the same bytes.

    Args:
      corpus, source, options: as `sejax.corpora.open_corpus` takes them.
      data_dir: folder that holds the prepared sets.
      settings: what the set depends on beside the corpus; None: the defaults.
      allow_partial: go without unusable inputs; the set's left_out.csv lists them.
      progress: `progress(stage, done, total)`, seconds of audio.

    Raises InputError for bad input, and for bands that the Fourier transform cannot tell apart.
    """
    settings = settings or UtteranceSettings()
    filterbank(settings.spectrogram, fmax=settings.fmax)  # raises for impossible bands, before any file is read
    return prepare_set(
        corpus,
        source,
        data_dir,
        name=lambda utterances: f"utterance_spectrograms-{settings.hash(utterances)}",
        write=functools.partial(_write, settings=settings, progress=progress),
        allow_partial=allow_partial,
        progress=progress,
        options=options,
    )


def _write(corpus: Corpus, utterances, folder: Path, *, settings: UtteranceSettings, progress: Progress | None) -> None:
    """Fill the set's folder."""
    rows = write_groups(
        utterances,
        folder,
        functools.partial(_compute, settings=settings),
        array="frames",
        shape=(settings.bands,),
        dtype="<f2",
        row=UtteranceRow,
        length=lambda row: row.frames,
        seconds_each=settings.window_hop,
        report=reporter("spectrograms", corpus, progress),
    )
    _write_index(folder, corpus, settings, rows, Path(utterances.data_dir).parent.name)


def _compute(source, group: range, rows: list, *, settings: UtteranceSettings) -> Iterator[np.ndarray]:
    """Yield the frames of a group of utterances, f16[n, bands], and append their rows."""
    found: list[UtteranceRow] = []
    highest = []
    for frames, peaks in frame_batches(_waveforms(source, group, settings, found), settings):
        highest.append(peaks)
        yield frames
    first = np.cumsum([0, *(row.frames for row in found)])[:-1]
    maxima = np.maximum.reduceat(np.concatenate(highest), first)
    rows += [replace(row, maximum=float(maximum)) for row, maximum in zip(found, maxima, strict=True)]


def _waveforms(source, group: range, settings: UtteranceSettings, rows: list) -> Iterator[np.ndarray]:
    """Yield the samples of each utterance of a group, int16[T], after its row was appended to `rows`."""
    for utterance in utterances_of(source, group):
        rows.append(_row(utterance, settings))
        yield utterance.waveform


def _row(utterance: Utterance, settings: UtteranceSettings) -> UtteranceRow:
    samples = len(utterance.waveform)
    spans, rate = spans_of(utterance, settings), RATE / settings.spectrogram.hop_length  # frames a second
    return UtteranceRow.of(
        utterance,
        **{name: getattr(utterance, name) for name in _DIMENSIONS},
        frames=frame_count(samples, settings),
        spans=spans.kind,
        span_start=(spans.start * rate).tolist(),
        span_end=(spans.end * rate).tolist(),
    )


def _write_index(folder: Path, corpus: Corpus, settings: UtteranceSettings, rows: list, utterances: str) -> None:
    """Write index.json, settings.json and one .npy per column."""
    columns = {
        "offset": np.cumsum([0, *(row.frames for row in rows)], dtype=np.int64),
        "maximum": np.array([row.maximum for row in rows], np.float32),
        "span_start": np.array([start for row in rows for start in row.span_start], np.float32),
        "span_end": np.array([end for row in rows for end in row.span_end], np.float32),
        "span_offset": np.cumsum([0, *(len(row.span_start) for row in rows)], dtype=np.int32),
        "aligned": np.array([row.spans == "words" for row in rows]),
    }
    columns |= {name: np.array([getattr(row, name) for row in rows], np.float32) for name in _DIMENSIONS}
    rated = ~np.isnan(columns["valence"]) & ~np.isnan(columns["activation"])
    kinds = Counter(row.spans for row in rows)
    write_utterance_index(
        folder,
        corpus,
        settings.as_dict(),
        rows,
        columns=columns,
        counts={
            "frames": int(columns["offset"][-1]),
            "rated": int(rated.sum()),
            "ranges": {name: _range(columns[name]) for name in _DIMENSIONS},
            "words": sum(len(row.span_start) for row in rows if row.spans == "words"),
            "spans": {kind: kinds[kind] for kind in ("words", "voiced", "whole")},
        },
        about={"spectrogram": asdict(settings.spectrogram)},
        utterances=utterances,
    )


def _range(values: np.ndarray) -> list[float] | None:
    """Lowest and highest rating, None where nothing is rated."""
    rated = values[~np.isnan(values)]
    return [float(rated.min()), float(rated.max())] if len(rated) else None
