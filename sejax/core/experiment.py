"""The contract between an experiment and the engine: pure functions over a pytree of arrays.

An experiment is to training what an optax transformation is to an update: a NamedTuple of pure
functions whose state is a pytree of fixed shapes. The engine scans, maps over members, places on
devices, evaluates, saves and resumes; an experiment knows of none of that.

The way of a run::

    init -> [ step ... step -> evaluate(valid) -> refresh ] x epochs -> evaluate(whole) -> conclude
                 ^                                                                        |
                 +----------------------------- restart <----- next iteration ------------+
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

PyTree = Any
Batch = PyTree
Metrics = dict[str, Any]  # of mergeable sums, see sejax.core.metrics


@struct.dataclass
class State:
    """What every experiment's state holds; experiments extend it by inheritance.

    Attributes:
      key: the member's root PRNG key (typed). It is never split and never replaced: every use is a
        ``fold_in`` of a named stream and a step, so nothing random needs saving beside it.
      step: i32[], updates done since the start, over all iterations.
      epoch_steps: i32[], updates in the current epoch.
      stopped: bool[], the current iteration is over for this member (early stopping, last epoch).
    """

    key: jax.Array
    step: jax.Array
    epoch_steps: jax.Array
    stopped: jax.Array


Init = Callable[[jax.Array, PyTree, PyTree], State]
"""``init(key, member, data) -> State``: the first state of one member.

