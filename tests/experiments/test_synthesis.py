"""Generators used by another program: the same numbers as by hand, back in the features' own units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_vectors

from sejax.data.labels import FOUR
from sejax.experiments.cyclegan.synthesis import Generators, transfer
from sejax.experiments.feature_vectors import Scaling, fit_min_max

SIZES = (12, 6, 5, 12)
LAYERS = ("hidden_0", "hidden_1", "output")


def generators(seed):
    """Four small generators with the scaling of the toy corpora."""
    random = np.random.default_rng(seed)
    params = {
        name: {
            "kernel": random.normal(size=(len(FOUR), inputs, outputs)).astype(np.float32),
            "bias": random.normal(size=(len(FOUR), outputs)).astype(np.float32),
        }
        for name, inputs, outputs in zip(LAYERS, SIZES[:-1], SIZES[1:], strict=True)
    }
    scaling = fit_min_max([toy_vectors.unlabelled().features, toy_vectors.emotional().features])
    return Generators(params, scaling, FOUR)


def by_hand(made, vectors, emotion):
    x = (np.asarray(vectors, np.float64) - made.scaling.shift) * made.scaling.scale
    for name in LAYERS:
        x = x @ made.params[name]["kernel"][emotion].astype(np.float64) + made.params[name]["bias"][emotion]
        x = 1 / (1 + np.exp(-x)) if name == "output" else np.where(x > 0, x, 0.2 * x)
    low = np.minimum(toy_vectors.unlabelled().features.min(0), toy_vectors.emotional().features.min(0))
    high = np.maximum(toy_vectors.unlabelled().features.max(0), toy_vectors.emotional().features.max(0))
    return low + x * (high - low)


def test_synthetic_vectors_are_the_generators_outputs_on_the_features_own_scale():
    made, vectors = generators(0), toy_vectors.unlabelled().features
    found = transfer(made, vectors)
    assert found.shape == (4, 40, 12) and found.dtype == np.float32
    spread = toy_vectors.emotional().features.std(axis=0) + 1e-6
    for emotion in range(4):
        expected = by_hand(made, vectors, emotion)
        np.testing.assert_allclose(found[emotion] / spread, expected / spread, rtol=1e-4, atol=1e-4)
    assert (np.asarray(found[..., 5]) == 4.0).all()  # the constant feature
    assert np.abs(np.asarray(found[0] - found[1]) / spread).max() > 0.1


def test_transfer_is_a_pure_function_for_jit_and_vmap():
    made, vectors = generators(0), toy_vectors.unlabelled().features
    expected = transfer(made, vectors)
    # On the way back to their own units outputs near the smallest value lose digits.
    near = {"rtol": 1e-4, "atol": 1e-2}
    np.testing.assert_allclose(jax.jit(transfer)(made, vectors), expected, **near)
    ensemble = jax.tree.map(lambda *x: jnp.stack(x), made, generators(1))
    both = jax.vmap(transfer, in_axes=(0, None))(ensemble, vectors)  # [2, 4, 40, 12]
    np.testing.assert_allclose(both[0], expected, **near)
    np.testing.assert_allclose(both[1], transfer(generators(1), vectors), **near)
    gradient = jax.grad(lambda x: transfer(made, x)[2, 0, 0])(jnp.asarray(vectors[:1]))
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_other_slopes_and_scalings_count():
    made, vectors = generators(0), toy_vectors.unlabelled().features
    steeper = made.replace(slope=0.5)
    assert not np.allclose(transfer(steeper, vectors), transfer(made, vectors))
    wider = made.replace(scaling=Scaling(made.scaling.shift, made.scaling.scale / 2))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(transfer(wider, vectors), transfer(made, vectors), rtol=1e-3)
