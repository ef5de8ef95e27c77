"""CycleGANs against a PyTorch reference with the same weights: losses, gradients (Adam's moments) and parameters."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.rng import dropout, root_key, stream
from sejax.experiments.cyclegan.algorithm import Method, Pretraining, Settings
from sejax.experiments.cyclegan.networks import DOMAINS, dropout_seeds, make_networks
from sejax.experiments.cyclegan.stage import Schedule

REASON = "the updates are compared with PyTorch's; pip install torch"
torch = pytest.importorskip("torch", reason=REASON)
torch_cyclegan = pytest.importorskip("torch_cyclegan", reason=REASON, exc_type=ImportError)

pytestmark = pytest.mark.usefixtures("quickly_compiled")
CLASSES = ("angry", "happy", "neutral", "sad")
TINY = {"features": 12, "generator": (8, 4, 8), "discriminator": (8, 6), "classifier": (5, 4)}
PARTS = ("generators", "discriminators", "classifier")


class Case(NamedTuple):
    """The two sides of one comparison: our step and state, the reference that starts from its weights, the data."""

    method: "torch_cyclegan.Method"
    step: object
    state: object
    twin: "torch_cyclegan.Twin"
    batches: list  # of {"source", "target"} [B, E, F]
    update: object  # of the reference


def make_case(stage, *, batch=8, rounds=1, dtype=np.float64, **changes) -> Case:
    """A member whose epoch is one update, and whose rate falls after every second one."""
    method = torch_cyclegan.Method(**{"dropout": 0.0, "classifier_dropout": 0.0, "rounds_to_decay": 2} | changes)
    networks = make_networks(
        method.features,
        method.emotions,
        dropout=method.dropout,
        classifier_dropout=method.classifier_dropout,
        generator_hidden=method.generator,
        discriminator_hidden=method.discriminator,
        classifier_hidden=method.classifier,
    )
    schedule = Schedule(epochs=10, row_epochs=10, decay=method.decay, decay_epochs=method.rounds_to_decay)
    if stage == "pretraining":
        experiment = Pretraining(networks, schedule, CLASSES, batch_size=batch)
    else:
        settings = Settings(CLASSES, schedule, batch_size=batch, generator_updates=method.generator_updates)
        experiment = Method(networks, settings)
    random = np.random.default_rng(0)
    shape = (batch, method.emotions, method.features)
    sides = [{name: random.uniform(size=shape) for name in DOMAINS} for _ in range(rounds)]
    member = {
        "rows": np.zeros((4, batch), np.int32),
        "count": np.full(4, batch, np.int32),
        "shift": random.uniform(-0.2, 0.2, method.features),
        "scale": random.uniform(0.5, 1.0, method.features),
        "learning_rate": np.array(method.rate),
        "draw": np.int32(3),
        "lambda_cycle": np.array(method.lambda_cycle),
        "lambda_cls": np.array(method.lambda_cls),
        "discriminator_speed": np.array(1.0),
        "reference": {},
    }
    as_type = partial(jax.tree.map, lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x)
    state = jax.jit(experiment.init)(root_key(3), as_type(member), {"source": np.zeros((1, method.features), dtype)})
    state = as_type(with_biases(state))
    twin = twin_of(method, state)
    update = twin.pretraining_update if stage == "pretraining" else twin.round
    return Case(method, jax.jit(experiment.step), state, twin, as_type(sides), update)


def with_biases(state):
    """Biases that are not 0, so that their place in the networks is seen."""

    def moved(path, leaf):
        random = np.random.default_rng(leaf.size)
        return leaf + 0.1 * random.standard_normal(leaf.shape) if path[-1].key == "bias" else leaf

    names = [name for name in ("generators", "discriminators", "classifier") if hasattr(state, name)]
    return state.replace(**{name: jax.tree_util.tree_map_with_path(moved, getattr(state, name)) for name in names})


def tensors(tree) -> list[np.ndarray]:
    """A network's kernels, turned as torch has them, and biases, in the order of its layers."""
    layers = [*sorted(name for name in tree if name != "output"), "output"]
    return [x for name in layers for x in (np.swapaxes(tree[name]["kernel"], -1, -2), np.asarray(tree[name]["bias"]))]


def pairs_of(trees, gans, part):
    """(ours, torch's parameter) of generators or discriminators stacked [E, ...]."""
    return [
        (mine[emotion], theirs)
        for emotion, gan in enumerate(gans)
        for name in DOMAINS
        for mine, theirs in zip(tensors(trees[name]), getattr(gan, part)[name].parameters(), strict=True)
    ]


def trained_pairs(twin, trees):
    """(ours, torch's parameter) of everything that `trees` has: "generators", "discriminators", "classifier"."""
    found = []
    for part in [name for name in ("generators", "discriminators") if name in trees]:
        found += pairs_of(trees[part], twin.gans, part)
    if "classifier" in trees:
        found += zip(tensors(trees["classifier"]), twin.classifier.parameters(), strict=True)
    return found


