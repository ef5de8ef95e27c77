"""The residual connection of a waveform: a projection of single samples, with the batch normalisation behind it."""

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from sejax.core.rng import he_normal
from sejax.models.masked_normalisation import MaskedBatchNorm, real_moments


class Shortcut(nn.Module):
    """A 1 x 1 convolution of one channel to several and a `MaskedBatchNorm` behind it, as a slope and an offset.

    Every channel is the signal times a number, so that the signal's own mean and variance tell those of all, and no
    pass over the channels is needed. Parameters kernel [1, 1, channels] and, in norm, those of the normalisation.
    """

    channels: int

    @nn.compact
    def __call__(self, x, length, *, train=False):
        """(slope, offset), [channels] each: x[..., None] * slope + offset is x [B, T] projected and normalised.

        length i32[B]: the real positions of each row, the only ones in the statistics.
        """
        kernel = self.param("kernel", he_normal, (1, 1, self.channels))[0, 0]
        moments = None
        if train:
            signal = real_moments(lax.stop_gradient(x)[..., None], length)
            moments = signal._replace(mean=signal.mean * kernel, var=signal.var * jnp.square(kernel))
        slope, offset = MaskedBatchNorm(self.channels, name="norm")(moments)
        return kernel * slope, offset
