"""Strided convolution of long signals with few channels, as one matrix product over blocks of the signal.

XLA:CPU convolves one input channel, or four, sample by sample, and is slower still at the kernel's gradient. Here a
block of several outputs is a row of a matrix product: the samples that they see times a banded matrix, which holds
the kernel once for each of the outputs, each time further along. Most of that matrix is 0, which a matrix product of
this width makes good many times over.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from sejax.core.rng import he_normal
from sejax.errors import InputError

LANES = 64  # numbers in a block of outputs


class WaveformConvolution(nn.Module):
    """A convolution without bias, for a batch normalisation to follow: [B, T, C] to [B, ceil(T / stride), channels].

    `width` of the kernel is odd and not below `stride`. Parameter: kernel [width, C, channels], He's normal
    distribution at first. `dtype` is the type to compute in (None: that of input and kernel).
    """

    channels: int
    width: int
    stride: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Convolve x, [B, T, C]."""
        kernel = self.param("kernel", he_normal, (self.width, x.shape[-1], self.channels))
        x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
        return convolve_signal(x, kernel, stride=self.stride)


def convolve_signal(x, kernel, *, stride):
    """Cross-correlates x [B, T, C] with kernel [K, C, D]: [B, ceil(T / stride), D].

    As torch.nn.functional.conv1d with K // 2 zeros on either side: output t is centred on sample t * stride.
    Raises InputError where K is even or below the stride.
    """
    width, channels, filters = kernel.shape
    if width % 2 == 0 or width < stride:
        raise InputError(f"convolution of width {width} and stride {stride}: give an odd width, not below the stride")
    outputs = -(-x.shape[1] // stride)
    together = max(1, LANES // filters)
    blocks = -(-outputs // together)
    span = together * stride
    x = jnp.pad(x, ((0, 0), (0, blocks * span - x.shape[1]), (0, 0))).reshape(x.shape[0], blocks, span * channels)
    seen = _with_neighbours(x, (width // 2) * channels, (width - width // 2 - stride) * channels)
    # Of two axes: XLA:CPU takes three times as long for the matrix's gradient where it has to sum over two.
    y = seen.reshape(-1, seen.shape[-1]) @ _banded(kernel, stride, together)
    return y.reshape(x.shape[0], blocks * together, filters)[:, :outputs]


def _with_neighbours(x, before, after):
    """Each block of x [B, N, L], with the end of the one before it and the beginning of the one after it."""
    first = jnp.pad(x[:, :-1, x.shape[2] - before :], ((0, 0), (1, 0), (0, 0))) if before <= x.shape[2] else None
    if first is None or after > x.shape[2]:
        raise InputError(f"convolution: a kernel reaches {max(before, after)} values beyond blocks of {x.shape[2]}")
    last = jnp.pad(x[:, 1:, : max(after, 0)], ((0, 0), (0, 1), (0, 0)))
    return jnp.concatenate([first, x, last], axis=-1)


def _banded(kernel, stride, together):
    """The matrix [S * C, together * D] of a kernel [K, C, D], S = (together - 1) * stride + K samples.

    Rows of S out of repetitions of S + stride: each begins `stride` earlier than the last, and so holds the kernel
    `stride` further along.
    """
    width, channels, filters = kernel.shape
    samples = (together - 1) * stride + width
    padded = jnp.pad(kernel, ((0, samples + stride - width), (0, 0), (0, 0)))
    rows = jnp.tile(padded, (together, 1, 1))[: together * samples].reshape(together, samples, channels, filters)
    return rows.transpose(1, 2, 0, 3).reshape(samples * channels, together * filters)
