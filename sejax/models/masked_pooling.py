"""Adaptive max pooling of signals of different lengths in one batch, every row over its own length."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax


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
    return _forward(x, slope, signal, signal_slope, offset, length, cells)[0]


def _forward(x, slope, signal, signal_slope, offset, length, cells):
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


def _backward(cells, saved, cotangent):
    x, slope, signal, where = (jnp.asarray(array) for array in saved)
    row, channel = jnp.arange(len(x))[:, None, None], jnp.arange(x.shape[2])
    cotangent = jnp.where(where < x.shape[1], cotangent, 0.0)
    for_x = jnp.zeros_like(x).at[row, where, channel].add((cotangent * slope).astype(x.dtype), mode="drop")
    best = jnp.minimum(where, x.shape[1] - 1)
    for_slope = (cotangent * x[row, best, channel]).sum((0, 1))
    for_signal_slope = (cotangent * signal[row, best]).sum((0, 1))
    return for_x, for_slope, jnp.zeros_like(signal), for_signal_slope, cotangent.sum((0, 1)), None


pool_of_sum.defvjp(_forward, _backward)
