"""Signals of different lengths in one batch: batch normalisation and adaptive pooling that padding does not enter.

Normalisation is in three parts, so that what comes next takes the last one along instead of another way through
memory: the moments of the real positions, a module that makes a slope and an offset for each channel of them, and their
application. `Shortcut` is the residual connection of a waveform, a projection of single samples.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from sejax.core.rng import he_normal
from sejax.models.normalisation import wide

_LANES = 64  # numbers in an inner loop: channels alone are too few for one


class Moments(NamedTuple):
    """Mean and variance (over n) of every channel, [C] each, and the n positions they are of, i32[]."""

    mean: jax.Array
    var: jax.Array
    count: jax.Array


class MaskedBatchNorm(nn.Module):
    """`sejax.models.normalisation.BatchNorm`, with torch's conventions, as a slope and an offset: [C] each.

    By the running mean and variance; or by the batch's moments where they are given, which then also move the running
    ones ("batch_stats" has to be mutable), unless they are of no positions at all. Parameters scale and bias,
    statistics mean and var: [C] each. The running variance takes the batch's with n - 1 in the denominator; with
    n = 1 it is 0.
    """

    channels: int
    epsilon: float = 1e-5
    momentum: float = 0.9

    @nn.compact
    def __call__(self, moments: Moments | None = None):
        """(slope, offset): x * slope + offset is x normalised."""
        shape = (self.channels,)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        scale = self.param("scale", nn.initializers.ones_init(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), shape)
        if moments is None:
            moments = Moments(mean.value, var.value, jnp.zeros((), jnp.int32))
        elif not self.is_initializing():
            share = jnp.where(moments.count > 0, 1 - self.momentum, 0.0)
            unbiased = moments.var * (moments.count / jnp.maximum(moments.count - 1, 1))
            mean.value += share * lax.stop_gradient(moments.mean - mean.value)
            var.value += share * lax.stop_gradient(unbiased - var.value)
        slope = lax.rsqrt(moments.var + self.epsilon) * scale
        return slope, bias - moments.mean * slope


def scaled_where_real(x, length, slope, offset):
    """x * slope + offset by channel of x [B, T, C] at the first length[b] positions, 0 beyond; slope, offset: [C]."""
    lanes = _in_lanes(x)
    y = jnp.where(_real(x, length), lanes * _tiled(slope, lanes) + _tiled(offset, lanes), 0.0)
    return y.reshape(x.shape).astype(x.dtype)


@jax.custom_vjp
def real_moments(x, length) -> Moments:
    """Moments of x [B, T, C] over the real positions of all rows together, the first length[b] (i32[B]) of row b.

    float32 or wider; 0 without any position. Two passes over x, as in `sejax.models.normalisation.moments`.
    Differentiable in reverse mode.
    """
    lanes, real, count = _in_lanes(x), _real(x, length), length.sum()
    number = jnp.maximum(count, 1)
    mean = _summed(jnp.where(real, lanes, 0.0), x) / number
    return Moments(mean, _summed(jnp.where(real, jnp.square(lanes - _tiled(mean, lanes)), 0.0), x) / number, count)


def _forward(x, length):
    moments = real_moments(x, length)
    return moments, (x, length, moments)


def _backward(saved, cotangents):
    x, length, moments = saved
    number, lanes = jnp.maximum(moments.count, 1), _in_lanes(x)
    # What the variance owes to the mean's change is 0, as deviations from it sum to 0.
    slope = cotangents.var * (2.0 / number)
    offset = cotangents.mean / number - moments.mean * slope
    for_x = jnp.where(_real(x, length), lanes * _tiled(slope, lanes) + _tiled(offset, lanes), 0.0)
    return for_x.reshape(x.shape).astype(x.dtype), None


real_moments.defvjp(_forward, _backward)


def _in_lanes(x):
    """x [B, T, C] as [B, N, L] in float32 or wider: L numbers of several positions one after the other."""
    numbers, channels = x.shape[1] * x.shape[2], x.shape[2]
    together = _LANES if numbers % _LANES == 0 and _LANES % channels == 0 else channels
    return wide(x).reshape(x.shape[0], numbers // together, together)


def _real(x, length):
    """Which numbers of x [B, T, C] are real, in the shape of `_in_lanes`."""
    _, blocks, together = jax.eval_shape(_in_lanes, x).shape
    left = (length * x.shape[2])[:, None] - jnp.arange(blocks, dtype=jnp.int32) * together
    left = lax.optimization_barrier(left)
    return jnp.arange(together, dtype=jnp.int32) < left[..., None]


def _tiled(value, lanes):
    """One number a channel, [C], for the lanes of an array of `_in_lanes`."""
    return lax.optimization_barrier(jnp.tile(value, lanes.shape[-1] // len(value)))


def _summed(lanes, x):
    """Sums over the positions of every channel of x, [C]."""
    return lanes.sum((0, 1)).reshape(-1, x.shape[-1]).sum(0)


def adaptive_max_pool(x, length, *, cells):
    """Maxima over near-equal cells of each row's real positions, as torch.nn.AdaptiveMaxPool1d on the row alone.

    x: [B, T, C]; row b has length[b] real positions, i32[B], from 0 to T. Cell i of n covers positions
    floor(i * length / n) to ceil((i + 1) * length / n): cells overlap where n does not divide the length and repeat
    where it exceeds it. Returns [B, cells, C]; a row without positions gives 0. Among equal values the gradient goes
    to the first one, as in torch.
    """
    channels = x.shape[2:]
    slope, offset = jnp.ones(channels, x.dtype), jnp.zeros(channels, x.dtype)
    return pool_of_sum(x, slope, jnp.zeros(x.shape[:2], x.dtype), offset, offset, length, cells)


@partial(jax.custom_vjp, nondiff_argnums=(6,))
def pool_of_sum(x, slope, signal, signal_slope, offset, length, cells):
    """`adaptive_max_pool` of x * slope + signal * signal_slope + offset, a sum that is never in memory.

    x: [B, T, C]; signal: [B, T], a constant to the gradient; slope, signal_slope, offset: [C]. The gradients of all
    of these come from the cells' maxima alone. Returns [B, cells, C].
    """
    return _pool_forward(x, slope, signal, signal_slope, offset, length, cells)[0]


def _pool_forward(x, slope, signal, signal_slope, offset, length, cells):
    positions = x.shape[1]
    longest = min(positions, -(-positions // cells) + 1)  # positions of the largest cell that any length has
    cell = jnp.arange(cells, dtype=jnp.int32)
    start = cell * length[:, None] // cells
    end = -(-(cell + 1) * length[:, None] // cells)
    begin = jnp.minimum(start, positions - longest)
    start, end, begin, offset = lax.optimization_barrier((start, end, begin, offset))
    seen = _cut(x * slope + signal[..., None] * signal_slope + offset, begin, longest)  # [B, cells, longest, C]
    place = (begin[..., None] + jnp.arange(longest, dtype=jnp.int32))[..., None]
    inside = (place >= start[..., None, None]) & (place < end[..., None, None])
    seen = jnp.where(inside, seen, -jnp.inf)
    best = seen.max(2)
    where = jnp.where(seen == best[:, :, None], place, positions).min(2)  # the first of equal ones
    empty = (length == 0)[:, None, None]
    where = jnp.where(empty, positions, where)
    return jnp.where(empty, 0.0, best), (x, slope, signal, where)


def _cut(x, begin, longest):
    """The `longest` positions of x [B, T, C] from each of begin i32[B, N]: [B, N, longest, C]."""
    return jax.vmap(jax.vmap(partial(lax.dynamic_slice_in_dim, slice_size=longest), (None, 0)))(x, begin)


def _pool_backward(cells, saved, cotangent):
    x, slope, signal, where = (jnp.asarray(array) for array in saved)
    row, channel = jnp.arange(len(x))[:, None, None], jnp.arange(x.shape[2])
    cotangent = jnp.where(where < x.shape[1], cotangent, 0.0)
    for_x = jnp.zeros_like(x).at[row, where, channel].add((cotangent * slope).astype(x.dtype), mode="drop")
    best = jnp.minimum(where, x.shape[1] - 1)
    for_slope = (cotangent * x[row, best, channel]).sum((0, 1))
    for_signal_slope = (cotangent * signal[row, best]).sum((0, 1))
    return for_x, for_slope, jnp.zeros_like(signal), for_signal_slope, cotangent.sum((0, 1)), None


pool_of_sum.defvjp(_pool_forward, _pool_backward)


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
