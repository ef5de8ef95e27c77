"""The first stage: pairs of generators learn to reconstruct through each other (Bao et al. 2019, section 4.1).

The paper pre-trains "each pair of the generators G_i and F_i on their corresponding source and target data" and does
not say by which objective. It is taken to be the cycle-consistency loss alone (equation 3); that leaves G(s) free to be
any code that F can read. The objective `identity` has each generator return what it is given, from either domain, so
that G(s) begins where the source lies: adversarial training then needs far fewer updates.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core.experiment import Experiment, State
from sejax.core.metrics import Mean
from sejax.core.rng import stream
from sejax.errors import InputError
from sejax.experiments.cyclegan.batches import order_seeds
from sejax.experiments.cyclegan.losses import all_finite, cycle_loss
from sejax.experiments.cyclegan.networks import DOMAINS, Networks, dropout_seeds, first_pairs, translate
from sejax.experiments.scaling import Scaling


class Schedule(NamedTuple):
    """How long a stage trains, and how fast; defaults are the paper's for the GANs.

    Attributes:
      epochs: passes over the smallest emotion's target vectors.
      row_epochs: epochs to a row of the history (an epoch of the engine).
      learning_rate: Adam's first rate.
      decay: the rate is multiplied by it...
      decay_epochs: ... every so many epochs.
      b1, b2, epsilon: Adam's.
    """

    epochs: int
    row_epochs: int
    learning_rate: float = 2e-4
    decay: float = 1.0
    decay_epochs: int = 50
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def adam(self) -> optax.GradientTransformation:
        """Adam's direction, without the rate."""
        return optax.scale_by_adam(b1=self.b1, b2=self.b2, eps=self.epsilon)


OBJECTIVES = ("cycle", "identity")


