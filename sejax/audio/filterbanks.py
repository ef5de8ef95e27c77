"""Filterbanks from the power of n_fft // 2 + 1 DFT bins to the power of fewer bands (numpy, float64)."""

import numpy as np

from sejax.errors import InputError

MEL_SCALES = ("slaney", "htk")
MEL_NORMS = ("slaney", "none")

# Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, then 27 steps for every factor of 6.4.
_LINEAR_HZ_PER_MEL = 200.0 / 3
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(frequency, *, scale: str = "slaney") -> np.ndarray:
    """Mel value of frequencies in Hz; `htk` is 2595 log10(1 + f / 700)."""
    frequency = np.asarray(frequency, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + frequency / 700.0)
    logarithmic = _CORNER_MEL + np.log(np.maximum(frequency, _CORNER_HZ) / _CORNER_HZ) / _LOG_STEP
    return np.where(frequency < _CORNER_HZ, frequency / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mel, *, scale: str = "slaney") -> np.ndarray:
    """Frequency in Hz of mel values: the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    logarithmic = _CORNER_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _CORNER_MEL) - _CORNER_MEL))
    return np.where(mel < _CORNER_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_filterbank(
    *,
    sample_rate: int,
    n_fft: int,
    bands: int,
    fmax: float,
    fmin: float = 0.0,
    scale: str = "slaney",
    norm: str = "slaney",
) -> np.ndarray:
    """Triangular filters, evenly spaced on a mel scale between fmin and fmax in Hz: float64[bands, bins].

    `norm="slaney"` gives every triangle the same area (2 / its width in Hz), so that white noise is flat;
    `"none"` leaves every peak at 1. Raises InputError where a triangle is so narrow that it holds no bin.
    """
    _check_choice("mel scale", scale, MEL_SCALES)
    _check_choice("mel norm", norm, MEL_NORMS)
    _check_range(sample_rate, bands, fmin, fmax)
    limits = hz_to_mel([fmin, fmax], scale=scale)
    corners = mel_to_hz(np.linspace(*limits, bands + 2), scale=scale)[:, None]  # Hz, [bands + 2, 1]
    bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))  # [bands, bins]
    empty = np.flatnonzero(~weights.any(axis=1))
    if empty.size:
        raise InputError(
            f"mel filterbank: {empty.size} of {bands} bands below {fmax:g} Hz hold no DFT bin (the first is"
            f" band {empty[0]}); raise n_fft above {n_fft} or ask for fewer bands"
        )
    if norm == "slaney":
        weights *= 2.0 / (right - left)
    return weights


def linear_filterbank(*, sample_rate: int, n_fft: int, bands: int, fmax: float, fmin: float = 0.0) -> np.ndarray:
    """Mean power of equal-width bands between fmin and fmax in Hz: float64[bands, bins], rows sum to 1.

    A DFT bin stands for the frequencies nearer to it than to any other bin, and a band takes of every bin
    the share of its own width that this stretch covers. No band is empty, however narrow, white noise is
    flat, and the bands together weigh all frequencies between fmin and fmax alike.
    """
    _check_range(sample_rate, bands, fmin, fmax)
    edges = np.linspace(fmin, fmax, bands + 1)[:, None]
    spacing = sample_rate / n_fft
    bins = np.arange(n_fft // 2 + 1) * spacing
    lower = np.maximum(bins - spacing / 2, 0.0)
    upper = np.minimum(bins + spacing / 2, sample_rate / 2)
    overlap = np.minimum(edges[1:], upper) - np.maximum(edges[:-1], lower)  # Hz, [bands, bins]
    return np.maximum(overlap, 0.0) / (edges[1:] - edges[:-1])


def _check_choice(what, value, known):
    if value not in known:
        raise InputError(f"{what}: {value!r} is unknown; choose one of {', '.join(known)}")


def _check_range(sample_rate, bands, fmin, fmax):
    if bands < 1:
        raise InputError(f"filterbank: {bands} bands; ask for at least one")
    if not 0.0 <= fmin < fmax:
        raise InputError(f"filterbank: frequencies from fmin {fmin:g} to fmax {fmax:g} Hz; fmin must be below fmax")
    if fmax > sample_rate / 2:
        raise InputError(
            f"filterbank: fmax {fmax:g} Hz is above half the sample rate ({sample_rate / 2:g} Hz); lower fmax"
            " or resample the audio"
        )
