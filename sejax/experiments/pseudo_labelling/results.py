"""From a member's arrays to its entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.experiments.classification import PARTS, confusion_metrics

COUNTS = ("labelled", "unlabelled", "confident", "confident_correct", "unlabelled_correct", "epochs", "best_epoch")


def summarise(history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of every iteration, by image (block) and by utterance; the last iteration's without prefix."""
    figures: dict[str, float] = {}
    iterations = []
    for number, record in enumerate(records, start=1):
        confusions = {part: np.asarray(record[f"confusion/{part}"]) for part in PARTS}
        for part, confusion in confusions.items():
            figures |= confusion_metrics(confusion, f"iteration_{number}/{part}/")
        iterations.append(
            {"iteration": number}
            | {name: int(record[name]) for name in COUNTS}
            | {"confusion": {part: confusion.astype(int).tolist() for part, confusion in confusions.items()}}
        )
    last = iterations[-1]["confusion"]
    for part in PARTS:
        figures |= confusion_metrics(np.asarray(last[part], np.float32), f"{part}/")
    rows = [{name.removeprefix("train/") if "rate" in name else name: row[name] for name in row} for row in history]
    return {"metrics": figures, "history": rows, "iterations": iterations, "confusion": last}
