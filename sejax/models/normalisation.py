"""Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) with the conventions of torch and of Keras."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from sejax.errors import InputError


class BatchNorm(nn.Module):
    """Normalises every channel of x [..., C], then scales and shifts it; its statistics are float32 for any x.

    With train=False by the running mean and variance; with train=True by those of the batch, which then also
    move the running ones: running = momentum * running + (1 - momentum) * batch ("batch_stats" has to be
    mutable). `momentum` is the share of the old value: torch's 0.1 is 0.9 here, Keras's 0.99 is 0.99.
    `unbiased`: the running variance takes the batch's with n - 1 in the denominator (torch), not n (Keras);
    the batch itself is always normalised with n. `frozen`: the running statistics are used and kept in
    training too. Parameters scale (unless use_scale is False) and bias, statistics mean and var: [C] each; scale
    starts from `scale_init` (None: ones).
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    unbiased: bool = True
    use_scale: bool = True
    scale_init: Any = None
    frozen: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, train=False):
        """Normalise x, [..., C]. Raises InputError in training on one value per channel where `unbiased`."""
        shape = x.shape[-1:]
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        init = self.scale_init or nn.initializers.ones_init()
        scale = self.param("scale", init, shape) if self.use_scale else jnp.ones(shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape)
        (x,) = nn.dtypes.promote_dtype(x, dtype=self.dtype)
        if not train or self.frozen:
            return _affine(x, mean.value, lax.rsqrt(var.value + self.epsilon) * scale, bias)
        y, batch_mean, batch_var = normalise_batch(x, scale, bias, self.epsilon)
        if not self.is_initializing():
            mean.value = self._moved(mean.value, batch_mean)
            var.value = self._moved(var.value, batch_var * self._correction(x))
        return y

    def _moved(self, running, batch):
        return self.momentum * running + (1 - self.momentum) * lax.stop_gradient(batch)

    def _correction(self, x):
        count = x.size // x.shape[-1]
        if not self.unbiased:
            return 1.0
        if count < 2:
            raise InputError(
                f"BatchNorm: x of shape {x.shape} has one value per channel, whose variance is not defined; "
                "train with larger images or batches"
            )
        return count / (count - 1)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise_batch(x, scale, bias, epsilon):
    """x [..., C] normalised by its own statistics: (y like x, mean [C], variance over n [C]).

    Gradients flow through y alone, in reverse mode, to any order.
    """
    return _forward(x, scale, bias, epsilon)[0]


def _forward(x, scale, bias, epsilon):
    mean, var = moments(x)
    inverse = lax.rsqrt(var + epsilon)
    return (_affine(x, mean, inverse * scale, bias), mean, var), (x, scale, mean, inverse)


def _backward(epsilon, saved, cotangents):
    x, scale, mean, inverse = saved
    cotangent = wide(cotangents[0])
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    for_bias = cotangent.sum(axes)
    # Not of the normalised values, which XLA:CPU would write to memory to sum their products.
    for_scale = ((cotangent * wide(x)).sum(axes) - mean * for_bias) * inverse
    normal = (wide(x) - mean) * inverse
    for_x = (cotangent - for_bias / count - normal * (for_scale / count)) * (inverse * scale)
    return for_x.astype(x.dtype), for_scale.astype(scale.dtype), for_bias.astype(scale.dtype)


normalise_batch.defvjp(_forward, _backward)


def wide(x):
    """x in float32, or in its own type where that is wider."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _affine(x, mean, slope, bias):
    return ((wide(x) - mean) * slope + bias).astype(x.dtype)


def moments(x):
    """Mean and variance (over n) of every channel of x [..., C]: two arrays [C].

    Two passes over x. Sums of values and of squares in one pass lose the variance of a channel whose mean is far
    from 0, and taken relative to a value near the mean they are no faster, as XLA:CPU reduces them one by one.
    """
    axes = tuple(range(x.ndim - 1))
    x = wide(x)
    mean = x.mean(axes)
    return mean, jnp.square(x - mean).mean(axes)


def settled(statistics, *, momentum=BatchNorm.momentum):
    """Running means and variances without what they began with, as Adam corrects its moments.

    statistics: {"running": a tree of running statistics that began with zeros, all of them, "passes": f32[], how often
    they have been moved}. After n passes they hold 1 - momentum ** n of what they estimate. torch's begin with a
    variance of 1, which can be far from that of a network's first outputs: validation would see it for some hundred
    updates, which a small corpus passes only after many epochs, and early stopping ends the training before.
    """
    share = 1.0 - momentum ** jnp.maximum(statistics["passes"], 1.0)
    return jax.tree.map(lambda x: x / share, statistics["running"])
