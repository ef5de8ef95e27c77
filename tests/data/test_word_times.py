"""Times of a transcript's words where the alignment has fewer words, or spells them otherwise."""

from sejax.data.text import word_times


def test_aligned_words_keep_their_times_whatever_their_spelling():
    found = word_times(("don't", "go"), ("DON'T", "Go."), (0.1, 0.5), (0.4, 0.9), seconds=1.0)
    assert found == ([0.1, 0.5], [0.4, 0.9])


def test_what_was_not_aligned_shares_the_time_between_its_neighbours():
    words = ("[breathing]", "i", "[laughter]", "[laughter]", "know", "oh")
    found = word_times(words, ("I", "KNOW", "OH"), (0.2, 0.9, 1.1), (0.5, 1.1, 1.2), seconds=2.0)
    assert found == ([0.0, 0.2, 0.5, 0.7, 0.9, 1.1], [0.2, 0.5, 0.7, 0.9, 1.1, 1.2])
    start, end = word_times(("i", "[laughter]"), ("I",), (0.2,), (0.5,), seconds=2.0)
    assert (start, end) == ([0.2, 0.5], [0.5, 2.0])


def test_words_that_were_mostly_not_aligned_have_no_times():
    assert word_times(("a", "b", "c"), ("a",), (0.0,), (0.1,), seconds=1.0) is None
    assert word_times((), (), (), (), seconds=1.0) is None
