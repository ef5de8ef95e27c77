"""Pretrained word vectors for the words of a corpus, from files in word2vec's or GloVe's formats, through gensim."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.vector_files import Layout, cut, recognised
from sejax.errors import InputError

UNKNOWN = 0.25  # vectors of words that the file lacks are uniform in +- this, about the spread of word2vec's own


@dataclass(frozen=True, eq=False)
class WordVectors:
    """values f32[S, E], a vector for each of S word types; found bool[S]: whether it comes from the file."""

    values: np.ndarray
    found: np.ndarray


def read_vectors(path: str | Path, types: Sequence[str], *, limit: int | None = None, seed: int = 0) -> WordVectors:
    """Read the vectors of the given words from a file of pretrained ones.

    word2vec's binary and text formats and GloVe's text, each also gzipped; which one it is, the file shows. The file
    is read through once and only the rows that are wanted are kept: a binary one of 3 million rows of 300 values
    (3.6 GB) takes 20 MiB of memory beside them and 10 s where it lies in the disk's cache.

    Args:
      path: the file.
      types: S words in lower case, as `transcripts.word_types` gives them. A word that the file lacks is looked for
        capitalised, then in capitals; a tag such as "[laughter]" then as the word in its brackets.
      limit: look at so many rows alone, the first; files put frequent words first.
      seed: of the vectors of words that are not found, uniform in +-0.25.

    Raises:
      InputError: gensim is not installed; no file there, an empty one, one in another format, one that is cut short
        or broken, a row with a wrong number of values, a value that is no finite number; a limit below 1.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise InputError(f"word vectors: limit={limit}; look at one row at least, or leave it out for all")
    layout = recognised(path)
    spelled = [[word.encode() for word in _spellings(each)] for each in types]
    rows = cut(path, layout, frozenset(word for words in spelled for word in words), limit=limit)
    values = np.random.default_rng(seed).uniform(-UNKNOWN, UNKNOWN, (len(types), layout.values)).astype(np.float32)
    chosen = [next((word for word in words if word in rows), None) for words in spelled]
    found = np.array([word is not None for word in chosen], bool)
    if rows:
        vectors = _through_gensim(path, layout, rows)
        values[found] = [vectors[word.decode()] for word in chosen if word is not None]
    return WordVectors(values, found)


def coverage(found: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Shares of word types ("types") and of running words ("words") that have a vector.

    found bool[S]; counts [S], how often each type occurs. Types that do not occur count for nothing; where none
    does, both shares are 0.
    """
    counts = np.asarray(counts)
    occurs = counts > 0
    return {
        "types": float((found & occurs).sum() / max(occurs.sum(), 1)),
        "words": float(counts[found].sum() / max(counts.sum(), 1)),
    }


def _spellings(word: str) -> list[str]:
    """How a file may write a word, in the order in which they are tried."""
    bare = word.strip("[]")
    return list(dict.fromkeys(form for text in (word, bare) for form in (text, text.capitalize(), text.upper())))


def _through_gensim(path: Path, layout: Layout, rows: dict[bytes, bytes]):
    """gensim's KeyedVectors of the rows that were cut out of a file."""
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise InputError(
            f"word vectors: reading {path} needs gensim; install it with `pip install sejax[text]`"
        ) from error
    end = b"" if layout.binary else b"\n"
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "vectors"
        part.write_bytes(
            b"%d %d\n" % (len(rows), layout.values)
            + b"".join(word + b" " + values + end for word, values in rows.items())
        )
        vectors = KeyedVectors.load_word2vec_format(str(part), binary=layout.binary)
    for word in vectors.index_to_key:
        if not np.isfinite(vectors[word]).all():
            raise InputError(f"word vectors: {path}: the vector of {word!r} is not finite; get the file again")
    return vectors
