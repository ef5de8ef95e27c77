"""Random streams by name: every key is a function of (root, name, step), so nothing random needs saving.

One root key stays in the state. Whoever needs randomness folds a name and a step into it; nobody splits a key
in a host loop, and two uses with different names never share numbers.

    key = stream(state.key, "dropout", state.step)

A random order needs nothing drawn ahead either: `shuffled` says which of ``count`` examples stands at a place of an
endless sequence of passes, each pass a random permutation of its own. It is a Feistel network over the integers (a
bijection whatever its round function), walked until it lands below ``count``. numpy and jax arrays give the same
numbers, so a pipeline on the host and a gather on the device read the same rows, and any process can ask for its own
places.
"""

import hashlib
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl, threefry_prng_impl

KEY_IMPLEMENTATION = "threefry2x32"
GOLDEN = 0x9E3779B9  # 2**32 / the golden ratio, as in splitmix
ROUNDS = 8  # of `shuffled`: short halves (few examples) need more than the usual four to be uniform


def root_key(seed: int) -> jax.Array:
    """Typed root key of a run. The generator is fixed: JAX's configuration does not change the numbers."""
    return jax.random.key(seed, impl=KEY_IMPLEMENTATION)


def quickly_compiled(key: jax.Array) -> jax.Array:
    """The same key, whose random numbers are equal bit for bit and compile in a fraction of the time.

    JAX's own threefry is a loop of several kernels for each shape that is drawn on a CPU, and LLVM takes seconds over
    a loop whose innermost axis is short. Here one expression of each element's place goes into the kernel that asks
    for the number; so it is with `fold_in` and `split`.
    """
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_QUICKLY_COMPILED)


def _bits(key, bit_width, shape):
    """What `jax.random.bits` draws by threefry: the hash of (0, place), its halves joined by xor."""
    count = math.prod(shape)
    if bit_width != 32 or count >= 2**32 or not jax.config.jax_threefry_partitionable:
        return threefry_prng_impl.random_bits(key, bit_width, shape)
    first, second = _threefry(key[0], key[1], jax.lax.iota(jnp.uint32, count).reshape(shape))
    return first ^ second


def _fold_in(key, data):
    """What `jax.random.fold_in` makes of a key by threefry: the hash of (0, data)."""
    return jnp.stack(_threefry(key[0], key[1], data))


def _split(key, shape):
    """What `jax.random.split` makes of a key by threefry: the hash of (0, place)."""
    if not jax.config.jax_threefry_partitionable:
        return threefry_prng_impl.split(key, shape)
    return jnp.stack(_threefry(key[0], key[1], jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)), axis=-1)


@jax.jit  # so that what draws often traces it once for each shape
def _threefry(first_key, second_key, place):
    """Threefry-2x32 of (0, place) in 20 rounds (Salmon et al. 2011): two u32 arrays like ``place``."""
    keys = (first_key, second_key, first_key ^ second_key ^ jnp.uint32(0x1BD11BDA))
    first, second = jnp.full_like(place, keys[0]), place + keys[1]
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            first = first + second
            second = first ^ ((second << jnp.uint32(turn)) | (second >> jnp.uint32(32 - turn)))
        first = first + keys[(group + 1) % 3]
        second = second + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return first, second


_QUICKLY_COMPILED = define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=_split,
    random_bits=_bits,
    fold_in=_fold_in,
    name="threefry2x32_quickly_compiled",
    tag="tqc",
)


def stream(root, name: str, step) -> jax.Array:
    """Key of the stream `name` at `step` i32[] >= 0: fold_in(fold_in(root, hash of the name), step).

    The hash is the first 32 bits of the name's SHA-256: equal in every process, on every machine. What is drawn of the
    key is `quickly_compiled`.
    """
    digest = hashlib.sha256(name.encode()).digest()[:4]
    return jax.random.fold_in(jax.random.fold_in(quickly_compiled(root), int.from_bytes(digest, "big")), step)


def member_key(root, member_id) -> jax.Array:
    """Root key of the ensemble's member `member_id` i32[] >= 0, whatever the number of members."""
    key = jax.random.fold_in(quickly_compiled(root), member_id)
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=KEY_IMPLEMENTATION)  # as states keep it


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
    return _bits_at(seed, jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape))


def _bits_at(seed, place):
    return mix((place * jnp.uint32(GOLDEN)) ^ seed)


def dropout(seed, values, *, rate: float):
    """Inverted dropout: each of `values` is zeroed with probability `rate`, the others grow by 1 / (1 - rate).

    `seed` is a typed key, or u32[] where many are drawn at once, as in `hashed_bits`.
    """
    if rate == 0.0:
        return values
    keep = hashed_bits(seed, values.shape) >= _threshold(rate)
    return jnp.where(keep, values / (1.0 - rate), 0.0)


def kept(seed, place, rate: float):
    """Which values `dropout` keeps, where only some are at hand: bool of the shape of `place`.

    place: u32, where each stands among all values, counted along the last axis first; seed: u32[].
    """
    return _bits_at(seed, place) >= _threshold(rate)


def _threshold(rate):
    return jnp.uint32(min(rate * 2**32, 2**32 - 1))


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
    xp = namespace(seed, place, count)
    seed, place, count = (xp.asarray(x).astype(np.uint32) for x in (seed, place, count))
    seed, place, count = xp.broadcast_arrays(seed, place, count)
    seed = mix(seed ^ mix(place // count * np.uint32(GOLDEN) + np.uint32(1)))
    turn = partial(_feistel_round, seed=seed, half=_half_bits(count, xp))
    found, outside = place % count, xp.ones_like(count, bool)
    if xp is np:
        while outside.any():
            walked = found
            for number in range(1, ROUNDS + 1):
                walked = turn(walked, np.uint32(number * GOLDEN % 2**32))
            found = np.where(outside, walked, found)
            outside = found >= count
        return found.astype(np.int32)

    def walk(state):
        # One round a turn: a program of several would be of many kernels, each of which is compiled.
        found, outside, number = state
        found = jnp.where(outside, turn(found, number * jnp.uint32(GOLDEN)), found)
        last = number == ROUNDS
        return found, outside & ~(last & (found < count)), jnp.where(last, jnp.uint32(1), number + 1)

    state = (found, outside, jnp.uint32(1))
    return jax.lax.while_loop(lambda state: jnp.any(state[1]), walk, state)[0].astype(jnp.int32)


def seed_of(key: jax.Array) -> jax.Array:
    """u32[], the seed of a typed key for `shuffled`."""
    return jax.random.bits(key, (), jnp.uint32)


def _half_bits(count, xp):
    """Half the bits of the smallest 4**b >= count, at least one: the walk then lands within four tries on average."""
    half = xp.ones_like(count)
    for bits in range(1, 15):
        half = half + (count > np.uint32(4**bits)).astype(np.uint32)
    return half


def _feistel_round(x, salt, *, seed, half):
    """One of the `ROUNDS` that make a permutation of 0 .. 4**half - 1; ``salt`` u32[] is its number times `GOLDEN`."""
    mask = (np.uint32(1) << half) - np.uint32(1)
    left, right = x >> half, x & mask
    key = mix(seed + salt)
    return (right << half) | (left ^ (mix(right ^ key) & mask))


def mix(x):
    """Two multiply-xorshift rounds: every input bit reaches every output bit."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def namespace(*arrays):
    """jax.numpy if any of them is jax's, else numpy."""
    return jnp if any(isinstance(array, jax.Array) for array in arrays) else np
