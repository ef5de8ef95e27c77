"""Which vectors an update of a classifier sees: real ones, synthetic ones, or real ones changed by noise or mixup.

Data are resident: ``{"vectors": f32[N, F]}`` with the real vectors first and then the synthetic ones of all
generators, ``{"label": i32[N]}``, and what is tested, ``{"test": f32[U, F], "test_label": i32[U]}``, all in the
features' own units.
"""

from typing import Protocol

import jax
import jax.numpy as jnp

from sejax.core.experiment import Plan, Source
from sejax.core.rng import hashed_bits
from sejax.core.shuffle import shuffled

ITSELF, CHANGED = 0, 1  # what is done to a vector of a batch


class MixedState(Protocol):
    """What the plan of an update is made from. C classes.

    Attributes:
      seed: u32[], of the order.
      rows: i32[L], the real training rows; count: i32[], how many of them are trained on as they are.
      class_rows: i32[C, L]; class_count: i32[C], the same by class: what is changed by noise or mixup.
      start: i32[], first synthetic row; made: i32[], how many synthetic (or changed) vectors there are.
      epoch_start: i32[], updates done when the engine's current epoch began.
    """

    seed: jax.Array
    rows: jax.Array
    count: jax.Array
    class_rows: jax.Array
    class_count: jax.Array
    start: jax.Array
    made: jax.Array
    epoch_start: jax.Array


def training_source(batch_size: int, *, changed: bool) -> Source:
    """Shuffled passes over real and made vectors together, without padding.

    ``changed``: the made vectors are real ones changed by noise or mixup, as many of each class; each pass draws them,
    and for mixup their partners, anew.
    """

    def plan_at(state: MixedState, position):
        place = (state.epoch_start + position) * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
        number = shuffled(state.seed, place, state.count + state.made)
        is_real = number < state.count
        real = state.rows[jnp.minimum(number, jnp.maximum(state.count - 1, 0))]
        if not changed:
            index = jnp.where(is_real, real, state.start + number - state.count)
            return Plan({"row": index, "partner": index, "kind": jnp.where(is_real, ITSELF, CHANGED)}, place >= 0)
        own, partner = _drawn(state, place, number - state.count)
        index = {
            "row": jnp.where(is_real, real, own),
            "partner": jnp.where(is_real, real, partner),
            "kind": jnp.where(is_real, ITSELF, CHANGED),
        }
        return Plan(index, place >= 0)

    return Source(plan_at, _gather)


def _drawn(state: MixedState, place, number):
    """Real rows for the made vectors ``number`` i32[B]: one of each vector's class, and one of any class."""
    classes = state.class_count.shape[0]
    label = jnp.maximum(number, 0) % classes
    bits = hashed_bits(state.seed + jnp.uint32(place[0]), (2, *place.shape))
    within = (bits[0] % state.class_count[label].astype(jnp.uint32)).astype(jnp.int32)
    anywhere = (bits[1] % jnp.maximum(state.count, 1).astype(jnp.uint32)).astype(jnp.int32)
    return state.class_rows[label, within], state.rows[anywhere]


def _gather(data, plan: Plan):
    """Vectors f32[B, F] with their partners, labels i32[B] of both, and what is done to each."""
    row, partner = plan.index["row"], plan.index["partner"]
    return {
        "vectors": data["vectors"][row],
        "partner": data["vectors"][partner],
        "label": data["label"][row],
        "partner_label": data["label"][partner],
        "kind": plan.index["kind"],
    }


def gather_test(data, plan: Plan):
    """Test vectors f32[B, F] of an evaluation with their labels, and which rows count."""
    found = {"vectors": data["test"][plan.index], "label": data["test_label"][plan.index]}
    return found | {"index": plan.index, "valid": plan.valid}
