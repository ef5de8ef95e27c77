"""What a batch's rows are, and of which few shapes batches of utterances of every length are.

A row is an utterance, or one of the near-equal pieces of an utterance that is too long for a row: memory is then
bounded by the longest piece and not by the longest recording (half an hour is 90 pieces of 20 s). Each shape costs a
compilation, each sample of padding costs time: a few lengths are chosen so that as few samples as possible are padding,
and a batch is made of pieces that fit the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.rng import GOLDEN, mix, namespace
from sejax.errors import InputError

_CANDIDATES = 1024  # lengths that a bucket may have, where more occur


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
      waveforms: `sejax.data.waveforms.load.Waveforms`, or what else has its `offset` and `utterance_ids`.
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


@dataclass(frozen=True)
class Buckets:
    """Shapes of batches, K of them.

    samples: ascending lengths in samples; words: of each, how many words its batches have room for, never fewer than a
    shorter bucket's.
    """

    samples: tuple[int, ...]
    words: tuple[int, ...]

    def of(self, length: np.ndarray, word_count: np.ndarray | int = 0) -> np.ndarray:
        """i32[...], the smallest bucket that holds so many samples i32[...] and words i32[...].

        Raises InputError for what no bucket holds.
        """
        found = np.maximum(np.searchsorted(self.samples, length), np.searchsorted(self.words, word_count))
        if found.size and found.max() >= len(self.samples):
            samples, words = (
                np.broadcast_to(counts, found.shape).flat[found.argmax()] for counts in (length, word_count)
            )
            raise InputError(
                f"buckets: {samples} samples and {words} words, and the largest bucket holds {self.samples[-1]} and"
                f" {self.words[-1]}; cut the utterances into such pieces"
            )
        return found.astype(np.int32)


def choose_buckets(
    length: np.ndarray, word_count: np.ndarray, *, shapes: int, batch_size: int = 1, active: np.ndarray | None = None
) -> Buckets:
    """The buckets with the fewest samples of padding, every piece padded to the smallest that holds it.

    Args:
      length: i32[N] samples of the pieces; word_count: i32[N] of their words.
      shapes: buckets at most; fewer where fewer lengths occur.
      batch_size: rows of the batches of `epoch_batches`, whose padding is minimised: what does not fill a bucket's
        last batch is padded further. 1: padding of single pieces.
      active: bool[..., N], which pieces take part in an epoch, or in one of each of several parts (folds, say), whose
        padding is minimised together; None: all.

    Returns:
      The longest bucket is as long as the longest piece, active or not. A bucket's words are the most that a piece of
      it or of a shorter one has, at least 1. Dynamic programming over the lengths finds the least padding; where more
      than 1024 lengths occur, buckets end on multiples of a 1024th of the longest.

    Raises InputError for no piece, or fewer than one shape.
    """
    length, word_count = np.asarray(length, np.int64), np.asarray(word_count)
    if shapes < 1 or not len(length):
        raise InputError(f"buckets: shapes={shapes} for {len(length)} utterances; use at least one of each")
    ends, number = np.unique(length, return_inverse=True)
    if len(ends) > _CANDIDATES:
        unit = -(-ends[-1] // _CANDIDATES)
        ends, number = np.unique(np.minimum(-(-length // unit) * unit, ends[-1]), return_inverse=True)
    held = np.zeros(len(ends), np.int64)
    for part in np.ones((1, len(length))) if active is None else np.reshape(active, (-1, len(length))):
        no_longer = np.bincount(number, weights=part, minlength=len(ends)).cumsum().astype(np.int64)
        held += -(-no_longer[-1] // batch_size) - -(-(no_longer[-1] - no_longer) // batch_size)
    samples = _least_padding(ends, held, min(shapes, len(ends)))
    most = np.ones(len(samples), np.int64)
    np.maximum.at(most, np.searchsorted(samples, length), word_count)
    return Buckets(tuple(map(int, samples)), tuple(map(int, np.maximum.accumulate(most))))


def _least_padding(ends: np.ndarray, held: np.ndarray, shapes: int) -> np.ndarray:
    """The `shapes` of the ascending lengths i64[L] with the least sum of padded lengths; held: batches up to each."""
    # least[j]: padded lengths of all batches up to ends[j], when ends[j] is the last bucket of so many.
    least, before = ends * held, []
    added = ends[:, None] * (held[:, None] - held[None])  # [j, i]: those after ends[i] padded to ends[j]
    added = np.where(np.tri(len(ends), k=-1, dtype=bool), added, np.iinfo(np.int64).max // 4)
    for _ in range(shapes - 1):
        totals = least[None] + added
        before.append(totals.argmin(axis=1))
        least = totals.min(axis=1)
    chosen = [len(ends) - 1]
    for previous in reversed(before):
        chosen.append(int(previous[chosen[-1]]))
    return ends[chosen[::-1]]


def epoch_batches(seed, bucket, active, *, batch_size: int, batches: int, shuffle: bool = True, batch_seed=None):
    """An epoch's batches: every active piece once, with others of its bucket, batches and rows in a random order.

    What does not fill the last batch of a bucket moves up into the next bucket, so that all batches are full but
    one: rows that fill it up are in a batch of the first bucket, where they cost least.

    Args:
      seed: u32[], an order of its own for each.
      bucket: i32[N], N >= 1; active: bool[N], the pieces that take part.
      batch_size: rows B; batches: as many as active pieces need at least, ceil(active / B), of which any beyond are
        empty. Fewer leave the longest pieces out.
      batch_seed: u32[] of the order of the batches alone; None: seed. Members that share it have batches of about the
        same bucket at the same place, whatever their seeds and active pieces are.
      shuffle: False: batches and rows in the order of buckets, and within one in the pieces' order (for evaluation).

    Returns:
      index i32[batches, B] and valid bool[batches, B]. Rows that are not valid name an active piece too. numpy in,
      numpy out; otherwise traceable jax, the same numbers.
    """
    xp = namespace(seed, bucket, active, batch_seed)
    seed, bucket, active = xp.asarray(seed).astype(np.uint32), xp.asarray(bucket), xp.asarray(active, bool)
    rows, places = np.arange(len(bucket), dtype=np.uint32), np.arange(batches * batch_size, dtype=np.int32)
    order = xp.lexsort((_random(seed, 1, rows, xp), bucket, ~active) if shuffle else (bucket, ~active))
    number = active.sum(dtype=np.int32)
    needed = -(-number // batch_size)
    rank = places - (needed * batch_size - number)  # the first places fill up
    index = order[xp.clip(rank, 0, xp.maximum(number - 1, 0))].astype(np.int32).reshape(batches, batch_size)
    valid = ((rank >= 0) & (rank < number)).reshape(batches, batch_size)
    if not shuffle:
        return index, valid
    order = _batch_order(seed if batch_seed is None else xp.asarray(batch_seed).astype(np.uint32), needed, batches, xp)
    return index[order], valid[order]


def _batch_order(seed, needed, batches: int, xp):
    """i[batches]: the numbers below `needed` in random order, then the others.

    A random permutation of all is walked from each place until it lands below `needed`: for one more, the order
    changes in one place only.
    """
    place = xp.arange(batches, dtype=np.int32)
    onward = xp.argsort(_random(seed, 2, place.astype(np.uint32), xp), stable=True).astype(np.int32)
    found = xp.where(place < needed, onward, place)

    def outside(found):
        return (found >= needed) & (place < needed)

    def walk(found):
        return xp.where(outside(found), onward[found], found)

    if xp is jnp:
        return jax.lax.while_loop(lambda found: outside(found).any(), walk, found)
    while outside(found).any():
        found = walk(found)
    return found


def _random(seed, stream: int, number: np.ndarray, xp):
    """u32[n] random bits of the things numbered u32[n], for each stream others."""
    with np.errstate(over="ignore"):  # numpy warns of scalars that wrap around
        return mix(mix(seed + np.uint32(stream * GOLDEN % 2**32)) ^ mix(xp.asarray(number) * np.uint32(GOLDEN)))


def batch_buckets(pieces: Pieces, buckets: Buckets, index: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """i32[batches], the bucket of each batch: the largest among its valid rows, 0 where none is.

    index i32[batches, ..., B], valid bool[batches, ..., B]; the axes between them (members, say) share a bucket.
    """
    of = np.where(valid, buckets.of(pieces.length[index], pieces.word_count[index]), 0)
    return of.max(axis=_rows(of), initial=0)


def _rows(array: np.ndarray) -> tuple[int, ...]:
    """The axes of a batch: all but the first, which numbers the batches."""
    return tuple(range(1, array.ndim))


def padding(pieces: Pieces, buckets: Buckets, index: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    """Shares of all samples and of all words of an epoch's batches that are padding, rows that fill up included.

    index and valid as in `batch_buckets`. Batches without a valid row do not count. Shares are 0 where nothing is.
    """
    of, used = batch_buckets(pieces, buckets, index, valid), valid.any(axis=_rows(valid))
    rows = int(np.prod(valid.shape[1:]))
    shares = {}
    for name, rooms, found in (
        ("samples", buckets.samples, pieces.length),
        ("words", buckets.words, pieces.word_count),
    ):
        room = rows * int(np.array(rooms)[of[used]].sum())
        shares[name] = 1 - int(found[index[valid]].sum()) / room if room else 0.0
    return shares


def shapes(pieces: Pieces, buckets: Buckets, index: np.ndarray, valid: np.ndarray) -> list[tuple[int, int, int]]:
    """Which shapes occur in an epoch: (samples, words, batches of this shape), short ones first.

    index and valid as in `batch_buckets`. Batches without a valid row do not count.
    """
    used = valid.any(axis=_rows(valid))
    found, counts = np.unique(batch_buckets(pieces, buckets, index, valid)[used], return_counts=True)
    return [(buckets.samples[k], buckets.words[k], int(count)) for k, count in zip(found, counts, strict=True)]
