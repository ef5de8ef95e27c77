"""Spectrograms in pure jnp: short-time Fourier transform, power, mel or linear bands, decibels.

Everything here works under jit and vmap and with any batch shape in front of the samples. The settings and
`fmax` are static: filterbanks are numpy constants of the compiled program. Conventions are librosa's, so that
figures can be compared; where ours differ (`centred=False`) the docstring says how.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sejax.audio.filterbanks import MEL_NORMS, MEL_SCALES, linear_filterbank, mel_filterbank
from sejax.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Array, Complex, Float

WINDOWS = ("hamming", "hann")
SCALES = ("log", "mel")

# A f32 transform errs by a share of the whole frame's power, which drowns the quiet bands of speech. It is
# therefore taken of frame[n] - 0.5 frame[n - 1], whose spectrum is flatter, and the filter is divided out again.
# 0.5 is exact in f32, and so is the difference for audio of 16 bits; a stronger filter loses the lowest bands.
_PRE_EMPHASIS = 0.5

# Bands are computed in as many matrix products, each over the bins its bands touch: a quarter of the work
# of one dense product for 64 mel bands. More groups gained nothing on a CPU.
_BAND_GROUPS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpectrogramSettings:
    """What a spectrogram is made of; the defaults are the pseudo-labelling paper's (section 4.1).

    Attributes:
      sample_rate: Hz.
      window: "hamming" or "hann", both periodic.
      window_seconds, hop_seconds: rounded to samples; 400 and 200 at 16 kHz.
      n_fft: DFT length in samples; where it is longer than the window, the frame is padded with zeros on
        both sides. At 16 kHz its 257 bins lie 31.25 Hz apart.
      centred: False: frame t is the window from sample t * hop on, as far as whole windows fit. True: frame t
        is centred on sample t * hop, with zeros beyond both ends.
      scale: "log" = bands of equal width in Hz, "mel" = triangular mel bands; both end up in dB.
      bands: number of bands between fmin and fmax.
      mel: "slaney" or "htk", the mel scale.
      mel_norm: "slaney" (triangles of equal area) or "none" (of equal height).
      fmin: Hz, lower end of the lowest band.
      amin: power below which dB no longer fall: 1e-10 is -100 dB.

    Raises:
      InputError: a value is unknown or does not go with the others.
    """

    sample_rate: int = 16000
    window: str = "hamming"
    window_seconds: float = 0.025
    hop_seconds: float = 0.0125
    n_fft: int = 512
    centred: bool = False
    scale: str = "log"
    bands: int = 64
    mel: str = "slaney"
    mel_norm: str = "slaney"
    fmin: float = 0.0
    amin: float = 1e-10

    def __post_init__(self):
        known = {"window": WINDOWS, "scale": SCALES, "mel": MEL_SCALES, "mel_norm": MEL_NORMS}
        for field, choices in known.items():
            value = getattr(self, field)
            if value not in choices:
                raise InputError(f"spectrogram: {field} {value!r} is unknown; choose one of {', '.join(choices)}")
        positive = ("sample_rate", "window_seconds", "hop_seconds", "n_fft", "bands", "amin")
        for field in (*positive, "window_length", "hop_length"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"spectrogram: {field} is {value}; it must be above zero")
        if self.window_length > self.n_fft:
            raise InputError(
                f"spectrogram: a window of {self.window_length} samples ({self.window_seconds} s) does not"
                f" fit into n_fft {self.n_fft}; raise n_fft to {2 ** (self.window_length - 1).bit_length()} or"
                " shorten the window"
            )
        if not 0.0 <= self.fmin < self.sample_rate / 2:
            raise InputError(f"spectrogram: fmin {self.fmin} Hz lies outside 0 to {self.sample_rate / 2:g} Hz")

    @property
    def window_length(self) -> int:
        """Window in samples."""
        return round(self.window_seconds * self.sample_rate)

    @property
    def hop_length(self) -> int:
        """Hop in samples."""
        return round(self.hop_seconds * self.sample_rate)

    def frames(self, n_samples: int) -> int:
        """Number of frames of a waveform of `n_samples`: 79 for the paper's block of 16000."""
        length = n_samples if self.centred else n_samples - self.window_length
        if n_samples < 1 or length < 0:
            raise InputError(
                f"spectrogram: a waveform of {n_samples} samples is shorter than one window of"
                f" {self.window_length}; pad it with zeros or use centred=True"
            )
        return 1 + length // self.hop_length


