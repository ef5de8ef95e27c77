"""What a run is between two updates, and the pure pieces that its updates, epochs and iterations are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import Assembly, PyTree, State, freeze
from sejax.engine.ensemble import over_members


@struct.dataclass
class Carry:
    """All that a run is, between two updates: what a checkpoint holds.

    Members advance in lockstep, so the loops' positions are scalars; a member that has stopped or
    failed keeps its state until the others are done.

    Attributes:
      state: the members' states, stacked [M, ...].
      totals: this epoch's training metrics so far, [M, ...].
      position, epoch, iteration: i32[], updates in this epoch, epochs in this iteration, iterations.
      history: per metric f32[M, iterations, epochs], NaN where there was no epoch.
      records: per name [M, iterations, ...], what ``conclude`` returned.
      failed_at: i32[M], updates done when a training or evaluation metric was not finite; -1 while healthy.
    """

    state: State
    totals: dict[str, Any]
    position: jax.Array
    epoch: jax.Array
    iteration: jax.Array
    history: dict[str, jax.Array]
    records: dict[str, jax.Array]
    failed_at: jax.Array


def finished(carry: Carry, iterations: int) -> bool | jax.Array:
    """True once every iteration is over."""
    return carry.iteration >= iterations


def active_members(carry: Carry) -> jax.Array:
    """bool[M]: members that still train in this iteration."""
    return (carry.failed_at < 0) & ~carry.state.stopped


class Parts:
    """The pure pieces of a run over stacked members; each backend strings them together."""

    def __init__(self, assembly: Assembly, how: str, constrain: Callable[[PyTree], PyTree]):
        experiment, train = assembly.experiment, assembly.train
        self.assembly, self.constrain = assembly, constrain

        def lift(function, *member_args):
            return over_members(function, how=how, member_args=member_args)

        self.init = lift(experiment.init, True, True, False)
        self.step = lift(self._given_step, True, True)
        self.gathered_step = lift(self._gathered_step, False, True, False)
        self.plans = lift(train.plan_at, True, False)
        self.refresh = lift(experiment.refresh, True, True)
        self.conclude = lift(experiment.conclude, True, True, False)
        self.restart = lift(experiment.restart, True, False)
        self.given_evaluation = lift(experiment.evaluate, True, True)
        evaluated = {"valid": assembly.valid, "whole": assembly.whole}
        self.evaluation_plans = {part: lift(source.plan_at, True, False) for part, source in evaluated.items()}
        self.evaluations = {
            part: lift(partial(self._evaluation, source), False, True, False) for part, source in evaluated.items()
        }

    def _gathered_step(self, data, state, position):
        batch = self.assembly.train.batch_at(data, state, position)
        return self.assembly.experiment.step(state, self.constrain(batch))

    def _given_step(self, state, batch):
        return self.assembly.experiment.step(state, self.constrain(batch))

    def _evaluation(self, source, data, state, position):
        return self.assembly.experiment.evaluate(state, source.batch_at(data, state, position))

    def epoch_length(self, carry: Carry) -> jax.Array:
        """Updates of the current epoch: those of the active member that has most."""
        return jnp.max(jnp.where(active_members(carry), carry.state.epoch_steps, 0))

    def update(self, carry: Carry, new: State, metrics: dict[str, Any]) -> Carry:
        """Takes over one update where the member is active and its metrics are finite."""
        live = active_members(carry) & (carry.position < carry.state.epoch_steps)
        accept = live & _finite(metrics, live)
        masked = jax.tree.map(lambda x: jnp.where(accept.reshape(accept.shape + (1,) * (x.ndim - 1)), x, 0), metrics)
        return carry.replace(
            state=freeze(accept, new, carry.state),
            totals=metrics_lib.merge(carry.totals, masked),
            position=carry.position + 1,
            failed_at=jnp.where(live & ~accept, carry.state.step, carry.failed_at),
        )

    def gathered_update(self, data: PyTree, carry: Carry) -> Carry:
        """One update of every member, its batch gathered on the device."""
        return self.update(carry, *self.gathered_step(data, carry.state, carry.position))

    def streamed_update(self, carry: Carry, batch: PyTree) -> Carry:
        """One update of every member with a batch from the host."""
        return self.update(carry, *self.step(carry.state, batch))

    def zeros(self, part: str, data: PyTree, state: State) -> dict[str, Any]:
        """The metrics of nothing evaluated; their shapes come from tracing."""
        shapes = jax.eval_shape(self.evaluations[part], data, state, jnp.int32(0))
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def evaluate_batch(self, part: str, data: PyTree, state: State, totals: dict[str, Any], i: jax.Array):
        """``totals`` with batch ``i`` of a part, gathered on the device."""
        return metrics_lib.merge(totals, self.evaluations[part](data, state, i))

    def evaluate_given(self, state: State, totals: dict[str, Any], batch: PyTree):
        """``totals`` with a batch from the host."""
        return metrics_lib.merge(totals, self.given_evaluation(state, batch))

    def end_epoch(self, carry: Carry, valid: dict[str, Any]) -> Carry:
        """Writes the epoch into the history and refreshes the states."""
        active = active_members(carry)
        healthy = active & _finite(valid, active)
        state = self.refresh(carry.state, {"train": carry.totals, "valid": valid})
        rows = scalars({"train": carry.totals, "valid": valid})
        history = {
            name: values.at[:, carry.iteration, carry.epoch].set(jnp.where(active, rows[name], jnp.nan))
            for name, values in carry.history.items()
        }
        last = carry.epoch + 1 >= self.assembly.epochs
        state = state.replace(stopped=state.stopped | last)
        return carry.replace(
            state=freeze(healthy, state, carry.state),
            totals=jax.tree.map(jnp.zeros_like, carry.totals),
            position=jnp.int32(0),
            epoch=carry.epoch + 1,
            history=history,
            failed_at=jnp.where(active & ~healthy, carry.state.step, carry.failed_at),
        )

    def end_iteration(self, data: PyTree, carry: Carry, whole: dict[str, Any]) -> Carry:
        """Concludes an iteration and keeps its record."""
        failed = (carry.failed_at < 0) & ~_finite(whole, carry.failed_at < 0)
        healthy = (carry.failed_at < 0) & ~failed
        state, record = self.conclude(carry.state, whole, data)
        records = {name: rows.at[:, carry.iteration].set(record[name]) for name, rows in carry.records.items()}
        return carry.replace(
            state=freeze(healthy, state, carry.state),
            epoch=jnp.int32(0),
            iteration=carry.iteration + 1,
            records=records,
            failed_at=jnp.where(failed, carry.state.step, carry.failed_at),
        )

    def restart_iteration(self, data: PyTree, carry: Carry) -> Carry:
        """Gets the healthy members ready for the next iteration."""
        healthy = carry.failed_at < 0
        return carry.replace(state=freeze(healthy, self.restart(carry.state, data), carry.state))

    def start(self, keys: jax.Array, members: PyTree, data: PyTree) -> Carry:
        """The first carry; shapes of metrics and records come from tracing, nothing is computed twice."""
        state = self.init(keys, members, data)
        count, rounds, epochs = keys.shape[0], self.assembly.iterations, self.assembly.epochs
        _, train = jax.eval_shape(self.gathered_step, data, state, jnp.int32(0))
        totals = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), train)
        valid = {"valid": self.zeros("valid", data, state)} if self.assembly.valid.batches else {}
        names = scalars({"train": totals} | valid)
        _, record = jax.eval_shape(self.conclude, state, self.zeros("whole", data, state), data)
        return Carry(
            state=state,
            totals=totals,
            position=jnp.int32(0),
            epoch=jnp.int32(0),
            iteration=jnp.int32(0),
            history={name: jnp.full((count, rounds, epochs), jnp.nan, jnp.float32) for name in names},
            records={name: jnp.zeros((count, rounds, *x.shape[1:]), x.dtype) for name, x in record.items()},
            failed_at=jnp.full((count,), -1, jnp.int32),
        )


def scalars(parts: dict[str, dict[str, Any]]) -> dict[str, jax.Array]:
    """One number per member and metric, named ``part/metric``: what the history keeps per epoch."""
    rows = {}
    for part, totals in parts.items():
        for name, value in metrics_lib.compute(totals).items():
            if value.ndim == 1:
                rows[f"{part}/{name}"] = value.astype(jnp.float32)
    return rows


def _finite(metrics: dict[str, Any], live: jax.Array) -> jax.Array:
    leaves = [x for x in jax.tree.leaves(metrics) if jnp.issubdtype(x.dtype, jnp.floating)]
    checks = [jnp.all(jnp.isfinite(x), axis=tuple(range(1, x.ndim))) for x in leaves]
    return jnp.all(jnp.stack([*checks, jnp.ones_like(live)]), axis=0)
