"""A gated recurrent unit with torch's equations, and one vector of all its states.

Cho et al. 2014 (arXiv:1406.1078), with the reset gate after the recurrent product, as in torch.nn.GRU. A step of a
small GRU is mostly the overhead of its loop: the inputs' products stand outside, and so does the gradient of
the recurrent weights, which is one product over all steps instead of a sum of many.
"""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from sejax.core.rng import uniform
from sejax.errors import InputError

SUMMARIES = ("last", "mean")


class GRU(nn.Module):
    """The last state [B, units] of a GRU over x [B, S, C] that starts with zeros, or the mean of its S states.

    Parameters, with gates in torch's order reset, update, new: input_kernel [C, 3 units], recurrent_kernel
    [units, 3 units], input_bias and recurrent_bias [3 units]; all uniform in +- 1 / sqrt(units) at first, as in torch.
    """

    units: int
    summary: str = "last"

    @nn.compact
    def __call__(self, x):
        """The states after x [B, S, C] as one. Raises InputError for a summary that is none of SUMMARIES."""
        if self.summary not in SUMMARIES:
            raise InputError(f"GRU: no summary {self.summary!r}; there are {', '.join(SUMMARIES)}")
        init = partial(uniform, limit=1.0 / math.sqrt(self.units))
        gates = 3 * self.units
        kernel = self.param("input_kernel", init, (x.shape[-1], gates))
        recurrent = self.param("recurrent_kernel", init, (self.units, gates))
        bias = self.param("input_bias", init, (gates,))
        recurrent_bias = self.param("recurrent_bias", init, (gates,))
        found = states(x.swapaxes(0, 1) @ kernel + bias, recurrent, recurrent_bias)
        return found[-1] if self.summary == "last" else found.mean(0)


@jax.custom_vjp
def states(inputs, recurrent, bias):
    """States [S, B, H] after each step of inputs [S, B, 3 H], each the step's product with the input kernel and bias.

    recurrent: [H, 3 H]; bias: [3 H]. Differentiable in reverse mode.
    """
    return _forward(inputs, recurrent, bias)[0]


def _forward(inputs, recurrent, bias):
    def step(state, given):
        reset, update, new, hidden = _gates(state, given, recurrent, bias)
        return new + update * (state - new), (state, reset, update, new, hidden)

    first = jnp.zeros((inputs.shape[1], len(recurrent)), inputs.dtype)
    last, saved = lax.scan(step, first, inputs)
    return jnp.concatenate([saved[0][1:], last[None]]), (saved, recurrent)


def _gates(state, given, recurrent, bias):
    product = state @ recurrent + bias
    (reset, update, new), (for_reset, for_update, hidden) = jnp.split(given, 3, -1), jnp.split(product, 3, -1)
    reset, update = nn.sigmoid(reset + for_reset), nn.sigmoid(update + for_update)
    return reset, update, jnp.tanh(new + reset * hidden), hidden


def _backward(saved, wanted):
    (before, reset, update, new, hidden), recurrent = saved
    # By how much the gates' arguments change the state: all steps at once, as none of it depends on the cotangent.
    for_new = (1 - update) * (1 - new**2)
    for_hidden = for_new * reset
    for_update = (before - new) * update * (1 - update)
    for_reset = for_hidden * hidden * (1 - reset)
    slopes = jnp.concatenate([for_reset, for_update, for_hidden], -1)

    def step(later, given):
        slope, update, own = given
        cotangent = later + own
        arguments = jnp.tile(cotangent, (1, 3)) * slope
        return cotangent * update + arguments @ recurrent.T, cotangent

    _, cotangents = lax.scan(step, jnp.zeros_like(wanted[0]), (slopes, update, wanted), reverse=True)
    arguments = jnp.tile(cotangents, (1, 1, 3)) * slopes
    units = len(recurrent)
    for_recurrent = before.reshape(-1, units).T @ arguments.reshape(-1, 3 * units)
    for_inputs = jnp.concatenate([arguments[..., : 2 * units], cotangents * for_new], -1)
    return for_inputs, for_recurrent, arguments.sum((0, 1))


states.defvjp(_forward, _backward)
