"""What the levels of recordings alone tell of their labels: a linear classifier on a run's own folds.

Whoever recorded or edited a corpus may have left its labels in the gain, the offset or the noise floor of its files.
What a network reaches is to be seen beside what these few numbers reach, which hear nothing of what is said.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sejax.audio.level import Traits
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
      {"uar": mean and deviation over folds, "per_fold", "columns", "classifier"}; {} where there is no fold, or a part
      that trains has one class. Of labels that are floating-point numbers, "ccc" in place of "uar".
    """
    folds = list(folds)
    if any(label.dtype.kind == "f" for (_, label), _ in folds):
        scores, figure, method = fold_scores(folds, ridge_regression, _concordance), "ccc", REGRESSION
    else:
        scores, figure, method = recalls(folds, logistic_regression), "uar", CLASSIFIER
    if not scores:
        return {}
    return {figure: spread(scores), "per_fold": scores, "columns": list(COLUMNS), "classifier": method}


# Of columns f64[N, F] and labels [N] of a part that trains, and columns f64[M, F] of one that is tested: labels [M].
Method = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def recalls(folds: Iterable[Fold], method: Method) -> list[float]:
    """Unweighted average recall of a classifier on each fold; see `fold_scores`."""
    return fold_scores(folds, method, _recall)


def fold_scores(folds: Iterable[Fold], method: Method, score: Callable[..., float]) -> list[float]:
    """A score on each fold; [] where there is none, or a part that trains has labels of one value alone.

    Args:
      method: fits to what trains and says what is tested.
      score: of (predicted, truth, labels of what trained).
    """
    scores = []
    for (columns, label), (tested, truth) in folds:
        if len(np.unique(label)) < 2 or not len(truth):
            return []
        scores.append(float(score(method(columns, label, tested), truth, label)))
    return scores


def ridge_regression(columns: np.ndarray, label: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Half the squared weights beside half the squared errors, on columns that are standardised: a `Method`."""
    columns, tested = _standardised(columns, tested)
    middle = label.mean(dtype=np.float64)
    weights = np.linalg.solve(columns.T @ columns + np.eye(columns.shape[1]), columns.T @ (label - middle))
    return middle + tested @ weights


def logistic_regression(columns: np.ndarray, label: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Cross-entropy in which classes weigh alike, and half the squared weights, on standardised columns: a `Method`.

    The least loss of scikit-learn's ``LogisticRegression(class_weight="balanced")``, by Newton's method: all that
    preparing a corpus asks of it takes less time than that package takes to be imported.
    """
    columns, tested = (np.pad(each, ((0, 0), (0, 1)), constant_values=1) for each in _standardised(columns, tested))
    classes, truth = np.unique(label, return_inverse=True)
    weight = (len(truth) / len(classes) / np.bincount(truth))[truth]
    # Examples of one recording are alike: they are one that weighs more.
    alike, row = np.unique(np.column_stack([columns, truth]), axis=0, return_inverse=True)
    weight = np.bincount(row.ravel(), weight)[:, None]  # [N, 1] from here on
    columns, truth = alike[:, :-1], np.eye(len(classes))[alike[:, -1].astype(int)]  # [N, F + 1], [N, C]
    # The constants are free; of two classes the weights are those of their difference, which is twice either's.
    penalty = np.full((len(classes), columns.shape[1]), 2.0 if len(classes) == 2 else 1.0)
    penalty[:, -1] = 0.0

    def loss_at(weights):
        logits = columns @ weights.T
        logits -= logits.max(1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return np.sum(penalty * weights**2) / 2 - np.sum(weight * truth * logs), np.exp(logs)

    weights = np.zeros(penalty.shape)
    loss, shares = loss_at(weights)
    for _ in range(_MOST_STEPS):
        gradient = (weight * (shares - truth)).T @ columns + penalty * weights
        step = np.linalg.solve(_curvature(columns, weight, shares, penalty), gradient.ravel()).reshape(penalty.shape)
        if np.sum(step * gradient) <= 1e-9 * max(loss, 1.0):
            break
        tried = (weights - step / 2**halvings for halvings in range(_MOST_STEPS))
        weights = next((each for each in tried if loss_at(each)[0] < loss), weights)
        loss, shares = loss_at(weights)
    return classes[np.argmax(tested @ weights.T, axis=1)]


_MOST_STEPS = 30  # it takes six or so


def _curvature(columns, weight, shares, penalty) -> np.ndarray:
    """Second derivatives of the loss by weights [C, F + 1], one after the other: f64[C (F + 1), C (F + 1)]."""
    count, width = penalty.shape
    each = (shares[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
    made = np.diag(penalty.ravel())
    made[width - 1 :: width, width - 1 :: width] += 1.0  # one number added to all constants changes no loss
    for place in range(count):
        own = slice(place * width, (place + 1) * width)
        weighed = (weight * each[:, own]).T
        made[own] -= weighed @ each
        made[own, own] += weighed @ columns
    return made


def _standardised(columns: np.ndarray, tested: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by mean and deviation of the first; a constant column becomes 0."""
    deviation = columns.std(0)
    deviation[deviation == 0] = 1.0
    return (columns - columns.mean(0)) / deviation, (tested - columns.mean(0)) / deviation


def _recall(predicted, truth, label):
    """`sejax.core.metrics.uar` bit for bit, without a program: one takes longer to compile than all folds to judge."""
    del label
    recalls = [np.mean(predicted[truth == each] == each, dtype=np.float32) for each in np.unique(truth)]
    return sum(recalls) / np.float32(len(recalls))


def _concordance(predicted, truth, label):
    from sejax.core import metrics  # here, since JAX is not needed where labels are classes

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
