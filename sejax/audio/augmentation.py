"""Random gain in training (pure jnp), so that a network does not learn how loud its corpus was recorded.

Every example of a batch gets a gain of its own, uniform between two limits in dB and drawn anew at every update.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sejax.audio.level import FULL_SCALE

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int16

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


def waveforms_at_random_gain(
    key: jax.Array, waveform: Int16[Array, "batch samples"], *, limits: tuple[float, float]
) -> Float[Array, "batch samples"]:
    """Waveforms at other gains, full scale at 1; what goes beyond it is not clipped."""
    amplitude = 10.0 ** (_gains(key, len(waveform), limits)[:, None] / 20.0)
    return waveform.astype(jnp.float32) / FULL_SCALE * amplitude


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
