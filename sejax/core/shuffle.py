"""A random order that is computed place by place: nothing to draw ahead, to keep or to save.

`shuffled` says which of ``count`` examples stands at a place of an endless sequence of passes, each pass a random
permutation of its own. It is a Feistel network over the integers (a bijection whatever its round function), walked
until it lands below ``count``. numpy and jax arrays give the same numbers, so a pipeline on the host and a gather on
the device read the same rows, and any process can ask for its own places.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

ROUNDS = 8  # short halves (few examples) need more than the usual four to be uniform
_GOLDEN = 0x9E3779B9  # 2**32 / the golden ratio, as in splitmix


def shuffled(seed, place, count):
    """The example at ``place`` of a sequence of shuffled passes over ``count`` examples.

    Args:
      seed: u32[...], one order for each; `seed_of` makes one from a typed key.
      place: i32[...] >= 0; pass ``place // count``.
      count: i32[...], 1 to 2**30 examples. The three broadcast against each other.

    Returns:
      i32[...] in 0 .. count - 1. Over the places of one pass every example occurs exactly once. numpy in, numpy out;
      otherwise traceable jax.
    """
    host = not any(isinstance(x, jax.Array) for x in (seed, place, count))
    xp = np if host else jnp
    seed, place, count = (xp.asarray(x).astype(np.uint32) for x in (seed, place, count))
    seed, place, count = xp.broadcast_arrays(seed, place, count)
    seed = mix(seed ^ mix(place // count * np.uint32(_GOLDEN) + np.uint32(1)))
    half = _half_bits(count, xp)
    forward = partial(_feistel, seed=seed, half=half)
    found = forward(place % count)
    if host:
        while (outside := found >= count).any():
            found = np.where(outside, forward(found), found)
    else:
        found = jax.lax.while_loop(
            lambda x: jnp.any(x >= count), lambda x: jnp.where(x >= count, forward(x), x), found
        )
    return found.astype(np.int32)


def seed_of(key: jax.Array) -> jax.Array:
    """u32[], the seed of a typed key for `shuffled`."""
    return jax.random.bits(key, (), jnp.uint32)


def _half_bits(count, xp):
    """Half the bits of the smallest 4**b >= count, at least one: the walk then lands within four tries on average."""
    half = xp.ones_like(count)
    for bits in range(1, 15):
        half = half + (count > np.uint32(4**bits)).astype(np.uint32)
    return half


def _feistel(x, *, seed, half):
    """A permutation of 0 .. 4**half - 1."""
    mask = (np.uint32(1) << half) - np.uint32(1)
    left, right = x >> half, x & mask
    for number in range(1, ROUNDS + 1):
        key = mix(seed + np.uint32(number * _GOLDEN % 2**32))
        left, right = right, left ^ (mix(right ^ key) & mask)
    return (left << half) | right


def mix(x):
    """Two multiply-xorshift rounds: every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
