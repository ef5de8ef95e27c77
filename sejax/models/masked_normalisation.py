"""Batch normalisation of signals of different lengths in one batch: padding enters no statistic.

In three parts, so that what comes next takes the last one along instead of another way through memory: the moments
of the real positions, a module that makes a slope and an offset for each channel of them, and their application.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

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
    return wide(x).reshape(len(x), numbers // together, together)


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
