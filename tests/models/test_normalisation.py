"""BatchNorm is torch's with torch's conventions and Keras's with Keras's; frozen it stands still."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.normalisation import BatchNorm, moments, normalise_batch

SHAPE = (3, 4, 5, 6)


def example(seed=0):
    """(x [3, 4, 5, 6] with a mean and a spread per channel, variables that are not 0 and 1)"""
    rng = np.random.default_rng(seed)
    scale, bias, mean = rng.standard_normal((3, 6)).astype(np.float32)
    var, spread = rng.uniform(0.5, 2.0, (2, 6)).astype(np.float32)
    x = rng.standard_normal(SHAPE).astype(np.float32) * spread + 3 * mean
    params, statistics = {"scale": scale, "bias": bias}, {"mean": mean, "var": var}
    return x, {"params": params, "batch_stats": statistics}


def trained(module, variables, x):
    """(y, moved statistics) of one call in training."""
    y, moved = jax.jit(partial(module.apply, train=True, mutable=["batch_stats"]))(variables, x)
    return y, moved["batch_stats"]


def torch_layer(torch, variables, **options):
    layer = torch.nn.BatchNorm2d(6, **options)
    values = {"weight": ("params", "scale"), "bias": ("params", "bias")}
    values |= {"running_mean": ("batch_stats", "mean"), "running_var": ("batch_stats", "var")}
    state = {name: torch.from_numpy(variables[kind][part].copy()) for name, (kind, part) in values.items()}
    layer.load_state_dict(state, strict=False)
    return layer


def to_torch(torch, x):
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("train", [False, True])
def test_values_statistics_and_gradients_are_torchs(train):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    x, variables = example()
    layer = torch_layer(torch, variables, eps=1e-2, momentum=0.3).train(train)
    inputs = to_torch(torch, x).requires_grad_()
    theirs = layer(inputs)
    cotangent = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    theirs.backward(to_torch(torch, cotangent))
    module = BatchNorm(epsilon=1e-2, momentum=0.7, unbiased=True)

    def run(params, x):
        y, moved = module.apply({**variables, "params": params}, x, train=train, mutable=["batch_stats"])
        return (y * cotangent).sum(), (y, moved["batch_stats"])

    (gradients, for_x), (y, moved) = jax.jit(jax.grad(run, (0, 1), has_aux=True))(variables["params"], x)
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    close(y, theirs.detach().numpy().transpose(0, 2, 3, 1))
    close(moved["mean"], layer.running_mean)
    close(moved["var"], layer.running_var)
    close(for_x, inputs.grad.numpy().transpose(0, 2, 3, 1))
    close(gradients["scale"], layer.weight.grad)
    close(gradients["bias"], layer.bias.grad)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("use_scale", [False, True])
def test_values_and_statistics_are_keras(use_scale, train):
    keras = pytest.importorskip("keras", reason="compares with Keras; pip install tensorflow-cpu keras")
    x, variables = example()
    layer = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, scale=use_scale)
    layer.build(SHAPE)
    scale, bias = ([variables["params"]["scale"]] if use_scale else []), variables["params"]["bias"]
    layer.set_weights([*scale, bias, variables["batch_stats"]["mean"], variables["batch_stats"]["var"]])
    theirs = np.asarray(layer(x, training=train))
    module = BatchNorm(epsilon=1e-3, momentum=0.99, unbiased=False, use_scale=use_scale)
    y, moved = module.apply(variables, x, train=train, mutable=["batch_stats"])
    np.testing.assert_allclose(y, theirs, rtol=1e-4, atol=1e-5)
    *_, mean, var = layer.get_weights()
    np.testing.assert_allclose(moved["batch_stats"]["mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved["batch_stats"]["var"], var, rtol=1e-5, atol=1e-6)


def test_the_running_statistics_move_by_one_minus_the_momentum():
    x = jnp.array([[1.0], [3.0]])  # mean 2, variance 1 over n, 2 over n - 1
    variables = {"params": {"scale": jnp.ones(1), "bias": jnp.zeros(1)}}
    variables |= {"batch_stats": {"mean": jnp.array([10.0]), "var": jnp.array([4.0])}}
    for unbiased, var in ((True, 2.0), (False, 1.0)):
        _, moved = trained(BatchNorm(momentum=0.75, unbiased=unbiased), variables, x)
        np.testing.assert_allclose(moved["mean"], [0.75 * 10 + 0.25 * 2])
        np.testing.assert_allclose(moved["var"], [0.75 * 4 + 0.25 * var])


def test_the_epsilon_is_inside_the_root():
    x, variables = jnp.full((1, 1), 3.0), {"params": {"scale": jnp.ones(1), "bias": jnp.zeros(1)}}
    variables |= {"batch_stats": {"mean": jnp.ones(1), "var": jnp.zeros(1)}}
    np.testing.assert_allclose(BatchNorm(epsilon=0.25).apply(variables, x), [[2.0 / 0.5]])


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e4])
def test_the_moments_keep_their_accuracy_far_from_zero(offset):
    x = (offset + np.random.default_rng(0).standard_normal((8, 9, 7, 16))).astype(np.float32)
    mean, var = jax.jit(moments)(x)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean((0, 1, 2)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize(("offset", "error"), [(0.0, 1e-6), (10.0, 1e-5), (100.0, 1e-4)])
def test_gradients_keep_their_accuracy_where_the_mean_is_larger_than_the_spread(offset, error):
    """Against double precision, as a share of the largest; a float32 mean alone costs the scale's the most of it."""
    rng = np.random.default_rng(0)
    x, cotangent = ((place + rng.standard_normal((16, 14, 14, 32))).astype(np.float32) for place in (offset, 0.0))
    scale, bias = rng.uniform(0.5, 2.0, (2, 32)).astype(np.float32)

    def pulled(x, scale, bias, cotangent):
        return jax.vjp(lambda *of: normalise_batch(*of, 1e-5)[0], x, scale, bias)[1](cotangent)

    wide, count = x.astype(np.float64), 16 * 14 * 14
    inverse = 1 / np.sqrt(wide.var((0, 1, 2)) + 1e-5)
    normal = (wide - wide.mean((0, 1, 2))) * inverse
    for_scale, for_bias = (cotangent * normal).sum((0, 1, 2)), cotangent.astype(np.float64).sum((0, 1, 2))
    for_x = (cotangent - for_bias / count - normal * for_scale / count) * inverse * scale
    for found, exact in zip(jax.jit(pulled)(x, scale, bias, cotangent), (for_x, for_scale, for_bias), strict=True):
        assert np.abs(found - exact).max() < error * np.abs(exact).max()


