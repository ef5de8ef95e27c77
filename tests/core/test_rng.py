"""Random streams: equal in every process, different by name, step and member."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sejax.core import rng


def _words(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_streams_differ_by_name_step_member_and_seed():
    root = rng.root_key(0)
    keys = [rng.stream(root, name, step) for name in ("order", "dropout") for step in range(3)]
    keys += [rng.stream(rng.member_key(root, member), "order", 0) for member in range(3)]
    keys += [rng.stream(rng.root_key(1), "order", 0), root]
    assert len({_words(key) for key in keys}) == len(keys)


def test_a_stream_is_the_documented_fold_of_name_and_step():
    # First four bytes of SHA-256("abc"), from FIPS 180-2.
    expected = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), 0xBA7816BF), 5)
    assert _words(rng.stream(rng.root_key(7), "abc", 5)) == _words(expected)


def test_a_traced_step_and_member_give_the_same_keys():
    root = rng.root_key(3)
    members = jax.vmap(lambda member: rng.stream(rng.member_key(root, member), "order", 9))(jnp.arange(4))
    traced = jax.jit(lambda step: rng.stream(root, "order", step))(jnp.int32(9))
    assert jnp.issubdtype(traced.dtype, jax.dtypes.prng_key)
    assert _words(traced) == _words(rng.stream(root, "order", 9))
    for member in range(4):
        assert _words(members[member]) == _words(rng.stream(rng.member_key(root, member), "order", 9))


def test_a_quickly_compiled_key_draws_the_same_numbers():
    key = rng.root_key(5)
    quick = rng.quickly_compiled(key)
    assert _words(quick) == _words(key)
    for draw in (
        lambda key: jax.random.bits(key, (3, 70000)),
        lambda key: jax.random.bits(key, (9,), jnp.uint8),
        lambda key: jax.random.bits(jax.random.fold_in(key, 11), ()),
        lambda key: jax.random.normal(jax.random.split(key, 3)[1], (5, 7)),
        lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
        lambda key: jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(4))),
        lambda key: jax.vmap(lambda step: jax.random.uniform(rng.stream(key, "a", step), (4,)))(jnp.arange(3)),
    ):
        expected = np.asarray(jax.jit(draw)(key))
        np.testing.assert_array_equal(jax.jit(draw)(quick), expected)
        assert len(np.unique(expected)) > 1 or not expected.ndim


@pytest.mark.parametrize("length", [5, 12, 13, 40])
@pytest.mark.parametrize("number", [0, 1, 12, 20])
def test_order_holds_each_active_example_once_and_no_inactive_one(length, number):
    active = np.zeros(20, bool)
    active[np.random.default_rng(number).permutation(20)[:number]] = True
    order = jax.jit(rng.permutation_order, static_argnums=2)
    index, valid = map(np.asarray, order(rng.root_key(1), active, length))
    assert index.shape == valid.shape == (length,) and index.dtype == np.int32
    assert valid.sum() == min(number, length)
    once = index[valid]
    assert len(set(once)) == len(once)
    if number <= length:
        assert set(once) == set(np.flatnonzero(active))
    if number:
        assert active[index].all()
        assert (index == index[np.arange(length) % number]).all()  # the fill repeats the order
        assert valid[: min(number, length)].all()


def test_orders_of_different_keys_differ_and_are_uniform():
    active = np.ones(6, bool)
    active[2] = False
    keys = jax.random.split(rng.root_key(2), 4000)
    index, _ = jax.vmap(lambda key: rng.permutation_order(key, active, 6))(keys)
    places = np.stack([(np.asarray(index[:, :5]) == example).mean(0) for example in (0, 1, 3, 4, 5)])
    # Each of 5 examples is at each of 5 places with probability 1/5: deviation 0.0063 over 4000 draws.
    assert np.abs(places - 0.2).max() < 5 * 0.0063
    assert len({tuple(row) for row in np.asarray(index[:, :5])}) == 120


def test_order_is_equal_in_a_fresh_process():
    code = (
        "import numpy as np; from sejax.core import rng;"
        "i, v = rng.permutation_order(rng.stream(rng.root_key(5), 'order', 3), np.arange(50) % 3 > 0, 40);"
        "print(*np.asarray(i), *np.asarray(v).astype(int))"
    )
    here_index, here_valid = rng.permutation_order(rng.stream(rng.root_key(5), "order", 3), np.arange(50) % 3 > 0, 40)
    here = [*np.asarray(here_index), *np.asarray(here_valid).astype(int)]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(word) for word in run.stdout.split()] == here


def test_normal_weights_are_normal_and_bounded():
    drawn = np.asarray(rng.normal(rng.root_key(4), (200, 250), mean=1.0, deviation=0.02), np.float64)
    standard = (drawn.ravel() - 1.0) / 0.02
    assert stats.kstest(standard, "norm").pvalue > 1e-3
    # Five standard errors.
    assert abs(standard.mean()) < 5 / np.sqrt(standard.size)
    assert abs(standard.std() - 1) < 5 / np.sqrt(2 * standard.size)
    neighbours = [stats.pearsonr(one.ravel(), other.ravel()).statistic for one, other in _neighbours(drawn)]
    assert np.abs(neighbours).max() < 5 / np.sqrt(standard.size)


@pytest.mark.parametrize("bits", [0, 2**32 - 1])
def test_the_outermost_normal_weights_are_finite(bits, monkeypatch):
    # A network of millions of weights meets both ends of what 24 bits can say.
    monkeypatch.setattr(rng, "hashed_bits", lambda key, shape: jnp.full(shape, bits, jnp.uint32))
    outermost = np.abs(rng.normal(rng.root_key(0), (1,)))
    assert 5 < outermost < 5.5


def _neighbours(drawn):
    return (drawn[:, 1:], drawn[:, :-1]), (drawn[1:], drawn[:-1])


def test_normal_weights_differ_from_key_to_key_and_have_their_type():
    one, again, other = (rng.normal(rng.root_key(seed), (50, 3)) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).mean() > 0.99
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.4
    assert one.dtype == jnp.float32 and rng.normal(rng.root_key(1), (2,), jnp.bfloat16).dtype == jnp.bfloat16
