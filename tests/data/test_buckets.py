"""Pieces of utterances, and batches of few shapes: which lengths, and which pieces together."""

import itertools
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sejax.data import buckets as module
from sejax.data.buckets import Buckets, choose_buckets, cut, epoch_batches, padding, shapes
from sejax.errors import InputError

BUCKETS = Buckets((10, 20, 40), (1, 3, 5))


def pieces_of(lengths, counts):
    """Pieces of so many samples and words, one an utterance."""
    offset = np.cumsum([0, *lengths])
    words = [np.zeros(count, np.int32) for count in counts]
    return cut(SimpleNamespace(offset=offset, utterance_ids=()), words, longest=10**9, most_words=10**6)


def padded(length, ends, batch_size=1):
    """Samples of all pieces in batches of `batch_size`, the longest first, each as long as its bucket."""
    longest_first = np.sort(length)[::-1][::batch_size]
    return batch_size * sum(min(end for end in ends if end >= each) for each in longest_first)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([1, 4]),
)
def test_no_other_buckets_have_less_padding(length, shapes, batch_size):
    found = choose_buckets(np.array(length), np.zeros(len(length)), shapes=shapes, batch_size=batch_size)
    ends = sorted(set(length))
    others = itertools.combinations(ends[:-1], min(shapes, len(ends)) - 1)
    best = min(padded(length, (*other, ends[-1]), batch_size) for other in others)
    assert found.samples == tuple(sorted(set(found.samples))) and found.samples[-1] == ends[-1]
    assert len(found.samples) <= shapes and padded(length, found.samples, batch_size) == best


def test_padding_of_several_parts_is_minimised_together():
    random = np.random.default_rng(0)
    for _ in range(20):
        length, active = random.integers(1, 40, 25), random.random((2, 3, 25)) < 0.5
        found = choose_buckets(length, np.zeros(25), shapes=3, batch_size=4, active=active)
        ends = sorted(set(length))

        def cost(samples, length=length, active=active):
            return sum(padded(length[part], samples, 4) for part in active.reshape(6, 25))

        best = min(cost((*other, ends[-1])) for other in itertools.combinations(ends[:-1], 2))
        assert found.samples[-1] == ends[-1] and cost(found.samples) == best


def test_a_bucket_has_room_for_the_words_of_all_that_are_no_longer():
    length, words = np.array([5, 9, 10, 20, 30]), np.array([7, 0, 1, 2, 9])
    assert choose_buckets(length, words, shapes=3) == Buckets((10, 20, 30), (7, 7, 9))
    assert choose_buckets(length, np.zeros(5), shapes=1) == Buckets((30,), (1,))


def test_many_lengths_are_looked_at_in_steps(monkeypatch):
    monkeypatch.setattr(module, "_CANDIDATES", 10)
    found = choose_buckets(np.arange(1, 96), np.zeros(95), shapes=3)
    assert len(found.samples) == 3 and found.samples[-1] == 95
    assert padded(np.arange(1, 96), found.samples) <= 1.05 * padded(np.arange(1, 96), (32, 64, 95))


