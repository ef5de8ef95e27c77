"""Cached features of a frozen trunk: right rows, right cache, nothing half-written."""

import jax.numpy as jnp
import numpy as np
import pytest

from sejax.data.blocks.trunk_features import BATCH, fingerprint, trunk_features

SETTINGS = {"layer": "last", "grid": (6, 4)}


def weigh(variables, spectrogram):
    """A trunk of one weight: [B, bands, frames] -> [B, 2]."""
    return variables["weight"] * jnp.stack([spectrogram.sum((1, 2)), spectrogram.max((1, 2))], axis=1)


@pytest.fixture
def spectrogram():
    return np.random.default_rng(0).normal(size=(BATCH + 5, 4, 3)).astype(np.float32)


def test_every_row_is_computed_also_in_a_last_batch_that_is_not_full(spectrogram):
    features = trunk_features(weigh, {"weight": jnp.float32(2)}, spectrogram, cache=None, settings=SETTINGS)
    expected = 2 * np.stack([spectrogram.sum((1, 2)), spectrogram.max((1, 2))], axis=1)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_a_second_call_reads_the_cache(spectrogram, tmp_path):
    variables = {"weight": jnp.float32(2)}
    first = trunk_features(weigh, variables, spectrogram, cache=tmp_path, settings=SETTINGS)

    def broken(variables, spectrogram):
        raise AssertionError("computed again")

    second = trunk_features(broken, variables, spectrogram, cache=tmp_path, settings=SETTINGS)
    np.testing.assert_array_equal(first, second)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


@pytest.mark.parametrize(
    ("weight", "settings"), [(3.0, SETTINGS), (2.0, SETTINGS | {"layer": "first"}), (2.0, SETTINGS | {"grid": (1, 1)})]
)
def test_other_weights_or_settings_are_another_cache(weight, settings):
    usual = fingerprint({"weight": jnp.float32(2.0)}, SETTINGS)
    assert fingerprint({"weight": jnp.float32(weight)}, settings) != usual
    assert fingerprint({"weight": jnp.float32(2.0)}, dict(SETTINGS)) == usual


def test_an_interrupted_computation_leaves_no_file_under_the_final_name(spectrogram, tmp_path, monkeypatch):
    def fail(file, array, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(KeyboardInterrupt):
        trunk_features(weigh, {"weight": jnp.float32(2)}, spectrogram, cache=tmp_path, settings=SETTINGS)
    assert not list(tmp_path.glob("*.npy"))
