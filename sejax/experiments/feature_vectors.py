"""What experiments on feature vectors share: folds that generators and classifiers split alike, and normalisation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from sejax.data.folds import TRAIN, Folds, Instead
from sejax.data.official_folds import SPLIT, folds_of
from sejax.data.vectors.load import Vectors
from sejax.errors import InputError
from sejax.experiments.methods import check_choice

NORMALISATIONS = ("leak_free", "as_published")
# By what z-normalisation begins: nothing but what a fold trains on, or first each corpus or speaker by all its own.
GROUPS = ("training", "corpus", "speaker")
WHOLE = -1  # the fold that trains on everything


class Fold(NamedTuple):
    """One split of the labelled vectors: number, and part i8[T] (`sejax.data.folds`)."""

    number: int
    part: np.ndarray


PROTOCOLS = ("speaker", SPLIT)


def target_folds(
    target: Vectors,
    *,
    normalisation: str,
    folds: int,
    whole: bool,
    seed: int,
    protocol: str = "speaker",
    split_folds: Sequence[str] = (),
    instead: Instead | None = None,
) -> list[Fold]:
    """The folds of a run: leave one group of sessions out, or of speakers where there are no sessions.

    With the protocol "split" they are the corpus's own, of which ``split_folds`` names some; a development part neither
    trains nor tests then. ``instead``: what an error may advise, see `sejax.data.folds.make_folds`.

    Raises:
      InputError: unknown normalisation, nothing to train, or a corpus that cannot be split so.
    """
    check_choice("normalisation", normalisation, NORMALISATIONS)
    check_choice("protocol", protocol, PROTOCOLS)
    if protocol == SPLIT and not (normalisation == "leak_free" and folds):
        raise InputError(
            f"config: protocol=split with normalisation={normalisation}, folds={folds} trains none of the corpus's own"
            " folds; give normalisation=leak_free and folds of 1 or more, or leave protocol=split out"
        )
    found = []
    if normalisation == "leak_free" and folds:
        parts = vector_folds(target, folds, seed=seed, protocol=protocol, split_folds=split_folds, instead=instead).part
        found = [Fold(number, part) for number, part in enumerate(parts)]
    if whole or normalisation == "as_published":
        found.append(Fold(WHOLE, np.full(len(target.label), TRAIN, np.int8)))
    if not found:
        raise InputError("config: folds=0 and whole=False leave nothing to train; give folds=5, or whole=True")
    return found


def vector_folds(
    target: Vectors,
    folds: int,
    *,
    seed: int,
    protocol: str = "speaker",
    split_folds: Sequence[str] = (),
    instead: Instead | None = None,
) -> Folds:
    """The folds that `target_folds` has beside the one that trains on everything."""
    asked = {"folds": folds, "validation": 0.0, "seed": seed}
    return folds_of(target, protocol=protocol, names=split_folds, **asked, instead=instead)


def rows_by_class(target: Vectors, chosen: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows i32[E, L] of each class among the chosen ones, filled up with 0, and their counts i32[E]."""
    table = np.zeros((len(target.classes), length), np.int32)
    count = np.zeros(len(target.classes), np.int32)
    for number in range(len(target.classes)):
        rows = np.flatnonzero(chosen & (target.label == number))
        table[number, : len(rows)], count[number] = rows, len(rows)
    return table, count


# A feature that spreads less than this share of its own size is constant: float32 holds no more than seven digits.
CONSTANT = 1e-6
# A size that shows later does as well: where a feature was 1e-10 give or take 1e-10 in all fitted rows, which is
# rounding noise, 2e-4 would become 2e6. Of n rows that a z-normalisation is fitted on, none comes to more than sqrt(n).
FARTHEST = 1 / CONSTANT


class Scaling(NamedTuple):
    """``(x - shift) * scale``, feature by feature; a constant feature has scale 0 and so becomes 0.

    Attributes:
      shift, scale: f32[..., F]. numpy or jax arrays.
    """

    shift: np.ndarray
    scale: np.ndarray

    def apply(self, x):
        """Normalised vectors f32[..., F]."""
        return (x - self.shift) * self.scale

    def apply_to_others(self, x):
        """As `apply`, of vectors that the map was not fitted on: a value that would come to more than 1e6 becomes 0.

        It shows that the feature was constant where the map was fitted, but for rounding noise.
        """
        made = self.apply(x)
        where = np.where if isinstance(made, np.ndarray) else jnp.where
        return where(abs(made) > FARTHEST, 0.0, made).astype(made.dtype)

    def invert(self, x):
        """Vectors in the features' own units; a constant feature gets its value back."""
        on_host = isinstance(self.scale, np.ndarray) and isinstance(x, np.ndarray)
        where = np.where if on_host else jnp.where
        return where(self.scale > 0, x / where(self.scale > 0, self.scale, 1.0), 0.0) + self.shift


