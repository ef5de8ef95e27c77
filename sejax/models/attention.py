"""Attention to the real frames of recordings of different lengths, with a bias that each query takes its share of.

XLA:CPU goes through the scores of all recordings and heads, [B, heads, T, T], once for each operation, at the speed of
memory, and keeps several such arrays for the gradient. There, some heads of one recording at a time are worked on in
the processor's cache, forwards and backwards, and the gradient makes scores again (as Dao et al. 2022,
"FlashAttention", arXiv:2205.14135). Elsewhere it is jax.nn.dot_product_attention.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from sejax.core.rng import dropout, kept
from sejax.models.normalisation import wide

CACHE = 4 * 2**20  # bytes of scores that are worked on at a time


def attention(query, key, value, frames, *, bias=None, gate=None, seed=None, rate=0.0):
    """Values weighted by the softmax of query @ key / sqrt(H) + gate * bias over real keys: [B, T, heads, H].

    Args:
      query, key, value: [B, T, heads, H].
      frames: i32[B], of each recording; keys beyond them have no weight.
      bias: [heads, T, T] for each query and key, or None; gate: [B, T, heads], how much of it a query takes.
      seed: typed key, or u32[], that dropout of the weights is drawn from at `rate`; None for no dropout.

    Scores and their softmax are float32 or wider. Differentiable in reverse mode.
    """
    if seed is None or rate == 0:
        seed = None
    elif jax.dtypes.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.bits(seed, (), jnp.uint32)
    arguments = (query, key, value, frames, bias, gate, seed)
    at_once, in_cache = partial(_at_once, rate), partial(_in_cache, rate)
    if not all(isinstance(size, int) for size in query.shape):
        return at_once(*arguments)  # symbols, of a program that is exported for any of them
    return lax.platform_dependent(*arguments, cpu=in_cache, default=at_once)


def _at_once(rate, query, key, value, frames, bias, gate, seed):
    """`attention` of all recordings and heads together."""
    if bias is not None:
        bias = gate.transpose(0, 2, 1)[..., None] * bias
    # A fused attention has no dropout of its weights; jax's is never wider than float32, and knows its length.
    if seed is None and query.dtype != jnp.float64 and isinstance(query.shape[1], int):
        bias = None if bias is None else bias.astype(query.dtype)
        return jax.nn.dot_product_attention(query, key, value, bias, key_value_seq_lengths=frames)
    scores = wide(jnp.einsum("bqnh,bknh->bnqk", query, key) * query.shape[-1] ** -0.5)
    weights = jax.nn.softmax(_masked(scores if bias is None else scores + bias, frames[:, None, None, None]))
    weights = weights if seed is None else dropout(seed, weights, rate=rate)
    return jnp.einsum("bnqk,bknh->bqnh", weights.astype(value.dtype), value)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _in_cache(rate, query, key, value, frames, bias, gate, seed):
    """`attention`, one recording at a time and as many of its heads as have CACHE bytes of scores, one at least."""
    return _forward(rate, query, key, value, frames, bias, gate, seed)[0]


def _forward(rate, query, key, value, frames, bias, gate, seed):
    sizes = batch, length, heads, _ = query.shape

    def group(taken):
        bias, first, *arrays = taken

        def recording(taken):
            row, frames, query, key, value, gate = taken
            scores = _scores(query, key, frames, bias, gate)
            most = scores.max(-1)
            weights = jnp.exp(scores - most[..., None])
            total = weights.sum(-1)
            weights = _dropped(seed, rate, weights, row * heads + first)
            y = _products(weights.astype(value.dtype), value, 2, 1)
            return (y / total[..., None]).astype(value.dtype), most + jnp.log(total)

        return lax.map(recording, (jnp.arange(batch), frames, *arrays))

    arrays = [_grouped(x, sizes) for x in (query, key, value, gate)]
    y, normaliser = map(_ungrouped, lax.map(group, (*_heads(bias, sizes), *arrays)))
    return y, (query, key, value, frames, bias, gate, seed, y, normaliser)


def _backward(rate, saved, cotangent):
    query, key, value, frames, bias, gate, seed, y, normaliser = saved
    sizes = batch, length, heads, features = query.shape

    def group(taken):
        bias, first, *arrays = taken

        def recording(for_bias, taken):
            row, frames, query, key, value, gate, cotangent, owed, normaliser = taken
            weights = jnp.exp(_scores(query, key, frames, bias, gate) - normaliser[..., None])
            dropped = _dropped(seed, rate, weights, row * heads + first)
            for_value = _products(dropped.astype(value.dtype), cotangent, 1, 1)
            for_weights = _dropped(seed, rate, wide(_products(cotangent, value, 2, 2)), row * heads + first)
            for_scores = weights * (for_weights - owed[..., None])
            for_gate = None
            if bias is not None:
                for_gate = (for_scores * bias).sum(-1)
                for_bias = for_bias + gate[..., None] * for_scores
            scaled = (for_scores * features**-0.5).astype(query.dtype)
            for_query, for_key = _products(scaled, key, 2, 1), _products(scaled, query, 1, 1)
            return for_bias, (for_query, for_key, for_value, for_gate)

        return lax.scan(recording, _zeros(bias), (jnp.arange(batch), frames, *arrays))

    owed = wide(y * cotangent).sum(-1)  # by each query's weights together, whose sum is 1
    arrays = [_grouped(x, sizes) for x in (query, key, value, gate, cotangent, owed, normaliser)]
    for_bias, made = lax.map(group, (*_heads(bias, sizes), *arrays))
    for_query, for_key, for_value, for_gate = map(_ungrouped, made)
    for_bias = None if bias is None else for_bias.reshape(bias.shape)
    return for_query, for_key, for_value, None, for_bias, for_gate, None


_in_cache.defvjp(_forward, _backward)


def _zeros(bias):
    return None if bias is None else jnp.zeros_like(bias)


def _heads_at_once(sizes):
    """How many heads of a recording go together, a divisor of their number."""
    _, length, heads, _ = sizes
    fit = max(1, CACHE // (4 * length**2))
    return max(number for number in range(1, heads + 1) if heads % number == 0 and number <= fit)


def _grouped(x, sizes):
    """x [B, T, heads, ...] as [groups, B, heads of a group, T, ...]; None as it is."""
    if x is None:
        return None
    batch, length, heads, *features = x.shape
    x = x.reshape(batch, length, -1, _heads_at_once(sizes), *features)
    return x.transpose(2, 0, 3, 1, *range(4, x.ndim))


def _ungrouped(x):
    """The inverse of `_grouped`."""
    if x is None:
        return None
    x = x.transpose(1, 3, 0, 2, *range(4, x.ndim))
    return x.reshape(*x.shape[:2], -1, *x.shape[4:])


def _heads(bias, sizes):
    """The bias of each group of heads, [groups, heads of a group, T, T] or None, and its first head, i32[groups]."""
    together = _heads_at_once(sizes)
    first = jnp.arange(0, sizes[2], together)
    return None if bias is None else bias.reshape(len(first), together, *bias.shape[1:]), first


def _scores(query, key, frames, bias, gate):
    """[heads, T, T] of query and key [heads, T, H], float32 or wider, with gate [heads, T] times the bias."""
    scores = wide(_products(query, key, 2, 2)) * query.shape[-1] ** -0.5
    return _masked(scores if bias is None else scores + gate[..., None] * bias, frames)


def _masked(scores, frames):
    """Scores with the least number where keys (last axis) are beyond the frames."""
    return jnp.where(jnp.arange(scores.shape[-1]) < frames, scores, jnp.finfo(scores.dtype).min)


def _products(a, b, axis, other):
    """Matrix products of a and b [heads, ., .] over an axis of each."""
    return lax.dot_general(a, b, (((axis,), (other,)), ((0,), (0,))))


def _dropped(seed, rate, weights, first):
    """Dropout of weights [heads, T, T], the `first`-th of all recordings' and heads': each as in `_at_once`."""
    if seed is None:
        return weights
    place = lax.iota(jnp.uint32, weights.size).reshape(weights.shape)
    place = place + first.astype(jnp.uint32) * jnp.uint32(weights.size // len(weights))
    return jnp.where(kept(seed, place, rate), weights / (1.0 - rate), 0.0)