@struct.dataclass
class StageState(State):
    """What both stages keep of one member. E emotions, L rows at most, F features.

    Attributes:
      generators: ``{"target", "source"}`` parameters, stacked [E, ...].
      optimizer: Adam's moments.
      alive: bool[E], False for a CycleGAN that was not finite; stopped_at: i32[E], the update that found it, or -1.
      seeds, rows, count, epoch_start: see `sejax.experiments.cyclegan.batches.PairedState`.
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
    return {
        "key": key,
        "step": jnp.zeros((), jnp.int32),
        "epoch_steps": jnp.minimum(schedule.row_epochs, schedule.epochs).astype(jnp.int32) * updates,
        "stopped": jnp.zeros((), bool),
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


def of_healthy(healthy: jax.Array, gradients):
    """Gradients [E, ...] with those of CycleGANs that are not healthy (bool[E]) at 0, so that no moment is spoilt."""
    return jax.tree.map(lambda g: jnp.where(_per_gan(healthy, g), g, 0.0), gradients)


def moved(parameters, directions, rate: jax.Array, healthy: jax.Array):
    """Parameters [E, ...] after a step of ``rate`` f32[]; those that are not healthy (bool[E]) stay as they are.

    A rate of 0 for these costs nothing; choosing between new and old parameters would keep both in memory.
    """
    rates = jnp.where(healthy, rate, 0.0)
    return jax.tree.map(lambda p, d: p - _per_gan(rates, p) * d, parameters, directions)


def _per_gan(values: jax.Array, leaf: jax.Array) -> jax.Array:
    """Values [E] in the shape of a leaf [E, ...]."""
    return values.reshape((-1,) + (1,) * (leaf.ndim - 1))


def biases(gradients) -> list[jax.Array]:
    """The biases' gradients [E, n]: a gradient that is not finite anywhere in a layer shows in its bias.

    They stand for the kernels' (whose inputs are finite where the losses are) at a thousandth of the reading.
    """
    return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradients) if path[-1].key == "bias"]


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


@dataclass(frozen=True, eq=False)
class Pretraining:
    """The stage's functions with what they share; `make_pretraining` hands them to the engine."""

    networks: Networks
    schedule: Schedule
    classes: tuple[str, ...]
    batch_size: int
    objective: str = "cycle"

    def init(self, key, member, data) -> StageState:
        """Fresh generators."""
        features = data["source"].shape[-1]
        generators = first_pairs(
            self.networks.generator, stream(key, "generators", 0), features, len(self.classes)
        )
        return StageState(
            generators=generators,
            optimizer=self.schedule.adam().init(generators),
            **common_fields(key, member, self.schedule, self.batch_size),
        )

    def step(self, state: StageState, batch):
        """One update of every pair by its objective."""
        source, target = scaled(state, batch)
        seeds = dropout_seeds(stream(state.key, "pretraining", state.step), len(self.classes), 4)

        def objective(generators):
            losses = jax.vmap(self._cycle if self.objective == "cycle" else self._identity)(
                generators, source, target, seeds
            )
            return losses.sum(), losses

        gradients, losses = jax.grad(objective, has_aux=True)(state.generators)
        healthy = state.alive & all_finite([losses, *biases(gradients)])
        directions, optimizer = self.schedule.adam().update(of_healthy(healthy, gradients), state.optimizer)
        state = state.replace(
            generators=moved(state.generators, directions, rate_at(state, self.schedule), healthy),
            optimizer=optimizer,
            stopped_at=jnp.where(state.alive & ~healthy, state.step, state.stopped_at),
            alive=healthy,
            step=state.step + 1,
        )
        return state, {"loss": overall(losses, healthy)} | per_emotion({self.objective: losses}, self.classes, healthy)

    def _cycle(self, pair, source, target, seeds):
        """Equation 3 of one pair."""
        made = translate(self.networks.generator, pair, source, target, seeds)
        return cycle_loss(made.source_again, source) + cycle_loss(made.target_again, target)

    def _identity(self, pair, source, target, seeds):
        """Mean squared error of either generator's copy of source and target vectors."""
        both = jnp.concatenate([source, target])  # [2 B, F]
        copies = [
            self.networks.generator.apply({"params": pair[domain]}, both, seeds=seeds[number])
            for number, domain in enumerate(DOMAINS)
        ]
        return sum(cycle_loss(copy, both) for copy in copies)

    def evaluate(self, state: StageState, batch):
        """How well the source comes back through both generators, without dropout."""
        x = state.scaling.apply(batch["source"])  # [B, F]

        def again(pair):
            made = self.networks.generator.apply({"params": pair["target"]}, x)
            back = self.networks.generator.apply({"params": pair["source"]}, made)
            return jnp.mean(jnp.square(back - x), axis=-1)  # [B]

        errors = jnp.where(state.alive[:, None], jax.vmap(again)(state.generators), 0.0)  # [E, B]
        return {
            f"cycle_source/{emotion}": Mean.from_values(errors[number], batch["valid"])
            for number, emotion in enumerate(self.classes)
        }

    def refresh(self, state: StageState, metrics) -> StageState:
        """The next row of the history."""
        del metrics
        return next_row(state, self.schedule)

    def conclude(self, state: StageState, metrics, data):
        """The reconstruction's error for each emotion, and which CycleGANs stopped."""
        del data
        errors = [metrics[f"cycle_source/{emotion}"].compute() for emotion in self.classes]
        return state, {"cycle_source": jnp.stack(errors), "stopped_at": state.stopped_at}

    def restart(self, state: StageState, data) -> StageState:
        """There is one iteration only: nothing to get ready."""
        del data
        return state.replace(stopped=jnp.zeros((), bool))


def make_pretraining(
    networks: Networks,
    schedule: Schedule,
    classes: tuple[str, ...],
    *,
    batch_size: int = 64,
    objective: str = "cycle",
) -> Experiment:
    """Pre-training of one generator pair for each class, by one of `OBJECTIVES`.

    Returns:
      An Experiment. ``init``'s member is ``{"rows": i32[E, L], "count": i32[E], "shift", "scale": f32[F],
      "draw": i32[], "learning_rate": f32[]}``; ``data`` as in `sejax.experiments.cyclegan.batches`.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"config: pretraining.objective={objective!r}; choose one of {', '.join(OBJECTIVES)}")
    method = Pretraining(networks, schedule, classes, batch_size, objective)
    return Experiment(method.init, method.step, method.evaluate, method.refresh, method.conclude, method.restart)
