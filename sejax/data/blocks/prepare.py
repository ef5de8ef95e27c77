"""Original files -> utterances -> voiced parts -> blocks -> spectrograms, resumable and in bounded memory."""

import collections
import csv
import functools
import io
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sejax.audio.voice_activity import made_by
from sejax.core.files import write_text
from sejax.corpora.corpus import Corpus, Utterance
from sejax.corpora.published import PUBLISHED
from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.spectrograms import compile_spectrogram, image_shape, spectrogram_batches, voiced_blocks
from sejax.data.store.writing import Contents, Preparation, UtteranceRow, prepare_set, write_array
from sejax.errors import InputError


@dataclass(frozen=True)
class BlocksRow(UtteranceRow):
    """What a preparation remembers of an utterance: times in seconds, `start` and `end` of each of its blocks."""

    seconds_kept: float
    blocks: int
    start: list[float]
    end: list[float]


def prepare_blocks(
    corpus: str,
    source: str | Path = "",
    data_dir: str | Path = "data",
    *,
    settings: BlockSettings | None = None,
    **how,
) -> Path:
    """Prepare a corpus; returns the folder of its set of spectrograms, DATA_DIR/<corpus>/spectrograms-<hash>.

    The arguments are those of `sejax.data.store.writing.prepare_set`, and what the set depends on beside the corpus.
    """
    settings = settings or BlockSettings()
    if not isinstance(settings, BlockSettings):
        raise InputError(f"prepare: settings={settings!r}; pass a sejax.data.blocks.load.BlockSettings")
    preparation = Preparation(
        features="spectrograms",
        decides={
            "settings": settings.as_dict(),
            "spectrogram": asdict(settings.spectrogram),
            **made_by(settings.voice_activity),
        },
        write=functools.partial(_write, settings=settings),
        begin=functools.partial(compile_spectrogram, settings),
    )
    return prepare_set(preparation, corpus, source, data_dir, **how)


def _write(
    corpus: Corpus, utterances, folder: Path, report: Callable[[float], None], *, settings: BlockSettings
) -> Contents:
    """Write spectrogram.npy and utterances.csv."""

    def images(blocks, rows):
        del rows
        for batch in spectrogram_batches(blocks, settings):
            yield batch.reshape(-1, *batch.shape[2:])

    images_of_block = len(settings.fmax)
    rows = write_array(
        utterances,
        folder,
        functools.partial(_describe, settings=settings),
        images,
        array="spectrogram",
        shape=image_shape(settings),
        row=BlocksRow,
        length=lambda row: row.blocks * images_of_block,
        seconds_each=(settings.block_length - settings.block_overlap) / images_of_block,
        level=settings.level,
        report=report,
    )
    if not any(row.blocks for row in rows):
        shutil.rmtree(folder)
        raise InputError(_nothing_left(corpus, rows, settings))
    write_text(folder / "utterances.csv", _table(rows))
    blocks = sum(row.blocks for row in rows)
    known = PUBLISHED.get(corpus.name) if settings.block_length == BlockSettings.block_length else None
    counts = {
        "seconds_kept": sum(row.seconds_kept for row in rows),
        "kept_of_label": _kept_of_label(rows),
        "blocks": blocks,
        "images": blocks * images_of_block,
        "published_images": known.images if known else None,
        "without_block": [row.id for row in rows if not row.blocks],
    }
    return Contents(rows, columns=_image_columns(rows, settings), counts=counts)


def _kept_of_label(rows: list[BlocksRow]) -> dict[str, float]:
    """The share of each label's seconds that the detector kept: quiet emotions lose more than the mean says."""
    seconds, kept = collections.Counter(), collections.Counter()
    for row in rows:
        if row.emotion:
            seconds[row.emotion] += row.seconds
            kept[row.emotion] += row.seconds_kept
    return {label: kept[label] / seconds[label] for label in sorted(seconds)}


def _describe(utterance: Utterance, settings: BlockSettings) -> tuple[BlocksRow, np.ndarray]:
    """The row of an utterance and its blocks, int16[n, block_length]."""
    blocks = voiced_blocks(utterance.waveform, utterance.rate, settings)
    start, end = blocks.start.tolist(), blocks.end.tolist()
    counts = {"seconds_kept": blocks.seconds_kept, "blocks": len(blocks.samples)}
    return BlocksRow.of(utterance, **counts, start=start, end=end), blocks.samples


def _image_columns(rows: list[BlocksRow], settings: BlockSettings) -> dict[str, np.ndarray]:
    """Columns over the images in their order: utterance, block, fmax."""
    levels = len(settings.fmax)
    of_block = np.repeat(np.arange(len(rows), dtype=np.int32), [row.blocks for row in rows])

    def spread(values, dtype):
        return np.repeat(np.array(values, dtype), levels)

    return {
        "utterance": spread(of_block, np.int32),
        "block": spread(np.arange(len(of_block)), np.int32),
        "fmax": np.tile(np.array(settings.fmax, np.float32), len(of_block)),
        "start": spread([start for row in rows for start in row.start], np.float64),
        "end": spread([end for row in rows for end in row.end], np.float64),
    }


def _table(rows: list[BlocksRow]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "speaker", "sex", "session", "emotion", "seconds", "seconds_kept", "blocks"])
    for row in rows:
        times = [f"{row.seconds:.4f}", f"{row.seconds_kept:.4f}"]
        table.writerow([row.id, row.speaker, row.sex, row.session, row.emotion, *times, row.blocks])
    return text.getvalue()


def _nothing_left(corpus: Corpus, rows: list[BlocksRow], settings: BlockSettings) -> str:
    longest = max(rows, key=lambda row: row.seconds_kept)
    return (
        f"corpora/{corpus.name}: no block of {settings.block_length} s in {len(rows)} utterances (voice activity"
        f" {settings.voice_activity} leaves at most {longest.seconds_kept:.2f} s, in {longest.id});"
        " use --voice_activity=none, or a shorter --block_length"
    )
