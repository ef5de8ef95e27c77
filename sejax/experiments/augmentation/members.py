"""Folds x repeats (x generators) of one training, each with its rows and its z-normalisations.

Where the normalisations are fitted is the protocol. `leak_free`: real vectors by the fold's training part; test vectors
of the same corpus by that too, those of another corpus by its development part. `as_published`: each corpus by all of
its own vectors, test part included. Synthetic vectors are training vectors and always normalised by themselves.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sejax.core import metrics
from sejax.data.folds import TEST, TRAIN, VALIDATION, Instead
from sejax.data.vectors.load import Vectors
from sejax.data.vectors.synthetic import SyntheticVectors
from sejax.errors import InputError
from sejax.experiments.feature_vectors import WHOLE, Scaling, fit_z_norm, rows_by_class, target_folds


class Split(NamedTuple):
    """One fold of a comparison.

    Attributes:
      number: of the fold; -1 where all real vectors train.
      trains: bool[T], the real training vectors.
      part: i8[U], of the test vectors: 1 development, 2 test.
      real_scaling, test_scaling: z-normalisations of real and of test vectors.
    """

    number: int
    trains: np.ndarray
    part: np.ndarray
    real_scaling: Scaling
    test_scaling: Scaling


def within_splits(
    real: Vectors,
    *,
    normalisation: str,
    folds: int,
    seed: int,
    protocol: str = "speaker",
    split_folds: Sequence[str] = (),
) -> list[Split]:
    """The folds that the generators were trained on, tested within the corpus.

    Raises:
      InputError: unknown normalisation, or a corpus that cannot be split so.
    """
    asked = {"normalisation": "leak_free", "folds": folds, "whole": False, "seed": seed}
    asked |= {"protocol": protocol, "split_folds": split_folds}
    found = target_folds(real, **asked, instead=Instead(others=("another corpus for the test, as in test=nemo",)))
    whole = fit_z_norm(real.features)
    splits = []
    for fold in found:
        trains = fold.part == TRAIN
        scaling = fit_z_norm(real.features[trains]) if normalisation == "leak_free" else whole
        splits.append(Split(fold.number, trains, fold.part, scaling, scaling))
    return splits


def cross_splits(real: Vectors, test: Vectors, *, normalisation: str, development: float, seed: int) -> list[Split]:
    """One fold: all real vectors train; of another corpus a share of each class is for development, the rest tests.

    Raises:
      InputError: a class too small for such a share.
    """
    part = np.full(len(test.label), TEST, np.int8)
    random = np.random.default_rng(seed)
    for number, name in enumerate(test.classes):
        rows = random.permutation(np.flatnonzero(test.label == number))
        count = round(development * len(rows))
        if not 0 < count < len(rows):
            raise InputError(
                f"{test.corpus}: class {name!r} has {len(rows)} vectors, too few for a development part of "
                f"{development:.0%} and a test part"
            )
        part[rows[:count]] = VALIDATION
    seen = test.features if normalisation == "as_published" else test.features[part == VALIDATION]
    return [Split(WHOLE, np.ones(len(real.label), bool), part, fit_z_norm(real.features), fit_z_norm(seen))]


C = 1e-3  # of the support vector machine


def anchor(splits: list[Split], real: Vectors, test: Vectors, *, protocol: str) -> dict[str, Any]:
    """What a linear support vector machine reaches on every split: the plain method that every figure stands beside.

    ``sklearn.svm.SVC(kernel="linear", C=1e-3, class_weight="balanced")`` on z-normalised functionals.

    Returns:
      "uar", the mean over splits, as for the classifiers; "per_fold"; "pooled_uar" and "confusion" of all test vectors
      together; "c"; "protocol" as given.

    Raises:
      InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.svm import SVC
    except ImportError:
        raise InputError(
            "the linear support vector machine that stands beside every result needs scikit-learn; "
            "pip install 'sejax[classify]'"
        ) from None
    confusions = np.zeros((len(splits), len(real.classes), len(real.classes)), np.float32)
    for split, confusion in zip(splits, confusions, strict=True):
        tests = split.part == TEST
        machine = SVC(kernel="linear", C=C, class_weight="balanced")
        machine.fit(split.real_scaling.apply(real.features[split.trains]), real.label[split.trains])
        predicted = machine.predict(split.test_scaling.apply_to_others(test.features[tests]))
        np.add.at(confusion, (test.label[tests], predicted), 1.0)
    per_fold = [float(metrics.uar(confusion)) for confusion in confusions]
    pooled = confusions.sum(axis=0)
    return {
        "uar": float(np.mean(per_fold)),
        "per_fold": per_fold,
        "pooled_uar": float(metrics.uar(pooled)),
        "confusion": pooled.astype(int).tolist(),
        "c": C,
        "protocol": protocol,
    }


