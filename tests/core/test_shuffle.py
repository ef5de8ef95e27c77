"""The random order that is computed place by place."""

import jax
import numpy as np
import pytest

from sejax.core.rng import root_key, seed_of, shuffled


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 64, 71, 1000, 4097])
def test_every_pass_holds_every_example_once(count):
    for start in (0, count, 7 * count):
        found = shuffled(np.uint32(3), np.arange(start, start + count), count)
        np.testing.assert_array_equal(np.sort(found), np.arange(count))


def test_passes_and_seeds_have_orders_of_their_own():
    first, second = shuffled(np.uint32(3), np.arange(200), 100).reshape(2, 100)
    other = shuffled(np.uint32(4), np.arange(100), 100)
    assert (first == second).mean() < 0.1
    assert (first == other).mean() < 0.1


def test_host_and_device_agree_for_any_number_of_orders_at_once():
    seed = np.arange(5, dtype=np.uint32)[:, None]
    count = np.array([1, 7, 64, 100, 93000])[:, None]
    place = np.arange(256)[None]
    on_device = jax.jit(jax.vmap(lambda s, c: shuffled(s, jax.numpy.arange(256), c)))(seed[:, 0], count[:, 0])
    np.testing.assert_array_equal(on_device, shuffled(seed, place, count))


def test_places_are_uniform_and_neighbours_uncorrelated():
    # 4000 orders of ten: each example stands at each place 400 times on average (standard deviation 19).
    orders = shuffled(np.arange(4000, dtype=np.uint32)[:, None], np.arange(10)[None], 10)
    table = np.stack([np.bincount(orders[:, place], minlength=10) for place in range(10)])
    assert np.abs(table - 400).max() < 5 * 19
    followers = np.zeros((10, 10))
    np.add.at(followers, (orders[:, :-1].ravel(), orders[:, 1:].ravel()), 1)
    off_diagonal = followers[~np.eye(10, dtype=bool)]  # 4000 * 9 pairs over 90 cells: 400 each
    assert np.abs(off_diagonal - 400).max() < 5 * 20


def test_a_key_gives_a_seed():
    assert seed_of(root_key(0)) != seed_of(root_key(1))
    assert int(seed_of(root_key(0))) == int(seed_of(root_key(0)))
