"""Random streams by name: every key is a function of (root, name, step), so nothing random needs saving.

One root key stays in the state. Whoever needs randomness folds a name and a step into it; nobody splits a key
in a host loop, and two uses with different names never share numbers.

    key = stream(state.key, "dropout", state.step)
"""

import hashlib
import math

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


def hashed_bits(seed, shape: tuple[int, ...]) -> jax.Array:
    """Random u32 of a shape, cheaper to compute and far cheaper to compile than threefry's.

    A counter-based integer hash (two multiply-xorshift rounds) turns the seed and each position into bits. For
    dropout and first weights: drawing every element from threefry costs a CPU more than a small network's whole step.

    Args:
      seed: u32[], or a typed key, which is asked for one.
      shape: of the result.
    """
    seed = jnp.asarray(seed)
    if jax.dtypes.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.bits(seed, (), jnp.uint32)
    place = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    mixed = (place * jnp.uint32(0x9E3779B9)) ^ seed
    mixed = (mixed ^ (mixed >> 16)) * jnp.uint32(0x7FEB352D)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0x846CA68B)
    return mixed ^ (mixed >> 16)


def dropout(seed, values, *, rate: float):
    """Inverted dropout: each of `values` is zeroed with probability `rate`, the others grow by 1 / (1 - rate).

    `seed` is a typed key, or u32[] where many are drawn at once, as in `hashed_bits`.
    """
    if rate == 0.0:
        return values
    keep = hashed_bits(seed, values.shape) >= jnp.uint32(min(rate * 2**32, 2**32 - 1))
    return jnp.where(keep, values / (1.0 - rate), 0.0)


def glorot_uniform(key, shape: tuple[int, int], dtype=jnp.float32) -> jax.Array:
    """First weights [inputs, outputs] of a dense layer, uniform in +- sqrt(6 / (inputs + outputs)).

    Glorot and Bengio (2010), equation 16, with the numbers of `hashed_bits`.
    """
    return uniform(key, shape, dtype, limit=math.sqrt(6.0 / sum(shape)))


def uniform(key, shape: tuple[int, ...], dtype=jnp.float32, *, limit: float) -> jax.Array:
    """First weights of a shape, uniform in [-limit, limit), with the numbers of `hashed_bits`."""
    share = (hashed_bits(key, shape) >> 8).astype(jnp.float32) * 2**-24  # [0, 1) in steps that float32 holds
    return ((2.0 * share - 1.0) * limit).astype(dtype)


def he_normal(key, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """First weights [..., inputs, outputs] of a layer that ReLU follows, normal with variance 2 / values summed.

    He, Zhang, Ren and Sun (2015), equation 10; every axis but the last is summed over.
    """
    return normal(key, shape, dtype, deviation=math.sqrt(2.0 / math.prod(shape[:-1])))


def normal(key, shape: tuple[int, ...], dtype=jnp.float32, *, mean=0.0, deviation=1.0) -> jax.Array:
    """Normally distributed first weights, with the numbers of `hashed_bits`; none is beyond 5.5 deviations."""
    uniform = (hashed_bits(key, shape) >> 8).astype(jnp.float32) * 2**-24 + 2**-25
    uniform = jnp.minimum(uniform, 1.0 - 2**-24)  # (0, 1): the largest sum rounds to 1, whose deviate is infinite
    return (mean + deviation * math.sqrt(2.0) * jax.lax.erf_inv(2.0 * uniform - 1.0)).astype(dtype)
