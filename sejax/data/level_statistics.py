"""What the levels of recordings alone tell of their labels: a linear classifier on a run's own folds.

Whoever recorded or edited a corpus may have left its labels in the gain, the offset or the noise floor of its files.
What a network reaches is to be seen beside what these few numbers reach, which hear nothing of what is said.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sejax.audio.level import Traits
from sejax.core import metrics
from sejax.core.results import spread
from sejax.data.folds import TEST, TRAIN
from sejax.data.store.sets import ExampleSet

COLUMNS = ("peak", "level", "offset", "floor", "clipped")
CLASSIFIER = "logistic regression, balanced classes"
REGRESSION = "ridge regression"
MOST_FOLDS = 10
_LEAST = 1e-6  # of full scale, so that offset and clipping have logarithms


def level_columns(traits) -> np.ndarray:
    """The numbers that a classifier sees of recordings' traits [U, 6]: f64[U, 5], all in dB, `COLUMNS`."""
    named = {name: column for name, column in zip(Traits._fields, np.array(traits, np.float64).T, strict=True)}
    for name in ("offset", "clipped"):
        named[name] = 20 * np.log10(named[name] + _LEAST)
    return np.stack([named[name] for name in COLUMNS], axis=1)


class Fold(NamedTuple):
    """Columns f64[N, F] (levels, say) and labels i32[N] of what trains, and those of what is tested."""

    fits: tuple[np.ndarray, np.ndarray]
    tests: tuple[np.ndarray, np.ndarray]


def level_scores(folds: Iterable[Fold]) -> dict[str, Any]:
    """Unweighted average recall of a classifier that sees levels alone; of ratings, concordance of a regression.

    Returns:
      {"uar": mean and deviation over folds, "per_fold", "columns", "classifier"}; {} where there is no fold,
      scikit-learn is missing (pip install 'sejax[classify]'), or a part that trains has one class. Of labels that are
      floating-point numbers, "ccc" in place of "uar".
    """
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
    except ImportError:
        return {}
    folds = list(folds)
    if any(label.dtype.kind == "f" for (_, label), _ in folds):
        scores, figure, method = fold_scores(folds, Ridge(), _concordance), "ccc", REGRESSION
    else:
        scores, figure = recalls(folds, LogisticRegression(class_weight="balanced", max_iter=1000)), "uar"
        method = CLASSIFIER
    if not scores:
        return {}
    return {figure: spread(scores), "per_fold": scores, "columns": list(COLUMNS), "classifier": method}


def recalls(folds: Iterable[Fold], classifier) -> list[float]:
    """Unweighted average recall on each fold, by a classifier of scikit-learn; see `fold_scores`."""
    return fold_scores(folds, classifier, _recall)


def fold_scores(folds: Iterable[Fold], estimator, score: Callable[..., float]) -> list[float]:
    """A score on each fold; [] where there is none, or a part that trains has labels of one value alone.

    Args:
      folds: their columns are standardised by mean and deviation of the part that trains.
      estimator: of scikit-learn, fitted anew for each fold.
      score: of (predicted, truth, labels of what trained).
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = []
    for (columns, label), (tested, truth) in folds:
        if len(np.unique(label)) < 2 or not len(truth):
            return []
        predicted = make_pipeline(StandardScaler(), estimator).fit(columns, label).predict(tested)
        scores.append(float(score(predicted, truth, label)))
    return scores


def _recall(predicted, truth, label):
    confusion = np.zeros([max(label.max(), truth.max()) + 1] * 2)
    np.add.at(confusion, (truth, predicted), 1)
    return metrics.uar(confusion)


def _concordance(predicted, truth, label):
    middle = label.mean()  # sums of squares are taken around it, for the digits of float32
    return metrics.Concordance.from_pairs(predicted - middle, truth - middle).compute()


def distinct(part: np.ndarray) -> np.ndarray:
    """The different rows of parts i8[M, N], in the order in which they first occur."""
    return part[np.sort(np.unique(part, axis=0, return_index=True)[1])]


def level_folds(
    speech: ExampleSet,
    part: np.ndarray,
    *,
    label: np.ndarray | None = None,
    trained_on: ExampleSet | None = None,
    normalised_by: str = "training",
) -> Iterator[Fold]:
    """The folds of a run, equal ones once; none where a set has no traits.

    Args:
      speech: a prepared set of N examples of U utterances; every example has its utterance's levels.
      part: i8[M, N] of members, as `sejax.data.folds` has them.
      label: i32[U], -1: unlabelled; None: the set's own.
      trained_on: the set that all members train on the whole of, where it is another.
      normalised_by: as for the features that the levels stand beside: "speaker" or "corpus" takes the mean and the
        deviation of all labelled recordings of each out of the levels; "training" leaves them.
    """
    if not speech.traits or (trained_on is not None and not trained_on.traits):
        return
    label = (speech.utterance_label if label is None else label)[speech.utterance]
    levels = _levels(speech, normalised_by)[speech.utterance]
    for fold in distinct(part):
        trains, tests = ((fold == kind) & (label >= 0) for kind in (TRAIN, TEST))
        fits = (levels[trains], label[trains])
        if trained_on is not None:
            known = trained_on.utterance_label >= 0
            fits = (_levels(trained_on, normalised_by)[known], trained_on.utterance_label[known])
        yield Fold(fits, (levels[tests], label[tests]))


def _levels(speech: ExampleSet, normalised_by: str) -> np.ndarray:
    """The numbers of utterances f64[U, 5], normalised by speaker or corpus where that is asked for."""
    levels = level_columns(speech.traits)
    if normalised_by == "training":
        return levels
    group = np.zeros(len(levels), np.int32)
    if speech.origin is not None:
        group[:] = speech.origin
    if normalised_by == "speaker":
        group[speech.utterance] = speech.speaker
    for number in np.unique(group):
        own = group == number
        levels[own] -= levels[own].mean(0)
        levels[own] /= np.maximum(levels[own].std(0), 1e-6)
    return levels


def levels_in_words(speech: ExampleSet) -> str:
    """What levels alone tell of a prepared set's labels, in a line; "" where nothing can be said.

    Each of up to `MOST_FOLDS` groups of speakers is tested once; with no more speakers than that, each speaker.
    """
    labelled = speech.label >= 0
    speakers = np.unique(speech.speaker[labelled])
    if len(speakers) < 2:
        return ""
    groups = np.arange(min(len(speakers), MOST_FOLDS))
    group = np.searchsorted(speakers, speech.speaker) % len(groups)
    part = np.where(group == groups[:, None], TEST, TRAIN).astype(np.int8)
    found = level_scores(level_folds(speech, part))
    if not found:
        return ""
    chance = 1 / len(np.unique(speech.label[labelled]))
    each = "leave one speaker out" if len(speakers) <= MOST_FOLDS else f"{len(groups)} groups of speakers"
    return f"UAR {found['uar']['mean']:.3f} ± {found['uar']['std']:.3f} ({each}; chance {chance:.3f})"
