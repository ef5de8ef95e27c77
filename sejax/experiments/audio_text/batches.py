"""Which utterances an update sees: batches of one length each, planned ahead for an epoch.

Data are resident, N pieces of U utterances, S words in all::

    {"waveform": int16[T], "start", "length", "first_word", "word_count", "label", "utterance": i32[N],
     "words": i32[S], "utterance_label": i32[U], "examples": a batch}

Where batches are streamed from the disk the device holds one sample of the waveform: shapes are traced with it.
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.experiment import Batch, Plan, PyTree, Source
from sejax.data.buckets import Buckets


def planned_source(
    field: str, buckets: Buckets, *, batches: int | None = None, stream: Callable[[Iterator], Iterator] | None = None
) -> Source:
    """The batches that a field of the state plans (`order`, say), in their order.

    Args:
      field: of `sejax.experiments.audio_text.state.AudioTextState`.
      buckets: shapes of batches.
      batches: of an evaluation; None for training.
      stream: reads plans' batches from the disk, see `sejax.data.streams.stream_utterances`.
    """

    def plan_at(state, position):
        return jax.tree.map(
            lambda rows: jax.lax.dynamic_index_in_dim(rows, position, keepdims=False), getattr(state, field)
        )

    return Source(plan_at, lambda data, plan: gather(data, plan, buckets), batches=batches, stream=stream)


def gather(data: PyTree, plan: Plan, buckets: Buckets) -> Batch:
    """The batch of a plan (index i32[B], valid bool[B]) from resident data, as `sejax.data.streams` reads it.

    It has the shape of the largest bucket among its rows; while the plan is traced, that of the largest there is.
    """
    length, count = (jnp.where(plan.valid, data[name][plan.index], 0) for name in ("length", "word_count"))
    bucket = len(buckets.samples) - 1
    if not isinstance(length, jax.core.Tracer):
        bucket = int(buckets.of(np.asarray(length), np.asarray(count)).max())
    return {
        "waveform": _rows(data["waveform"], data["start"][plan.index], length, buckets.samples[bucket]),
        "length": length,
        "words": _rows(data["words"], data["first_word"][plan.index], count, buckets.words[bucket]),
        "word_count": count,
        "label": data["label"][plan.index],
        "index": plan.index,
        "valid": plan.valid,
    }


def _rows(array: jax.Array, start: jax.Array, length: jax.Array, width: int) -> jax.Array:
    """[B, width]: ``length`` entries of an array from ``start`` on, zeros after them."""
    place = jnp.arange(width, dtype=jnp.int32)
    inside = place < length[:, None]
    return jnp.where(inside, jnp.asarray(array)[jnp.where(inside, start[:, None] + place, 0)], 0)
