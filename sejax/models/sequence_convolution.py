"""Convolutions along time of signals with many channels, as matrix products.

XLA:CPU convolves groups of channels, and strided signals, far slower than it multiplies matrices, and slower still at
their gradients. Signals are [B, T, C], kernels [K, C, D]. T may be symbolic, of a program that is exported for any
length: positions are gathered then, where slices would need to know that they lie inside.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sejax.errors import InputError
from sejax.models.normalisation import wide


def convolve_valid(x, kernel, *, stride):
    """Cross-correlates x [B, T, C] with kernel [K, C, D], without padding: [B, (T - K) // stride + 1, D].

    As torch.nn.functional.conv1d: output t sees positions t * stride to t * stride + K - 1. Raises InputError where
    T < K.
    """
    if x.shape[1] < kernel.shape[0]:
        raise InputError(f"convolution: {x.shape[1]} positions are fewer than the kernel's {kernel.shape[0]}")
    (width, channels, filters), known = kernel.shape, isinstance(x.shape[1], int)
    # What the kernel meets is larger than x: made again for the gradient, it is not kept until then.
    return jax.checkpoint(_in_parts if known and width * channels > filters else _as_met, static_argnums=2)(
        x, kernel, stride
    )


def _as_met(x, kernel, stride):
    """`convolve_valid` as one product of what the kernel meets, which is small where x has few channels."""
    return _by_matrix(_met(x, len(kernel), stride), kernel)


def _in_parts(x, kernel, stride):
    """`convolve_valid` as a sum of products, one for each `stride` places of the kernel, of x as it lies in memory."""
    outputs, blocks = (x.shape[1] - len(kernel)) // stride + 1, -(-len(kernel) // stride)
    # Made once: XLA would make what x is of, an activation, again for each part.
    x = lax.optimization_barrier(_in_strides(x, outputs + blocks - 1, stride))

    def part(i):
        places = kernel[i * stride : (i + 1) * stride]
        if len(places) == stride:
            return _by_matrix(x, places)[:, i : i + outputs]
        return _by_matrix(x[:, i : i + outputs, : len(places) * kernel.shape[1]], places)

    return sum(map(part, range(blocks)))


def convolve_centred(x, kernel, outputs, *, stride):
    """`convolve_valid` less its mean over the first outputs[b] positions of each row, and 0 at the others.

    outputs: i32[B]. The mean is that of what the kernel meets: few numbers, where x has few channels.
    """
    met = jax.checkpoint(_met, static_argnums=(1, 2))(x, len(kernel), stride)
    real = jnp.arange(met.shape[1])[:, None] < outputs[:, None, None]
    mean = jnp.where(real, wide(met), 0).sum(1, keepdims=True) / jnp.maximum(outputs, 1)[:, None, None]
    return _by_matrix(jnp.where(real, wide(met) - mean, 0).astype(x.dtype), kernel)


def _met(x, width, stride):
    """What a kernel meets for each output: x [B, T, C] as [B, outputs, width * C]."""
    batch, length, channels = x.shape
    outputs, blocks = (length - width) // stride + 1, -(-width // stride)
    if not isinstance(length, int):
        met = _places(x, jnp.arange(outputs)[:, None] * stride + np.arange(width))
        return met.reshape(batch, outputs, width * channels)
    x = _in_strides(x, outputs + blocks - 1, stride)
    met = [x[:, i : i + outputs, : (width - i * stride) * channels] for i in range(blocks)]
    return jnp.concatenate(met, axis=-1)


def _in_strides(x, number, stride):
    """The first number * stride positions of x [B, T, C], or zeros behind it, as [B, number, stride * C]."""
    batch, length, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, max(0, number * stride - length)), (0, 0)))[:, : number * stride]
    return x.reshape(batch, number, stride * channels)


def _by_matrix(x, kernel):
    """x [B, N, K * C] times a kernel [K, C, D], of two axes: a gradient that sums over two of x is slow."""
    batch, number, met = x.shape
    return (x.reshape(batch * number, met) @ kernel.reshape(met, -1)).reshape(batch, number, kernel.shape[2])


def convolve_same(x, kernel, *, groups):
    """Cross-correlates x [B, T, C] with kernel [K, C / groups, D] in groups of channels: [B, T, D].

    Output t sees K // 2 positions before t and K - 1 - K // 2 behind it, zeros beyond the ends: torch's conv1d with
    padding K // 2, less the last output where K is even. On a CPU by way of frequencies, a third of the operations
    for K = 128 and T = 400.
    """
    direct = lambda x, kernel: _directly(x, kernel, groups)  # noqa: E731
    return lax.platform_dependent(x, kernel, cpu=lambda x, kernel: by_frequencies(x, kernel, groups), default=direct)


def _directly(x, kernel, groups):
    width = kernel.shape[0]
    pads = [(width // 2, width - 1 - width // 2)]
    return lax.conv_general_dilated(
        x, kernel, (1,), pads, dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=groups
    )


def by_frequencies(x, kernel, groups):
    """`convolve_same` through discrete Fourier transforms of overlapping blocks, which are matrix products too."""
    (batch, length, channels), (width, inputs, filters) = x.shape, kernel.shape
    period = 1 << (2 * width - 1).bit_length()  # of a block; the first period - width + 1 outputs of it are right
    step = period - width + 1
    blocks = -(-length // step)
    if isinstance(length, int):
        behind = (blocks - 1) * step + period - width // 2 - length
        padded = jnp.pad(x, ((0, 0), (width // 2, behind), (0, 0)))
        cut = jnp.stack([padded[:, i * step : i * step + period] for i in range(blocks)], axis=1)
    else:
        place = jnp.arange(blocks)[:, None] * step + np.arange(period) - width // 2
        inside = (place >= 0) & (place < length)
        cut = jnp.where(inside[..., None], _places(x, place), 0)
    cut = cut.transpose(2, 0, 1, 3).reshape(period, batch * blocks * channels)  # positions first
    cos, sin = _waves(period)  # [frequencies, period]
    frequencies = len(cos)

    def spectrum(waves, values, *shape):
        return (jnp.asarray(waves, values.dtype) @ values).reshape(frequencies, *shape)

    # exp(-i angle) of the signal, exp(+i angle) of the kernel: a correlation, not a convolution.
    taps = kernel.reshape(width, inputs * filters)
    x_real, x_imaginary = (spectrum(waves, cut, batch * blocks, groups, inputs) for waves in (cos, -sin))
    k_real, k_imaginary = (spectrum(w[:, :width], taps, inputs, groups, filters // groups) for w in (cos, sin))

    def each(x, k):  # [frequencies, groups, B * blocks, filters / groups]
        return lax.dot_general(x, k, (((3,), (1,)), ((0, 2), (0, 2))))

    real = each(x_real, k_real) - each(x_imaginary, k_imaginary)
    imaginary = each(x_real, k_imaginary) + each(x_imaginary, k_real)
    once = np.full((frequencies, 1), 2.0)  # all but the ends stand for their conjugates too
    once[0] = once[-1] = 1.0
    back = np.concatenate([cos * once, -sin * once])[:, :step].T / period  # [step, 2 frequencies]
    both = jnp.concatenate([real, imaginary]).reshape(2 * frequencies, groups * batch * blocks * (filters // groups))
    y = (jnp.asarray(back, x.dtype) @ both).reshape(step, groups, batch, blocks, filters // groups)
    y = y.transpose(2, 3, 0, 1, 4).reshape(batch, blocks * step, filters)
    return y[:, :length] if isinstance(length, int) else _places(y, jnp.arange(length))


def _places(x, place):
    """x [B, T, C] at the positions place i32[...], which may be as many as nobody knows yet: [B, ..., C]."""
    return jnp.take(x, place, axis=1, mode="clip")


def _waves(period):
    """cos and sin at frequencies 0 to period / 2 (period even): [period / 2 + 1, period] each."""
    angle = 2 * np.pi * (np.outer(np.arange(period // 2 + 1), np.arange(period)) % period) / period
    return np.cos(angle), np.sin(angle)
