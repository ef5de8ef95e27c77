"""From one waveform to spectrograms of its voiced blocks: the same definition for preparation and prediction."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.voice_activity import block_starts, blocks, join, original_position, voiced_frames
from sejax.data.blocks.load import BlockSettings
from sejax.errors import InputError

BATCH = 32  # blocks in one call of the jitted spectrogram


@dataclass(frozen=True, eq=False)
class VoicedBlocks:
    """Blocks of a waveform's voiced part.

    Attributes:
      samples: int16[n, block_length], a view of the joined voiced frames.
      start: f64[n], seconds at which each block begins in the original waveform. A block can span a gap that the
        detector cut out, so it may end later than start + block length.
      end: f64[n], seconds at which each block's last sample ends in the original waveform.
      seconds_kept: seconds of the voiced part, the dropped remainder included.
      seconds_filled: of zeros at the end of the only block of a shorter voiced part.
    """

    samples: np.ndarray
    start: np.ndarray
    end: np.ndarray
    seconds_kept: float
    seconds_filled: float = 0.0


def voiced_blocks(waveform: np.ndarray, rate: int, settings: BlockSettings, *, fill: bool = False) -> VoicedBlocks:
    """Cut an int16 waveform [T] at 16 kHz into blocks of its voiced frames (of everything where the mode is None).

    ``fill``: what is voiced and shorter than a block is filled up with zeros to one.
    """
    if rate != RATE or waveform.dtype != np.int16 or waveform.ndim != 1:
        raise InputError(
            f"voiced_blocks: {waveform.dtype}{list(waveform.shape)} at {rate} Hz; give int16 [T] at {RATE} Hz"
            " (sejax.corpora.waveform.read converts any file)"
        )
    length, overlap = settings.block_samples, settings.overlap_samples
    if settings.voice_activity is None:
        kept, position = waveform, lambda samples: samples
    else:
        frame = rate * settings.frame_ms // 1000
        decisions = voiced_frames(waveform, rate, mode=settings.voice_activity, frame_ms=settings.frame_ms)
        kept = join(waveform, decisions, frame=frame)
        position = functools.partial(original_position, decisions=decisions, frame=frame)
    if fill and 0 < len(kept) < length:
        block = np.zeros((1, length), np.int16)
        block[0, : len(kept)] = kept
        first, last = position(np.array([0])), position(np.array([len(kept) - 1]))
        lacking = (length - len(kept)) / rate
        return VoicedBlocks(block, first / rate, (last + 1) / rate, len(kept) / rate, lacking)
    starts = block_starts(len(kept), block_length=length, overlap=overlap)
    return VoicedBlocks(
        samples=blocks(kept, block_length=length, overlap=overlap),
        start=position(starts) / rate,
        end=(position(starts + length - 1) + 1) / rate,
        seconds_kept=len(kept) / rate,
    )


def spoken_blocks(waveform: np.ndarray, rate: int, settings: BlockSettings, *, fill: bool = False) -> VoicedBlocks:
    """As `voiced_blocks`, of which there must be one: InputError for a recording with less speech than that."""
    found = voiced_blocks(waveform, rate, settings, fill=fill)
    if not len(found.samples):
        remedy = "another recording" if fill else "a longer recording, or have it filled up with zeros (pad)"
        raise InputError(
            f"{found.seconds_kept:.2f} s of speech found in {len(waveform) / rate:.2f} s of audio, less than one "
            f"block of {settings.block_length} s: give {remedy}"
        )
    return found


def spectrograms(samples: np.ndarray, settings: BlockSettings) -> np.ndarray:
    """Spectrograms of int16 blocks [n, block_length] in dB: f32[n, len(fmax), bands, frames]."""
    batches = list(spectrogram_batches([samples], settings))
    return np.concatenate(batches) if batches else np.empty((0, len(settings.fmax), *image_shape(settings)), np.float32)


def spectrogram_batches(pieces, settings: BlockSettings) -> Iterator[np.ndarray]:
    """Spectrograms of several runs of blocks, f32[at most 32, len(fmax), bands, frames] at a time.

    The runs (int16[n, block_length] each) are filled one after the other into batches of one fixed shape: one
    compilation, and memory that does not depend on the runs' lengths.
    """
    batch, filled = np.zeros((BATCH, settings.block_samples), np.int16), 0
    for samples in pieces:
        done = 0
        while done < len(samples):
            run = samples[done : done + BATCH - filled]
            batch[filled : filled + len(run)] = run
            filled, done = filled + len(run), done + len(run)
            if filled == BATCH:
                yield np.asarray(_jitted(settings)(batch))
                filled = 0
    if filled:
        yield np.asarray(_jitted(settings)(batch))[:filled]


def compile_spectrogram(settings: BlockSettings) -> None:
    """Compile what `spectrogram_batches` calls, so that its first call does not wait."""
    _jitted(settings)(np.zeros((BATCH, settings.block_samples), np.int16)).block_until_ready()


@functools.cache
def _jitted(settings: BlockSettings):
    """int16[32, block_length] -> f32[32, len(fmax), bands, frames] in dB, compiled once."""
    import jax
    import jax.numpy as jnp

    from sejax.audio.spectrogram import spectrogram

    def images(batch):
        waveform = batch.astype(jnp.float32) / 32768.0  # int16 to [-1, 1)
        return spectrogram(waveform, settings.spectrogram, fmax=settings.fmax)

    return jax.jit(images)


def image_shape(settings: BlockSettings) -> tuple[int, int]:
    """Bands and frames of one image."""
    import jax

    blocks = jax.ShapeDtypeStruct((BATCH, settings.block_samples), np.int16)
    return jax.eval_shape(_jitted(settings), blocks).shape[2:]
