"""The members of a run: folds x seeds x weights of the classification loss, each with its normaliser and its rows.

Under `leak_free` everything is fitted on a fold's training part: the GANs, the min-max normaliser, and later the
classifiers. Fold -1 trains on all labelled vectors, for tests on another corpus; under `as_published` it is the only
one, and within-corpus classifiers of every fold get vectors from generators that saw their test part.
"""

from typing import Any

import numpy as np

from sejax.data.folds import TEST, TRAIN
from sejax.data.vectors.load import Vectors
from sejax.errors import InputError
from sejax.experiments.feature_vectors import Fold, Scaling, fit_min_max, moments, rows_by_class


def fold_arrays(fold: Fold, source: np.ndarray, target: Vectors, *, rows: int) -> dict[str, np.ndarray]:
    """What both stages need of a fold: training rows and min-max scaling.

    Args:
      fold: the split.
      source: f32[S, F]. target: labelled vectors.
      rows: L, at least the training rows of any class.

    Raises:
      InputError: a class with fewer than two training vectors.
    """
    trains = fold.part == TRAIN
    table, count = rows_by_class(target, trains, rows)
    if count.min() < 2:
        raise InputError(
            f"{target.corpus}: class {target.classes[int(count.argmin())]!r} has {count.min()} training vectors in "
            f"fold {fold.number}, and a CycleGAN needs two at least; use fewer folds, or a larger corpus"
        )
    scaling = fit_min_max([source, target.features[trains]])
    return {"rows": table, "count": count, "shift": scaling.shift, "scale": scaling.scale}


def sample_rows(count: int, sample: int, seed: int) -> np.ndarray:
    """``sample`` rows of ``count`` (or all of them, if they are fewer), drawn once, sorted: i32[K]."""
    drawn = np.random.default_rng(seed).permutation(count)[:sample]
    return np.sort(drawn).astype(np.int32)


def reference_arrays(
    fold: Fold, source: np.ndarray, target: Vectors, scaling: Scaling, *, sample: int, seed: int
) -> dict[str, Any]:
    """What a fold's synthetic vectors are compared with, see `sejax.experiments.cyclegan.results`.

    Args:
      fold, source, target: as for `fold_arrays`, whose scaling is ``scaling``.
      sample: K, rows drawn for distances. seed: of the drawing.
    """
    shown = scaling.apply(source[sample_rows(len(source), sample, seed)])
    kinds = {"train": TRAIN, "test": TEST}
    parts = {name: _part(target, fold.part == kind, scaling, sample, seed) for name, kind in kinds.items()}
    mean, deviation = moments(source)
    trained = scaling.apply(target.features[fold.part == TRAIN])
    centre, axes, explained = principal_axes(np.concatenate([shown, trained]))
    bandwidth = [
        _median_distance(np.concatenate([shown, scaling.apply(target.features[rows[weight > 0]])]))
        for rows, weight in zip(parts["train"]["rows"], parts["train"]["weight"], strict=True)
    ]
    return parts | {
        "source_mean": scaling.apply(mean).astype(np.float32),
        "source_deviation": (deviation * scaling.scale).astype(np.float32),
        "bandwidth": np.array(bandwidth, np.float32),
        "centre": centre,
        "axes": axes,
        "explained": explained,
    }


def _part(target: Vectors, chosen: np.ndarray, scaling: Scaling, sample: int, seed: int) -> dict[str, np.ndarray]:
    """Moments of each class among the chosen vectors, and up to K rows of it; zeros where there are none."""
    emotions, features = len(target.classes), target.features.shape[1]
    found = {
        "mean": np.zeros((emotions, features), np.float32),
        "deviation": np.zeros((emotions, features), np.float32),
        "rows": np.zeros((emotions, sample), np.int32),
        "weight": np.zeros((emotions, sample), np.float32),
    }
    for number in range(emotions):
        rows = np.flatnonzero(chosen & (target.label == number))
        if len(rows):
            mean, deviation = moments(target.features[rows])
            found["mean"][number], found["deviation"][number] = scaling.apply(mean), deviation * scaling.scale
            drawn = rows[sample_rows(len(rows), sample, seed)]
            found["rows"][number, : len(drawn)], found["weight"][number, : len(drawn)] = drawn, 1.0
    return found


def principal_axes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre f32[F], the first two principal axes f32[F, 2] of rows f32[n, F], and their shares of variance f32[2]."""
    centre = rows.mean(axis=0)
    _, lengths, axes = np.linalg.svd(rows - centre, full_matrices=False)
    # An axis and its negative are the same: the sign is that of its largest entry.
    axes = axes[:2] * np.sign(axes[:2][np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    share = np.square(lengths[:2]) / np.maximum(np.square(lengths).sum(), np.finfo(np.float32).tiny)
    return tuple(np.asarray(x, np.float32) for x in (centre, axes.T, share))


def _median_distance(rows: np.ndarray) -> float:
    """The median Euclidean distance between two different rows f32[n, F]."""
    rows = rows.astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    squared = squares[:, None] + squares - 2 * rows @ rows.T
    return float(np.median(np.sqrt(np.maximum(squared[np.triu_indices(len(rows), 1)], 0.0))))
