"""From a member's arrays to its entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.experiments.classification import confusion_metrics


def summarise(history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """UAR, macro-F1 and accuracy of the test part, and of the development part where there is one."""
    confusions = {name: np.asarray(records[-1][f"confusion/{name}"], np.float32) for name in ("test", "valid")}
    confusions = {name: counts for name, counts in confusions.items() if counts.any()}
    figures: dict[str, float] = {}
    for name, counts in confusions.items():
        figures |= confusion_metrics(counts, f"{name}/")
    kept = ("iteration", "epoch", "train/loss", "train/accuracy", "train/uar")
    return {
        "metrics": figures,
        "confusion": {name: counts.astype(int).tolist() for name, counts in confusions.items()},
        "history": [{name: row[name] for name in kept} for row in history],
    }
