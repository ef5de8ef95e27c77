"""Original files -> utterances -> voiced parts -> blocks -> spectrograms, resumable and in bounded memory."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sejax.corpora import records
from sejax.corpora.corpus import Corpus, Progress
from sejax.data.index import UtteranceRow, write_index
from sejax.data.prepared_set import prepare_set, reporter
from sejax.data.settings import Settings
from sejax.data.voiced import image_shape, spectrogram_batches, voiced_blocks
from sejax.data.written_groups import write_groups
from sejax.errors import InputError


def prepare(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    settings: Settings | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Prepare a corpus; returns the folder of its set of spectrograms, DATA_DIR/<corpus>/spectrograms-<hash>.

    A set that exists is returned as it is; a preparation that was killed goes on where it was; other settings or other
    files make another set. `options` are those of the corpus (`sejax.corpora`), such as `subset` or `name`.
    `progress(stage, done, total)` is called with seconds of audio. Raises InputError for bad input; with
    `allow_partial` the set's left_out.csv lists what it goes without.
    """
    settings = settings or Settings()
    if not isinstance(settings, Settings):
        raise InputError(f"prepare: settings={settings!r}; pass a sejax.data.settings.Settings")
    return prepare_set(
        corpus,
        source,
        data_dir,
        name=lambda utterances: f"spectrograms-{settings.hash(utterances)}",
        write=functools.partial(_write, settings=settings, progress=progress),
        allow_partial=allow_partial,
        progress=progress,
        options=options,
    )


def _write(corpus: Corpus, utterances, folder: Path, *, settings: Settings, progress: Progress | None) -> None:
    """Fill the set's folder."""
    rows = _compute(utterances, settings, folder, reporter("spectrograms", corpus, progress))
    if not any(row.blocks for row in rows):
        shutil.rmtree(folder)
        raise InputError(_nothing_left(corpus, rows, settings))
    write_index(folder, corpus, settings, rows, utterances=Path(utterances.data_dir).parent.name)


def _compute(utterances, settings: Settings, folder: Path, report: Callable[[float], None]) -> list[UtteranceRow]:
    """Write spectrogram.npy, one shard of utterances after the other; returns a row per utterance."""

    def images(source, group, rows):
        for batch in spectrogram_batches(_voiced_runs(source, group, settings, rows), settings):
            yield batch.reshape(-1, *batch.shape[2:])

    images_of_block = len(settings.fmax)
    return write_groups(
        utterances,
        folder,
        images,
        array="spectrogram",
        shape=image_shape(settings),
        row=UtteranceRow,
        length=lambda row: row.blocks * images_of_block,
        seconds_each=(settings.block_length - settings.block_overlap) / images_of_block,
        report=report,
    )


def _voiced_runs(source, group: range, settings: Settings, rows: list) -> Iterator[np.ndarray]:
    """Yield the blocks of each utterance of a group, int16[n, block_length], and append its row to `rows`."""
    for index in group:
        utterance = records.from_example(source[index])
        blocks = voiced_blocks(utterance.waveform, utterance.rate, settings)
        rows.append(
            UtteranceRow.of(
                utterance,
                seconds_kept=blocks.seconds_kept,
                blocks=len(blocks.samples),
                start=blocks.start.tolist(),
                end=blocks.end.tolist(),
            )
        )
        yield blocks.samples


def _nothing_left(corpus: Corpus, rows: list[UtteranceRow], settings: Settings) -> str:
    longest = max(rows, key=lambda row: row.seconds_kept)
    return (
        f"corpora/{corpus.name}: no block of {settings.block_length} s in {len(rows)} utterances (voice activity mode"
        f" {settings.voice_activity} leaves at most {longest.seconds_kept:.2f} s, in {longest.id});"
        " use --voice_activity=none, or a shorter --block_length"
    )
