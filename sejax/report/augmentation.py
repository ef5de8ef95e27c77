"""What results.json says of classifiers trained on real, synthetic and augmented vectors: UAR by repeat, and gains.

A member is a training set, a fold and a repeat (its seed), and where vectors are synthetic the weight of the
classification loss (lambda) of the GANs that made them. A repeat's UAR is the mean over its folds, as in Table 2 of
Bao, Neumann and Vu; mean and deviation are over the repeats.
"""

from typing import NamedTuple

import numpy as np

from sejax.report.results import is_finite, spread
from sejax.report.terms import setting

TRAININGS = {
    "real": "Real",
    "syn": "Syn.",
    "real+syn": "Real + Syn.",
    "real+noise": "Real + noise",
    "real+mixup": "Real + mixup",
}
ANCHOR = "Linear SVM"
UAR = "test/uar"


class Classifier(NamedTuple):
    """One variant: its training set (a key of TRAININGS), weight of the GANs' classification loss, and members."""

    training: str
    weight: float | None
    members: tuple

    @property
    def label(self):
        """`Real`, or `Real + Syn. (λ 2)`."""
        name = TRAININGS.get(self.training, self.training)
        return name if self.weight is None else f"{name} (λ {self.weight:g})"


def classifiers(results):
    """The variants of a run in the order of TRAININGS, weights ascending."""
    groups = {}
    for member in results["members"]:
        groups.setdefault((member.get("training"), member.get("lambda_cls")), []).append(member)
    order = list(TRAININGS)
    found = [Classifier(training, weight, tuple(members)) for (training, weight), members in groups.items()]
    return sorted(
        found,
        key=lambda one: (order.index(one.training) if one.training in order else len(order), one.weight or 0.0),
    )


def find(results, training, weight=None):
    """The Classifier of a training set: the one of that weight, or the one that knows of none; None without."""
    for one in classifiers(results):
        if one.training == training and one.weight in (None, weight):
            return one
    return None


def weights(results):
    """The weights of the classification loss behind a run's synthetic vectors, ascending."""
    return sorted({one.weight for one in classifiers(results) if one.weight is not None})


def by_repeat(classifier, metric=UAR):
    """{seed: mean over the folds}; a repeat with a failed fold is no mean over all of them, and is left out."""
    folds = {member.get("fold") for member in classifier.members}
    found = {}
    for member in classifier.members:
        if not member.get("failed") and is_finite(member["metrics"].get(metric)):
            found.setdefault(member.get("seed"), {})[member.get("fold")] = member["metrics"][metric]
    return {seed: float(np.mean(list(cells.values()))) for seed, cells in found.items() if set(cells) == folds}


def score(classifier, metric=UAR):
    """Mean and deviation of a metric over the repeats; None without a complete one (or for no classifier)."""
    return spread(by_repeat(classifier, metric).values()) if classifier else None


def gains(results, classifier, metric=UAR):
    """{seed: difference to the classifier of real vectors in the same repeat}."""
    real = find(results, "real")
    base = by_repeat(real, metric) if real else {}
    return {seed: value - base[seed] for seed, value in by_repeat(classifier, metric).items() if seed in base}


def anchor(results):
    """The linear SVM on the same vectors: {"uar", "per_fold", "confusion", ...}; {} where a run has none."""
    return results.get("anchor") or {}


def in_order(runs):
    """Runs within a corpus before those across corpora, as Tables 2 and 3 stand."""
    return sorted(runs, key=lambda run: evaluation(run) != "within")


def evaluation(results):
    """ "within" (a corpus, fold by fold) or "cross" (tested on another corpus)."""
    return setting(results, "evaluation", "within")


def run_title(results):
    """What was trained and tested on what: `emodb, within corpus`, `emodb to nemo, cross-corpus`."""
    corpus = setting(results, "corpus", results["experiment"])
    if evaluation(results) == "within":
        return f"{corpus}, within-corpus"
    return f"{corpus} to {setting(results, 'test_corpus', 'another corpus')}, cross-corpus"


def normalisation(results):
    """The protocol of GANs and normalisation: leak_free or as_published."""
    return setting(results, "normalisation", setting(results, "protocol"))
