"""The DCGAN's updates against a PyTorch reference with the same weights: losses, parameters, moments, statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.core.rng import root_key
from sejax.experiments.dcgan.algorithm import Method, Settings
from sejax.experiments.dcgan.networks import MODELS, make_networks

REASON = "the updates are compared with PyTorch's; pip install torch"
torch = pytest.importorskip("torch", reason=REASON)
torch_dcgan = pytest.importorskip("torch_dcgan", reason=REASON, exc_type=ImportError)

BATCH, WIDTH, ROUNDS = 4, 16, 3
SIZES = {"filters": 2, "side": 3, "width": WIDTH, "hidden": 6, "slope": 0.2, "latent": 5}
WEIGHTS = (1.0, 0.5)


def as_type(tree, dtype):
    """Its floating arrays as `dtype`."""
    return jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def make_batch(random, dtype):
    target = random.dirichlet(np.ones(5), size=(BATCH, 2))
    crops = random.uniform(-1, 1, size=(2, BATCH, 128, WIDTH))
    return as_type(
        {
            "labelled": crops[0],
            "unlabelled": crops[1, :2],
            "target": target,
            "rating": target.argmax(-1) + 1.0,
            "rated": np.ones((BATCH, 2), bool),
            "valid": np.ones(BATCH, bool),
        },
        dtype,
    )


def compiled(function, *arguments):
    """A function for such arguments, compiled in a third of the time that optimising it takes."""
    return jax.jit(function).lower(*arguments).compile(compiler_options={"xla_backend_optimization_level": 0})


def start(model, updates, dtype):
    """Our method and state, and the reference with the same weights."""
    networks = make_networks(model, **SIZES)
    settings = Settings(epochs=1, updates=updates, weights=WEIGHTS, samples=1, snapshots=2)
    ours = Method(networks, settings, BATCH, 2)
    member = {
        "part": np.zeros(3, np.int8),
        "rows": np.zeros(4, np.int32),
        "count": np.int32(4),
        "draw": np.int32(2),
        "learning_rate": np.float32(2e-3),
    }
    given = root_key(0), member, {}
    state = as_type(compiled(ours.init, *given)(*given), dtype)
    # Biases of 0 leave pixels that are 0 exactly, where the two sides differ in the slope of their leaky ReLU. And
    # networks as small as these hardly have gradients with DCGAN's first weights.
    random = np.random.default_rng(4)
    moved = {"bias": lambda x: x + 0.1 * random.standard_normal(x.shape), "kernel": lambda x: 15 * x}
    params = jax.tree_util.tree_map_with_path(lambda at, x: moved.get(at[-1].key, lambda x: x)(x), state.params)
    state = state.replace(params=as_type(params, dtype))
    method = torch_dcgan.Method(
        **SIZES,
        generates=networks.generates,
        rated=networks.rated,
        rate=float(state.learning_rate),
        weights=WEIGHTS,
    )
    twin = torch_dcgan.Twin(method).to(torch.float64 if dtype == np.float64 else torch.float32)
    weights = named_of(state)
    twin.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()}, strict=False)
    assert {name for name, _ in twin.named_parameters()} <= set(weights)
    return ours, state, twin.train().start()


def named_of(state):
    """Weights and running statistics by the reference's names."""
    return torch_dcgan.named(state.params, {name: kept["running"] for name, kept in state.statistics.items()})


def update_twin(twin, ours, state, batch, updates):
    """The reference's round on our batch and our draws; its losses by name."""
    crops = {name: torch.from_numpy(np.array(batch[name]))[:, None] for name in ("labelled", "unlabelled")}
    real = torch.cat([crops["labelled"][:2], crops["unlabelled"]])
    given = {"labelled": crops["labelled"], "target": torch.from_numpy(np.array(batch["target"]))}
    if twin.method.generates:
        uses = ("fooling", "judged") if updates == "alternating" else ("fooling",)
        latent = {use: torch.from_numpy(np.array(ours.draws(state, use, BATCH))) for use in uses}
        given |= {"real": real} | {use: value.to(real.dtype) for use, value in latent.items()}
    return (twin.round if updates == "alternating" else twin.joint)(**given)


def losses_of(metrics):
    names = {"loss": "valence", "activation/loss": "activation"}
    names |= {f"{name}/loss": name for name in ("generator", "discriminator")}
    return {ours: float(metrics[name].compute()) for name, ours in names.items() if name in metrics}


# At once: two ratings, and all losses. What the other models do at once is a part of that.
@pytest.mark.parametrize(
    ("model", "updates"),
    [
        *(pytest.param(model, "alternating", marks=[pytest.mark.slow] * ("dcgan" in model)) for model in MODELS),
        *(("multitask_cnn", "joint"), ("multitask_dcgan", "joint")),
    ],
)
def test_rounds_of_updates_equal_the_references(model, updates):
    torch.set_num_threads(1)
    with jax.enable_x64(True):
        method, state, twin = start(model, updates, np.float64)
        random = np.random.default_rng(0)
        batches = [make_batch(random, np.float64) for _ in range(ROUNDS)]
        step = compiled(method.step, state, batches[0])
        for batch in batches:
            losses = update_twin(twin, method, state, batch, updates)
            state, metrics = step(state, batch)
            ours = losses_of(metrics)
            assert ours.keys() == losses.keys() == set(MODELS[model])
            for name, loss in losses.items():
                np.testing.assert_allclose(ours[name], float(loss), rtol=1e-5, err_msg=name)
        found = named_of(state)
        theirs = twin.state_dict()
        for name, value in found.items():
            np.testing.assert_allclose(value, theirs[name].numpy(), rtol=1e-5, atol=1e-8, err_msg=name)
        for name, kept in state.optimizer.items():
            check_moments(twin, name, kept)


def check_moments(twin, name, kept):
    """Adam's moments of every parameter that `name` trains."""
    places = {id(parameter): place for place, parameter in twin.named_parameters()}
    moments = {
        theirs: torch_dcgan.named(getattr(kept, ours)) for ours, theirs in (("mu", "exp_avg"), ("nu", "exp_avg_sq"))
    }
    held = {places[id(parameter)]: values for parameter, values in twin.optimizers[name].state.items()}
    assert held.keys() == moments["exp_avg"].keys()
    for place, values in held.items():
        for kind, ours in moments.items():
            theirs = values[kind].numpy()
            np.testing.assert_allclose(
                ours[place], theirs, rtol=1e-5, atol=1e-7 * np.abs(theirs).max(), err_msg=f"{name} {kind} {place}"
            )