def trees_of(state) -> dict[str, dict]:
    """What is trained by name, and Adam's moments of it as torch calls them."""
    weights = {name: getattr(state, name) for name in PARTS if hasattr(state, name)}
    if "discriminators" not in weights:
        moments = {name: {"generators": getattr(state.optimizer, name)} for name in ("mu", "nu")}
    else:
        judges = state.discriminator_optimizer
        moments = {n: getattr(state.optimizer, n) | {"discriminators": getattr(judges, n)} for n in ("mu", "nu")}
    return {"weights": weights, "exp_avg": moments["mu"], "exp_avg_sq": moments["nu"]}


def twin_of(method, state):
    """The reference with our weights."""
    twin = torch_cyclegan.Twin(method)
    for mine, theirs in trained_pairs(twin, trees_of(state)["weights"]):
        theirs.data = torch.from_numpy(np.array(mine))
    return twin.start()


def scaled_sides(state, batch):
    """Source and target [E, B, F] of a batch, in min-max space."""
    shift, scale = np.asarray(state.scaling.shift), np.asarray(state.scaling.scale)
    return [torch.from_numpy(((batch[name] - shift) * scale).swapaxes(0, 1).copy()) for name in ("source", "target")]


def assert_same_training(case, state, *, tolerance):
    """Parameters, and Adam's moments (sums of gradients and of their squares), as shares of each array's largest."""
    moments = case.twin.optimizer.state | case.twin.judges_optimizer.state
    begin = trained_pairs(case.twin, trees_of(case.state)["weights"])
    for name, trees in trees_of(state).items():
        pairs = trained_pairs(case.twin, trees)
        for (mine, theirs), (first, _) in zip(pairs, begin, strict=True):
            expected = (theirs if name == "weights" else moments[theirs][name]).detach().numpy()
            largest = np.abs(expected - first).max() if name == "weights" else np.abs(expected).max()
            assert largest > 0 or case.method.lambda_cls == 0.0  # everything learns, if only the classifier may
            assert mine.shape == expected.shape
            assert np.abs(np.asarray(mine) - expected).max() <= tolerance * largest


def train(case, *, masks=None, tolerance=None):
    """Runs every batch on both sides; losses are compared, and with a tolerance parameters and moments after each."""
    state = case.state
    for batch in case.batches:
        own = {} if masks is None else {"masks": partial(masks, case, state)}
        theirs = case.update(*scaled_sides(state, batch), **own)
        state, metrics = case.step(state, batch)
        for name, values in theirs.items():
            ours = [metrics[f"{name}/{emotion}"].compute() for emotion in CLASSES]
            np.testing.assert_allclose(ours, values.numpy(), rtol=1e-5)
        if tolerance is not None:
            assert_same_training(case, state, tolerance=tolerance)


@pytest.mark.parametrize("lambda_cls", [pytest.param(0.0, marks=pytest.mark.slow), 2.0])
def test_rounds_are_those_of_torch(lambda_cls):
    with jax.enable_x64(True):
        case = make_case("gan", rounds=5, lambda_cls=lambda_cls, **TINY)
        train(case, tolerance=1e-5)
    fallen = [scheduler.get_last_lr()[0] for scheduler in case.twin.schedulers]
    np.testing.assert_allclose(fallen, 2e-4 * 0.8**2)  # the reference's rates fell twice on the way


@pytest.mark.parametrize("stage", ["pretraining", pytest.param("gan", marks=pytest.mark.slow)])
def test_dropout_stands_where_torch_has_it(stage):
    with jax.enable_x64(True):
        case = make_case(stage, rounds=3, dropout=0.2, classifier_dropout=0.5, **TINY)
        train(case, masks=masks_of, tolerance=1e-5)


draw = jax.jit(dropout, static_argnames="rate")
draw_seeds = jax.jit(dropout_seeds, static_argnums=(1, 2))


def masks_of(case, state, stage, emotion, number):
    """The masks of our update from `state`, for the reference; emotion None: the classifier's, of all emotions."""
    method, batch = case.method, case.batches[0]["source"].shape[0]
    name, *turn = stage.split()
    key, emotions, passes = stream(state.key, name, state.step), len(CLASSES), 4
    if turn:  # of several updates of the generators; the last row is the classifier's
        key, emotions, passes = jax.random.fold_in(key, int(turn[0])), emotions + 1, 6
    seeds = np.array(draw_seeds(key, emotions, passes))[-1 if emotion is None else emotion, number]
    if emotion is None:
        hidden, batch, rate = method.classifier, batch * len(CLASSES), method.classifier_dropout
    else:
        rate = method.dropout
        hidden = method.discriminator if name == "discriminators" or number > 3 else method.generator
    found = [np.array(draw(seed, jnp.ones((batch, n)), rate=rate)) for seed, n in zip(seeds, hidden, strict=False)]
    assert all(set(np.unique(mask)) == {0.0, 1.0 / (1.0 - rate)} for mask in found)
    return [torch.from_numpy(mask) for mask in found]


@pytest.mark.slow
def test_losses_are_those_of_torch_at_the_paper_s_sizes():
    train(make_case("gan", batch=4, dtype=np.float32))
