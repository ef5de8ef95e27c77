"""Random streams by name: every key is a function of (root, name, step), so nothing random needs saving.

One root key stays in the state. Whoever needs randomness folds a name and a step into it; nobody splits a key
in a host loop, and two uses with different names never share numbers.

    key = stream(state.key, "dropout", state.step)
"""

import hashlib

import jax
import jax.numpy as jnp

KEY_IMPLEMENTATION = "threefry2x32"


def root_key(seed: int) -> jax.Array:
    """Typed root key of a run. The generator is fixed: JAX's configuration does not change the numbers."""
    return jax.random.key(seed, impl=KEY_IMPLEMENTATION)


def stream(root, name: str, step) -> jax.Array:
    """Key of the stream `name` at `step` i32[] >= 0: fold_in(fold_in(root, hash of the name), step).

    The hash is the first 32 bits of the name's SHA-256: equal in every process, on every machine.
    """
    digest = hashlib.sha256(name.encode()).digest()[:4]
    return jax.random.fold_in(jax.random.fold_in(root, int.from_bytes(digest, "big")), step)


def member_key(root, member_id) -> jax.Array:
    """Root key of the ensemble's member `member_id` i32[] >= 0, whatever the number of members."""
    return jax.random.fold_in(root, member_id)


def permutation_order(key, active, length: int) -> tuple[jax.Array, jax.Array]:
    """Random order of the active examples in a fixed length: one epoch's order, however many are active.

    Args:
      key: typed key; the order is a function of it and of `active` alone.
      active: bool[N], N >= 1, the examples that take part.
      length: number of places, usually whole batches; where it is less than the active examples, the rest of
        the order is cut off.

    Returns:
      index i32[length] and valid bool[length]. Every active example stands once with valid True; the places
      left over repeat the same order from its start with valid False, so that a padded batch holds real rows
      (batch statistics see them) that no sum counts. With nothing active all of valid is False, and index is
      arbitrary.
    """
    active = jnp.asarray(active, bool)
    bits = jax.random.bits(key, active.shape, jnp.uint32)
    # One integer sort: the topmost bit puts inactive examples last, 31 random bits order the rest.
    order = jnp.argsort((bits >> 1) | ((~active).astype(jnp.uint32) << 31), stable=True).astype(jnp.int32)
    number = active.sum(dtype=jnp.int32)
    place = jnp.arange(length, dtype=jnp.int32)
    return order[place % jnp.maximum(number, 1)], place < number


def dropout(key, values, *, rate: float):
    """Inverted dropout: each of `values` is zeroed with probability `rate`, the others grow by 1 / (1 - rate).

    Cheaper than drawing every element from threefry, which on a CPU costs more than a small network's whole
    step: the key gives one 32-bit seed, and a counter-based integer hash (two multiply-xorshift rounds) turns
    seed and position into a uniform number.
    """
    if rate == 0.0:
        return values
    seed = jax.random.bits(key, (), jnp.uint32)
    place = jax.lax.iota(jnp.uint32, values.size).reshape(values.shape)
    mixed = (place * jnp.uint32(0x9E3779B9)) ^ seed
    mixed = (mixed ^ (mixed >> 16)) * jnp.uint32(0x7FEB352D)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0x846CA68B)
    keep = (mixed ^ (mixed >> 16)) >= jnp.uint32(min(rate * 2**32, 2**32 - 1))
    return jnp.where(keep, values / (1.0 - rate), 0.0)
