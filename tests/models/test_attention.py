"""Attention by some heads of a recording at a time, against that of all at once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.models import attention

SIZES = (3, 13, 4, 8)  # recordings, frames, heads, features
FRAMES = np.array([13, 9, 4], np.int32)


def drawn(biased, sizes=SIZES, dtype=np.float32):
    """(query, key, value, bias, gate); the latter None where not `biased`."""
    random, (batch, length, heads, _) = np.random.default_rng(0), sizes
    shapes = [sizes] * 3 + [(heads, length, length), (batch, length, heads)]
    made = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    return made if biased else [*made[:3], None, None]


def with_gradients(attend, arrays, frames, seed):
    """What is attended to, and the gradients of a function of it for all arrays."""

    def loss(arrays):
        query, key, value, bias, gate = arrays
        y = attend(query, key, value, frames, bias, gate, seed)
        return jnp.sin(y.astype(jnp.float32)).sum(), y

    (_, y), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(arrays)
    return jax.tree.leaves((y, gradients))


def near(found, wanted, tolerance):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        assert np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max() < tolerance * max(1, np.abs(b).max())


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("together", [1, 2, 4])
def test_some_heads_at_a_time_give_what_all_at_once_do_with_gradients(biased, rate, together, monkeypatch):
    monkeypatch.setattr(attention, "CACHE", 4 * together * SIZES[1] ** 2)
    seed = jnp.uint32(7) if rate else None
    of = (drawn(biased), FRAMES, seed)
    near(*(with_gradients(partial(f, rate), *of) for f in (attention._in_cache, attention._at_once)), 2e-6)


def test_double_and_half_precision_stay_what_they_are():
    half = [jnp.asarray(x, jnp.bfloat16) for x in drawn(False)[:3]] + [None, None]
    both = (attention._in_cache, attention._at_once)
    near(*(with_gradients(partial(f, 0.0), half, FRAMES, None) for f in both), 3e-2)
    with jax.enable_x64(True):
        near(*(with_gradients(partial(f, 0.0), drawn(True, dtype=np.float64), FRAMES, None) for f in both), 1e-13)


def test_members_may_be_an_axis():
    arrays = drawn(True)
    attend = lambda seed, *arrays: attention._in_cache(0.3, *arrays[:3], FRAMES, *arrays[3:], seed)  # noqa: E731
    seeds = jnp.arange(2, dtype=jnp.uint32)
    together = jax.vmap(attend, (0, *[None] * 5))(seeds, *arrays)
    near(list(together), [attend(seed, *arrays) for seed in seeds], 2e-6)


def test_keys_beyond_a_recording_have_no_weight_and_without_frames_all_is_finite():
    query, key, value, bias, gate = drawn(True)
    frames = np.array([13, 9, 0], np.int32)
    other = value.copy()
    other[1, 9:] = 1e3
    found = [attention.attention(query, key, x, frames, bias=bias, gate=gate) for x in (value, other)]
    np.testing.assert_array_equal(*found)
    made = with_gradients(partial(attention._in_cache, 0.0), drawn(True), frames, None)
    assert all(np.isfinite(x).all() for x in made)
