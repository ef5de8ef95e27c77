"""The two objectives of the generators' first stage."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.rng import root_key
from sejax.errors import InputError
from sejax.experiments.cyclegan.algorithm import OBJECTIVES, Pretraining
from sejax.experiments.cyclegan.networks import make_networks
from sejax.experiments.cyclegan.stage import Schedule

CLASSES, FEATURES, BATCH = ("angry", "happy"), 6, 8
NETWORKS = make_networks(FEATURES, 2, dropout=0.0, generator_hidden=(8,))


def started(objective):
    """The experiment's step, its first state, and a batch [B, E, F]."""
    experiment = Pretraining(NETWORKS, Schedule(10, 10), CLASSES, batch_size=BATCH, objective=objective)
    random = np.random.default_rng(0)
    member = {
        "rows": np.zeros((2, BATCH), np.int32),
        "count": np.full(2, BATCH, np.int32),
        "shift": np.full(FEATURES, 0.1, np.float32),
        "scale": np.full(FEATURES, 0.9, np.float32),
        "draw": np.int32(0),
        "learning_rate": np.float32(0.01),
    }
    state = experiment.init(root_key(0), member, {"source": jnp.zeros((1, FEATURES))})
    batch = {name: random.uniform(size=(BATCH, 2, FEATURES)).astype(np.float32) for name in ("source", "target")}
    return jax.jit(experiment.step), state, batch


def applied(state, domain, emotion, x):
    """What one generator makes of vectors, layer by layer."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64)[emotion], state.generators[domain])
    hidden = x @ params["hidden_0"]["kernel"] + params["hidden_0"]["bias"]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    return 1 / (1 + np.exp(-(hidden @ params["output"]["kernel"] + params["output"]["bias"])))


def by_hand(objective, state, source, target, emotion):
    """The loss of one pair of generators, in float64."""
    made = {domain: lambda x, domain=domain: applied(state, domain, emotion, x) for domain in ("target", "source")}
    if objective == "cycle":
        pairs = [(made["source"](made["target"](source)), source), (made["target"](made["source"](target)), target)]
    else:
        both = np.concatenate([source, target])
        pairs = [(made["target"](both), both), (made["source"](both), both)]
    return sum(np.square(found - wanted).mean() for found, wanted in pairs)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_is_the_objectives_and_falls(objective):
    step, state, batch = started(objective)
    _, metrics = step(state, batch)
    source, target = ((batch[name].astype(np.float64) - 0.1) * 0.9 for name in ("source", "target"))
    for emotion, name in enumerate(CLASSES):
        expected = by_hand(objective, state, source[:, emotion], target[:, emotion], emotion)
        np.testing.assert_allclose(metrics[f"{objective}/{name}"].compute(), expected, rtol=1e-5)
    first = float(metrics["loss"].compute())
    for _ in range(200):
        state, metrics = step(state, batch)
    assert float(metrics["loss"].compute()) < 0.5 * first


def test_an_unknown_objective_is_refused():
    with pytest.raises(InputError, match="pretraining.objective='copy'; choose one of cycle, identity"):
        Pretraining(NETWORKS, Schedule(1, 1), CLASSES, objective="copy")
