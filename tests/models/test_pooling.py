"""Pooling equals hand-worked cases, and torch's wherever torch is installed."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.pooling import adaptive_average_pool, average_pool, max_pool


def ramp(rows, columns):
    """A map [1, rows, columns, 1] of 0, 1, 2 ..."""
    return jnp.arange(rows * columns, dtype=jnp.float32).reshape(1, rows, columns, 1)


def test_floor_mode_drops_the_remainder_and_ceil_mode_keeps_it():
    x = ramp(6, 6)
    floor = max_pool(x, window=3, stride=2)[0, ..., 0]
    ceil = max_pool(x, window=3, stride=2, ceil_mode=True)[0, ..., 0]
    np.testing.assert_array_equal(floor, [[14, 16], [26, 28]])
    np.testing.assert_array_equal(ceil, [[14, 16, 17], [26, 28, 29], [32, 34, 35]])


def test_a_hanging_window_ignores_what_lies_outside():
    x = -1.0 - ramp(4, 4)
    pooled = max_pool(x, window=3, stride=2, ceil_mode=True)[0, ..., 0]
    np.testing.assert_array_equal(pooled, [[-1, -3], [-9, -11]])


@pytest.mark.parametrize("position", [(0, 0), (1, 2), (4, 4)])
def test_a_nan_spreads_to_its_windows_and_no_further(position):
    x = ramp(5, 5).at[0, position[0], position[1], 0].set(jnp.nan)
    pooled = np.asarray(max_pool(x, window=3, stride=2)[0, ..., 0])
    reached = np.array([[0 <= p <= 2, 2 <= p <= 4] for p in position])
    np.testing.assert_array_equal(np.isnan(pooled), np.outer(*reached))


def test_among_equals_the_first_gets_the_whole_gradient():
    gradient = jax.grad(lambda x: max_pool(x, window=3, stride=2).sum())(jnp.ones((1, 3, 3, 1)))
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_a_map_smaller_than_the_window_is_refused():
    with pytest.raises(InputError, match="2 x 5 is smaller than the 3 x 3 window"):
        max_pool(ramp(2, 5), window=3, stride=2)


def test_padding_never_wins_a_maximum():
    pooled = max_pool(-1.0 - ramp(3, 3), window=3, stride=2, padding=1)[0, ..., 0]
    np.testing.assert_array_equal(pooled, [[-1, -2], [-4, -5]])


def test_an_average_counts_the_padding_only_on_request():
    counted = average_pool(jnp.ones((1, 3, 4, 1)), window=3, stride=1, padding=1)[0, ..., 0] * 9
    np.testing.assert_allclose(counted, [[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]], rtol=1e-6)
    inside = average_pool(jnp.ones((1, 3, 4, 1)), window=3, stride=1, padding=1, count_padding=False)
    np.testing.assert_allclose(inside, jnp.ones((1, 3, 4, 1)), rtol=1e-6)


def test_an_average_over_a_map_smaller_than_the_window_is_refused():
    with pytest.raises(InputError, match="4 x 7 is smaller than the 5 x 5 window"):
        average_pool(ramp(4, 7), window=5, stride=3)


@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.parametrize(("window", "stride", "padding"), [(3, 1, 1), (5, 3, 0), (3, 2, 1)])
def test_average_pool_and_its_gradient_are_torchs(window, stride, padding, count_padding):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 14, 3)).astype(np.float32)
    theirs_in = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    options = {"count_include_pad": count_padding}
    theirs = torch.nn.functional.avg_pool2d(theirs_in, window, stride, padding, **options)
    cotangent = rng.standard_normal(theirs.shape).astype(np.float32)
    theirs.backward(torch.from_numpy(cotangent))
    pool = partial(average_pool, window=window, stride=stride, padding=padding, count_padding=count_padding)
    ours, vjp = jax.vjp(pool, x)
    np.testing.assert_allclose(ours, theirs.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)
    (gradient,) = vjp(cotangent.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(gradient, theirs_in.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_average_pool_without_the_padding_is_keras_same_pooling(size):
    keras = pytest.importorskip("keras", reason="compares with Keras; pip install tensorflow-cpu keras")
    x = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    theirs = keras.ops.average_pool(x, 3, 1, padding="same")
    ours = average_pool(x, window=3, stride=1, padding=1, count_padding=False)
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5, atol=1e-6)


def test_adaptive_cells_overlap_where_the_grid_does_not_divide_the_map():
    pooled = adaptive_average_pool(ramp(1, 5), (1, 3))[0, 0, :, 0]
    np.testing.assert_allclose(pooled, [0.5, 2.0, 3.5])  # positions 0-1, 1-3, 3-4


def test_adaptive_cells_repeat_where_the_grid_is_finer_than_the_map():
    pooled = adaptive_average_pool(ramp(1, 2), (2, 4))[0, ..., 0]
    np.testing.assert_allclose(pooled, [[0, 0, 1, 1], [0, 0, 1, 1]])


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(3, 4), (5, 6), (7, 11), (12, 9)])
def test_max_pool_and_its_gradient_are_torchs_with_ties(size, ceil_mode, padding):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, *size, 4)).astype(np.float32)  # few values, so that every window has ties
    theirs_in = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    theirs = torch.nn.functional.max_pool2d(theirs_in, 3, 2, padding, ceil_mode=ceil_mode)
    cotangent = rng.standard_normal(theirs.shape).astype(np.float32)
    theirs.backward(torch.from_numpy(cotangent))

    def run(x, cotangent):
        values, vjp = jax.vjp(partial(max_pool, window=3, stride=2, padding=padding, ceil_mode=ceil_mode), x)
        return values, *vjp(cotangent)

    ours, gradient = jax.jit(run)(x, cotangent.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(ours, theirs.detach().numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(gradient, theirs_in.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("grid", [(1, 1), (6, 6), (6, 4), (3, 7), (2, 5)])
@pytest.mark.parametrize("size", [(13, 13), (6, 6), (5, 8), (1, 2), (12, 4)])
def test_adaptive_average_pool_is_torchs(size, grid):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    x = np.random.default_rng(0).standard_normal((2, *size, 3)).astype(np.float32)
    theirs = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(x.transpose(0, 3, 1, 2)), grid)
    ours = jax.jit(adaptive_average_pool, static_argnums=1)(x, grid)
    np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)
