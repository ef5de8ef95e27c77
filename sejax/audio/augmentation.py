"""Random gain, noise and masks in training (pure jnp): how loud a corpus was recorded, and how quiet its room was, are
nothing to learn, and an emotion is heard without one band and without a tenth of a second.

Every example of a batch gets a gain, a signal-to-noise ratio or masks of its own, uniform between limits and drawn anew
at every update.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sejax.audio.level import FULL_SCALE
from sejax.core.rng import normal

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int16, Int32

NOISES = ("white", "pink", "either")
LOWEST = 20.0  # Hz, of pink noise: half of its power would lie below what can be heard
VIEW_STEP = 6.0  # dB between neighbouring views, at most


def unchanged(key: jax.Array, inputs: jax.Array) -> jax.Array:
    """The inputs as they are."""
    del key
    return inputs


def spectrograms_at_random_gain(
    key: jax.Array, spectrogram_db: Float[Array, "batch bands frames"], *, limits: tuple[float, float]
) -> Float[Array, "batch bands frames"]:
    """Spectrograms in dB of the same recordings at other gains: each has one number added to all its cells.

    The floor in dB of digital silence moves along; images are black there anyway.
    """
    return spectrogram_db + _gains(key, len(spectrogram_db), limits)[:, None, None]


class Alteration(NamedTuple):
    """How far `altered_spectrograms` goes, at most: each is drawn for every example.

    Attributes:
      shift: frames, to either side. bands, frames: masked, one stretch of each. gain: dB, to either side.
    """

    shift: int = 8
    bands: int = 10
    frames: int = 16
    gain: float = 6.0


def altered_spectrograms(
    key: jax.Array, spectrogram_db: Float[Array, "batch bands frames"], *, most: Alteration
) -> Float[Array, "batch bands frames"]:
    """Spectrograms in dB shifted in time, without a stretch of bands and one of frames, and louder or quieter.

    Masks are those of Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition",
    Interspeech 2019, one of each kind, with the example's mean in them. A shift repeats the frame at the edge.
    """
    keys = jax.random.split(key, 4)
    examples, bands, frames = spectrogram_db.shape
    shift = jax.random.randint(keys[0], (examples, 1), -most.shift, most.shift + 1)
    place = jnp.clip(jnp.arange(frames) + shift, 0, frames - 1)  # [B, T]
    shifted = jnp.take_along_axis(spectrogram_db, place[:, None, :], axis=-1)
    masked = _stretch(keys[1], examples, bands, most.bands)[:, :, None]
    masked |= _stretch(keys[2], examples, frames, most.frames)[:, None, :]
    mean = shifted.mean((1, 2), keepdims=True)
    return jnp.where(masked, mean, shifted) + _gains(keys[3], examples, (-most.gain, most.gain))[:, None, None]


def _stretch(key: jax.Array, examples: int, length: int, most: int) -> jax.Array:
    """bool[B, length], at most so many neighbours in each row, from none on, at any place where they have room."""
    width, start = jax.random.uniform(key, (2, examples, 1))
    width = jnp.floor(width * (min(most, length) + 1))
    start = jnp.floor(start * (length - width + 1))
    return (jnp.arange(length) >= start) & (jnp.arange(length) < start + width)


def waveforms_at_random_gain(
    key: jax.Array, waveform: Int16[Array, "batch samples"], *, limits: tuple[float, float]
) -> Float[Array, "batch samples"]:
    """Waveforms at other gains, full scale at 1; what goes beyond it is not clipped."""
    amplitude = 10.0 ** (_gains(key, len(waveform), limits)[:, None] / 20.0)
    return waveform.astype(jnp.float32) / FULL_SCALE * amplitude


def waveforms_in_noise(
    key: jax.Array,
    waveform: Array,
    length: Int32[Array, " batch"],
    *,
    kind: str,
    limits: tuple[float, float],
    rate: int = 16000,
) -> Float[Array, "batch samples"]:
    """Waveforms with noise added, full scale at 1; what goes beyond it is not clipped.

    The ratio is that of mean powers over an example's own samples, pauses included, as
    `sejax.audio.degradations.with_noise` has it. What follows them stays 0, and a silent example as it is.

    Args:
      key: of an update.
      waveform: int16[B, T], or f32[B, T] with full scale at 1; 0 after each example's end.
      length: how many samples each has.
      kind: "white" (Gaussian, equal power in every Hz), "pink" (equal power in every octave from `LOWEST` on), or
        "either", which is drawn for each example.
      limits: of the signal-to-noise ratio in dB.
      rate: Hz.
    """
    if jnp.issubdtype(waveform.dtype, jnp.integer):
        waveform = waveform.astype(jnp.float32) / FULL_SCALE
    ratios, choice, seeds = jax.random.split(key, 3)
    inside = jnp.arange(waveform.shape[1]) < length[:, None]
    noise = jnp.where(inside, _noise(choice, seeds, waveform.shape, kind=kind, rate=rate), 0.0)
    signal, power = (jnp.square(x).sum(1, keepdims=True) for x in (waveform, noise))
    amplitude = 10.0 ** (-_gains(ratios, len(waveform), limits)[:, None] / 20.0)
    return waveform + noise * amplitude * jnp.sqrt(signal / jnp.maximum(power, jnp.finfo(jnp.float32).tiny))


def _noise(choice: jax.Array, seeds: jax.Array, shape: tuple[int, int], *, kind: str, rate: int) -> jax.Array:
    """Noise f32[B, T] of a kind, at any power."""
    if kind == "white":
        return normal(seeds, shape)
    examples, samples = shape
    frequency = jnp.arange(samples // 2 + 1, dtype=jnp.float32) * (rate / samples)  # Hz
    pink = jnp.where(frequency < LOWEST, 0.0, jax.lax.rsqrt(jnp.maximum(frequency, 1.0)))
    if kind == "either":
        is_pink = jax.random.bernoulli(choice, shape=(examples, 1))
        pink = jnp.where(is_pink, pink, 1.0)
    spectrum = normal(seeds, (2, examples, len(frequency)))
    return jnp.fft.irfft(jax.lax.complex(*(spectrum * pink)), n=samples)


def random_views(key: jax.Array, views: Float[Array, "batch views ..."]) -> Float[Array, "batch ..."]:
    """One of its views for each example: for features of a frozen network, which were computed at `view_gains`."""
    chosen = jax.random.randint(key, (len(views),), 0, views.shape[1])
    return views[jnp.arange(len(views)), chosen]


def view_gains(limits: tuple[float, float]) -> list[float]:
    """Evenly spaced gains in dB, both limits among them, `VIEW_STEP` apart at most."""
    low, high = limits
    return np.linspace(low, high, 1 + math.ceil((high - low) / VIEW_STEP)).tolist()


def _gains(key: jax.Array, examples: int, limits: tuple[float, float]) -> jax.Array:
    low, high = limits
    return jax.random.uniform(key, (examples,), minval=low, maxval=high)
