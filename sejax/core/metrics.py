"""Metrics as pytrees of sums and counts: merge them freely, compute figures once at the end.

A figure such as UAR or macro-F1 is not the mean of its values on batches, so no metric here ever averages:
each holds sums and counts, `merge` adds them, and `compute` divides. Everything is pure jax.numpy and passes
through `jit`, `vmap` and `lax.scan`; leading axes (members, folds) need no `vmap` at all.

Counts are float32: whole numbers are exact up to 2**24 = 16,777,216 per cell; above that an added one is
lost. With nothing counted a mean, accuracy, UAR and macro-F1 are undefined, and NaN says so.

    metrics = {"loss": Mean.from_values(losses, mask),
               "confusion": Confusion.from_predictions(labels, predictions, num_classes=7, weights=mask)}
    total = merge(total, metrics)
    compute(total)    # {"loss", "accuracy", "uar", "macro_f1", "confusion"}
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def _ratio(numerator, denominator, otherwise):
    """numerator / denominator, and `otherwise` where the denominator is 0."""
    empty = denominator == 0
    return jnp.where(empty, otherwise, numerator / jnp.where(empty, 1.0, denominator))


def _weighted(values, weights):
    """Values times weights, float32; a weight of 0 removes its value even where that is NaN (padded rows)."""
    values = jnp.asarray(values, jnp.float32)
    if weights is None:
        return values, jnp.ones(values.shape, jnp.float32)
    weights = jnp.broadcast_to(jnp.asarray(weights, jnp.float32), values.shape)
    return jnp.where(weights == 0, 0.0, values * weights), weights


def recall(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch classes"]:
    """Share of each true class that was predicted as itself, [..., C, C] -> [..., C]; 0 for an absent one."""
    return _ratio(_diagonal(confusion), confusion.sum(-1), 0.0)


def precision(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch classes"]:
    """Share of each predicted class that is right, [..., C, C] -> [..., C]; 0 for a class never predicted."""
    return _ratio(_diagonal(confusion), confusion.sum(-2), 0.0)


def f1(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch classes"]:
    """2 TP / (2 TP + FP + FN) of each class, [..., C, C] -> [..., C]; 0 for one that is neither."""
    return _ratio(2.0 * _diagonal(confusion), confusion.sum(-1) + confusion.sum(-2), 0.0)


def accuracy(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch"]:
    """Share of all examples on the diagonal: [..., C, C] -> [...]; NaN where the matrix is empty."""
    return _ratio(_diagonal(confusion).sum(-1), confusion.sum((-2, -1)), jnp.nan)


def uar(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch"]:
    """Unweighted average recall: the mean recall of the classes that occur in truth, [..., C, C] -> [...].

    Equals scikit-learn's `balanced_accuracy_score`: a class without true examples is left out of the mean.
    NaN where the matrix is empty.
    """
    return _ratio(recall(confusion).sum(-1), (confusion.sum(-1) > 0).sum(-1), jnp.nan)


def macro_f1(confusion: Float[Array, "*batch classes classes"]) -> Float[Array, "*batch"]:
    """Unweighted mean F1 of the classes that occur in truth, [..., C, C] -> [...], as `uar` takes them.

    Equals scikit-learn's `f1_score(average="macro", labels=classes that occur in truth)`. By its default labels a
    class that was predicted but is never true counts as 0: that bites where a fold lacks a class, as speaker 08 of
    the Berlin database lacks disgust, and `balanced_accuracy_score` leaves such a class out. NaN where the matrix is
    empty.
    """
    occurs = confusion.sum(-1) > 0
    return _ratio(jnp.where(occurs, f1(confusion), 0.0).sum(-1), occurs.sum(-1), jnp.nan)


def _diagonal(confusion):
    return jnp.diagonal(confusion, axis1=-2, axis2=-1)


class _Sums:
    """A metric whose fields are sums."""

    def merge(self, other: Self) -> Self:
        """The metric over what both were made from."""
        return jax.tree.map(operator.add, self, other)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mean(_Sums):
    """Weighted mean as `total` f32[...] (sum of weight * value) and `count` f32[...] (sum of weights)."""

    total: jax.Array
    count: jax.Array

    @classmethod
    def from_values(cls, values, weights=None) -> Mean:
        """All of `values` (any shape), weighted by `weights` (broadcast to it; a mask will do)."""
        values, weights = _weighted(values, weights)
        return cls(values.sum(), weights.sum())

    def compute(self):
        """total / count; NaN where nothing was counted."""
        return _ratio(self.total, self.count, jnp.nan)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sum(_Sums):
    """Weighted sum `total` f32[...]: how many, how much. 0 where nothing was added."""

    total: jax.Array

    @classmethod
    def from_values(cls, values, weights=None) -> Sum:
        """The sum of weight * value over all of `values` (any shape)."""
        return cls(_weighted(values, weights)[0].sum())

    def compute(self):
        """The total."""
        return self.total


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Correlation(_Sums):
    """Pearson's correlation of pairs as `sums` f32[..., 6]: of weights, x, y, x x, y y and x y.

    Sums of squares in float32 lose digits where means are large against deviations: take a middle value off first.
    """

    sums: jax.Array

    @classmethod
    def from_pairs(cls, x, y, weights=None) -> Correlation:
        """Pairs `x`, `y` of one shape, weighted by `weights` (broadcast to it; a mask will do)."""
        x, weights = jnp.asarray(x, jnp.float32), jnp.ones(()) if weights is None else weights
        products = (jnp.ones_like(x), x, y, x * x, y * y, x * y)
        return cls(jnp.stack([_weighted(product, weights)[0].sum() for product in products]))

    def compute(self):
        """rho [...] in [-1, 1]; NaN where x or y has no deviation, or nothing was counted."""
        count, x, y, xx, yy, xy = jnp.moveaxis(self.sums, -1, 0)
        count = jnp.maximum(count, 1e-12)
        over_x, over_y = xx - x * x / count, yy - y * y / count
        product = jnp.maximum(over_x, 0.0) * jnp.maximum(over_y, 0.0)
        return jnp.clip(_ratio(xy - x * y / count, jnp.sqrt(product), jnp.nan), -1.0, 1.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Concordance(Correlation):
    """Lin's concordance correlation coefficient (CCC) of the same sums.

    Lin (A concordance correlation coefficient to evaluate reproducibility, Biometrics 1989): 2 s_xy / (s_x^2 + s_y^2 +
    (mean x - mean y)^2), moments over all pairs. Another mean or another spread costs, which Pearson's does not see.
    """

    def compute(self):
        """CCC [...] in [-1, 1]; NaN where x and y are one and the same constant, or nothing was counted."""
        count, x, y, xx, yy, xy = jnp.moveaxis(self.sums, -1, 0)
        count = jnp.where(count > 0, count, jnp.nan)
        x, y = x / count, y / count
        spread = jnp.maximum(xx / count - x * x, 0.0) + jnp.maximum(yy / count - y * y, 0.0)
        return jnp.clip(_ratio(2.0 * (xy / count - x * y), spread + jnp.square(x - y), jnp.nan), -1.0, 1.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RootMean(Mean):
    """The root of a weighted mean: of squared errors, the root mean square error."""

    def compute(self):
        """sqrt(total / count); NaN where nothing was counted."""
        return jnp.sqrt(super().compute())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Confusion(_Sums):
    """Confusion matrix `counts` f32[..., C, C]: rows are the true classes, columns the predicted ones."""

    counts: jax.Array

    @classmethod
    def from_predictions(cls, labels, predictions, *, num_classes: int, weights=None) -> Confusion:
        """Count `predictions` against `labels`: integers of one shape, as are `weights` (None: ones).

        A label or prediction outside 0 .. num_classes - 1 (-1: unlabelled) is not counted.
        """
        labels, predictions = jnp.asarray(labels, jnp.int32), jnp.asarray(predictions, jnp.int32)
        truth = jax.nn.one_hot(labels.ravel(), num_classes, dtype=jnp.float32)  # [N, C]
        predicted = jax.nn.one_hot(predictions.ravel(), num_classes, dtype=jnp.float32)  # [N, C]
        if weights is not None:
            truth *= jnp.ravel(jnp.asarray(weights, jnp.float32))[:, None]
        return cls(jnp.einsum("nt,np->tp", truth, predicted, precision=jax.lax.Precision.HIGHEST))

    def compute(self) -> dict[str, jax.Array]:
        """accuracy, uar and macro_f1, each [...], and the matrix itself as confusion [..., C, C]."""
        return {
            "accuracy": accuracy(self.counts),
            "uar": uar(self.counts),
            "macro_f1": macro_f1(self.counts),
            "confusion": self.counts,
        }


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scatter(_Sums):
    """Outputs kept apart by example: `values` f32[N, ...] (sums), `count` f32[N], N the data set's size.

    Batches put their rows where the examples' indices say, and merging adds: after a pass over the data,
    `compute` holds every example's output in the data set's order, whatever the order of the batches. An example that
    occurs twice counts twice, and `compute` gives its mean.
    """

    values: jax.Array
    count: jax.Array

    @classmethod
    def from_outputs(cls, index, outputs, *, size: int, weights=None) -> Scatter:
        """Rows `outputs` [B, ...] of the examples `index` i32[B]; a weight of 0 (`weights` [B]) drops one."""
        outputs = jnp.asarray(outputs, jnp.float32)
        if weights is None:
            weights = jnp.ones(outputs.shape[:1], jnp.float32)
        weights = jnp.asarray(weights, jnp.float32)
        rows = weights.reshape(weights.shape + (1,) * (outputs.ndim - 1))
        rows = jnp.where(rows == 0, 0.0, outputs * rows)
        values = jnp.zeros((size, *outputs.shape[1:]), jnp.float32).at[index].add(rows)
        return cls(values, jnp.zeros((size,), jnp.float32).at[index].add(weights))

    def compute(self):
        """Mean output of each example, [N, ...]; 0 for an example that was never seen."""
        count = jnp.maximum(self.count, 1.0)
        return self.values / count.reshape(count.shape + (1,) * (self.values.ndim - count.ndim))


Metrics = dict[str, Mean | Sum | Correlation | Confusion | Scatter]
"""What `step` and `evaluate` of an experiment return: named metrics, a plain dict and so a pytree."""


def merge(a: Metrics, b: Metrics) -> Metrics:
    """Both together, name by name. Raises ValueError when the names differ."""
    if a.keys() != b.keys():
        raise ValueError(f"cannot merge metrics {sorted(a)} with metrics {sorted(b)}: the names differ")
    return {name: metric.merge(b[name]) for name, metric in a.items()}


def merge_stacked(metrics: Metrics) -> Metrics:
    """Merge along the leading axis of every array: what `lax.scan` stacked over its steps becomes one."""
    return jax.tree.map(lambda stacked: stacked.sum(0), metrics)


def empty(metrics: Metrics) -> Metrics:
    """The neutral element of `merge` for metrics of this form (arrays or the shapes of `jax.eval_shape`)."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), metrics)


