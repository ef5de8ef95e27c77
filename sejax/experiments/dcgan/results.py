"""Scores of rated speech, and a member's entry in results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.metrics import Concordance, Confusion, Correlation, Mean, Metrics, RootMean, accuracy, uar
from sejax.data.ratings import MIDDLE, POINTS, expected

POOLED = (0, 0, 1, 2, 2)  # which of the three points each of the five belongs to
THREE = 3
_TIE = 1e-4  # shares of a perfect split are equal but for rounding


def accepted(target: jax.Array) -> jax.Array:
    """The right answers of fuzzy labels f32[..., 5]: bool[..., 5], one, or both points of a perfect split."""
    return target > target.max(-1, keepdims=True) - _TIE


def pooled(accept: jax.Array) -> jax.Array:
    """Right answers bool[..., 5] on three points: bool[..., 3], a pooled point is right where any of its own is."""
    return jnp.stack([accept[..., :2].any(-1), accept[..., 2], accept[..., 3:].any(-1)], axis=-1)


def confusion(accept: jax.Array, answer: jax.Array, weights: jax.Array) -> Confusion:
    """Answers i32[B] against the right ones bool[B, P].

    A right answer counts for the point it names; a wrong one for all right points, in equal shares.
    """
    points = accept.shape[-1]
    given = jax.nn.one_hot(answer, points)  # [B, P]
    hit = (given * accept).sum(-1, keepdims=True)
    shares = accept / jnp.maximum(accept.sum(-1, keepdims=True), 1)
    truth = jnp.where(hit > 0, given, shares) * weights.astype(jnp.float32)[:, None]
    return Confusion(jnp.einsum("bt,bp->tp", truth, given, precision=jax.lax.Precision.HIGHEST))


def rating_scores(posterior: jax.Array, target: jax.Array, rating: jax.Array, weights: jax.Array) -> Metrics:
    """Scores of one dimension.

    Args:
      posterior: f32[B, 5].
      target: f32[B, 5], fuzzy labels.
      rating: f32[B], the raters' mean, 1 to 5.
      weights: [B], 0 for what does not count.

    Returns:
      "confusion" on five points, "pooled/confusion" on three, "pearson" of the expected value and the rating, and
      "loss", the cross-entropy.
    """
    accept, answer = accepted(target), posterior.argmax(-1)
    losses = -(target * jnp.log(jnp.maximum(posterior, jnp.finfo(jnp.float32).tiny))).sum(-1)
    return {
        "loss": Mean.from_values(losses, weights),
        "confusion": confusion(accept, answer, weights),
        "pooled/confusion": confusion(pooled(accept), jnp.array(POOLED)[answer], weights),
        # Around the scale's middle, where sums of squares lose least.
        "pearson": Correlation.from_pairs(
            expected(posterior) - (POINTS + 1) / 2, rating - (POINTS + 1) / 2, weights
        ),
    }


def value_scores(value: jax.Array, rating: jax.Array, weights: jax.Array) -> Metrics:
    """Scores of one dimension whose ratings are numbers.

    Args:
      value: f32[B], as predicted, and rating: f32[B], the raters' mean, 1 to 5.
      weights: [B], 0 for what does not count.

    Returns:
      "ccc", "pearson", "rmse" and "mae", the last two in points.
    """
    value, rating = value - MIDDLE, rating - MIDDLE  # around the middle, where sums of squares lose least
    return {
        "ccc": Concordance.from_pairs(value, rating, weights),
        "pearson": Correlation.from_pairs(value, rating, weights),
        "rmse": RootMean.from_values(jnp.square(value - rating), weights),
        "mae": Mean.from_values(jnp.abs(value - rating), weights),
    }


LOSSES = ("ccc", "mse", "both")


def value_loss(value: jax.Array, rating: jax.Array, weights: jax.Array, *, loss: str) -> jax.Array:
    """What a batch's ratings f32[B] are trained by, f32[]: 1 - CCC over the batch, the mean squared error, or the sum.

    The error is in points. 0 where nothing counts, or all that counts is alike and right.
    """
    value, rating = value - MIDDLE, rating - MIDDLE
    weights = weights.astype(jnp.float32)
    count = jnp.maximum(weights.sum(), 1.0)
    means = [(x * weights).sum() / count for x in (value, rating)]
    around = [(x - mean) for x, mean in zip((value, rating), means, strict=True)]
    spread = sum((jnp.square(x) * weights).sum() / count for x in around) + jnp.square(means[0] - means[1])
    agreement = 2.0 * (around[0] * around[1] * weights).sum() / count / jnp.maximum(spread, 1e-6)
    disagreement = jnp.where(spread > 0, 1.0 - agreement, 0.0)
    error = (jnp.square(value - rating) * weights).sum() / count
    return {"ccc": disagreement, "mse": error, "both": disagreement + error}[loss]


def named(scores: Metrics, dimension: str, part: str = "") -> Metrics:
    """Scores under the names that results give them: valence's plain, activation's with "activation/" before them."""
    prefix = (f"{part}/" if part else "") + ("" if dimension == "valence" else f"{dimension}/")
    return {f"{prefix}{name}": metric for name, metric in scores.items()}


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
    *("activation/pearson", "ccc", "activation/ccc", "rmse", "activation/rmse", "mae", "activation/mae"),
)
VALUE_FIGURES = ("ccc", "pearson", "rmse", "mae")


def summarise(
    history: Sequence[Mapping[str, float]],
    records: Sequence[Mapping[str, Any]],
    *,
    rated: Sequence[str],
    wall,
    unit: float | None = None,
    corpora: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores of the test speaker and, with the weights that were kept, of the validation speaker.

    Args:
      history, records: as the engine gives them. rated: the dimensions that the model rates.
      wall: see `sejax.experiments.dcgan.gallery.Wall`.
      corpora: those that are tested, where they are several; each has figures of its own.
      unit: where ratings are numbers, how much of the corpus's own scale a point is: errors are in units of that scale.
    """
    record = {name: np.asarray(value) for name, value in records[-1].items()}
    figures, confusions = {}, {}
    places = {part: (part, "") for part in PARTS}
    places |= {f"test:{number}": ("test", f":{name}") for number, name in enumerate(corpora)}
    for part, (named_part, of_corpus) in places.items():
        for dimension in rated:
            inside = "" if dimension == "valence" else f"{dimension}/"
            label = (named_part if dimension == "valence" else f"{named_part}_{dimension}") + of_corpus
            if unit is not None:
                units = {"rmse": unit, "mae": unit}
                values = {name: float(record[f"{part}/{inside}{name}"]) for name in VALUE_FIGURES}
                figures |= {f"{label}/{name}": value * units.get(name, 1.0) for name, value in values.items()}
                continue
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
        "collapse": None if collapsed <= 0 else {"epoch": collapsed},
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
