"""What the two stages share: schedule, state, which vectors an update sees, how unhealthy CycleGANs are left alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core.experiment import Plan, PyTree, Source, State, freeze
from sejax.core.metrics import Mean
from sejax.core.rng import member_key, root_key, seed_of, shuffled, stream
from sejax.experiments.feature_vectors import Scaling
from sejax.experiments.methods import first_fields


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

    def plan_at(state: "StageState", position):
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


class Schedule(NamedTuple):
    """How long a stage trains, and how its learning rate falls.

    Attributes:
      epochs: passes over the smallest emotion's target vectors.
      row_epochs: epochs to a row of the history (an epoch of the engine).
      decay: the learning rate, which is the member's, is multiplied by it...
      decay_epochs: ... every so many epochs.
      b1, b2, epsilon: Adam's.
    """

    epochs: int
    row_epochs: int
    decay: float = 1.0
    decay_epochs: int = 50
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def adam(self) -> optax.GradientTransformation:
        """Adam's direction, without the rate."""
        return optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.epsilon)


@struct.dataclass
class StageState(State):
    """What both stages keep of one member. E emotions, L rows at most, F features.

    Attributes:
      generators: ``{"target", "source"}`` parameters, stacked [E, ...].
      optimizer: Adam's moments.
      alive: bool[E], False for a CycleGAN that was not finite; stopped_at: i32[E], the update that found it, or -1.
      seeds: u32[E, 2], of the orders of source and target.
      rows: i32[E, L], each emotion's training rows of the target; count: i32[E], how many of them there are.
      epoch_start: i32[], updates of this stage done when the engine's current epoch began.
      epoch_updates: i32[], updates to an epoch of the paper.
      learning_rate: f32[].
      scaling: min-max of source and target, f32[F] each.
    """

    generators: Any
    optimizer: Any
    alive: jax.Array
    stopped_at: jax.Array
    seeds: jax.Array
    rows: jax.Array
    count: jax.Array
    epoch_start: jax.Array
    epoch_updates: jax.Array
    learning_rate: jax.Array
    scaling: Scaling


