"""Min-max and z-normalisation, on constant, near-constant, heavy-tailed and subnormal features too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emotional_vectors import hard_features

from sejax.experiments.feature_vectors import Scaling, fit_min_max, fit_z_norm, moments

FITS = {"min-max": lambda rows: fit_min_max([rows]), "z-norm": fit_z_norm}


@pytest.mark.parametrize("fit", FITS)
def test_normalising_and_back_gives_the_vectors(fit):
    rows = np.random.default_rng(1).normal(5.0, 3.0, (40, 6)).astype(np.float32)
    scaling = FITS[fit](rows)
    np.testing.assert_allclose(scaling.invert(scaling.apply(rows)), rows, rtol=1e-5, atol=1e-5)
    on_device = jax.jit(lambda s, x: s.invert(s.apply(x)))(Scaling(*map(jnp.asarray, scaling)), rows)
    np.testing.assert_allclose(on_device, rows, rtol=1e-5, atol=1e-5)


def test_min_max_takes_the_extremes_of_all_sets_to_0_and_1():
    one, other = np.array([[1.0, 5.0], [2.0, 6.0]], np.float32), np.array([[4.0, 2.0]], np.float32)
    scaling = fit_min_max([one, other])
    np.testing.assert_allclose(scaling.apply(one), [[0.0, 0.75], [1 / 3, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(scaling.apply(other), [[1.0, 0.0]], rtol=1e-6)


def test_z_norm_gives_mean_0_and_deviation_1():
    rows = np.random.default_rng(2).normal(-3.0, 0.1, (500, 4)).astype(np.float32)
    made = fit_z_norm(rows).apply(rows).astype(np.float64)
    np.testing.assert_allclose(made.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(made.std(axis=0), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("fit", "large"), [("z-norm", 2e-4), ("min-max", 2e-3)])
def test_rounding_noise_is_not_taken_for_variation(fit, large):
    random = np.random.default_rng(5)
    rows = np.stack([random.normal(1e-10, 1e-10, 50), random.normal(size=50)], axis=1).astype(np.float32)
    scaling, met = FITS[fit](rows), np.array([[large, 3.0], [2e-10, -30.0]], np.float32)
    expected = (met - scaling.shift) * scaling.scale
    assert abs(expected[0, 0]) > 1e6
    expected[0, 0] = 0.0
    np.testing.assert_array_equal(scaling.apply_to_others(met), expected)
    np.testing.assert_array_equal(scaling.apply_to_others(rows), scaling.apply(rows))
    on_device = jax.jit(lambda s, x: s.apply_to_others(x))(Scaling(*map(jnp.asarray, scaling)), met)
    np.testing.assert_allclose(on_device, expected, rtol=1e-6)
    assert on_device.dtype == scaling.apply_to_others(met).dtype == np.float32


def test_moments_do_not_depend_on_the_rows_taken_at_once_and_lose_nothing():
    rows = (1e6 + np.random.default_rng(3).normal(size=(1000, 3))).astype(np.float32)
    for at_once in (7, 4096):
        mean, deviation = moments(rows, at_once=at_once)
        np.testing.assert_allclose(mean, rows.astype(np.float64).mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(deviation, rows.astype(np.float64).std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("fit", FITS)
def test_hard_features_stay_finite_there_and_back(fit):
    rows, names = hard_features()
    scaling = FITS[fit](rows)
    assert all(np.isfinite(part).all() for part in scaling)
    made = jax.jit(lambda s, x: s.apply(x))(Scaling(*map(jnp.asarray, scaling)), rows)  # flushes subnormal numbers
    for found in (scaling.apply(rows), np.asarray(made)):
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= (1.0 + 1e-5 if fit == "min-max" else np.sqrt(len(rows)))
        for constant in ("constant", "zero", "near-constant", "huge constant", "subnormal"):
            assert not found[:, names.index(constant)].any(), constant
        for varied in ("plain", "heavy-tailed", "tiny"):
            assert found[:, names.index(varied)].std() > 0.1, varied
    # Any output of a generator, not only what came from a vector, gives features within the range seen.
    anything = np.random.default_rng(4).uniform(size=rows.shape).astype(np.float32)
    back = scaling.invert(anything)
    assert np.isfinite(back).all()
    if fit == "min-max":
        assert (back >= rows.min(axis=0) - 1e-5 * np.abs(rows).max(axis=0)).all()
        assert (back <= rows.max(axis=0) + 1e-5 * np.abs(rows).max(axis=0)).all()
    for constant in ("constant", "zero", "huge constant"):
        column = names.index(constant)
        np.testing.assert_allclose(back[:, column], rows[:, column], rtol=1e-6)