def compute(metrics: Mapping[str, Mean | Sum | Correlation | Confusion | Scatter]) -> dict[str, jax.Array]:
    """Named figures, each an array.

    A Confusion yields four: under the name "confusion" they are accuracy, uar, macro_f1 and confusion, under
    "test/confusion" or "test" they are test/accuracy and so on. Every other metric keeps its name.
    """
    figures = {}
    for name, metric in metrics.items():
        if isinstance(metric, Confusion):
            prefix = name.removesuffix("confusion").removesuffix("/")
            prefix = f"{prefix}/" if prefix else ""
            figures.update({f"{prefix}{key}": value for key, value in metric.compute().items()})
        else:
            figures[name] = metric.compute()
    return figures


class UtterancePosteriors(NamedTuple):
    """posteriors f32[U, C]: mean over an utterance's blocks, 0 where it has none; count f32[U]: blocks."""

    posteriors: jax.Array
    count: jax.Array


def utterance_posteriors(posteriors, utterance, *, num_utterances: int, mask=None) -> UtterancePosteriors:
    """Mean of the block posteriors [I, C] of each utterance.

    `utterance` i32[I] names each block's utterance, 0 .. num_utterances - 1; `mask` [I] keeps the blocks
    where it is true (None: all). The utterance's decision is the argmax; weigh it by `count > 0`.
    """
    blocks = Scatter.from_outputs(utterance, posteriors, size=num_utterances, weights=mask)
    return UtterancePosteriors(blocks.compute(), blocks.count)
