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
import jax.numpy as jnp

from sejax.core.experiment import Assembly, PyTree
from sejax.engine.parts import Carry, Parts, active_members, finished
from sejax.errors import InputError

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
    sources = (assembly.train, assembly.valid, assembly.whole)
    if backend == "scan" and any(source.stream is not None for source in sources):
        raise InputError("engine: a streamed source needs backend='loop'; a scanned segment cannot wait for the host")
    parts = Parts(assembly, how, constrain)
    return (_scanned if backend == "scan" else _looped)(parts)


def _scanned(parts: Parts) -> Segment:
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


def _looped(parts: Parts) -> Segment:
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
    evaluation_plans = {part: jax.jit(parts.evaluation_plans[part]) for part in zeros}
    evaluate_given = jax.jit(parts.evaluate_given, donate_argnums=1)

    def evaluate(part, data, state):
        totals, source = zeros[part](data, state), getattr(parts.assembly, part)
        if source.stream is None:
            for i in range(source.batches):
                totals = evaluate_batch[part](data, state, totals, jnp.int32(i))
            return totals
        planned = jax.device_get([evaluation_plans[part](state, jnp.int32(i)) for i in range(source.batches)])
        for batch in source.stream(iter(planned)):
            totals = evaluate_given(state, totals, batch)
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