class Made(NamedTuple):
    """The synthetic vectors of one member: first row, number, normalisation."""

    start: int
    count: int
    scaling: Scaling


def made_vectors(synthetic: SyntheticVectors, split: Split, *, weight: float, repeat: int, offset: int) -> Made:
    """What the generator of a split made: of its fold (or of all vectors, where none was left out), weight and seed.

    Repeats take the generators' seeds in turn. ``offset``: rows of real vectors before the synthetic ones.

    Raises:
      InputError: the set has no such generator.
    """
    fold = WHOLE if synthetic.about["normalisation"] == "as_published" else split.number
    seed = repeat % synthetic.about["seeds"]
    start, stop = synthetic.rows_of(fold=fold, seed=seed, lambda_cls=float(weight))
    scaling = fit_z_norm(np.asarray(synthetic.features[start:stop]))
    return Made(offset + start, stop - start, scaling)


def member(split: Split, real: Vectors, made: Made, *, uses_real: bool) -> dict[str, Any]:
    """The arrays of one member, see `sejax.experiments.augmentation.algorithm.ClassifierState`."""
    length = len(real.label)
    rows = np.flatnonzero(split.trains).astype(np.int32)
    class_rows, class_count = rows_by_class(real, split.trains, length)
    scalings = {"real": split.real_scaling, "made": made.scaling, "test": split.test_scaling}
    return {
        "part": split.part,
        "rows": np.pad(rows, (0, length - len(rows))),
        "count": np.int32(len(rows) if uses_real else 0),
        "class_rows": class_rows,
        "class_count": class_count,
        "start": np.int32(made.start),
        "made": np.int32(made.count),
        **{f"{name}_scaling": scaling._asdict() for name, scaling in scalings.items()},
    }


def check_folds(synthetic: SyntheticVectors, config) -> None:
    """Synthetic vectors must come from generators that did not see the fold's test part.

    Raises:
      InputError: their run had other targets, folds, seed or features, another level or trimming, or another protocol.
    """
    # Which are named there where they are others.
    about = {"level": "none", "trim": "none", "classes": ["four"], "normalise_by": "training"}
    about |= {"protocol": "speaker", "split_folds": []} | synthetic.about
    wanted = {"target": list(config.real), "normalisation": config.normalisation}
    wanted |= {name: config[name] for name in ("features", "level", "trim", "normalise_by")}
    wanted["classes"] = list(config.classes) or ["four"]
    if config.evaluation == "within" and config.normalisation == "leak_free":
        wanted |= {"folds": config.folds, "seed": config.seed}
        wanted |= {"protocol": config.protocol, "split_folds": list(config.split_folds)}
    differing = [f"{name}: {about[name]} there, {value} here" for name, value in wanted.items() if about[name] != value]
    if differing:
        raise InputError(
            f"{synthetic.folder} was made by generators of another setting ({'; '.join(differing)}), so that their "
            "vectors would not fit these folds; give the set of a run with the same values"
        )

