"""What classifiers of spectrogram images share: the order of an epoch, sources of batches, test confusions.

Images are rows of resident data, I in all; C classes.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core import metrics
from sejax.core.experiment import Batch, Plan, PyTree, Source, State
from sejax.core.metrics import Confusion, Mean, Metrics, Scatter
from sejax.core.results import BY_CORPUS
from sejax.data.folds import VALIDATION

PARTS = ("test", "test_utterance")
MASKS = "corpora_tested"  # of the data: bool[K, U], of which corpus an utterance is, where several are tested
BINS = 20


def whole_batches(count: int, batch_size: int) -> int:
    """``count`` rounded up to a multiple of the batch size."""
    return -(-count // batch_size) * batch_size


def rows_of(mask: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
    """The rows where ``mask`` bool[I] holds, i32[length] filled up with row 0, and which places count, bool[length]."""
    rows = jnp.nonzero(mask, size=length, fill_value=0)[0].astype(jnp.int32)
    return rows, jnp.arange(length) < mask.sum()


def test_confusions(posterior: jax.Array, test: jax.Array, data) -> dict[str, jax.Array]:
    """Confusions f32[C, C] of the images in ``test`` bool[I], by image and by utterance.

    An utterance's posterior is the mean over its test images. ``data`` holds label i32[I], utterance i32[I] and
    utterance_label i32[U]. With `MASKS` in it there are those of each corpus too, f32[K, C, C] under `BY_CORPUS`.
    """
    num_classes = posterior.shape[-1]
    by_block = partial(Confusion.from_predictions, data["label"], posterior.argmax(-1), num_classes=num_classes)
    utterances = metrics.utterance_posteriors(
        posterior, data["utterance"], num_utterances=data["utterance_label"].shape[0], mask=test
    )
    by_utterance = partial(
        Confusion.from_predictions,
        data["utterance_label"],
        utterances.posteriors.argmax(-1),
        num_classes=num_classes,
    )
    heard = utterances.count > 0
    found = {
        "confusion/test": by_block(weights=test).counts,
        "confusion/test_utterance": by_utterance(weights=heard).counts,
    }
    if MASKS in data:
        of_corpus = data[MASKS]
        blocks, whole = test & of_corpus[:, data["utterance"]], heard & of_corpus
        found[f"{BY_CORPUS}test"] = jax.vmap(lambda weights: by_block(weights=weights).counts)(blocks)
        found[f"{BY_CORPUS}test_utterance"] = jax.vmap(lambda weights: by_utterance(weights=weights).counts)(whole)
    return found


def confidences(posterior: jax.Array, counted: jax.Array) -> jax.Array:
    """How many of the ``counted`` (bool[I]) have their largest posterior (of f32[I, C]) in each twentieth of [0, 1]."""
    place = jnp.minimum((posterior.max(-1) * BINS).astype(jnp.int32), BINS - 1)
    return jnp.zeros(BINS, jnp.float32).at[place].add(counted.astype(jnp.float32))


def scores(logits: jax.Array, losses: jax.Array, label: jax.Array, weights: jax.Array) -> Metrics:
    """Loss and confusion of logits f32[B, C] and losses f32[B] against labels i32[B]; weights [B]: 0 does not count."""
    confusion = Confusion.from_predictions(label, logits.argmax(-1), num_classes=logits.shape[-1], weights=weights)
    return {"loss": Mean.from_values(losses, weights), "confusion": confusion}


def evaluated(part: jax.Array, batch, logits: jax.Array, losses: jax.Array) -> Metrics:
    """Posteriors of a batch of rows, and loss and confusion of those that validate by their ``part`` i8[I]."""
    validates = batch["valid"] & (part[batch["index"]] == VALIDATION)
    posterior = Scatter.from_outputs(
        batch["index"], jax.nn.softmax(logits), size=len(part), weights=batch["valid"]
    )
    return scores(logits, losses, batch["label"], validates) | {"posterior": posterior}


def gather(data, plan: Plan):
    """The batch of a plan from resident data: inputs, true labels, rows and which of them count."""
    return {
        "inputs": data["inputs"][plan.index],
        "label": data["label"][plan.index],
        "index": plan.index,
        "valid": plan.valid,
    }


def gather_views(data, plan: Plan):
    """As `gather`, with the inputs of all views, [B, V, ...]: `sejax.audio.augmentation.random_views` chooses."""
    return gather(data, plan) | {"inputs": data["views"][plan.index]}


def gather_beside(gather: Callable[[PyTree, Plan], Batch], *names: str) -> Callable[[PyTree, Plan], Batch]:
    """``gather`` with the same rows of other arrays of the data beside what it gives, by their names."""

    def gather_all(data, plan: Plan):
        return gather(data, plan) | {name: data[name][plan.index] for name in names}

    return gather_all if names else gather


def _in_turn(rows: str, counts: str, batch_size: int) -> Callable[[State, jax.Array], Plan]:
    """Plans of a state's rows i32[L], ``batch_size`` at a time, and of which of them count, bool[L]."""

    def plan_at(state, position):
        start = position * batch_size
        return Plan(*(jax.lax.dynamic_slice_in_dim(getattr(state, x), start, batch_size) for x in (rows, counts)))

    return plan_at


def train_source(
    batch_size: int, *, stream_batches=None, gather: Callable[[PyTree, Plan], Batch] = gather
) -> Source:
    """Batches of the state's "order" i32[L] with "order_valid" bool[L] (`sejax.core.rng.permutation_order`)."""
    return Source(_in_turn("order", "order_valid", batch_size), gather, stream=stream_batches)


def valid_source(
    valid_length: int,
    batch_size: int,
    *,
    gather: Callable[[PyTree, Plan], Batch] = gather,
    stream_batches: Callable | None = None,
) -> Source:
    """The state's "valid_index" i32[V] with "valid_mask" bool[V], in turn; ``gather`` makes the batch of a plan."""
    plan_at = _in_turn("valid_index", "valid_mask", batch_size)
    return Source(plan_at, gather, batches=valid_length // batch_size, stream=stream_batches)


def whole_source(
    rows: int,
    batch_size: int,
    *,
    gather: Callable[[PyTree, Plan], Batch] = gather,
    batches: int | None = None,
    stream_batches: Callable | None = None,
) -> Source:
    """All rows of the data in their order. Plans do not depend on the member, so members share the rows.

    Args:
      rows: how many there are.
      batch_size: rows to a batch; the last one is filled up with rows that do not count.
      gather: the batch of a plan.
      batches: 0 evaluates nothing; None: as many as hold all rows.
      stream_batches: reads plans' rows from the disk instead.
    """

    def plan_at(state, position):
        del state
        index = position * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
        return Plan(jnp.minimum(index, rows - 1), index < rows)

    batches = -(-rows // batch_size) if batches is None else batches
    return Source(plan_at, gather, batches=batches, stream=stream_batches, shared=True)


def confusion_metrics(confusion: np.ndarray, prefix: str) -> dict[str, float]:
    """macro_f1, uar and accuracy of a confusion matrix [C, C], with a prefix such as ``test/``."""
    return {
        f"{prefix}macro_f1": float(metrics.macro_f1(confusion)),
        f"{prefix}uar": float(metrics.uar(confusion)),
        f"{prefix}accuracy": float(metrics.accuracy(confusion)),
    }