def fit_min_max(sets: Sequence[np.ndarray]) -> Scaling:
    """The map that takes the smallest value of each feature in all of the sets f32[n, F] to 0 and the largest to 1.

    One map for source and target together, so that their difference survives it.
    """
    low = np.min([np.min(rows, axis=0) for rows in sets], axis=0).astype(np.float64)
    high = np.max([np.max(rows, axis=0) for rows in sets], axis=0).astype(np.float64)
    return _scaling(low, high - low, np.maximum(np.abs(low), np.abs(high)))


def fit_z_norm(rows: np.ndarray) -> Scaling:
    """The map that gives each feature of the rows f32[n, F] mean 0 and standard deviation 1."""
    mean, deviation = moments(rows)
    return _scaling(mean, deviation, np.abs(rows).max(axis=0).astype(np.float64))


def normalised_by(vectors: Vectors, group: str) -> Vectors:
    """A prepared set whose features are z-normalised in groups of recordings, each by all of its own.

    It is transductive, since recordings that are tested are among them; labels have no part in it, nor in which
    recordings count: give the set before classes are chosen.

    Args:
      vectors: of one corpus, or several as one.
      group: of `GROUPS`: "training" returns the set as it is; "corpus": each corpus's; "speaker": each speaker's.

    Raises:
      InputError: a recording whose speaker is unknown, or a speaker of one recording.
    """
    if group == "training":
        return vectors
    rows = np.zeros(len(vectors.label), np.int32) if vectors.origin is None else vectors.origin
    if group == "speaker":
        rows = vectors.speaker
        _check_speakers(vectors)
    features = np.array(vectors.features, np.float32)
    for number in np.unique(rows):
        own = rows == number
        features[own] = fit_z_norm(features[own]).apply(features[own])
    return replace(vectors, features=features)


def _check_speakers(vectors: Vectors) -> None:
    count = np.bincount(vectors.speaker, minlength=len(vectors.speakers))
    unknown = [vectors.utterance_ids[row] for row, who in enumerate(vectors.speaker) if not vectors.speakers[who]]
    few = [name for name, number in zip(vectors.speakers, count, strict=True) if number == 1]
    if unknown or few:
        what = f"the speaker of {unknown[0]} is unknown" if unknown else f"speaker {few[0]} has one recording"
        raise InputError(
            f"config: normalise_by=speaker, and in {vectors.corpus} {what} ({len(unknown or few)} such); leave what "
            "cannot be normalised out of the corpus, or give normalise_by=training or corpus"
        )


def transductive(config) -> dict[str, str]:
    """What the results say of a run whose features were normalised by groups of recordings; {} for others."""
    group = config.normalise_by
    if group == "training":
        return {}
    return {
        "transductive": f"the features of each {group} are z-normalised by all of its recordings, tested ones among "
        "them; no label is used"
    }


def moments(rows: np.ndarray, *, at_once: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (population) standard deviation f64[F] of rows f32[n, F], some rows at a time.

    Two passes: heavy-tailed features lose nothing to cancellation.
    """
    parts = [slice(start, start + at_once) for start in range(0, len(rows), at_once)]
    mean = sum(rows[part].sum(axis=0, dtype=np.float64) for part in parts) / len(rows)
    squares = sum(np.square(rows[part].astype(np.float64) - mean).sum(axis=0) for part in parts)
    return mean, np.sqrt(squares / len(rows))


def _scaling(shift: np.ndarray, spread: np.ndarray, size: np.ndarray) -> Scaling:
    # One over a subnormal number is infinite in float32, and XLA takes such numbers for 0.
    varies = spread > np.maximum(CONSTANT * size, np.finfo(np.float32).tiny)
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    return Scaling(shift.astype(np.float32), scale.astype(np.float32))
