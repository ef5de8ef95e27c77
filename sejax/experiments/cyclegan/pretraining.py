"""The first stage: pairs of generators learn to reconstruct through each other (Bao et al. 2019, section 4.1).

The paper pre-trains "each pair of the generators G_i and F_i on their corresponding source and target data" and does
not say by which objective. It is taken to be the cycle-consistency loss alone (equation 3); that leaves G(s) free to be
any code that F can read. The objective `identity` has each generator return what it is given, from either domain, so
that G(s) begins where the source lies: adversarial training then needs far fewer updates.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from sejax.core.experiment import Experiment
from sejax.core.metrics import Mean
from sejax.core.rng import stream
from sejax.errors import InputError
from sejax.experiments.cyclegan.algorithm import cycle_loss
from sejax.experiments.cyclegan.networks import DOMAINS, Networks, dropout_seeds, first_pairs, translate
from sejax.experiments.cyclegan.stage import (
    Schedule,
    StageState,
    all_finite,
    biases,
    common_fields,
    moved,
    next_row,
    of_healthy,
    overall,
    per_emotion,
    rate_at,
    scaled,
)

OBJECTIVES = ("cycle", "identity")


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
      "draw": i32[], "learning_rate": f32[]}``; ``data`` as in `sejax.experiments.cyclegan.stage`.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"config: pretraining.objective={objective!r}; choose one of {', '.join(OBJECTIVES)}")
    method = Pretraining(networks, schedule, classes, batch_size, objective)
    return Experiment(method.init, method.step, method.evaluate, method.conclude, method.refresh)
