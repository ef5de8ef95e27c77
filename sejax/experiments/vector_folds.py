"""Folds of labelled feature vectors, for generators and for the classifiers that their vectors train.

Both must split alike: a classifier is tested on vectors that its generators never saw.
"""

from typing import NamedTuple

import numpy as np

from sejax.data.folds import TRAIN, make_folds
from sejax.data.vectors.load import Vectors
from sejax.errors import InputError

NORMALISATIONS = ("leak_free", "as_published")
WHOLE = -1  # the fold that trains on everything


class Fold(NamedTuple):
    """One split of the labelled vectors: number, and part i8[T] (`sejax.data.folds`)."""

    number: int
    part: np.ndarray


def target_folds(target: Vectors, *, normalisation: str, folds: int, whole: bool, seed: int) -> list[Fold]:
    """The folds of a run: leave one group of sessions out, or of speakers where there are no sessions.

    Raises:
      InputError: unknown normalisation, nothing to train, or a corpus that cannot be split so.
    """
    if normalisation not in NORMALISATIONS:
        raise InputError(f"config: normalisation={normalisation!r}; choose one of {', '.join(NORMALISATIONS)}")
    found = []
    if normalisation == "leak_free" and folds:
        parts = make_folds(target, protocol="speaker", folds=folds, validation=0.0, seed=seed).part
        found = [Fold(number, part) for number, part in enumerate(parts)]
    if whole or normalisation == "as_published":
        found.append(Fold(WHOLE, np.full(len(target.label), TRAIN, np.int8)))
    if not found:
        raise InputError("config: folds=0 and whole=False leave nothing to train; give folds=5, or whole=True")
    return found


def rows_by_class(target: Vectors, chosen: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows i32[E, L] of each class among the chosen ones, filled up with 0, and their counts i32[E]."""
    table = np.zeros((len(target.classes), length), np.int32)
    count = np.zeros(len(target.classes), np.int32)
    for number in range(len(target.classes)):
        rows = np.flatnonzero(chosen & (target.label == number))
        table[number, : len(rows)], count[number] = rows, len(rows)
    return table, count