``member`` holds what tells members apart (a fold's masks, a seed, rates) as arrays, so that
members can be stacked; ``data`` is the resident data that all members share.
"""

Step = Callable[..., tuple[State, Metrics]]
"""``step(state, batch) -> (state, metrics)``: one update. Adds one to ``state.step``.

Of an experiment with `takes_live` it is ``step(state, batch, live)``, live bool[]: a member that is not live gets its
state back to the bit, and the state of one that is must be fit to be kept even where the metrics are not finite.
"""

Evaluate = Callable[[State, Batch], Metrics]
"""``evaluate(state, batch) -> metrics``: one batch of evaluation, nothing random in it."""

Refresh = Callable[[State, Mapping[str, Metrics]], State]
"""``refresh(state, {"train": metrics, "valid": metrics}) -> state`` at an epoch's end.

Learning-rate plateau, early stopping, the next epoch's order. It may set ``stopped``.
"""

Conclude = Callable[[State, Metrics, PyTree], tuple[State, dict[str, jax.Array]]]
"""``conclude(state, metrics, data) -> (state, record)`` at an iteration's end.

``metrics`` come from the evaluation of the whole data. ``record`` is a dict of arrays of fixed
shapes (confusions, counts) which the engine keeps for every iteration. One whose name begins with `HISTOGRAM` is
f32[B], counts in equal bins of [0, 1], and is there to be looked at alone; so is one whose name begins with
`DIAGNOSTIC`, of any shape.
"""

HISTOGRAM = "histogram/"
DIAGNOSTIC = "diagnostic/"

Restart = Callable[[State, PyTree], State]
"""``restart(state, data) -> state``: get ready for the next iteration; clears ``stopped``."""


def unchanged(state: State, metrics: Mapping[str, Metrics]) -> State:
    """The `Refresh` of an experiment to which an epoch's end means nothing: every epoch is alike, none stops early."""
    del metrics
    return state


def begin_again(state: State, data: PyTree) -> State:
    """The `Restart` of an experiment that goes on with the state it has, or has one iteration only."""
    del data
    return state.replace(stopped=jnp.zeros((), bool))


class Experiment(NamedTuple):
    """Pure functions of one member; see the module's docstring for the order of the calls.

    `takes_live`: the step leaves a member alone itself, see `Step`. Where it makes several updates at once, a choice of
    the engine's between all of the new state and the old one would keep both in memory and cost a pass over them.
    """

    init: Init
    step: Step
    evaluate: Evaluate
    conclude: Conclude
    refresh: Refresh = unchanged
    restart: Restart = begin_again
    takes_live: bool = False


class Plan(NamedTuple):
    """Which examples make up a batch.

    Attributes:
      index: i32[B], rows of the data set.
      valid: bool[B], False for rows that only fill up the batch (real examples with no weight).
      whole: for streams alone, where several processes read a batch, each its part: the plan of all of it, by which
        they choose the shape that the parts share. None: this is all of it.
    """

    index: jax.Array
    valid: jax.Array
    whole: "Plan | None" = None


class Source(NamedTuple):
    """Where batches come from: a pure function of (state, position), so that nothing needs saving.

    Attributes:
      plan_at: ``plan_at(state, position) -> Plan``, position i32[] counted from the epoch's start.
        It depends on what ``step`` leaves alone in the state (key, fold, labels, an order drawn by
        ``refresh``): a stream plans many updates ahead.
      gather: ``gather(data, plan) -> batch`` from the resident data, traceable.
      batches: number of batches of an evaluation, 0 where there is none (its metrics are then those of nothing, and
        stand in no history); None for training, where the state's ``epoch_steps`` says it.
      stream: for data that does not live on the device: turns an iterator of host plans (numpy,
        leading member axis) into an iterator of batches equal to ``gather``'s. Their shapes may differ from batch
        to batch (each is compiled once); metrics have the same shapes for all of them. Members and rows are the first
        two axes of every array: of several processes each is given a plan of its own members and rows, and the
        arrays that come out are put together along these axes.
      shared: the plans of an evaluation do not depend on the state, so that members share its batches: a stream's
        plans and batches have no member axis then.
    """

    plan_at: Callable[[State, jax.Array], Plan]
    gather: Callable[[PyTree, Plan], Batch]
    batches: int | None = None
    stream: Callable[[Iterator[Plan]], Iterator[Batch]] | None = None
    shared: bool = False

    def batch_at(self, data: PyTree, state: State, position: jax.Array) -> Batch:
        """The batch at ``position`` of the state's current epoch, gathered on the device."""
        return self.gather(data, self.plan_at(state, position))


class Assembly(NamedTuple):
    """An experiment ready to run: what the ``build`` of a `sejax.experiments.Study` returns.

    Attributes:
      experiment: the pure functions.
      train, valid, whole: sources of updates, of the epoch's evaluation, of the iteration's.
      data: resident arrays shared by all members, passed to every compiled program as an argument.
      members: pytree of arrays with a leading member axis M, ``init``'s second argument.
      names: one dict per member, e.g. ``{"fold": 0, "seed": 1}``, for results and messages.
      iterations, epochs: bounds of the two outer loops (epochs per iteration).
      batch_size: examples per update of one member.
      summarise: ``summarise(history, records) -> dict`` turns one member's arrays into its entry of
        ``results.json``.
      about: what the results file says about data, classes, protocol and published figures.
      examples: makes example inputs for the report, one per class.
      streams: for each member the number of its random stream; None: its place. Members of one number draw the same
        random numbers, as they would in a run of their own.
    """

    experiment: Experiment
    train: Source
    valid: Source
    whole: Source
    data: PyTree
    members: PyTree
    names: tuple[dict[str, int], ...]
    iterations: int
    epochs: int
    batch_size: int
    summarise: Callable[[list[dict[str, float]], list[dict[str, Any]]], dict[str, Any]]
    about: dict[str, Any]
    examples: Callable[[], dict[str, Any]] = dict
    streams: tuple[int, ...] | None = None


def freeze(active: jax.Array, new: PyTree, old: PyTree) -> PyTree:
    """Members that are active take the new leaf, the others keep the old one.

    ``active`` is bool[M] and every leaf has a leading member axis, or bool[] and none has.
    Leaves that did not change (the same object, or PRNG keys) pass through untouched.
    """

    def choose(fresh, kept):
        if fresh is kept or jax.dtypes.issubdtype(kept.dtype, jax.dtypes.prng_key):
            return kept
        return jnp.where(active.reshape(active.shape + (1,) * (kept.ndim - active.ndim)), fresh, kept)

    return jax.tree.map(choose, new, old)
