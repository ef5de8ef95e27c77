"""A waveform as everything here hears it: one channel of int16 at 16 kHz (host side)."""

import math

import numpy as np

from sejax.errors import InputError

RATE = 16000  # Hz
_SLOWEST, _FASTEST = 2000, 768_000  # Hz


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] to int16, rounded to nearest and clipped."""
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)


def as_int16(waveform, rate: float) -> np.ndarray:
    """A waveform of one channel at any rate as int16[T] at 16 kHz, as `sejax.corpora.waveform.decode` makes it.

    Args:
      waveform: [T], int16, or float in [-1, 1] (what lies beyond, up to 2, is clipped).
      rate: Hz, 2000 to 768000.

    Raises:
      InputError: another type or shape, no sample, what is not finite, or another rate without the package soxr.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not len(waveform) or not (waveform.dtype == np.int16 or waveform.dtype.kind == "f"):
        raise InputError(
            f"a waveform {waveform.dtype}{list(waveform.shape)}; give one channel [T], int16, or float in [-1, 1]"
        )
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not _SLOWEST <= rate <= _FASTEST:
        raise InputError(
            f"a sampling rate of {rate!r}; give it in Hz, from {_SLOWEST} to {_FASTEST}, such as {RATE}"
        )
    if waveform.dtype.kind == "f":
        peak = np.abs(waveform).max()
        if not peak <= 2.0:  # NaN too
            raise InputError(f"a waveform that reaches {peak:.6g}; give floats in [-1, 1] (int16 samples by 32768)")
    if rate == RATE:
        return waveform if waveform.dtype == np.int16 else to_int16(waveform)
    try:
        import soxr
    except ImportError:
        raise InputError(
            f"a waveform at {rate:g} Hz, and networks hear {RATE} Hz; resample it, or pip install soxr"
        ) from None
    samples = waveform / np.float32(32768) if waveform.dtype == np.int16 else waveform
    resample = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    made = resample.resample_chunk(samples.astype(np.float32), last=True)
    made = to_int16(made[: math.ceil(len(waveform) * RATE / rate)])
    if not len(made):
        raise InputError(f"a waveform of {len(waveform)} samples at {rate:g} Hz is nothing at {RATE} Hz; give more")
    return made
