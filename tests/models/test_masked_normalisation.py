"""Masked batch normalisation is the plain one over the real positions of all rows, whatever lies beyond."""

import jax
import jax.numpy as jnp
import numpy as np

from sejax.models.masked import MaskedBatchNorm, real_moments, scaled_where_real
from sejax.models.normalisation import BatchNorm, settled

LENGTH = np.array([16, 1, 0, 9], np.int32)
REAL = np.arange(16) < LENGTH[:, None]
VARIABLES = {
    "params": {"scale": np.array([0.5, -2.0, 1.5, 1.0], np.float32), "bias": np.arange(4, dtype=np.float32)},
    "batch_stats": {"mean": np.full(4, 3.0, np.float32), "var": np.full(4, 2.0, np.float32)},
}


def example():
    """x [4, 16, 4] with large values where nothing is real."""
    x = np.random.default_rng(0).standard_normal((4, 16, 4)).astype(np.float32) * 2 + 1
    return np.where(REAL[..., None], x, 1e3).astype(np.float32)


@jax.jit
def trained(params, x, length):
    """(y, moved statistics, gradients of params and x) of a pass in training; the loss weighs every number."""

    def loss(params, x):
        variables = VARIABLES | {"params": params}
        scaling, moved = MaskedBatchNorm(4).apply(variables, real_moments(x, length), mutable=["batch_stats"])
        y = scaled_where_real(x, length, *scaling)
        return (y * jnp.sin(jnp.arange(x.size).reshape(x.shape))).sum(), (y, moved["batch_stats"])

    gradients, found = jax.grad(loss, (0, 1), has_aux=True)(params, x)
    return *found, *gradients


def test_training_is_plain_batch_normalisation_of_the_real_positions():
    x = example()
    y, moved, for_params, for_x = trained(VARIABLES["params"], x, LENGTH)
    weight = np.sin(np.arange(x.size)).reshape(x.shape)[REAL].astype(np.float32)

    @jax.jit
    def plain(params, x):
        def loss(params, x):
            variables = VARIABLES | {"params": params}
            y, moved = BatchNorm().apply(variables, x, train=True, mutable=["batch_stats"])
            return (y * weight).sum(), (y, moved["batch_stats"])

        return jax.grad(loss, (0, 1), has_aux=True)(params, x)

    (their_params, their_x), (their_y, their_moved) = plain(VARIABLES["params"], x[REAL])
    expected = (their_y, their_moved, their_params, their_x)
    jax.tree.map(
        lambda found, wanted: np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5),
        (y[REAL], moved, for_params, for_x[REAL]),
        expected,
    )
    assert not y[~REAL].any()
    assert not for_x[~REAL].any()


def test_a_batch_without_any_position_leaves_the_statistics_as_they_are():
    y, moved, *gradients = trained(VARIABLES["params"], example(), np.zeros(4, np.int32))
    assert not y.any()
    jax.tree.map(np.testing.assert_array_equal, moved, VARIABLES["batch_stats"])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_a_single_position_gives_its_offset_and_no_variance():
    y, moved, *gradients = trained(VARIABLES["params"], example(), np.array([0, 1, 0, 0], np.int32))
    np.testing.assert_allclose(y[1, 0], VARIABLES["params"]["bias"], atol=1e-4)
    np.testing.assert_allclose(moved["var"], 1.8, rtol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_settled_statistics_of_equal_batches_are_that_batchs():
    norm, x = MaskedBatchNorm(4), example()
    moments = real_moments(x, LENGTH)
    running = jax.tree.map(np.zeros_like, VARIABLES["batch_stats"])
    for _ in range(3):
        _, moved = norm.apply(VARIABLES | {"batch_stats": running}, moments, mutable=["batch_stats"])
        running = moved["batch_stats"]
    found = settled({"running": running, "passes": jnp.float32(3)})
    np.testing.assert_allclose(found["mean"], x[REAL].mean(0), rtol=1e-5)
    np.testing.assert_allclose(found["var"], x[REAL].var(0, ddof=1), rtol=1e-5)


def test_initialising_with_a_batch_leaves_mean_0_and_variance_1():
    first = MaskedBatchNorm(4).init(jax.random.key(0), real_moments(example(), LENGTH))["batch_stats"]
    np.testing.assert_array_equal(first["mean"], np.zeros(4))
    np.testing.assert_array_equal(first["var"], np.ones(4))
