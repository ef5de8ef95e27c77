"""Features of recordings by a speech encoder: the mean over frames of each hidden state, and their learned sum.

As on the SUPERB benchmark (Yang et al. 2021, arXiv:2105.01051), where weights of layers are learned and frames are
averaged. The sum and the mean change places here, which gives the same: what a frozen encoder hears is then a few
vectors for each recording, which are computed once.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from sejax.core.rng import glorot_uniform
from sejax.errors import InputError
from sejax.models.encoders import (
    Architecture,
    Encoder,
    Regularisation,
    WeightedSum,
    least_samples,
    mean_over_frames,
)


class SoundEncoder(NamedTuple):
    """The encoder that a network hears with.

    Attributes:
      architecture: of the encoder.
      layers: numbers of the hidden states that are heard, see `chosen_states`.
      trained: whether it is part of the network. Where it is not, the network takes states, see `mean_states`.
      regularisation, frozen: of `Encoder`, where it is trained.
    """

    architecture: Architecture
    layers: tuple[int, ...]
    trained: bool = False
    regularisation: Regularisation = Regularisation()
    frozen: tuple[str, ...] = ("convolutions",)


def chosen_states(layers, architecture):
    """The numbers of hidden states that `layers` asks for, all of an architecture for (): tuple of int.

    Raises InputError for one that it does not have.
    """
    if layers and max(layers) > architecture.layers:
        raise InputError(f"encoders: no layer {max(layers)}; this one has 0 (what enters) to {architecture.layers}")
    return tuple(layers) or tuple(range(architecture.layers + 1))


def mean_states(encoder, variables, waveform, length, layers):
    """Means over frames of the hidden states `layers` of waveform [B, T], length i32[B]: f32[B, states, width].

    Rows without a frame give 0.
    """
    return means(encoder.apply(variables, long_enough(waveform, encoder.architecture), length), layers)


def means(encoded, layers):
    """f32[B, states, width]: means over frames of the hidden states `layers` of an `Encoded`."""
    found = [mean_over_frames(encoded.hidden[number].astype(jnp.float32), encoded.frames) for number in layers]
    return jnp.stack(found, axis=1)


def long_enough(waveform, architecture):
    """waveform [B, T] with zeros at the end where T is less than a frame takes."""
    missing = max(0, least_samples(architecture) - waveform.shape[1])
    return jnp.pad(waveform, ((0, 0), (0, missing)))


class EncoderBranch(nn.Module):
    """Features f32[B, features] by an encoder: encoder (where it is trained), layer_weights, and the dense `scale`."""

    features: int
    sound: SoundEncoder
    dtype: Any = None

    @nn.compact
    def __call__(self, heard, length, *, train=False, key=None):
        """Features of what is heard: waveform [B, T] with length i32[B], or f32[B, states, width] of `mean_states`.

        key: typed, of what the encoder's training draws at random.
        """
        sound = self.sound
        if sound.trained:
            encoder = Encoder(sound.architecture, sound.regularisation, sound.frozen, self.dtype, name="encoder")
            heard = means(encoder(long_enough(heard, sound.architecture), length, train=train, key=key), sound.layers)
        states = tuple(heard[:, place] for place in range(len(sound.layers)))
        x = WeightedSum(name="layer_weights")(states)
        return nn.Dense(self.features, kernel_init=glorot_uniform, name="scale")(x)
