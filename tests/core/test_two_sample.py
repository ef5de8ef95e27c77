"""Two-sample distances against scipy, slow loops and closed forms, with masks and at the paper's size."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from sejax.core.two_sample import frechet, mean_difference, mmd


def _sets(seed=0, n=7, m=5, features=4, shift=0.5):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, features)), shift + 1.5 * rng.normal(size=(m, features))
    return x.astype(np.float32), y.astype(np.float32)


def _padded(x, rows, filler):
    weight = np.r_[np.ones(len(x)), np.zeros(rows)].astype(np.float32)
    return np.r_[x, np.full((rows, x.shape[1]), filler, np.float32)], weight


def _slow_mmd(x, y, bandwidth):
    def kernel(a, b):
        return np.exp(-np.sum((a.astype(np.float64) - b) ** 2) / (2 * bandwidth**2))

    within = [np.mean([kernel(a, b) for a, b in itertools.permutations(rows, 2)]) for rows in (x, y)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def _slow_frechet(x, y):
    linalg = pytest.importorskip("scipy.linalg", reason="scipy's matrix root is the reference here")
    x, y = x.astype(np.float64), y.astype(np.float64)
    first, second = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm(first @ second)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(first + second - 2 * np.real(root))


def test_mean_difference_is_the_mean_over_features_of_the_absolute_difference():
    assert mean_difference([0.0, 1.0, 0.5], [0.5, 0.25, 0.5]) == pytest.approx(1.25 / 3)
    assert mean_difference(np.zeros((2, 3, 4)), np.full(4, -2.0)).shape == (2, 3)


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 10.0])
def test_mmd_equals_a_double_loop(bandwidth):
    x, y = _sets()
    np.testing.assert_allclose(mmd(x, y, bandwidth=bandwidth), _slow_mmd(x, y, bandwidth), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n", [7, 8])
def test_the_default_bandwidth_is_the_median_distance_of_the_pooled_rows(n):
    x, y = _sets(n=n)
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(np.r_[x, y], 2)]
    expected = _slow_mmd(x, y, np.median(distances))
    np.testing.assert_allclose(mmd(x, y), expected, rtol=1e-4, atol=1e-6)


def test_mmd_of_two_far_points_has_its_closed_form():
    # Both sets constant, at distance 5: 1 + 1 - 2 exp(-25 / 2).
    x, y = np.tile([0.0, 0.0], (3, 1)), np.tile([3.0, 4.0], (4, 1))
    assert mmd(x, y, bandwidth=1.0) == pytest.approx(2 - 2 * np.exp(-12.5))
    assert mmd(x, x[:2]) == 0.0  # the median distance is 0 here
    assert mmd(np.full((3, 2), 0.1), np.full((20, 2), 0.3)) == pytest.approx(2.0)  # and here, yet the sets differ


@pytest.mark.parametrize("distance", [mmd, frechet])
def test_a_shift_of_both_sets_changes_nothing(distance):
    x, y = (np.round(rows * 256) / 256 for rows in _sets())  # exact in float32 after the shift too
    np.testing.assert_allclose(distance(x + 4096, y + 4096), distance(x, y), rtol=1e-3, atol=1e-5)


def test_mmd_is_unbiased():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 400, 8, 3)).astype(np.float32)
    found = np.asarray(jax.jit(jax.vmap(lambda a, b: mmd(a, b, bandwidth=1.0)))(x, y))
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    assert found.min() < 0 < found.max()


@pytest.mark.parametrize("shape", [(30, 20, 4), (6, 5, 12), (40, 4, 9)], ids=["full", "deficient", "mixed"])
def test_frechet_equals_the_matrix_root(shape):
    n, m, features = shape
    x, y = _sets(n=n, m=m, features=features)
    np.testing.assert_allclose(frechet(x, y), _slow_frechet(x, y), rtol=1e-3)


def test_frechet_has_its_closed_forms():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    assert frechet(x, x + np.array([0.0, 3.0, 4.0])) == pytest.approx(25.0, rel=1e-4)
    assert frechet(x, x) == pytest.approx(0.0, abs=1e-5)
    # Widths 1 and 3 of one axis: (3 - 1)^2 times the variance.
    single = x[:, :1]
    centred = single - single.mean()
    assert frechet(centred, 3 * centred) == pytest.approx(4 * single.var(ddof=1), rel=1e-4)


@pytest.mark.parametrize("distance", [mmd, frechet])
@pytest.mark.parametrize("filler", [1e6, np.nan, np.inf])
def test_padded_rows_do_not_count(distance, filler):
    x, y = _sets()
    (wide_x, x_weight), (wide_y, y_weight) = _padded(x, 3, filler), _padded(y, 4, filler)
    found = distance(wide_x, wide_y, x_weight=x_weight, y_weight=y_weight)
    np.testing.assert_allclose(found, distance(x, y), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("distance", [mmd, frechet])
def test_a_set_of_fewer_than_two_rows_has_no_distance(distance):
    x, y = _sets()
    assert np.isnan(distance(x[:1], y))
    assert np.isnan(distance(x, y, y_weight=np.zeros(len(y))))
    assert np.isfinite(distance(x[:2], y[:2]))


@pytest.mark.parametrize("distance", [mmd, frechet])
def test_distances_pass_through_jit_and_vmap(distance):
    x, y = np.stack([_sets(seed)[0] for seed in range(3)]), _sets(9)[1]
    weight = np.array([[1.0] * 7, [1.0] * 6 + [0.0], [1.0] * 3 + [0.0] * 4], np.float32)
    found = jax.jit(jax.vmap(lambda rows, mask: distance(rows, y, x_weight=mask)))(x, weight)
    expected = [distance(rows[mask > 0], y) for rows, mask in zip(x, weight, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_float32_holds_at_the_papers_size():
    # 1582 min-max scaled features, most of them nearly constant far from 0: cancellation would show here.
    rng = np.random.default_rng(3)
    width = np.where(np.arange(1582) % 4 == 0, 0.15, 1e-3)
    base = rng.uniform(0, 1, 1582)
    x = (base + width * rng.normal(size=(60, 1582))).astype(np.float32)
    y = (base + 0.02 + width * rng.normal(size=(40, 1582))).astype(np.float32)
    wide = [rows.astype(np.float64) for rows in (x, y)]
    first, second = (rows - rows.mean(0) for rows in wide)
    root = np.linalg.svd(first @ second.T / np.sqrt(59 * 39), compute_uv=False).sum()
    exact = np.sum((wide[0].mean(0) - wide[1].mean(0)) ** 2) + np.sum(first**2) / 59 + np.sum(second**2) / 39 - 2 * root
    np.testing.assert_allclose(frechet(x, y), exact, rtol=1e-4)
    gram = np.concatenate(wide) @ np.concatenate(wide).T
    bandwidth = np.sqrt(np.median((np.diag(gram)[:, None] + np.diag(gram) - 2 * gram)[np.triu_indices(100, 1)]))
    expected = _slow_mmd(x, y, bandwidth)
    assert expected > 0.001
    np.testing.assert_allclose(mmd(x, y), expected, rtol=1e-3)
    assert mmd(jnp.asarray(x), jnp.asarray(x[::-1])) < 0  # the same rows: below 0 by the unbiased estimate's terms


def test_frechet_decomposes_no_batch_of_matrices():
    """Batches of decompositions in one program can wait for each other for ever on a CPU, see two_sample."""
    x, y = _sets()
    mapped = jax.vmap(jax.vmap(frechet, (0, None)), (0, None))
    found = {equation.invars[0].aval.shape for equation in _equations(jax.make_jaxpr(mapped)(x[None, None], y).jaxpr)}
    assert found == {(len(x), len(y))}


def _equations(jaxpr, name="svd"):
    for equation in jaxpr.eqns:
        if equation.primitive.name == name:
            yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from _equations(inner, name)


def test_frechet_has_the_gradient_of_its_definition():
    x, y = _sets(n=6, m=5, features=3)
    gradient = jax.vmap(jax.grad(frechet), (0, None))(x[None], y)[0]
    for row, column in [(0, 0), (3, 2)]:
        step = np.zeros_like(x)
        step[row, column] = 1e-3
        slope = (_slow_frechet(x + step, y) - _slow_frechet(x - step, y)) / 2e-3
        assert gradient[row, column] == pytest.approx(slope, rel=1e-2, abs=1e-3)
