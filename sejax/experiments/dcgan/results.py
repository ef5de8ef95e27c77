"""From a member's arrays to its entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.core.metrics import Correlation, accuracy, uar

PARTS = ("test", "valid")
# What the history calls otherwise than the metrics, after "train/" or "valid/".
_NAMES = {
    "loss": "loss_valence",
    "activation/loss": "loss_activation",
    "generator/loss": "loss_generator",
    "discriminator/loss": "loss_discriminator",
    "pooled/uar": "uar_3",
    "activation/pooled/uar": "activation/uar_3",
}
_KEPT = (
    *("loss_valence", "loss_activation", "loss_generator", "loss_discriminator", "real", "generated", "diversity"),
    *("accuracy", "uar", "uar_3", "pearson", "activation/accuracy", "activation/uar", "activation/uar_3"),
    "activation/pearson",
)


def summarise(
    history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]], *, rated: Sequence[str], wall
) -> dict[str, Any]:
    """Scores of the test speaker and, with the weights that were kept, of the validation speaker.

    Args:
      history, records: as the engine gives them. rated: the dimensions that the model rates.
      wall: see `sejax.experiments.dcgan.gallery.Wall`.
    """
    record = {name: np.asarray(value) for name, value in records[-1].items()}
    figures, confusions = {}, {}
    for part in PARTS:
        for dimension in rated:
            inside = "" if dimension == "valence" else f"{dimension}/"
            label = part if dimension == "valence" else f"{part}_{dimension}"
            counts = record[f"{part}/{inside}confusion"]
            confusions[label] = counts.round(2).tolist()
            figures |= {
                f"{label}/uar": float(uar(counts)),
                f"{label}/uar_3": float(uar(record[f"{part}/{inside}pooled/confusion"])),
                f"{label}/accuracy": float(accuracy(counts)),
                f"{label}/pearson": float(Correlation(record[f"{part}/{inside}pearson"]).compute()),
            }
    collapsed = int(record["collapsed_at"])
    return {
        "metrics": figures,
        "confusion": confusions,
        "epochs": int(record["epochs"]),
        "best_epoch": int(record["best_epoch"]),
        "collapse": None if collapsed < 0 else {"epoch": collapsed},
        "history": [_row(row) for row in history],
        "gallery": wall.describe(record) if history else None,
    }


def _row(row: Mapping[str, float]) -> dict[str, float]:
    """An epoch's entry: what it is called in results, and nothing that a model does not have."""
    found = {name: value for name, value in row.items() if "/" not in name}
    for name, value in row.items():
        part, _, metric = name.partition("/")
        metric = _NAMES.get(metric, metric)
        if metric in _KEPT:
            found[f"{part}/{metric}"] = value
    return found | {f"{part}/loss": row[f"{part}/loss"] for part in ("train", "valid") if f"{part}/loss" in row}
