"""A waveform's voiced part, by WebRTC's detector, and its blocks of equal length (host side)."""

import numpy as np

from sejax.errors import InputError

RATES = (8000, 16000, 32000, 48000)  # Hz, what the detector accepts
FRAMES = (10, 20, 30)  # ms


def voiced_frames(waveform: np.ndarray, rate: int, *, mode: int = 0, frame_ms: int = 30) -> np.ndarray:
    """Decide for every whole frame of an int16 waveform [T] whether it is voiced: bool[T // frame].

    `mode` 0 keeps most, 3 drops most. A remainder shorter than a frame gets no decision. The detector adapts to what
    it has heard, so every waveform gets a fresh one and the result does not depend on what came before.
    """
    import webrtcvad

    _check(waveform, rate, mode, frame_ms)
    frame = rate * frame_ms // 1000
    detector = webrtcvad.Vad(mode)
    data = memoryview(np.ascontiguousarray(waveform)).cast("B")
    decisions = (
        detector.is_speech(bytes(data[i : i + 2 * frame]), rate)
        for i in range(0, len(waveform) // frame * frame * 2, 2 * frame)
    )
    return np.fromiter(decisions, bool, count=len(waveform) // frame)


def voiced(waveform: np.ndarray, rate: int, *, mode: int = 0, frame_ms: int = 30) -> np.ndarray:
    """The voiced frames of an int16 waveform, joined end to end: int16[V]."""
    decisions = voiced_frames(waveform, rate, mode=mode, frame_ms=frame_ms)
    return join(waveform, decisions, frame=rate * frame_ms // 1000)


def join(waveform: np.ndarray, decisions: np.ndarray, *, frame: int) -> np.ndarray:
    """Join the frames (of `frame` samples) for which `decisions` is true."""
    return waveform[: len(decisions) * frame].reshape(-1, frame)[decisions].reshape(-1)


def original_position(positions: np.ndarray, decisions: np.ndarray, *, frame: int) -> np.ndarray:
    """Where samples of the joined voiced frames lie in the original waveform, int64 of the same shape."""
    kept = np.flatnonzero(decisions)
    positions = np.asarray(positions, np.int64)
    return kept[positions // frame] * frame + positions % frame


def _check(waveform, rate, mode, frame_ms):
    if waveform.dtype != np.int16 or waveform.ndim != 1:
        raise InputError(
            f"voice activity: the waveform is {waveform.dtype} of shape {waveform.shape}; give int16 samples [T]"
        )
    if rate not in RATES or frame_ms not in FRAMES or mode not in range(4):
        raise InputError(
            f"voice activity: rate {rate} Hz, frames of {frame_ms} ms, mode {mode}; the detector takes"
            f" rates {RATES}, frames {FRAMES} and modes 0 to 3"
        )


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
