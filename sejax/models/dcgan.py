"""The networks of the multitask DCGAN (Chang and Scherer 2017, arXiv:1705.02394), after DCGAN (arXiv:1511.06434).

A discriminator's trunk of four convolutions that halve a spectrogram crop, the parts that stand on it, and the
mirrored generator. Crops are [B, 128, w, 1] in [-1, 1], w a multiple of 16; `filters` is the first layer's number F,
which doubles from layer to layer, and `side` that of the square kernels, 2 or more. Convolutions that a batch
normalisation follows have no bias. First weights: kernels N(0, 0.02), biases 0, scales of batch normalisation
N(1, 0.02).
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sejax.core.rng import normal
from sejax.errors import InputError
from sejax.models.halving import double, halve
from sejax.models.normalisation import BatchNorm

BANDS = 128  # height of a crop: frequency bands
LAYERS = 4  # convolutions, each of which halves the image
SHRINK = 2**LAYERS
LATENT = 100  # values in a draw that becomes a crop
POINTS = 5  # of a rating's scale

_kernel_init = partial(normal, deviation=0.02)
_scale_init = partial(normal, mean=1.0, deviation=0.02)
_Dense = partial(nn.Dense, kernel_init=_kernel_init)
_Norm = partial(BatchNorm, scale_init=_scale_init)


class _Resampling(nn.Module):
    """Convolution with stride 2, [B, H, W, C] to [B, H / 2, W / 2, filters], or its adjoint, to [B, 2 H, 2 W, filters].

    Parameters: kernel [side, side, C, filters], of the adjoint [side, side, filters, C], and bias where it has one.
    """

    filters: int
    side: int
    adjoint: bool = False
    use_bias: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Convolve x, [B, H, W, C], or apply the adjoint."""
        channels = (self.filters, x.shape[-1]) if self.adjoint else (x.shape[-1], self.filters)
        kernel = self.param("kernel", _kernel_init, (self.side, self.side, *channels))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.filters,)) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = double(x, kernel) if self.adjoint else halve(x, kernel)
        return x if bias is None else x + bias


class Trunk(nn.Module):
    """The convolutions that discriminator and ratings share: x [B, 128, w, 1] to features [B, 8, w / 16, 8 filters].

    Layers conv_0 .. conv_3 with leaky ReLU of `slope`, batch normalisation norm_1 .. norm_3 in all but the first.
    """

    filters: int
    side: int
    slope: float = 0.2
    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, train=False):
        """Features of x. Raises InputError where `side` is below 2, or height or width does not divide by 16."""
        _check(self.side, x.shape[1:3])
        for layer in range(LAYERS):
            first = layer == 0
            options = {"use_bias": first, "dtype": self.dtype}
            x = _Resampling(self.filters * 2**layer, self.side, **options, name=f"conv_{layer}")(x)
            if not first:
                x = _Norm(dtype=self.dtype, name=f"norm_{layer}")(x, train=train)
            x = nn.leaky_relu(x, self.slope)
        return x


class Generator(nn.Module):
    """Crops from draws: z [B, latent] to [B, 128, width, 1] in (-1, 1); the trunk upside down.

    Layers project (to 8 x width / 16 x 8 filters), norm_0, then deconv_0 .. deconv_3, the adjoints of the trunk's
    convolutions from the last to the first, with norm_1 .. norm_3 after all but the last; ReLU, tanh at the end.
    """

    filters: int
    side: int
    width: int
    latent: int = LATENT
    dtype: Any = None

    @nn.compact
    def __call__(self, z, *, train=False):
        """The crops of z. Raises InputError where sizes do not fit: `side`, `width`, or z's against `latent`."""
        _check(self.side, (BANDS, self.width))
        if z.shape[-1] != self.latent:
            raise InputError(f"Generator: draws of shape {z.shape}; give [B, {self.latent}]")
        channels = self.filters * 2 ** (LAYERS - 1)
        rows, columns = BANDS // SHRINK, self.width // SHRINK
        x = _Dense(rows * columns * channels, use_bias=False, dtype=self.dtype, name="project")(z)
        x = x.reshape(-1, rows, columns, channels)
        for layer in range(LAYERS):
            x = nn.relu(_Norm(dtype=self.dtype, name=f"norm_{layer}")(x, train=train))
            last = layer == LAYERS - 1
            filters = 1 if last else channels // 2 ** (layer + 1)
            options = {"adjoint": True, "use_bias": last, "dtype": self.dtype}
            x = _Resampling(filters, self.side, **options, name=f"deconv_{layer}")(x)
        return jnp.tanh(x)


class Adversarial(nn.Module):
    """Whether crops are real, from the trunk's features [B, ...]: logits [B]; layer `judge`."""

    dtype: Any = None

    @nn.compact
    def __call__(self, features):
        """Logits of `features`, above 0 for real."""
        return _Dense(1, dtype=self.dtype, name="judge")(features.reshape(features.shape[0], -1))[:, 0]


class Shared(nn.Module):
    """The fully connected layer that both ratings share: features [B, ...] to [B, hidden], leaky ReLU; layer `fc`."""

    hidden: int
    slope: float = 0.2
    dtype: Any = None

    @nn.compact
    def __call__(self, features):
        """Activations of `features`."""
        x = _Dense(self.hidden, dtype=self.dtype, name="fc")(features.reshape(features.shape[0], -1))
        return nn.leaky_relu(x, self.slope)


class Rating(nn.Module):
    """One rated dimension: [B, hidden] to logits [B, points]; layer `rate`."""

    points: int = POINTS
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Logits of every point of the scale."""
        return _Dense(self.points, dtype=self.dtype, name="rate")(x)


def _check(side, shape):
    if side < 2:
        raise InputError(f"dcgan: filter size {side}; give at least 2, the stride")
    if any(length % SHRINK or length < SHRINK for length in shape):
        raise InputError(
            f"dcgan: crops of {shape[0]} x {shape[1]} cannot be halved {LAYERS} times; give multiples of {SHRINK}"
        )
