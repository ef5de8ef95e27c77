"""Sizes and schedules of the paper's classifiers (Bao, Neumann and Vu 2019, sections 4.3 and 4.4)."""

import math
from typing import NamedTuple

from sejax.errors import InputError

TRAININGS = ("real", "syn", "real+syn", "real+noise", "real+mixup")
EVALUATIONS = ("within", "cross")


class Schedule(NamedTuple):
    """One classifier: two hidden layers and how it is trained.

    Attributes:
      hidden: units of the hidden layers.
      batch_size: vectors to an update.
      dropout: after each hidden layer.
      learning_rate: Adam's.
      updates: in all.
    """

    hidden: tuple[int, ...]
    batch_size: int
    dropout: float
    learning_rate: float
    updates: int

    def __str__(self) -> str:
        """In words: "hidden 100-100, batch 64, dropout 0.2, rate 1e-05, 4900 updates"."""
        return (
            f"hidden {'-'.join(map(str, self.hidden))}, batch {self.batch_size}, dropout {self.dropout:g}, rate "
            f"{self.learning_rate:.3g}, {self.updates} updates"
        )


class _Published(NamedTuple):
    units: int
    batch_size: int
    dropout: float
    learning_rate: float
    epochs: int


# Section 4.3. Section 4.4 names what differs for the two trainings with synthetic vectors, and no batch size.
_REAL = _Published(100, 64, 0.2, 1e-5, 70)
PUBLISHED = {
    "within": {
        "real": _REAL,
        "syn": _Published(200, 256, 0.5, 1e-5, 5),
        "real+syn": _Published(1000, 256, 0.5, 5e-6, 30),
    },
    "cross": {
        "real": _REAL,
        "syn": _Published(200, 256, 0.8, 1e-5, 20),
        "real+syn": _Published(200, 256, 0.8, 1e-5, 20),
    },
}
# What the paper trained on: IEMOCAP's 5531 vectors (four fifths of them within the corpus), TED-LIUM's 92,973 in each
# of four emotions.
_REAL_VECTORS = {"within": 5531 * 4 // 5, "cross": 5531}
_SYNTHETIC_VECTORS = 4 * 92973


def schedule(training: str, evaluation: str, *, vectors: int, updates: int = 0) -> Schedule:
    """How one classifier is trained; those with noise and mixup as those with synthetic vectors.

    Args:
      training: one of `TRAININGS`. evaluation: one of `EVALUATIONS`.
      vectors: training vectors at hand.
      updates: 0: the paper's epochs over the vectors at hand. Otherwise so many updates, the rate chosen such that
        updates x rate is what it was on the paper's data: Adam's steps have about the size of its rate, so this is
        how far a weight can go, and a small corpus gets as far as a large one.

    Raises:
      InputError: an unknown training or evaluation.
    """
    if training not in TRAININGS:
        raise InputError(f"config: trainings={training!r}; choose of {', '.join(TRAININGS)}")
    if evaluation not in EVALUATIONS:
        raise InputError(f"config: evaluation={evaluation!r}; choose one of {', '.join(EVALUATIONS)}")
    published = PUBLISHED[evaluation]["real+syn" if training.startswith("real+") else training]
    fixed = ((published.units,) * 2, published.batch_size, published.dropout)
    if not updates:
        per_epoch = math.ceil(vectors / published.batch_size)
        return Schedule(*fixed, published.learning_rate, published.epochs * per_epoch)
    rate = published.learning_rate * published_updates(training, evaluation) / updates
    return Schedule(*fixed, rate, updates)


def published_updates(training: str, evaluation: str) -> int:
    """The updates that the paper's epochs make on the paper's data."""
    kind = "real+syn" if training.startswith("real+") else training
    published = PUBLISHED[evaluation][kind]
    vectors = _REAL_VECTORS[evaluation] * (kind != "syn") + _SYNTHETIC_VECTORS * (kind != "real")
    return published.epochs * math.ceil(vectors / published.batch_size)
