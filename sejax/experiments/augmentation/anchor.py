"""openSMILE functionals with a linear support vector machine: the plain method that every figure stands beside."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sejax.core import metrics
from sejax.errors import InputError
from sejax.experiments.feature_vectors import Scaling

C = 1e-3


class Problem(NamedTuple):
    """One split: training and test vectors f32[n, F] as they are, their labels i32[n], their z-normalisations."""

    train: np.ndarray
    train_label: np.ndarray
    train_scaling: Scaling
    test: np.ndarray
    test_label: np.ndarray
    test_scaling: Scaling


def anchor(problems: Sequence[Problem], *, num_classes: int, protocol: str) -> dict[str, Any]:
    """What the support vector machine reaches on every split.

    ``sklearn.svm.SVC(kernel="linear", C=1e-3, class_weight="balanced")`` on z-normalised vectors.

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
            "pip install sejax[classify]"
        ) from None
    confusions = []
    for one in problems:
        machine = SVC(kernel="linear", C=C, class_weight="balanced")
        machine.fit(one.train_scaling.apply(one.train), one.train_label)
        found = machine.predict(one.test_scaling.apply(one.test))
        confusion = np.zeros((num_classes, num_classes), np.float32)
        np.add.at(confusion, (one.test_label, found), 1.0)
        confusions.append(confusion)
    per_fold = [float(metrics.uar(confusion)) for confusion in confusions]
    return {
        "uar": float(np.mean(per_fold)),
        "per_fold": per_fold,
        "pooled_uar": float(metrics.uar(np.sum(confusions, axis=0))),
        "confusion": np.sum(confusions, axis=0).astype(int).tolist(),
        "c": C,
        "protocol": protocol,
    }
