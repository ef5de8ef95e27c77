"""Blocks of equal length with a fixed overlap, as views of a waveform (host side, numpy)."""

import numpy as np

from sejax.errors import InputError


def block_starts(n_samples: int, *, block_length: int = 16000, overlap: int = 160) -> np.ndarray:
    """First sample of every whole block, int64[n].

    Consecutive blocks share `overlap` samples; what is left over after the last whole block is dropped. The paper's
    blocks (pseudo-labelling, section 4.1) are 1 s long with 10 ms of overlap: 16000 and 160 samples at 16 kHz.
    """
    if block_length <= 0 or not 0 <= overlap < block_length:
        raise InputError(
            f"blocks: a block of {block_length} samples with an overlap of {overlap};"
            " the overlap must be at least 0 and less than the block"
        )
    return np.arange(0, max(n_samples - block_length + 1, 0), block_length - overlap, dtype=np.int64)


def blocks(waveform: np.ndarray, *, block_length: int = 16000, overlap: int = 160) -> np.ndarray:
    """The blocks of a waveform [T] as a read-only view [n, block_length]; no sample is copied."""
    starts = block_starts(len(waveform), block_length=block_length, overlap=overlap)
    if len(starts) == 0:
        return np.empty((0, block_length), waveform.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(waveform, block_length)
    return windows[:: block_length - overlap]
