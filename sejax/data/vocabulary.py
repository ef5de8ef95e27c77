"""Which words a model knows, and how often frequent ones are left out of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.rng import hashed_bits
from sejax.errors import InputError


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """lookup i32[S]: the embedding's row of each of S word types, 0 for what no training utterance holds.

    size: rows of the embedding, row 0 included; counts i64[S]: how often training utterances hold each type.
    """

    lookup: np.ndarray
    size: int
    counts: np.ndarray


def vocabulary(ids: Sequence[np.ndarray], trains: np.ndarray, *, types: int, minimum: int = 1) -> Vocabulary:
    """The vocabulary of the training utterances: words of others have no part in it.

    Args:
      ids: for each of U utterances, i32[n_u] of word types.
      trains: bool[U].
      types: number of word types S.
      minimum: a word is known from so many occurrences on, at least 1.

    Raises:
      InputError: a minimum below 1.
    """
    if minimum < 1:
        raise InputError(f"vocabulary: minimum={minimum}; a word must occur at least once in training to be known")
    said = [words for words, train in zip(ids, trains, strict=True) if train]
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *said]), minlength=types).astype(np.int64)
    known = counts >= minimum
    return Vocabulary(np.where(known, np.cumsum(known), 0).astype(np.int32), int(known.sum()) + 1, counts)


def drop_probability(counts: np.ndarray, *, t: float = 8000.0) -> np.ndarray:
    """f32[S]: how likely each word is left out, sqrt(f / t) of its count f >= 0, clipped to [0, 1).

    Lima and Bak (2018), equation 1, whose f counts a word in the data set; here in the training utterances. No word
    is left out always: from f = t on the probability is the largest float below 1.

    Raises:
      InputError: t that is not above 0.
    """
    if not t > 0:
        raise InputError(f"drop_probability: t={t}; use a count above 0, the paper's is 8000")
    return np.minimum(np.sqrt(np.asarray(counts) / t), np.nextafter(np.float32(1), np.float32(0))).astype(np.float32)


def subsampled(seed, words: jax.Array, word_count: jax.Array, drop: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Utterances with some of their words left out and the gaps closed: what was apart can become neighbours.

    Pure jax. What is drawn for a word depends on the seed, its row and its place alone: columns of padding or further
    rows change nothing. An utterance may lose all of its words.

    Args:
      seed: u32[] or a typed key.
      words: i32[B, W], word types; what stands beyond an utterance's words does not matter.
      word_count: i32[B], 0 to W.
      drop: f32[S] in [0, 1), the probability with which each word type is left out.

    Returns:
      words i32[B, W] with zeros beyond the words that are left, and how many these are, i32[B].
    """
    rows, width = words.shape
    bits = jax.vmap(lambda row: hashed_bits(row, (width,)))(hashed_bits(seed, (rows,)))  # [B, W]
    uniform = (bits >> 8).astype(jnp.float32) * 2**-24  # [0, 1) in steps that float32 holds
    keep = (jnp.arange(width) < word_count[:, None]) & (uniform >= drop[words])
    count = keep.sum(1, dtype=jnp.int32)
    closed = jnp.take_along_axis(words, jnp.argsort(~keep, axis=1, stable=True), axis=1)
    return jnp.where(jnp.arange(width) < count[:, None], closed, 0), count
