"""The smallest experiment that uses every part of the contract: least squares on eight points."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from sejax.core.experiment import Assembly, Experiment, Plan, Source, State
from sejax.core.metrics import Mean
from sejax.core.rng import member_key, root_key, stream
from sejax.engine.segment import Carry, Segment

WAYS = [("scan", "vmap"), ("scan", "map"), ("loop", "vmap"), ("loop", "map")]
POINTS, BATCH, EPOCHS, ITERATIONS = 8, 2, 3, 2


@struct.dataclass
class ToyState(State):
    slope: jax.Array
    rate: jax.Array
    epochs: jax.Array
    order: jax.Array
    limit: jax.Array


def _next_epoch(state):
    order = jax.random.permutation(stream(state.key, "order", state.step), POINTS)
    return state.replace(order=order.astype(jnp.int32))


def _init(key, member, data):
    del data
    return _next_epoch(
        ToyState(
            key=key,
            step=jnp.zeros((), jnp.int32),
            epoch_steps=jnp.full((), POINTS // BATCH, jnp.int32),
            stopped=jnp.zeros((), bool),
            slope=jax.random.normal(stream(key, "init", 0)),
            rate=member["rate"],
            epochs=jnp.zeros((), jnp.int32),
            order=jnp.zeros((POINTS,), jnp.int32),
            limit=member["limit"],
        )
    )


def _step(state, batch):
    noise = 0.01 * jax.random.normal(stream(state.key, "noise", state.step), batch["x"].shape)

    def objective(slope):
        return jnp.mean(jnp.square(slope * (batch["x"] + noise) - batch["y"]))

    loss, gradient = jax.value_and_grad(objective)(state.slope)
    state = state.replace(slope=state.slope - state.rate * gradient, step=state.step + 1)
    return state, {"loss": Mean.from_values(loss)}


def _evaluate(state, batch):
    return {"loss": Mean.from_values(jnp.square(state.slope * batch["x"] - batch["y"]), batch["valid"])}


def _refresh(state, metrics):
    del metrics
    state = _next_epoch(state.replace(epochs=state.epochs + 1))
    return state.replace(stopped=state.epochs >= state.limit)


def _conclude(state, metrics, data):
    del data
    return state, {"loss": metrics["loss"].compute(), "slope": state.slope}


def _restart(state, data):
    del data
    return state.replace(slope=jnp.zeros(()), epochs=jnp.zeros((), jnp.int32), stopped=jnp.zeros((), bool))


def _gather(data, plan):
    return {"x": data["x"][plan.index], "y": data["y"][plan.index], "valid": plan.valid}


def _train_plan(state, position):
    return Plan(jax.lax.dynamic_slice_in_dim(state.order, position * BATCH, BATCH), jnp.ones(BATCH, bool))


def _whole_plan(state, position):
    del state
    return Plan(position * 4 + jnp.arange(4), jnp.ones(4, bool))


def toy_assembly(rates=(0.05, 0.1, 0.2), limits=(EPOCHS, 2, EPOCHS), *, stream_batches=None):
    """Members differ in rate and in the epoch at which they stop."""
    x = np.linspace(-1, 1, POINTS, dtype=np.float32)
    whole = Source(_whole_plan, _gather, batches=POINTS // 4)
    return Assembly(
        experiment=Experiment(_init, _step, _evaluate, _conclude, _refresh, _restart),
        train=Source(_train_plan, _gather, stream=stream_batches),
        valid=whole,
        whole=whole,
        data={"x": jnp.asarray(x), "y": jnp.asarray(3 * x)},
        members={"rate": jnp.asarray(rates, jnp.float32), "limit": jnp.asarray(limits, jnp.int32)},
        names=tuple({"fold": i, "seed": 0} for i in range(len(rates))),
        iterations=ITERATIONS,
        epochs=EPOCHS,
        batch_size=BATCH,
        summarise=lambda history, records: {"metrics": {"test/loss": float(records[-1]["loss"])}, "history": history},
        about={},
    )


def start(segment: Segment, assembly: Assembly) -> Carry:
    """The first carry, with the keys that the driver gives at seed 0."""
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(len(assembly.names)))
    return segment.start(keys, assembly.members, assembly.data)


def train(segment: Segment, assembly: Assembly, cuts=(10**6,)) -> Carry:
    """The carry after as many segments as ``cuts`` has entries."""
    carry = start(segment, assembly)
    for updates in cuts:
        carry = segment.advance(assembly.data, carry, updates)
    return carry


def member_alone(assembly: Assembly, row: int) -> tuple[dict[str, np.ndarray], list[dict], ToyState]:
    """What the engine must come to, as the plainest loop over one member: history, records, last state."""
    experiment, data = assembly.experiment, assembly.data
    step, refresh = jax.jit(experiment.step), jax.jit(experiment.refresh)
    member = jax.tree.map(lambda x: x[row], assembly.members)
    state = experiment.init(member_key(root_key(0), row), member, data)
    history = {name: np.full((ITERATIONS, EPOCHS), np.nan) for name in ("train/loss", "valid/loss")}
    records = []
    for iteration in range(ITERATIONS):
        for epoch in range(EPOCHS):
            losses = []
            for position in range(int(state.epoch_steps)):
                state, metrics = step(state, assembly.train.batch_at(data, state, jnp.int32(position)))
                losses.append(float(metrics["loss"].compute()))
            errors = np.square(float(state.slope) * np.asarray(data["x"]) - np.asarray(data["y"]))
            history["train/loss"][iteration, epoch] = np.mean(losses)
            history["valid/loss"][iteration, epoch] = errors.mean()
            state = refresh(state, {})
            if bool(state.stopped):
                break
        records.append({"loss": errors.mean(), "slope": float(state.slope)})
        if iteration + 1 < ITERATIONS:
            state = experiment.restart(state, data)
    return history, records, state