def test_a_channel_that_is_constant_has_no_variance():
    mean, var = moments(jnp.full((2, 3, 3, 1), 0.1))
    np.testing.assert_allclose(mean, [0.1], rtol=1e-6)
    assert 0 <= float(var[0]) < 1e-12


def test_frozen_it_uses_and_keeps_the_running_statistics_in_training():
    x, variables = example()
    y, moved = trained(BatchNorm(frozen=True), variables, x)
    np.testing.assert_array_equal(y, jax.jit(BatchNorm().apply)(variables, x))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), moved, variables["batch_stats"]))
    BatchNorm(frozen=True).apply(variables, x, train=True)  # nothing has to be mutable


def test_half_precision_values_have_single_precision_statistics():
    x, variables = example()
    halves = jnp.asarray(x, jnp.bfloat16)
    y, moved = trained(BatchNorm(momentum=0.0, unbiased=False), variables, halves)
    assert y.dtype == jnp.bfloat16
    assert moved["mean"].dtype == moved["var"].dtype == jnp.float32
    exact = np.asarray(halves, np.float64)
    np.testing.assert_allclose(moved["mean"], exact.mean((0, 1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved["var"], exact.var((0, 1, 2)), rtol=1e-5)


def test_members_are_mapped_over_as_one_by_one():
    x, _ = example()
    scale, bias = jnp.arange(12.0).reshape(2, 6), jnp.ones((2, 6))
    gradient = jax.grad(lambda s, b: (normalise_batch(x, s, b, 1e-5)[0] ** 3).sum(), (0, 1))
    alone = [gradient(s, b) for s, b in zip(scale, bias, strict=True)]
    together = jax.vmap(gradient)(scale, bias)
    for i in range(2):
        np.testing.assert_allclose(together[i], jnp.stack([one[i] for one in alone]), rtol=1e-4, atol=1e-4)


def test_one_value_per_channel_has_no_unbiased_variance():
    _, variables = example()
    x = jnp.ones((1, 1, 1, 6))
    with pytest.raises(InputError, match=r"\(1, 1, 1, 6\) has one value per channel.*larger images or batches"):
        BatchNorm().apply(variables, x, train=True, mutable=["batch_stats"])
    trained(BatchNorm(unbiased=False), variables, x)
