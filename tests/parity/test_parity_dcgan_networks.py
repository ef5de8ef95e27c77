"""The networks of the multitask DCGAN against PyTorch's with the same weights, in double precision: outputs, gradients
of inputs and weights, running statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_weights import random_like

from sejax.models.dcgan import Adversarial, Generator, Rating, Shared, Trunk

REASON = "the networks are compared with PyTorch's; pip install torch"
torch = pytest.importorskip("torch", reason=REASON)
torch_dcgan = pytest.importorskip("torch_dcgan", reason=REASON, exc_type=ImportError)

# (side, width): odd and even sides, of which the odd zero of the padding is on one side; sides beyond the last images
CASES = [(5, 32), (6, 16), (9, 16), (2, 16)]
FILTERS, HIDDEN, BATCH = 2, 3, 3


def sides_of(case, names):
    """Our modules, params and statistics (trees by network), and a Twin that has the same weights."""
    side, width = case
    modules = {
        "trunk": Trunk(FILTERS, side),
        "generator": Generator(FILTERS, side, width, latent=4),
        "adversarial": Adversarial(),
        "shared": Shared(HIDDEN),
        "valence": Rating(),
        "activation": Rating(),
    }
    features = jnp.zeros((BATCH, 8, width // 16, 8 * FILTERS))
    inputs = {"trunk": jnp.zeros((BATCH, 128, width, 1)), "generator": jnp.zeros((BATCH, 4))}
    inputs |= {"adversarial": features, "shared": features}
    key = jax.random.key(0)
    shapes = {
        name: jax.eval_shape(module.init, key, inputs.get(name, jnp.zeros((BATCH, HIDDEN))))
        for name, module in modules.items()
    }
    random = np.random.default_rng(0)
    params = random_like({name: shapes[name]["params"] for name in shapes}, random)
    statistics = random_like({name: shapes[name]["batch_stats"] for name in ("trunk", "generator")}, random)
    method = torch_dcgan.Method(filters=FILTERS, side=side, width=width, hidden=HIDDEN, latent=4)
    twin = torch_dcgan.Twin(method).double()
    torch_dcgan.take(twin, params, statistics)
    return {name: modules[name] for name in names}, params, statistics, twin


def passed(apply, params, x, cotangent):
    """(output, moved statistics, gradients of params and of x) of one pass, in double precision."""

    def run(params, x, cotangent):
        output, vjp, moved = jax.vjp(apply, params, x, has_aux=True)
        return output, moved, *vjp(cotangent)

    with jax.enable_x64(True):
        lowered = jax.jit(run).lower(params, x, cotangent)
        compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})  # in a third of the time
        return jax.tree.map(np.asarray, compiled(params, x, cotangent))


def differences(ours, twin, theirs, x):
    """Largest relative difference of each: the output, every gradient, every running statistic that moved."""
    (output, moved, for_params, for_x), (their_output, their_input) = ours, (theirs, x)
    ours = {"output": output, "input": for_x} | torch_dcgan.named(for_params, moved)
    state = {name: value.detach().numpy() for name, value in twin.state_dict().items()}
    state |= {name: value.grad.numpy() for name, value in twin.named_parameters() if value.grad is not None}
    state |= {"output": their_output.detach().numpy(), "input": their_input.grad.numpy()}
    return {name: _relative(value, state[name]) for name, value in ours.items()}


def _relative(ours, theirs):
    if ours.ndim == 4 and ours.shape != theirs.shape:
        ours = ours.transpose(0, 3, 1, 2)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def as_tensor(x):
    """x as torch wants it, to be differentiated: images [B, C, H, W]."""
    return torch.from_numpy((x.transpose(0, 3, 1, 2) if x.ndim == 4 else x).copy()).requires_grad_()


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("case", "train"), [*((case, True) for case in CASES), (CASES[0], False)])
def test_rating_and_judging_a_crop_are_torchs(case, train):
    # One pass through the trunk and all that stands on it.
    names = ("trunk", "adversarial", "shared", "valence", "activation")
    modules, params, statistics, twin = sides_of(case, names)
    random = np.random.default_rng(1)
    x, cotangent = random.standard_normal((BATCH, 128, case[1], 1)), random.standard_normal((BATCH, 11))

    def apply(params, x):
        variables = {"params": params["trunk"], "batch_stats": statistics["trunk"]}
        features, moved = modules["trunk"].apply(variables, x, train=train, mutable=["batch_stats"])
        hidden = modules["shared"].apply({"params": params["shared"]}, features)
        rated = [modules[name].apply({"params": params[name]}, hidden) for name in torch_dcgan.DIMENSIONS]
        judged = modules["adversarial"].apply({"params": params["adversarial"]}, features)
        return jnp.concatenate([judged[:, None], *rated], 1), {"trunk": moved["batch_stats"]}

    ours = passed(apply, {name: params[name] for name in names}, x, cotangent)
    tensor = as_tensor(x)
    features = twin.train(train).trunk(tensor)
    hidden = torch.nn.functional.leaky_relu(twin.shared(features), 0.2)
    rated = [twin.heads[name](hidden) for name in torch_dcgan.DIMENSIONS]
    theirs = torch.cat([twin.adversarial(features), *rated], 1)
    theirs.backward(torch.from_numpy(cotangent))
    found = differences(ours, twin, theirs, tensor)
    assert len(found) == 2 + 5 + 2 * 3 + 2 * 4 + 2 * 3  # convolutions, norms, four dense layers, statistics
    assert max(found.values()) < 1e-9, found


@pytest.mark.parametrize("case", CASES)
def test_a_generated_crop_is_torchs(case):
    modules, params, statistics, twin = sides_of(case, ("generator",))
    random = np.random.default_rng(1)
    z, cotangent = random.standard_normal((BATCH, 4)), random.standard_normal((BATCH, 128, case[1], 1))

    def apply(params, z):
        variables = {"params": params["generator"], "batch_stats": statistics["generator"]}
        crops, moved = modules["generator"].apply(variables, z, train=True, mutable=["batch_stats"])
        return crops, {"generator": moved["batch_stats"]}

    ours = passed(apply, {"generator": params["generator"]}, z, cotangent)
    tensor = as_tensor(z)
    theirs = twin.generator(tensor)
    theirs.backward(as_tensor(cotangent).detach())
    found = differences(ours, twin, theirs, tensor)
    assert len(found) == 2 + 1 + 5 + 2 * 4 + 2 * 4  # dense layer, adjoints with a bias, norms, statistics
    assert max(found.values()) < 1e-9, found


def test_weights_without_a_place_are_refused():
    _, params, statistics, twin = sides_of(CASES[-1], ())
    with pytest.raises(RuntimeError, match=r"without a weight \['shared\.layer\.weight', 'shared\.layer\.bias'\]"):
        torch_dcgan.take(twin, {name: params[name] for name in params if name != "shared"}, statistics)
