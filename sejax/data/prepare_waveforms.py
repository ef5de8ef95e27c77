"""Original files -> utterances -> waveforms with transcripts and word times, resumable and in bounded memory."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.corpora.corpus import Corpus, Progress
from sejax.data.index import write_utterance_index
from sejax.data.prepared_set import prepare_set, reporter, short_hash
from sejax.data.rows import Row
from sejax.data.settings import RATE
from sejax.data.spans import words_inside
from sejax.data.waveforms import statistics
from sejax.data.written_groups import utterances_of, write_groups

FORMAT = 1  # raise it when the same utterances begin to give other values
SETTINGS = {"rate": RATE}  # Hz

_STATISTICS = ("mean_absolute", "deviation")


@dataclass(frozen=True)
class WaveformRow(Row):
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
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Prepare a corpus; returns the folder of its set, DATA_DIR/<corpus>/waveforms-<hash>.

    A set that exists is returned as it is; a preparation that was killed goes on where it was, to the same bytes.

    Args:
      corpus, source, options: as `sejax.corpora.open_corpus` takes them.
      data_dir: folder that holds the prepared sets.
      allow_partial: go without unusable inputs; the set's left_out.csv lists them.
      progress: `progress(stage, done, total)`, seconds of audio.

    Raises InputError for bad input.
    """
    return prepare_set(
        corpus,
        source,
        data_dir,
        name=lambda utterances: f"waveforms-{short_hash(FORMAT, SETTINGS, utterances)}",
        write=functools.partial(_write, progress=progress),
        allow_partial=allow_partial,
        progress=progress,
        options=options,
    )


def _write(corpus: Corpus, utterances, folder: Path, *, progress: Progress | None) -> None:
    """Fill the set's folder."""
    rows = write_groups(
        utterances,
        folder,
        _samples,
        array="waveform",
        shape=(),
        dtype="<i2",
        row=WaveformRow,
        length=lambda row: row.samples,
        seconds_each=1 / RATE,
        report=reporter("waveforms", corpus, progress),
    )
    _write_index(folder, corpus, rows, Path(utterances.data_dir).parent.name)


def _write_index(folder: Path, corpus: Corpus, rows: list, utterances: str) -> None:
    """Write index.json, settings.json and one .npy per column."""
    offsets = {
        "offset": np.cumsum([0, *(row.samples for row in rows)], dtype=np.int64),
        "word_offset": np.cumsum([0, *(len(row.word_text) for row in rows)], dtype=np.int32),
    }
    of_words = ("word_start", "word_end")
    columns = {name: np.array([at for row in rows for at in getattr(row, name)], np.float32) for name in of_words}
    columns |= {name: np.array([getattr(row, name) for row in rows], np.float32) for name in _STATISTICS}
    write_utterance_index(
        folder,
        corpus,
        SETTINGS,
        rows,
        columns=offsets | columns,
        names={
            "transcripts": [row.transcript for row in rows],
            "word_text": [text for row in rows for text in row.word_text],
        },
        counts={
            "samples": int(offsets["offset"][-1]),
            "transcripts": sum(bool(row.transcript) for row in rows),
            "words": sum(len(row.transcript.split()) for row in rows),
            "timed": sum(bool(row.word_text) for row in rows),
            "timed_words": int(offsets["word_offset"][-1]),
        },
        utterances=utterances,
    )


def _samples(source, group: range, rows: list) -> Iterator[np.ndarray]:
    """Yield the samples of each utterance of a group, int16[T], after its row was appended to `rows`."""
    for utterance in utterances_of(source, group):
        words = words_inside(utterance)
        rows.append(
            WaveformRow.of(
                utterance,
                samples=len(utterance.waveform),
                transcript=utterance.transcript,
                word_text=[word.text for word in words],
                word_start=[word.start for word in words],
                word_end=[word.end for word in words],
                **dict(zip(_STATISTICS, statistics(utterance.waveform), strict=True)),
            )
        )
        yield utterance.waveform
