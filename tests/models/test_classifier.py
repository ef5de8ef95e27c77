"""GridHead keeps positions, equals a hand-written forward pass, and takes flat features as they are."""

import jax
import jax.numpy as jnp
import numpy as np

from sejax.models import GridHead


def test_the_head_equals_the_same_sums_in_numpy():
    head = GridHead(num_classes=3, grid=(2, 1), hidden=(4,))
    x = np.random.default_rng(0).standard_normal((5, 4, 3, 2)).astype(np.float32)
    params = head.init(jax.random.key(0), x)["params"]
    cells = x.reshape(5, 2, 2, 3, 2).mean(axis=(2, 3)).reshape(5, 4)
    hidden = np.maximum(cells @ params["hidden1"]["kernel"] + params["hidden1"]["bias"], 0)
    wanted = hidden @ params["logits"]["kernel"] + params["logits"]["bias"]
    np.testing.assert_allclose(head.apply({"params": params}, x), wanted, rtol=1e-5, atol=1e-6)


def test_the_default_grid_gives_one_weight_per_position_and_channel():
    shapes = jax.eval_shape(lambda: GridHead(7).init(jax.random.key(0), jnp.zeros((1, 13, 13, 512))))
    assert shapes["params"]["logits"]["kernel"].shape == (6 * 4 * 512, 7)


def test_the_head_tells_positions_apart():
    head = GridHead(num_classes=2, grid=(2, 2))
    x = jnp.zeros((1, 4, 4, 1)).at[0, 0, 0, 0].set(1.0)
    variables = head.init(jax.random.key(0), x)
    assert not np.allclose(head.apply(variables, x), head.apply(variables, x[:, ::-1]))


def test_flat_features_are_used_as_they_are():
    head = GridHead(num_classes=2, grid=(2, 2))
    x = jax.random.normal(jax.random.key(1), (3, 2, 2, 5))
    variables = head.init(jax.random.key(0), x)
    np.testing.assert_array_equal(head.apply(variables, x), head.apply(variables, x.reshape(3, -1)))


def test_dropout_keeps_the_mean_and_acts_in_training_alone():
    head = GridHead(num_classes=1, grid=(1, 1), dropout=0.5)
    x = jnp.ones((1, 4096))
    variables = {"params": {"logits": {"kernel": jnp.ones((4096, 1)), "bias": jnp.zeros(1)}}}
    assert float(head.apply(variables, x)[0, 0]) == 4096
    dropped = float(head.apply(variables, x, train=True, rngs={"dropout": jax.random.key(0)})[0, 0])
    assert dropped != 4096
    assert abs(dropped - 4096) < 500  # four standard deviations are 256
