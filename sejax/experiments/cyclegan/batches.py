"""Which vectors an update sees: unpaired source and target rows for each emotion, in shuffled passes of their own.

Data are resident ``{"source": f32[S, F], "target": f32[T, F], "slot": i32[S]}`` in the features' own units; the
member's scaling is applied in the step. B is the batch size, E the number of emotions.
"""

from typing import Protocol

import jax
import jax.numpy as jnp

from sejax.core.experiment import Plan, Source
from sejax.core.rng import member_key, root_key, stream
from sejax.core.shuffle import seed_of, shuffled


class PairedState(Protocol):
    """What the plan of an update is made from.

    Attributes:
      seeds: u32[E, 2], of the orders of source and target.
      rows: i32[E, L], each emotion's training rows of the target; count: i32[E], how many of them there are.
      epoch_start: i32[], updates of this stage done when the engine's current epoch began.
    """

    seeds: jax.Array
    rows: jax.Array
    count: jax.Array
    epoch_start: jax.Array


def order_seeds(draw: jax.Array, emotions: int) -> jax.Array:
    """Seeds u32[E, 2] of the source's and the target's order of each emotion.

    Members of one draw i32[] (fold and seed) read the same vectors, whatever their weights of the losses.
    """
    key = member_key(root_key(0), draw)

    def draw(emotion):
        return jnp.stack([seed_of(stream(key, f"{domain} order", emotion)) for domain in ("source", "target")])

    return jax.vmap(draw)(jnp.arange(emotions))


def gather(data, plan: Plan):
    """``{"source": f32[B, E, F], "target": f32[B, E, F]}`` of a plan's rows i32[B, E] each."""
    return {domain: data[domain][plan.index[domain]] for domain in ("source", "target")}


def pair_source(batch_size: int, sources: int, *, stream_batches=None) -> Source:
    """Training batches: B rows of the source and B of each emotion's target, from shuffled passes over either.

    A pass holds every row once and goes on within a batch where the last one ends, so no batch is padded.

    Args:
      batch_size: B.
      sources: S, rows of the source.
      stream_batches: reads plans' rows from disk instead, see `sejax.data.streams`.
    """

    def plan_at(state: PairedState, position):
        place = (state.epoch_start + position) * batch_size + jnp.arange(batch_size, dtype=jnp.int32)[:, None]  # [B, 1]
        target = shuffled(state.seeds[:, 1], place, state.count)  # [B, E]
        emotion = jnp.arange(state.rows.shape[0])
        index = {
            "source": shuffled(state.seeds[:, 0], place, jnp.int32(sources)),
            "target": state.rows[emotion, target],
        }
        return Plan(index, jnp.ones((batch_size,), bool))

    return Source(plan_at, gather, stream=stream_batches)


def gather_source(data, plan: Plan):
    """Source vectors f32[B, F] of an evaluation, with the places of those that are compared, and which rows count."""
    return {"source": data["source"][plan.index], "slot": data["slot"][plan.index], "valid": plan.valid}