def stft(
    waveform: Float[Array, "*batch samples"], settings: SpectrogramSettings
) -> Complex[Array, "*batch frequencies frames"]:
    """Short-time Fourier transform of a waveform [..., T]: complex64[..., n_fft // 2 + 1, frames].

    With `centred` this is ``librosa.stft(center=True, pad_mode="constant")``. Without, frames are counted in
    windows, not in DFT lengths: the result is ``librosa.stft(center=False)`` of the waveform with
    (n_fft - window_length) / 2 zeros put on both sides, which is the same where the two lengths are equal.

    Raises:
      InputError: the samples are not floating point, or too few.
    """
    return jnp.swapaxes(_spectra(waveform, settings), -1, -2)


def power(
    waveform: Float[Array, "*batch samples"], settings: SpectrogramSettings
) -> Float[Array, "*batch frequencies frames"]:
    """Squared magnitude of `stft`: f32[..., n_fft // 2 + 1, frames]."""
    return jnp.swapaxes(_squared(_spectra(waveform, settings)), -1, -2)


def to_db(power: Float[Array, "*shape"], *, amin: float = 1e-10, reference: float = 1.0) -> Float[Array, "*shape"]:
    """Decibels of a power, 10 log10(max(power, amin) / reference), of the same shape."""
    return 10.0 * jnp.log10(jnp.maximum(power, amin)) - 10.0 * math.log10(reference)


@functools.lru_cache(maxsize=32)
def filterbank(settings: SpectrogramSettings, *, fmax: float) -> np.ndarray:
    """Weights of the settings' bands up to `fmax` Hz: read-only f32[bands, n_fft // 2 + 1]."""
    shared = {name: getattr(settings, name) for name in ("sample_rate", "n_fft", "bands", "fmin")}
    shared["fmax"] = float(fmax)
    if settings.scale == "mel":
        weights = mel_filterbank(**shared, scale=settings.mel, norm=settings.mel_norm)
    else:
        weights = linear_filterbank(**shared)
    weights = weights.astype(np.float32)
    weights.setflags(write=False)
    return weights


def band_power(
    waveform: Float[Array, "*batch samples"], settings: SpectrogramSettings, *, fmax: float | Sequence[float]
) -> Float[Array, "*images bands frames"]:
    """Power of the settings' bands, not yet in dB; arguments and shape as for `spectrogram`."""
    several = isinstance(fmax, Sequence | np.ndarray)
    filters = np.stack([filterbank(settings, fmax=f) for f in (fmax if several else (fmax,))])
    result = _weigh(_squared(_spectra(waveform, settings)), filters)  # [..., fmax, bands, frames]
    return result if several else jnp.squeeze(result, -3)


def spectrogram(
    waveform: Float[Array, "*batch samples"], settings: SpectrogramSettings, *, fmax: float | Sequence[float]
) -> Float[Array, "*images bands frames"]:
    """Spectrogram in dB re 1.0 of a waveform: low bands first, 64 x 79 for the paper's block of one second.

    Args:
      waveform: floating point in [-1, 1], [..., T].
      settings: a static argument under jit.
      fmax: Hz, upper end of the highest band. Several values share one Fourier transform and add an axis.

    Returns:
      f32[..., bands, frames] for one fmax, f32[..., n, bands, frames] for a sequence of n.

    Raises:
      InputError: samples that are not floating point, a waveform shorter than a window, fmax above half the
        sample rate or below fmin, mel bands so narrow that they hold no DFT bin.
    """
    return to_db(band_power(waveform, settings, fmax=fmax), amin=settings.amin)


