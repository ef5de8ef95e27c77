"""The words that a model knows come from training alone; frequent ones are dropped as often as equation 1 says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.data.text import drop_probability, subsampled, vocabulary
from sejax.errors import InputError

dropped = jax.jit(subsampled)  # one operation at a time would compile each of them

IDS = [np.array(words, np.int32) for words in ([0, 2, 2], [], [4, 2], [1, 4], [3])]
TRAINS = np.array([True, True, True, False, False])


def test_words_of_training_utterances_alone_have_rows():
    found = vocabulary(IDS, TRAINS, types=6)
    assert found.counts.tolist() == [1, 0, 3, 0, 1, 0]
    assert found.lookup.tolist() == [1, 0, 2, 0, 3, 0] and found.size == 4
    assert found.lookup.dtype == np.int32 and found.counts.dtype == np.int64


def test_rare_words_can_be_left_unknown():
    found = vocabulary(IDS, TRAINS, types=6, minimum=2)
    assert found.lookup.tolist() == [0, 0, 1, 0, 0, 0] and found.size == 2
    with pytest.raises(InputError, match="minimum=0"):
        vocabulary(IDS, TRAINS, types=6, minimum=0)


def test_without_words_every_word_is_unknown():
    found = vocabulary([np.zeros(0, np.int32)] * 2, np.array([True, False]), types=3)
    assert found.lookup.tolist() == [0, 0, 0] and found.size == 1
    assert vocabulary([], np.zeros(0, bool), types=0).size == 1


def test_drop_probability_is_the_square_root_of_the_relative_count():
    found = drop_probability(np.array([0, 20, 2000, 8000, 10**6]))
    np.testing.assert_allclose(found[:3], [0, 0.05, 0.5], rtol=1e-6)
    assert (found[3:] < 1).all() and (found[3:] > 0.9999).all() and found.dtype == np.float32
    np.testing.assert_allclose(drop_probability(np.array([4]), t=16), [0.5])
    with pytest.raises(InputError, match="t=0"):
        drop_probability(np.array([4]), t=0)


def utterances(rows, width, types=5):
    random = np.random.default_rng(1)
    return random.integers(0, types, (rows, width), np.int32), random.integers(0, width + 1, rows, np.int32)


def test_each_word_is_dropped_as_often_as_it_should_be_and_the_others_keep_their_order():
    words, count = utterances(4000, 12)
    drop = np.array([0, 0.2, 0.5, 0.9, np.nextafter(np.float32(1), 0)], np.float32)
    left, number = (np.asarray(found) for found in dropped(jnp.uint32(7), words, count, drop))
    before, after = np.zeros(5), np.zeros(5)
    for row in range(len(words)):
        said, kept = words[row, : count[row]].tolist(), left[row, : number[row]].tolist()
        rest = iter(said)
        assert all(word in rest for word in kept)  # a subsequence
        assert [word for word in kept if word == 0] == [word for word in said if word == 0]
        assert not left[row, number[row] :].any()
        before += np.bincount(said, minlength=5)
        after += np.bincount(kept, minlength=5)
    np.testing.assert_allclose(1 - after / before, drop, atol=0.025)  # five deviations of the rarest


def test_neighbours_of_a_dropped_word_become_adjacent():
    always = np.array([0, 1, 0], np.float32)
    words, count = dropped(
        jnp.uint32(0), jnp.array([[2, 1, 2, 1, 1, 2], [1, 1, 0, 0, 0, 0]]), jnp.array([6, 2]), always
    )
    assert words.tolist() == [[2, 2, 2, 0, 0, 0], [0] * 6] and count.tolist() == [3, 0]


def test_padding_and_further_rows_change_nothing():
    words, count = utterances(6, 5)
    drop = np.full(5, 0.5, np.float32)
    key = jax.random.key(3)
    small = dropped(key, words, count, drop)
    wide = dropped(key, np.pad(words, ((0, 3), (0, 4)), constant_values=4), np.pad(count, (0, 3)), drop)
    np.testing.assert_array_equal(wide[0][:6, :5], small[0])
    np.testing.assert_array_equal(wide[1], np.pad(small[1], (0, 3)))
    other = dropped(jax.random.key(4), words, count, drop)
    assert not np.array_equal(other[0], small[0])


def test_members_with_seeds_and_probabilities_of_their_own_are_mapped():
    words, count = utterances(4, 6)
    seeds, drops = jnp.arange(2, dtype=jnp.uint32), jnp.stack([jnp.zeros(5), jnp.full(5, 0.6)])
    both = jax.jit(jax.vmap(subsampled, in_axes=(0, None, None, 0)))(seeds, words, count, drops)
    for member in range(2):
        alone = dropped(seeds[member], words, count, drops[member])
        for mapped, one in zip(both, alone, strict=True):
            np.testing.assert_array_equal(mapped[member], one)
    np.testing.assert_array_equal(both[1][0], count)
