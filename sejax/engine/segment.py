"""A segment: many updates in one call, with epochs and iterations ended where they fall.

Two backends share one signature and one set of pure functions. ``scan`` compiles everything, epoch
ends and iteration ends included, into a single program with the carry donated: ``advance`` with a
large budget is the whole protocol as one call. ``loop`` drives the same functions, each jitted
alone, from the host: for convolutions on a CPU (whose gradients are slow inside XLA loops) and for
data streamed by tf.data or grain, whose batches may come in several shapes. Results do not depend on
how the updates are cut into segments; the two backends differ in the last bits, so a run records
which it used.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
from flax import struct

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import Assembly, PyTree, State, freeze
from sejax.engine.ensemble import ensemble, over_members
from sejax.engine.hosts import whole
from sejax.engine.share import Share
from sejax.errors import InputError


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
        self.assembly, experiment = assembly, assembly.experiment
        self.sources = {"train": assembly.train, "valid": assembly.valid, "whole": assembly.whole}

        def step(state, batch, *live):
            return experiment.step(state, constrain(batch), *live)

        def gathered(function, source, *own):
            """``function(state, batch, *rest)`` of members, by gathered batches: (data, state, position, *rest)."""

            def gathered_function(data, state, position, *rest):
                return function(state, source.batch_at(data, state, position), *rest)

            return over_members(gathered_function, how=how, member_args=(False, True, False, *own))

        self.members = ensemble(experiment._replace(step=step), how=how)
        self.evaluate_shared = over_members(experiment.evaluate, how=how, member_args=(True, False))
        self.takes_live = experiment.takes_live
        self.gathered_step = gathered(step, assembly.train, *([True] if self.takes_live else []))
        self.evaluations = {part: gathered(experiment.evaluate, self.sources[part]) for part in ("valid", "whole")}
        self.plans = {
            part: over_members(source.plan_at, how=how, member_args=(True, False))
            for part, source in self.sources.items()
        }

    def epoch_length(self, carry: Carry) -> jax.Array:
        """Updates of the current epoch: those of the active member that has most."""
        return jnp.max(jnp.where(active_members(carry), carry.state.epoch_steps, 0))

    def live(self, carry: Carry) -> jax.Array:
        """bool[M]: members whose epoch has an update left."""
        return active_members(carry) & (carry.position < carry.state.epoch_steps)

    def asked(self, carry: Carry) -> tuple[jax.Array, ...]:
        """What a step is told beside state and batch: which members are live, where it wants to know."""
        return (self.live(carry),) if self.takes_live else ()

    def update(self, carry: Carry, new: State, metrics: dict[str, Any]) -> Carry:
        """Takes over one update where the member is live and its metrics are finite."""
        live = self.live(carry)
        accept = live & _finite(metrics, live)
        masked = jax.tree.map(lambda x: jnp.where(accept.reshape(accept.shape + (1,) * (x.ndim - 1)), x, 0), metrics)
        return carry.replace(
            state=new if self.takes_live else freeze(accept, new, carry.state),
            totals=metrics_lib.merge(carry.totals, masked),
            position=carry.position + 1,
            failed_at=jnp.where(live & ~accept, carry.state.step, carry.failed_at),
        )

    def gathered_update(self, data: PyTree, carry: Carry) -> Carry:
        """One update of every member, its batch gathered on the device."""
        return self.update(carry, *self.gathered_step(data, carry.state, carry.position, *self.asked(carry)))

    def streamed_update(self, carry: Carry, batch: PyTree) -> Carry:
        """One update of every member with a batch from the host."""
        return self.update(carry, *self.members.step(carry.state, batch, *self.asked(carry)))

    def zeros(self, part: str, data: PyTree, state: State) -> dict[str, Any]:
        """The metrics of nothing evaluated; their shapes come from tracing."""
        return metrics_lib.empty(jax.eval_shape(self.evaluations[part], data, state, jnp.int32(0)))

    def evaluate_batch(self, part: str, data: PyTree, state: State, totals: dict[str, Any], i: jax.Array):
        """``totals`` with batch ``i`` of a part, gathered on the device."""
        return metrics_lib.merge(totals, self.evaluations[part](data, state, i))

    def evaluate_given(self, part: str, state: State, totals: dict[str, Any], batch: PyTree):
        """``totals`` with a batch of a part from the host."""
        evaluate = self.evaluate_shared if self.sources[part].shared else self.members.evaluate
        return metrics_lib.merge(totals, evaluate(state, batch))

    def end_epoch(self, carry: Carry, valid: dict[str, Any]) -> Carry:
        """Writes the epoch into the history and refreshes the states."""
        active = active_members(carry)
        # Where nothing validates these are zeros that XLA would fold, for half a minute where they are many.
        healthy = active & _finite(valid, active) if self.sources["valid"].batches else active
        metrics = {"train": carry.totals, "valid": valid}
        state, rows = self.members.refresh(carry.state, metrics), scalars(metrics)
        history = {
            name: values.at[:, carry.iteration, carry.epoch].set(jnp.where(active, rows[name], jnp.nan))
            for name, values in carry.history.items()
        }
        state = state.replace(stopped=state.stopped | (carry.epoch + 1 >= self.assembly.epochs))
        return carry.replace(
            state=freeze(healthy, state, carry.state),
            totals=metrics_lib.empty(carry.totals),
            position=jnp.int32(0),
            epoch=carry.epoch + 1,
            history=history,
            failed_at=jnp.where(active & ~healthy, carry.state.step, carry.failed_at),
        )

    def end_iteration(self, data: PyTree, carry: Carry, whole: dict[str, Any]) -> Carry:
        """Concludes an iteration and keeps its record."""
        failed = (carry.failed_at < 0) & ~_finite(whole, carry.failed_at < 0)
        healthy = (carry.failed_at < 0) & ~failed
        state, record = self.members.conclude(carry.state, whole, data)
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
        return carry.replace(state=freeze(healthy, self.members.restart(carry.state, data), carry.state))

    def start(self, keys: jax.Array, members: PyTree, data: PyTree) -> Carry:
        """The first carry; shapes of metrics and records come from tracing, nothing is computed twice."""
        state = self.members.init(keys, members, data)
        count, rounds, epochs = keys.shape[0], self.assembly.iterations, self.assembly.epochs
        live = (jnp.ones((count,), bool),) if self.takes_live else ()
        _, train = jax.eval_shape(self.gathered_step, data, state, jnp.int32(0), *live)
        totals = metrics_lib.empty(train)
        valid = {"valid": self.zeros("valid", data, state)} if self.assembly.valid.batches else {}
        names = scalars({"train": totals} | valid)
        _, record = jax.eval_shape(self.members.conclude, state, self.zeros("whole", data, state), data)
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
    figures = {
        f"{part}/{name}": value for part, totals in parts.items() for name, value in metrics_lib.compute(totals).items()
    }
    return {name: value.astype(jnp.float32) for name, value in figures.items() if value.ndim == 1}


def _finite(metrics: dict[str, Any], live: jax.Array) -> jax.Array:
    leaves = [x for x in jax.tree.leaves(metrics) if jnp.issubdtype(x.dtype, jnp.floating)]
    wrong = [jnp.any(~jnp.isfinite(x), axis=tuple(range(1, x.ndim))) for x in leaves]
    wrong = jnp.stack([*wrong, jnp.zeros_like(live)]).astype(jnp.float32)
    # Counted by a product, which XLA does once. It repeats an "or" of many small checks in every operation that asks.
    return jnp.ones(len(wrong)) @ wrong == 0


BACKENDS = ("scan", "loop")


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


def make_segment(
    assembly: Assembly,
    *,
    backend: str,
    how: str = "vmap",
    constrain: Callable[[PyTree], PyTree] = lambda batch: batch,
    share: Share | None = None,
) -> Segment:
    """Compiles an assembly into start, advance and evaluate.

    Args:
      assembly: the experiment with its sources and data.
      backend: ``"scan"`` or ``"loop"``.
      how: ``"vmap"`` or ``"map"``, see `sejax.engine.ensemble`.
      constrain: applied to every training batch, where `sejax.engine.ensemble` says how a batch is
        spread over devices.
      share: what of streamed batches this process reads; None: there is one process.

    Raises:
      InputError: unknown backend, or a streamed source with the scan backend.
    """
    if backend not in BACKENDS:
        raise InputError(f"engine: backend={backend!r} is unknown; choose one of {', '.join(BACKENDS)}")
    sources = (assembly.train, assembly.valid, assembly.whole)
    if backend == "scan" and any(source.stream is not None for source in sources):
        raise InputError("engine: a streamed source needs backend='loop'; a scanned segment cannot wait for the host")
    parts = Parts(assembly, how, constrain)
    return _scanned(parts) if backend == "scan" else _looped(parts, share)


def _scanned(parts: Parts) -> Segment:
    iterations = parts.assembly.iterations

    def evaluate(part, data, state):
        def add(i, totals):
            return parts.evaluate_batch(part, data, state, totals, i)

        return jax.lax.fori_loop(0, parts.sources[part].batches, add, parts.zeros(part, data, state))

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

    def updated(data, carry, count):
        """The carry after ``count`` updates, i32[]."""
        # A lone member's state goes round without its axis. With it XLA on a CPU works moments out twice and copies
        # them, since an axis is taken off and put on again between what was computed and what the loop keeps.
        lone = len(carry.failed_at) == 1
        inside, outside = (without_axis, with_axis) if lone else (lambda carry: carry, lambda carry: carry)

        def update(_, carry):
            return inside(parts.gathered_update(data, outside(carry)))

        return outside(jax.lax.fori_loop(0, count, update, inside(carry)))

    def without_axis(carry):
        return carry.replace(state=jax.tree.map(lambda x: x[0], carry.state))

    def with_axis(carry):
        return carry.replace(state=jax.tree.map(lambda x: x[None], carry.state))

    def advance(data, carry, updates):
        def cut(loop):
            carry, left = loop
            length = parts.epoch_length(carry)
            count = jnp.clip(length - carry.position, 0, left)
            carry = updated(data, carry, count)
            over = (carry.position >= length) | ~jnp.any(active_members(carry))
            return jax.lax.cond(over, lambda c: close_epoch(data, c), lambda c: c, carry), left - count

        def unfinished(loop):
            carry, left = loop
            return (left > 0) & ~finished(carry, iterations)

        return jax.lax.while_loop(unfinished, cut, (carry, updates))[0]

    compiled = jax.jit(advance, donate_argnums=1)
    return Segment(
        start=jax.jit(parts.start),
        advance=lambda data, carry, updates: compiled(data, carry, np.int32(updates)),
        evaluate=jax.jit(lambda data, carry: evaluate("whole", data, carry.state)),
    )


def _looped(parts: Parts, share: Share | None) -> Segment:
    iterations = parts.assembly.iterations
    gathered_update = jax.jit(parts.gathered_update, donate_argnums=1)
    streamed_update = jax.jit(parts.streamed_update, donate_argnums=0)
    plans = {part: jax.jit(function) for part, function in parts.plans.items()}
    end_epoch = jax.jit(parts.end_epoch, donate_argnums=0)
    end_iteration = jax.jit(parts.end_iteration, donate_argnums=1)
    restart = jax.jit(parts.restart_iteration, donate_argnums=1)
    zeros = jax.jit(parts.zeros, static_argnums=0)
    evaluate_batch = jax.jit(parts.evaluate_batch, static_argnums=0)
    evaluate_given = jax.jit(parts.evaluate_given, static_argnums=0, donate_argnums=2)

    def streamed(part, state, positions):
        source, planned = parts.sources[part], whole([plans[part](state, np.int32(i)) for i in positions])
        if source.shared:
            planned = jax.tree.map(lambda x: x[0], planned)
        if share is None:
            return source.stream(iter(planned))
        return (share.read_whole if source.shared else share.read)(source.stream, planned)

    def evaluate(part, data, state):
        totals, source = zeros(part, data, state), parts.sources[part]
        if source.stream is None:
            for i in range(source.batches):
                totals = evaluate_batch(part, data, state, totals, np.int32(i))
            return totals
        for batch in streamed(part, state, range(source.batches)):
            # The host would run ahead of the device otherwise, with a batch in memory for every step.
            totals = jax.block_until_ready(evaluate_given(part, state, totals, batch))
        return totals

    def run_updates(data, carry, count):
        if parts.assembly.train.stream is None:
            for _ in range(count):
                carry = gathered_update(data, carry)
            return carry
        # All plans before the first update, which is given the state to write into.
        start = int(carry.position)
        for batch in streamed("train", carry.state, range(start, start + count)):
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


SMALL = 1 << 16  # bytes; arrays below that are kept whoever reads them


def unread_by_evaluation(assembly: Assembly, carry: Carry) -> frozenset[str]:
    """Paths of the large arrays of a carry's state that no figure depends on: moments, what trained beside, and so on.

    Found by tracing an evaluation and a conclusion backwards, without computing anything. What a finished run is asked
    for (evaluation, prediction, synthesis) needs none of them.
    """
    parts = Parts(assembly, "vmap", lambda batch: batch)

    def record(data, state):
        nothing = parts.zeros("whole", data, state)
        return parts.members.conclude(state, parts.evaluate_batch("whole", data, state, nothing, jnp.int32(0)), data)[1]

    data, shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (assembly.data, carry.state))
    paths = [
        (f"state/{jax.tree_util.keystr(path, simple=True, separator='/')}", leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(shapes)[0]
    ]
    traced = jax.make_jaxpr(record)(data, shapes).jaxpr
    read = _read(traced, [True] * len(traced.outvars))[-len(paths) :]
    large = [leaf.dtype.itemsize * leaf.size >= SMALL for _, leaf in paths]
    return frozenset(path for (path, _), own, big in zip(paths, read, large, strict=True) if big and not own)


def _read(jaxpr, wanted: list[bool]) -> list[bool]:
    """Which inputs of a jaxpr its wanted outputs depend on; what loops and other calls take is taken to be read."""
    literal = jax.extend.core.Literal
    live = {var for var, want in zip(jaxpr.outvars, wanted, strict=True) if want and not isinstance(var, literal)}
    for equation in reversed(jaxpr.eqns):
        outputs = [var in live for var in equation.outvars]
        if not any(outputs):
            continue
        inner = equation.params.get("jaxpr") if equation.primitive.name in ("jit", "pjit") else None
        used = _read(inner.jaxpr, outputs) if inner is not None else [True] * len(equation.invars)
        live |= {var for var, own in zip(equation.invars, used, strict=True) if own and not isinstance(var, literal)}
    return [var in live for var in jaxpr.invars]