def common_fields(key: jax.Array, member, schedule: Schedule, batch_size: int) -> dict[str, Any]:
    """The first values of a stage's fields that do not depend on what is trained."""
    count = member["count"]
    updates = -(-jnp.min(count) // batch_size).astype(jnp.int32)
    emotions = count.shape[0]
    epoch_steps = jnp.minimum(schedule.row_epochs, schedule.epochs).astype(jnp.int32) * updates
    return first_fields(key, epoch_steps) | {
        "alive": jnp.ones((emotions,), bool),
        "stopped_at": jnp.full((emotions,), -1, jnp.int32),
        "seeds": order_seeds(member["draw"], emotions),
        "rows": member["rows"],
        "count": count,
        "epoch_start": jnp.zeros((), jnp.int32),
        "epoch_updates": updates,
        "learning_rate": member["learning_rate"],
        "scaling": Scaling(member["shift"], member["scale"]),
    }


def next_row(state: StageState, schedule: Schedule) -> StageState:
    """The state that the next row of the history starts from; stopped where the schedule is over."""
    left = schedule.epochs * state.epoch_updates - state.step
    return state.replace(
        epoch_start=state.step,
        epoch_steps=jnp.clip(left, 1, schedule.row_epochs * state.epoch_updates),
        stopped=left <= 0,
    )


def rate_at(state: StageState, schedule: Schedule) -> jax.Array:
    """The learning rate f32[] of the next update."""
    falls = state.step // state.epoch_updates // schedule.decay_epochs
    return state.learning_rate * schedule.decay ** falls.astype(jnp.float32)


def scaled(state: StageState, batch) -> tuple[jax.Array, jax.Array]:
    """Source and target f32[E, B, F] of a batch [B, E, F] in [0, 1]."""
    return tuple(state.scaling.apply(jnp.moveaxis(batch[domain], 1, 0)) for domain in ("source", "target"))


def begun(state: StageState, live: jax.Array | bool) -> tuple[StageState, jax.Array]:
    """(state, bool[E]): a member that is not ``live`` (bool[]) sits an update out as if all its CycleGANs were dead."""
    return state.replace(alive=state.alive & live), state.alive & ~jnp.asarray(live)


def over(state: StageState, asleep: jax.Array, live: jax.Array | bool) -> StageState:
    """The state after an update: those that were ``asleep`` (of `begun`) are alive again; one update more if live."""
    return state.replace(alive=state.alive | asleep, step=state.step + jnp.asarray(live).astype(jnp.int32))


def adam_step(
    schedule: Schedule, parameters: PyTree, gradients: PyTree, optimizer: PyTree, *, rate: jax.Array, healthy: PyTree
) -> tuple[PyTree, PyTree]:
    """One step of Adam, of ``rate`` f32[]: (parameters, moments). What is not healthy stays as it is, to the bit.

    ``healthy`` is bool[E] for parameters [E, ...], bool[] for others, or a pytree of such above the parameters' leaves.
    """

    def kept(new, old):
        return jax.tree.map(freeze, healthy, new, old)

    # As optax.scale_by_adam, but its direction would be of moments before that choice: XLA would work them out twice.
    some = jnp.any(jnp.stack([jnp.any(x) for x in jax.tree.leaves(healthy)]))
    count = optax.safe_increment(optimizer.count)
    mu = kept(optax.tree.update_moment(gradients, optimizer.mu, schedule.b1, 1), optimizer.mu)
    nu = kept(optax.tree.update_moment_per_elem_norm(gradients, optimizer.nu, schedule.b2, 2), optimizer.nu)
    first, second = (
        optax.tree.bias_correction(moment, decay, count) for moment, decay in ((mu, schedule.b1), (nu, schedule.b2))
    )
    moved = jax.tree.map(lambda p, m, v: p - rate * (m / (jnp.sqrt(v) + schedule.epsilon)), parameters, first, second)
    return kept(moved, parameters), optimizer._replace(count=freeze(some, count, optimizer.count), mu=mu, nu=nu)


def all_finite(tree: PyTree) -> jax.Array:
    """bool[E]: whether everything of each leaf [E, ...] is finite."""
    checks = [jnp.all(jnp.isfinite(x), axis=tuple(range(1, x.ndim))) for x in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(checks), axis=0)


def biases(gradients) -> list[jax.Array]:
    """The biases' gradients [E, n]: a gradient that is not finite anywhere in a layer shows in its bias.

    They stand for the kernels' (whose inputs are finite where the losses are) at a thousandth of the reading.
    """
    return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradients) if path[-1].key == "bias"]


def noted(state: StageState, healthy: jax.Array) -> StageState:
    """Marks the CycleGANs that are no longer finite; they stay as they were before the update."""
    return state.replace(alive=healthy, stopped_at=jnp.where(state.alive & ~healthy, state.step, state.stopped_at))


def descended(
    state: StageState,
    schedule: Schedule,
    parameters: PyTree,
    optimizer: PyTree,
    objective: Callable[[PyTree], jax.Array],
    *,
    rate: jax.Array,
) -> tuple[StageState, PyTree, PyTree, jax.Array]:
    """One step of Adam on parameters [E, ...] by their losses, ``objective(parameters) -> f32[E]``.

    Returns:
      The state with those marked that are no longer finite, parameters, Adam's moments, and the losses.
    """

    def total(parameters):
        losses = objective(parameters)
        return losses.sum(), losses

    gradients, losses = jax.grad(total, has_aux=True)(parameters)
    healthy = state.alive & all_finite([losses, *biases(gradients)])
    parameters, optimizer = adam_step(schedule, parameters, gradients, optimizer, rate=rate, healthy=healthy)
    return noted(state, healthy), parameters, optimizer, losses


def per_emotion(losses: dict[str, jax.Array], classes: tuple[str, ...], alive: jax.Array) -> dict[str, Mean]:
    """Metrics ``loss/emotion`` of losses f32[E], counting the CycleGANs that are alive."""
    return {
        f"{name}/{emotion}": Mean.from_values(values[number], alive[number])
        for name, values in losses.items()
        for number, emotion in enumerate(classes)
    }


def overall(values: jax.Array, alive: jax.Array) -> Mean:
    """Mean of f32[E] over the CycleGANs that are alive; NaN without any, so that the engine stops the member."""
    kept = Mean.from_values(values, alive)
    return Mean(jnp.where(jnp.any(alive), kept.total, jnp.nan), kept.count)
