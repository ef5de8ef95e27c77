"""From a member's arrays to its entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.experiments.classification import PARTS, confusion_metrics

CURVES = ("train/accuracy", "train/loss", "valid/accuracy", "valid/loss")


def summarise(history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The last epoch's accuracies and losses, as the paper's Table II, and the test part by chunk and by utterance.

    ``train/`` is the mean over an epoch's batches as they were trained on, which is how Keras reports it.
    """
    confusions = {part: np.asarray(records[-1][f"confusion/{part}"], np.float32) for part in (*PARTS, "valid")}
    figures: dict[str, float] = {}
    for part in PARTS:
        figures |= confusion_metrics(confusions[part], f"{part}/")
    if history:
        figures = {name: history[-1][name] for name in CURVES} | figures
    kept = ("iteration", "epoch", *CURVES)
    return {
        "metrics": figures,
        "history": [{name: row[name] for name in kept} for row in history],
        "confusion": {part: counts.astype(int).tolist() for part, counts in confusions.items()},
    }
