"""What results.json says of the four models that rate valence from spectrograms: scores, differences, collapse.

A member is a model, a fold and a seed. Parts are named "test" and "valid" for valence, "test_activation" and
"valid_activation" for activation. Means and deviations are over members; the difference of two models pairs them by
fold and seed.
"""

from typing import NamedTuple

import numpy as np

from sejax.report.confusion import pooled_confusion
from sejax.report.grouping import members_by
from sejax.report.published.dcgan import NAMES
from sejax.report.results import is_finite
from sejax.report.terms import MISSING, joined, setting

METRICS = {"uar": "5 classes", "uar_3": "3 classes", "pearson": "ρ"}
POOLS = ((0, 1), (2,), (3, 4))  # the classes that are one of three
COLLAPSE = 0.1  # diversity of generated crops, as a share of that of real ones, below which they are alike

# Unlabelled speech first, then the second task.
PAIRS = (
    ("basic_dcgan", "basic_cnn"),
    ("multitask_dcgan", "multitask_cnn"),
    ("multitask_cnn", "basic_cnn"),
    ("multitask_dcgan", "basic_dcgan"),
)


class Model(NamedTuple):
    """One of the four models and its members."""

    name: str
    members: tuple

    @property
    def label(self):
        """As the paper writes it: `BasicDCGAN`."""
        return NAMES.get(self.name, self.name)

    @property
    def generates(self):
        """Whether it has a generator, and so a use for unlabelled speech."""
        return self.name.endswith("dcgan")


def models(results):
    """The models of a run in the paper's order."""
    return [Model(name, members) for name, members in members_by(results, "model", NAMES)]


def pairs(results):
    """The pairs of PAIRS that a run has both models of: [(Model, Model)]."""
    found = {model.name: model for model in models(results)}
    return [(found[first], found[second]) for first, second in PAIRS if first in found and second in found]


def pooled(model, part="test"):
    """Unweighted accuracy with all members' predictions in one matrix: {"uar", "uar_3"}, {} without one.

    Of the classes that occur. Three classes add up POOLS, as the paper has it.
    """
    counts = pooled_confusion(model.members, part)
    if counts is None or counts.shape != (5, 5):
        return {}
    three = np.array([[counts[np.ix_(true, told)].sum() for told in POOLS] for true in POOLS])
    return {name: _unweighted(matrix) for name, matrix in (("uar", counts), ("uar_3", three))}


def _unweighted(counts):
    totals = counts.sum(1)
    present = totals > 0
    return float(np.mean(np.diag(counts)[present] / totals[present])) if present.any() else None


def has(results, prefix):
    """Whether a member of a run has a finite metric whose name starts so."""
    members = [member for member in results["members"] if not member.get("failed")]
    return any(
        name.startswith(prefix) and is_finite(value)
        for member in members
        for name, value in member.get("metrics", {}).items()
    )


def collapsed(member):
    """The epoch at which generated spectrograms became alike, or None."""
    return (member.get("collapse") or {}).get("epoch")


def derived(results):
    """Whether valence and activation were derived from emotions rather than rated."""
    return setting(results, "ratings") == "derived"


def ratings_text(results):
    """Where the ratings come from, in words."""
    return "ratings derived from emotions" if derived(results) else "rated by humans"


def unlabelled_text(results, model=None):
    """The unlabelled corpora in words, `none` for no such speech; a dash for a Model without use for it."""
    if model is not None and not model.generates:
        return MISSING
    return joined(setting(results, "unlabelled", MISSING))


def run_title(results):
    """What was trained on what: `emodb (ratings derived from emotions), protocol speaker, unlabelled speech nemo`."""
    corpus = joined(setting(results, "corpus", results["experiment"]))
    protocol = f"protocol {setting(results, 'protocol', MISSING)}"
    return f"{corpus} ({ratings_text(results)}), {protocol}, unlabelled speech: {unlabelled_text(results)}"