def _spectra(waveform, settings):
    """Fourier transform of every frame: complex64[..., frames, bins]."""
    waveform = jnp.asarray(waveform)
    if not jnp.issubdtype(waveform.dtype, jnp.floating) or waveform.ndim == 0:
        raise InputError(
            f"spectrogram: the waveform is {waveform.dtype} of shape {waveform.shape}; give floating-point"
            " samples [..., T] in [-1, 1] (int16 samples divided by 32768)"
        )
    count = settings.frames(waveform.shape[-1])
    n_fft, spare = settings.n_fft, settings.n_fft - settings.window_length
    margin = (n_fft // 2,) * 2 if settings.centred else (spare // 2, spare - spare // 2)
    # One sample more than a frame: pre-emphasis needs the one before it.
    margins = [(0, 0)] * (waveform.ndim - 1) + [(margin[0] + 1, margin[1])]
    padded = jnp.pad(waveform.astype(jnp.float32), margins)
    # vmapped dynamic slices copy each frame as one run of memory; an index array would look up every sample.
    frame_at = functools.partial(jax.lax.dynamic_slice_in_dim, padded, slice_size=n_fft + 1, axis=-1)
    frames = jax.vmap(frame_at, out_axes=-2)(jnp.arange(count) * settings.hop_length)
    if spare == 0:  # No zeros between the frame's two ends: the filter runs round the circle.
        frames = jnp.concatenate([frames[..., -1:], frames[..., 1:]], axis=-1)
    before, now = frames[..., :-1], frames[..., 1:]
    window = _window(settings)
    slope = _PRE_EMPHASIS * (window - np.roll(window, 1))
    # = window[n] now - 0.5 window[n - 1] before, without rounding the large products first.
    levelled = window.astype(np.float32) * (now - _PRE_EMPHASIS * before) + slope.astype(np.float32) * before
    return jnp.fft.rfft(levelled) * _undo_pre_emphasis(n_fft)


def _undo_pre_emphasis(n_fft):
    """One over the spectrum of the pre-emphasis, circular over n_fft samples: complex64[bins]."""
    angles = 2.0 * np.pi * np.arange(n_fft // 2 + 1) / n_fft
    return (1.0 / (1.0 - _PRE_EMPHASIS * np.exp(-1j * angles))).astype(np.complex64)


def _squared(spectra):
    return jnp.square(spectra.real) + jnp.square(spectra.imag)


def _weigh(power, filters):
    """Sums over bins: power [..., frames, bins], filters [n, bands, bins] -> [..., n, bands, frames]."""
    parts = []
    for group in np.array_split(filters, min(_BAND_GROUPS, filters.shape[1]), axis=1):
        used = np.flatnonzero(group.any(axis=(0, 1)))
        bins = slice(used[0], used[-1] + 1)
        weights = group[..., bins].reshape(-1, used[-1] + 1 - used[0])  # [n * group, bins]
        # HIGHEST: TPUs and recent GPUs otherwise round f32 products to 8 or 11 bits.
        sums = jnp.matmul(power[..., bins], weights.T, precision=jax.lax.Precision.HIGHEST)
        sums = jnp.swapaxes(sums, -1, -2)
        parts.append(sums.reshape(*power.shape[:-2], *group.shape[:2], power.shape[-2]))
    return jnp.concatenate(parts, axis=-2)


@functools.lru_cache(maxsize=32)
def _window(settings):
    """Periodic window, centred in n_fft samples: float64[n_fft]."""
    length = settings.window_length
    constant = {"hamming": 0.54, "hann": 0.5}[settings.window]
    window = constant - (1.0 - constant) * np.cos(2.0 * np.pi * np.arange(length) / length)
    spare = settings.n_fft - length
    return np.pad(window, (spare // 2, spare - spare // 2))
