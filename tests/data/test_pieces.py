"""Long utterances in near-equal pieces: nothing is lost, nothing exceeds the bounds, no piece too many."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sejax.data.buckets import cut
from sejax.errors import InputError


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