def test_the_bucket_is_the_smallest_that_holds_samples_and_words():
    found = BUCKETS.of(np.array([1, 10, 11, 20, 40]))
    np.testing.assert_array_equal(found, [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(BUCKETS.of(np.array([[1, 10]]), np.array([[4, 2]])), [[2, 1]])
    assert found.dtype == np.int32 and BUCKETS.of(7) == 0


@pytest.mark.parametrize(("length", "words"), [(41, 0), (5, 6)])
def test_what_no_bucket_holds_is_refused(length, words):
    with pytest.raises(InputError, match=f"{length} samples and {words} words, and the largest bucket holds 40 and 5"):
        BUCKETS.of(np.array([20, length]), np.array([5, words]))


@pytest.mark.parametrize(("length", "shapes"), [([], 3), ([1], 0)])
def test_buckets_need_a_piece_and_a_shape(length, shapes):
    with pytest.raises(InputError, match="use at least one of each"):
        choose_buckets(np.array(length), np.array(length), shapes=shapes)


BUCKET = np.array([2, 0, 1, 0, 1, 2, 0, 1, 0, 1, 0, 0, 1, 2, 1, 1, 0], np.int32)
ACTIVE = np.arange(17) % 6 != 5


def epoch(seed=0, *, bucket=BUCKET, active=ACTIVE, batch_size=4, batches=4, **options):
    return epoch_batches(np.uint32(seed), bucket, active, batch_size=batch_size, batches=batches, **options)


@pytest.mark.parametrize("batches", [4, 6])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_active_piece_occurs_once_an_epoch(batches, shuffle):
    index, valid = epoch(batches=batches, shuffle=shuffle)
    assert index.shape == valid.shape == (batches, 4) and index.dtype == np.int32
    assert sorted(index[valid]) == np.flatnonzero(ACTIVE).tolist()
    assert not valid[4:].any() and ACTIVE[index].all()


def test_all_batches_are_full_but_one_of_the_first_bucket():
    for seed in range(5):
        index, valid = epoch(seed)
        (short,) = np.flatnonzero(~valid.all(axis=1))
        assert valid[short].sum() == 3 and (BUCKET[index[short]] == 0).all()


def test_pieces_come_with_others_of_their_bucket_and_what_is_left_over_moves_up():
    index, valid = epoch(shuffle=False)
    np.testing.assert_array_equal(np.where(valid, BUCKET[index], -1), np.sort(np.where(valid, BUCKET[index], -1)))
    held = [sorted(set(BUCKET[row[keep]])) for row, keep in zip(index, valid, strict=True)]
    assert np.bincount(BUCKET[ACTIVE]).tolist() == [6, 7, 2] and held == [[0], [0, 1], [1], [1, 2]]
    np.testing.assert_array_equal(index[valid], np.flatnonzero(ACTIVE)[np.argsort(BUCKET[ACTIVE], kind="stable")])
    np.testing.assert_array_equal(valid[0], [False, True, True, True])
    shuffled, keep = epoch(3)
    found = sorted(sorted(set(BUCKET[row[of]])) for row, of in zip(shuffled, keep, strict=True))
    assert found == sorted(held)


def test_every_seed_has_an_order_of_batches_and_rows_of_its_own():
    bucket, active = np.arange(600) // 200, np.ones(600, bool)
    orders = [epoch(seed, bucket=bucket, active=active, batch_size=10, batches=60)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(orders[0], orders[1])
    of_batches = [bucket[order[:, 0]] for order in orders]
    assert (of_batches[0] != of_batches[2]).any() and (np.diff(of_batches[0]) < 0).any()
    partners = [{frozenset(row) for row in order.tolist()} for order in (orders[0], orders[2])]
    assert not partners[0] & partners[1]
    assert (np.sort(orders[0], axis=1) != orders[0]).any()


def test_rows_and_batches_are_uniformly_shuffled():
    # 2000 orders of 8 pieces in 4 batches: each piece is in each batch 500 times on average, standard deviation 19.
    index = np.stack(
        [epoch(seed, bucket=np.zeros(8, int), active=np.ones(8), batch_size=2, batches=6)[0] for seed in range(2000)]
    )
    counts = np.stack([np.bincount(index[:, batch].ravel(), minlength=8) for batch in range(4)])
    assert np.abs(counts - 500).max() < 5 * 19


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_device_makes_the_hosts_batches_for_any_members_at_once(shuffle):
    seeds = np.array([0, 1, 2**32 - 1], np.uint32)
    active = np.stack([ACTIVE, ~ACTIVE, np.zeros(17, bool)])
    options = {"batch_size": 4, "batches": 5, "shuffle": shuffle, "batch_seed": np.uint32(5)}
    made = jax.jit(jax.vmap(lambda seed, active: epoch_batches(seed, BUCKET, active, **options)))(seeds, active)
    for number, seed in enumerate(seeds):
        index, valid = epoch_batches(seed, BUCKET, active[number], **options)
        np.testing.assert_array_equal(made[1][number], valid)
        np.testing.assert_array_equal(made[0][number], index)
        assert made[0].dtype == np.int32 and made[1].dtype == bool


def test_members_that_share_the_order_of_batches_have_batches_of_like_length_at_the_same_place():
    lengths = turns(400)
    fold = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [80, 85, 90, 145]))
    pieces, active = pieces_of(lengths, [0] * 400), fold != np.arange(3)[:, None]  # in 32, 32 and 31 batches
    found = choose_buckets(lengths, np.zeros(400), shapes=6)

    def waste(**options):
        """Padding of the members' batches together, and alone."""
        plans = [
            epoch_batches(np.uint32(seed), found.of(lengths), of, batch_size=10, batches=40, **options)
            for seed, of in enumerate(active)
        ]
        for (index, valid), of in zip(plans, active, strict=True):
            assert sorted(index[valid]) == np.flatnonzero(of).tolist() and (np.diff(valid.any(axis=1) * 1) <= 0).all()
        together = (np.stack(parts, axis=1) for parts in zip(*plans, strict=True))
        alone = [padding(pieces, found, *plan)["samples"] for plan in plans]
        return padding(pieces, found, *together)["samples"], max(alone)

    together, alone = waste(batch_seed=np.uint32(7))
    assert together < alone + 0.1 and waste()[0] > alone + 0.2


def test_one_batch_more_changes_the_order_in_one_place():
    orders = [module._batch_order(np.uint32(7), needed, 40, np) for needed in range(41)]
    for needed, order in enumerate(orders):
        assert sorted(order[:needed]) == list(range(needed)) and order[needed:].tolist() == list(range(needed, 40))
    assert all((orders[n][:n] != orders[n + 1][:n]).sum() <= 1 for n in range(40))


def test_padding_is_what_is_neither_sample_nor_word_of_a_piece():
    pieces = pieces_of([5, 10, 30, 8], [1, 0, 4, 2])
    index, valid = np.array([[0, 1], [2, 3], [0, 0]]), np.array([[True, True], [True, False], [False, False]])
    found = padding(pieces, BUCKETS, index, valid)
    assert found == {"samples": 1 - 45 / (2 * 10 + 2 * 40), "words": 1 - 5 / (2 * 1 + 2 * 5)}
    assert shapes(pieces, BUCKETS, index, valid) == [(10, 1, 1), (40, 5, 1)]
    members = padding(pieces, BUCKETS, index[:, None].repeat(3, 1), valid[:, None].repeat(3, 1))
    assert members == found
    assert padding(pieces, BUCKETS, index, np.zeros_like(valid)) == {"samples": 0.0, "words": 0.0}
    assert shapes(pieces, BUCKETS, index[:0], valid[:0]) == []


def turns(count, seed=0):
    """Lengths of turns between 1 s and 15 s in samples, log-normal with a median of 3.6 s as in conversations."""
    seconds = 3.6 * np.exp(np.random.default_rng(seed).normal(0, 0.7, 3 * count))
    return np.rint(16000 * seconds[(seconds >= 1) & (seconds <= 15)][:count]).astype(np.int64)


@pytest.mark.parametrize("count", [1000, 5531])
def test_eight_shapes_keep_padding_below_15_percent_for_turns_of_1_to_15_seconds(count):
    length = turns(count)
    words = length // 6400
    found = choose_buckets(length, words, shapes=8, batch_size=30)
    pieces = pieces_of(length, words)
    index, valid = epoch_batches(
        np.uint32(1), found.of(length, words), np.ones(count, bool), batch_size=30, batches=-(-count // 30)
    )
    assert len(length) == count and len(shapes(pieces, found, index, valid)) == 8
    assert sum(batches for *_, batches in shapes(pieces, found, index, valid)) == -(-count // 30)
    assert padding(pieces, found, index, valid)["samples"] < 0.15


def waveforms(lengths):
    """As much of a set as `cut` looks at."""
    ids = tuple(f"u{number}" for number in range(len(lengths)))
    return SimpleNamespace(offset=np.cumsum([0, *lengths]), utterance_ids=ids)


def numbered(counts):
    """Word types of utterances, all different."""
    return np.split(np.arange(sum(counts), dtype=np.int32), np.cumsum(counts)[:-1])


def test_an_utterance_within_the_bounds_is_one_piece():
    pieces = cut(waveforms([1, 320000, 16000]), numbered([1, 0, 128]), longest=320000, most_words=128)
    np.testing.assert_array_equal(pieces.utterance, [0, 1, 2])
    np.testing.assert_array_equal(pieces.start, [0, 1, 320001])
    np.testing.assert_array_equal(pieces.length, [1, 320000, 16000])
    np.testing.assert_array_equal(pieces.first_word, [0, 1, 1])
    np.testing.assert_array_equal(pieces.word_count, [1, 0, 128])
    np.testing.assert_array_equal(pieces.words, np.arange(129))
    dtypes = {name: values.dtype.name for name, values in vars(pieces).items()}
    assert dtypes.pop("start") == dtypes.pop("first_word") == "int64" and set(dtypes.values()) == {"int32"}


def test_half_an_hour_is_ninety_pieces_of_twenty_seconds():
    pieces = cut(waveforms([16000, 1800 * 16000]), numbered([3, 4500]), longest=320000, most_words=128)
    assert len(pieces.length) == 91 and (pieces.length[1:] == 320000).all() and (pieces.word_count[1:] == 50).all()


def test_many_words_cut_a_short_utterance():
    pieces = cut(waveforms([10]), numbered([7]), longest=100, most_words=3)
    np.testing.assert_array_equal(pieces.length, [3, 3, 4])
    np.testing.assert_array_equal(pieces.word_count, [2, 2, 3])


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=6),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_pieces_hold_every_sample_and_every_word_once_in_their_order(utterances, longest, most_words):
    utterances = [(samples, min(words, samples * most_words)) for samples, words in utterances]
    lengths, counts = zip(*utterances, strict=True)
    pieces = cut(waveforms(lengths), numbered(counts), longest=longest, most_words=most_words)
    np.testing.assert_array_equal(pieces.start, np.cumsum([0, *pieces.length])[:-1])
    np.testing.assert_array_equal(pieces.first_word, np.cumsum([0, *pieces.word_count])[:-1])
    for number, (samples, words) in enumerate(utterances):
        of = pieces.utterance == number
        fewest = next(k for k in range(1, 51) if k * longest >= samples and k * most_words >= words)
        assert of.sum() == fewest
        assert pieces.length[of].sum() == samples and pieces.word_count[of].sum() == words
        assert np.ptp(pieces.length[of]) <= 1 and np.ptp(pieces.word_count[of]) <= 1
    assert pieces.length.min() >= 1 and pieces.length.max() <= longest and pieces.word_count.max() <= most_words


def test_a_set_without_any_word_has_pieces_without_words():
    pieces = cut(waveforms([5, 7]), [np.zeros(0, np.int32)] * 2, longest=9, most_words=1)
    assert len(pieces.words) == 0 and not pieces.word_count.any() and not pieces.first_word.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"longest": 0}, "longest=0 samples, most_words=4; use at least 1"),
        ({"most_words": 0}, "most_words=0"),
        ({"words": numbered([2])}, "words of 1 utterances for 2 waveforms"),
        ({"words": numbered([1, 9])}, "u1 has 9 words in 2 samples.* 3 pieces of up to 4 words; mend its transcript"),
    ],
)
def test_what_cannot_be_cut_is_refused(change, message):
    options = {"words": numbered([1, 1]), "longest": 10, "most_words": 4} | change
    with pytest.raises(InputError, match=message):
        cut(waveforms([30, 2]), **options)
