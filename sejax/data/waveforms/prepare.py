"""Original files -> utterances -> waveforms with transcripts and word times, resumable and in bounded memory."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.audio.samples import RATE
from sejax.corpora.corpus import Corpus, Utterance
from sejax.data.store.sets import check_settings, level_rule, with_level
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
from sejax.data.waveforms.load import SETTINGS, statistics

_STATISTICS = ("mean_absolute", "deviation")


@dataclass(frozen=True)
class SamplesRow(UtteranceRow):
    """What a preparation remembers of an utterance beside its samples: how many, what was said, and their statistics.

    `word_text`, `word_start` and `word_end` (seconds) are of the words that the corpus aligned.
    """

    samples: int
    transcript: str
    word_text: list[str]
    word_start: list[float]
    word_end: list[float]
    mean_absolute: float
    deviation: float


def prepare_waveforms(
    corpus: str, source: str | Path = "", data_dir: str | Path = "data", *, level: str = "none", **how
) -> Path:
    """Prepare a corpus; returns the folder of its set, DATA_DIR/<corpus>/waveforms-<hash>.

    The arguments are those of `sejax.data.store.writing.prepare_set`, and what recordings are brought to, of
    `sejax.audio.level.LEVELS`.
    """
    check_settings(level_rule(level))
    preparation = Preparation(
        features="waveforms",
        decides={"settings": with_level(SETTINGS, level)},
        write=functools.partial(_write, level=level),
    )
    return prepare_set(preparation, corpus, source, data_dir, **how)


def _write(corpus: Corpus, utterances, folder: Path, report: Callable[[float], None], *, level: str) -> Contents:
    """Write waveform.npy."""
    rows = write_array(
        utterances,
        folder,
        _describe,
        array="waveform",
        shape=(),
        dtype="<i2",
        row=SamplesRow,
        length=lambda row: row.samples,
        seconds_each=1 / RATE,
        level=level,
        report=report,
    )
    columns = {
        "offset": offsets((row.samples for row in rows), np.int64),
        "word_offset": offsets((len(row.word_text) for row in rows), np.int32),
    }
    for name in ("word_start", "word_end"):
        columns[name] = np.array([time for row in rows for time in getattr(row, name)], np.float32)
    columns |= {name: np.array([getattr(row, name) for row in rows], np.float32) for name in _STATISTICS}
    index = {
        "transcripts": [row.transcript for row in rows],
        "word_text": [text for row in rows for text in row.word_text],
    }
    counts = {
        "samples": int(columns["offset"][-1]),
        "transcripts": sum(bool(row.transcript) for row in rows),
        "words": sum(len(row.transcript.split()) for row in rows),
        "timed": sum(bool(row.word_text) for row in rows),
        "timed_words": int(columns["word_offset"][-1]),
    }
    return Contents(rows, columns=columns, index=index, counts=counts)


def _describe(utterance: Utterance) -> tuple[SamplesRow, np.ndarray]:
    """The row of an utterance and its samples, int16[T]."""
    check_rate(utterance)
    words = words_inside(utterance)
    row = SamplesRow.of(
        utterance,
        samples=len(utterance.waveform),
        transcript=utterance.transcript,
        word_text=[word.text for word in words],
        word_start=[word.start for word in words],
        word_end=[word.end for word in words],
        **dict(zip(_STATISTICS, statistics(utterance.waveform), strict=True)),
    )
    return row, utterance.waveform
