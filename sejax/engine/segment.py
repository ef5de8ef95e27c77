"""A segment: many updates in one call, with epochs and iterations ended where they fall.

Two backends share one signature and one set of pure functions. ``scan`` compiles everything, epoch
ends and iteration ends included, into a single program with the carry donated: ``advance`` with a
large budget is the whole protocol as one call. ``loop`` drives the same functions, each jitted
alone, from the host: for convolutions on a CPU (whose gradients are slow inside XLA loops) and for
data streamed by tf.data. Results do not depend on how the updates are cut into segments; the two
backends differ in the last bits, so a run records which it used.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import Assembly, PyTree, State, freeze
from sejax.engine.ensemble import over_members
from sejax.errors import InputError

BACKENDS = ("scan", "loop")


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


class Segment(NamedTuple):
    """The compiled pieces of a run.

    Attributes:
      start: ``start(keys [M], members, data) -> Carry``.
      advance: ``advance(data, carry, updates) -> Carry``: at most ``updates`` updates, fewer when
        the run finishes. The carry given is donated: use only the one returned.
      evaluate: ``evaluate(data, carry) -> metrics`` of the whole data, as at an iteration's end.
    """

    start: Callable[[jax.Array, PyTree, PyTree], Carry]
    advance: Callable[[PyTree, Carry, int], Carry]
    evaluate: Callable[[PyTree, Carry], dict[str, Any]]


def finished(carry: Carry, iterations: int) -> bool | jax.Array:
    """True once every iteration is over."""
    return carry.iteration >= iterations


def active_members(carry: Carry) -> jax.Array:
    """bool[M]: members that still train in this iteration."""
    return (carry.failed_at < 0) & ~carry.state.stopped


class _Parts:
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
        self.evaluations = {
            part: lift(partial(self._evaluation, source), False, True, False)
            for part, source in (("valid", assembly.valid), ("whole", assembly.whole))
        }

    def _gathered_step(self, data, state, position):
        batch = self.assembly.train.batch_at(data, state, position)
        return self.assembly.experiment.step(state, self.constrain(batch))

    def _given_step(self, state, batch):
        return self.assembly.experiment.step(state, self.constrain(batch))

    def _evaluation(self, source, data, state, position):
        return self.assembly.experiment.evaluate(state, source.batch_at(data, state, position))

    def epoch_length(self, carry: Carry) -> jax.Array:
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
        return self.update(carry, *self.gathered_step(data, carry.state, carry.position))

    def streamed_update(self, carry: Carry, batch: PyTree) -> Carry:
        return self.update(carry, *self.step(carry.state, batch))

    def zeros(self, part: str, data: PyTree, state: State) -> dict[str, Any]:
        shapes = jax.eval_shape(self.evaluations[part], data, state, jnp.int32(0))
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def evaluate_batch(self, part: str, data: PyTree, state: State, totals: dict[str, Any], i: jax.Array):
        return metrics_lib.merge(totals, self.evaluations[part](data, state, i))

    def end_epoch(self, carry: Carry, valid: dict[str, Any]) -> Carry:
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
        healthy = carry.failed_at < 0
        return carry.replace(state=freeze(healthy, self.restart(carry.state, data), carry.state))

    def start(self, keys: jax.Array, members: PyTree, data: PyTree) -> Carry:
        """The first carry; shapes of metrics and records come from tracing, nothing is computed twice."""
        state = self.init(keys, members, data)
        count, rounds, epochs = keys.shape[0], self.assembly.iterations, self.assembly.epochs
        _, train = jax.eval_shape(self.gathered_step, data, state, jnp.int32(0))
        totals = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), train)
        names = scalars({"train": totals, "valid": self.zeros("valid", data, state)})
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


def make_segment(
    assembly: Assembly,
    *,
    backend: str,
    how: str = "vmap",
    constrain: Callable[[PyTree], PyTree] = lambda batch: batch,
) -> Segment:
    """Compiles an assembly into start, advance and evaluate.

    Args:
      assembly: the experiment with its sources and data.
      backend: ``"scan"`` or ``"loop"``.
      how: ``"vmap"`` or ``"map"``, see `sejax.engine.ensemble`.
      constrain: applied to every training batch, where `sejax.engine.placement` says how a batch is
        spread over devices.

    Raises:
      InputError: unknown backend, or a streamed source with the scan backend.
    """
    if backend not in BACKENDS:
        raise InputError(f"engine: backend={backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
    if backend == "scan" and assembly.train.stream is not None:
        raise InputError("engine: a streamed source needs backend='loop'; a scanned segment cannot wait for the host")
    parts = _Parts(assembly, how, constrain)
    return (_scanned if backend == "scan" else _looped)(parts)


def _scanned(parts: _Parts) -> Segment:
    iterations = parts.assembly.iterations

    def evaluate(part, data, state):
        source = getattr(parts.assembly, part)
        return jax.lax.fori_loop(
            0,
            source.batches,
            lambda i, totals: parts.evaluate_batch(part, data, state, totals, i),
            parts.zeros(part, data, state),
        )

    def close_iteration(data, carry):
        carry = parts.end_iteration(data, carry, evaluate("whole", data, carry.state))
        return jax.lax.cond(
            finished(carry, iterations), lambda c: c, lambda c: parts.restart_iteration(data, c), carry
        )

    def close_epoch(data, carry):
        carry = parts.end_epoch(carry, evaluate("valid", data, carry.state))
        return jax.lax.cond(
            jnp.any(active_members(carry)), lambda c: c, lambda c: close_iteration(data, c), carry
        )

    def advance(data, carry, updates):
        def cut(loop):
            carry, left = loop
            length = parts.epoch_length(carry)
            count = jnp.clip(length - carry.position, 0, left)
            carry = jax.lax.fori_loop(0, count, lambda _, c: parts.gathered_update(data, c), carry)
            over = (carry.position >= length) | ~jnp.any(active_members(carry))
            return jax.lax.cond(over, lambda c: close_epoch(data, c), lambda c: c, carry), left - count

        def unfinished(loop):
            carry, left = loop
            return (left > 0) & ~finished(carry, iterations)

        return jax.lax.while_loop(unfinished, cut, (carry, updates))[0]

    compiled = jax.jit(advance, donate_argnums=1)
    return Segment(
        start=jax.jit(parts.start),
        advance=lambda data, carry, updates: compiled(data, carry, jnp.int32(updates)),
        evaluate=jax.jit(lambda data, carry: evaluate("whole", data, carry.state)),
    )


def _looped(parts: _Parts) -> Segment:
    iterations, train = parts.assembly.iterations, parts.assembly.train
    gathered_update = jax.jit(parts.gathered_update, donate_argnums=1)
    streamed_update = jax.jit(parts.streamed_update, donate_argnums=0)
    plans = jax.jit(parts.plans)
    end_epoch = jax.jit(parts.end_epoch, donate_argnums=0)
    end_iteration = jax.jit(parts.end_iteration, donate_argnums=1)
    restart = jax.jit(parts.restart_iteration, donate_argnums=1)
    zeros = {part: jax.jit(lambda d, s, part=part: parts.zeros(part, d, s)) for part in ("valid", "whole")}
    evaluate_batch = {
        part: jax.jit(lambda d, s, t, i, part=part: parts.evaluate_batch(part, d, s, t, i)) for part in zeros
    }

    def evaluate(part, data, state):
        totals = zeros[part](data, state)
        for i in range(getattr(parts.assembly, part).batches):
            totals = evaluate_batch[part](data, state, totals, jnp.int32(i))
        return totals

    def run_updates(data, carry, count):
        if train.stream is None:
            for _ in range(count):
                carry = gathered_update(data, carry)
            return carry
        # All plans before the first update, which is given the state to write into.
        start = int(carry.position)
        planned = jax.device_get([plans(carry.state, jnp.int32(start + i)) for i in range(count)])
        for batch in train.stream(iter(planned)):
            carry = streamed_update(carry, batch)
        return carry

    def close_epoch(data, carry):
        carry = end_epoch(carry, evaluate("valid", data, carry.state))
        if bool(jnp.any(active_members(carry))):
            return carry
        carry = end_iteration(data, carry, evaluate("whole", data, carry.state))
        return carry if finished(carry, iterations) else restart(data, carry)

    def advance(data, carry, updates):
        left = int(updates)
        while left > 0 and not finished(carry, iterations):
            length = int(parts.epoch_length(carry))
            count = min(left, max(length - int(carry.position), 0))
            carry, left = run_updates(data, carry, count), left - count
            if int(carry.position) >= length or not bool(jnp.any(active_members(carry))):
                carry = close_epoch(data, carry)
        return carry

    return Segment(
        start=jax.jit(parts.start),
        advance=advance,
        evaluate=lambda data, carry: evaluate("whole", data, carry.state),
    )
