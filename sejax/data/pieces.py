"""What a batch's rows are: utterances, or near-equal pieces of those that are too long for one row.

Memory is then bounded by the longest piece and not by the longest recording: half an hour is 90 pieces of 20 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sejax.errors import InputError


@dataclass(frozen=True, eq=False)
class Pieces:
    """N pieces of a set's utterances, in the utterances' order.

    Attributes:
      utterance: i32[N], the utterance that each is a piece of.
      start: i64[N], its first sample in the set's waveform; length: i32[N], samples, at least 1.
      words: i32[S], word types of all pieces one after the other.
      first_word: i64[N], where its words begin in `words`; word_count: i32[N], how many they are, 0 or more.
    """

    utterance: np.ndarray
    start: np.ndarray
    length: np.ndarray
    words: np.ndarray
    first_word: np.ndarray
    word_count: np.ndarray


def cut(waveforms, words: Sequence[np.ndarray], *, longest: int, most_words: int) -> Pieces:
    """Cut the utterances that are too long for one row into as few pieces as will do.

    Args:
      waveforms: `sejax.data.waveforms.Waveforms`, or what else has its `offset` and `utterance_ids`.
      words: word types i32[n_u] of each utterance.
      longest: samples of a piece at most.
      most_words: words of a piece at most.

    Returns:
      The pieces. Those of an utterance are equal in samples to within one and so are they in words; samples and words
      are shared out in their order, in proportion, and none is lost.

    Raises:
      InputError: a bound below 1, words of more or fewer utterances than there are, an utterance with so many words
        that a piece of it would have no sample.
    """
    if longest < 1 or most_words < 1:
        raise InputError(f"pieces: longest={longest} samples, most_words={most_words}; use at least 1 of each")
    offset = np.asarray(waveforms.offset, np.int64)
    samples, spoken = np.diff(offset), np.array([len(types) for types in words], np.int64)
    if len(spoken) != len(samples):
        raise InputError(f"pieces: words of {len(spoken)} utterances for {len(samples)} waveforms; give one list each")
    pieces = np.maximum(np.maximum(-(-samples // longest), -(-spoken // most_words)), 1)
    for number in np.flatnonzero(pieces > samples)[:1]:
        raise InputError(
            f"pieces: {waveforms.utterance_ids[number]} has {spoken[number]} words in {samples[number]} samples, which"
            f" cannot be cut into {pieces[number]} pieces of up to {most_words} words; mend its transcript, or allow"
            " more words"
        )
    utterance = np.repeat(np.arange(len(samples)), pieces)
    number = np.arange(len(utterance)) - np.repeat(np.cumsum(pieces) - pieces, pieces)

    def shares(counts):
        """First of each piece's share of its utterance's count, and how many it has."""
        counts = counts[utterance]
        first = number * counts // pieces[utterance]
        return first, (number + 1) * counts // pieces[utterance] - first

    start, length = shares(samples)
    first_word, word_count = shares(spoken)
    return Pieces(
        utterance=utterance.astype(np.int32),
        start=offset[utterance] + start,
        length=length.astype(np.int32),
        words=np.concatenate([np.zeros(0, np.int32), *words]).astype(np.int32),
        first_word=(np.cumsum(spoken) - spoken)[utterance] + first_word,
        word_count=word_count.astype(np.int32),
    )
