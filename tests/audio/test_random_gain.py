"""Random gain: within its limits, one for each example, of a spectrogram what it is of the waveform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.audio.augmentation import (
    random_views,
    spectrograms_at_random_gain,
    unchanged,
    view_gains,
    waveforms_at_random_gain,
)
from sejax.audio.spectrogram import SpectrogramSettings, spectrogram

KEY = jax.random.key(3)
LIMITS = (-30.0, 6.0)


@pytest.fixture(scope="module")
def waveform():
    """int16[8, 4000], eight times the same noise."""
    noise = np.random.default_rng(0).normal(0, 3000, 4000).astype(np.int16)
    return jnp.asarray(np.tile(noise, (8, 1)))


def test_every_waveform_has_a_gain_of_its_own_within_the_limits(waveform):
    louder = waveforms_at_random_gain(KEY, waveform, limits=LIMITS)
    gains = 20 * np.log10(np.asarray(louder[:, 7] * 32768 / waveform[:, 7]))
    assert len(set(gains.round(3))) == 8 and LIMITS[0] <= gains.min() < -10 < gains.max() < LIMITS[1]
    np.testing.assert_allclose(louder, waveform / 32768 * 10 ** (gains[:, None] / 20), rtol=1e-5)


def test_spectrograms_change_as_if_made_of_the_louder_waveforms(waveform):
    def of(samples):
        return spectrogram(samples, SpectrogramSettings(), fmax=(8000.0,))[:, 0]

    quiet = of(waveform.astype(jnp.float32) / 32768)
    expected = of(waveforms_at_random_gain(KEY, waveform, limits=LIMITS))
    np.testing.assert_allclose(spectrograms_at_random_gain(KEY, quiet, limits=LIMITS), expected, atol=2e-3)


def test_another_key_draws_other_gains(waveform):
    one, other = (waveforms_at_random_gain(key, waveform, limits=LIMITS) for key in jax.random.split(KEY))
    assert not np.allclose(one, other)


def test_views_are_chosen_for_each_example():
    views = jnp.arange(5.0)[None, :, None] * 100 + jnp.arange(40.0)[:, None, None]  # [40, 5, 1]: 100 view + example
    chosen = np.asarray(random_views(KEY, views))[:, 0]
    np.testing.assert_array_equal(chosen % 100, np.arange(40))
    assert set(chosen // 100) == set(range(5))


@pytest.mark.parametrize(
    ("limits", "gains"),
    [((-30.0, 0.0), [-30, -24, -18, -12, -6, 0]), ((-7.0, 0.0), [-7, -3.5, 0]), ((-6.0, -6.0), [-6])],
)
def test_views_lie_close_enough(limits, gains):
    assert view_gains(limits) == gains


def test_nothing_asked_for_changes_nothing():
    inputs = jnp.arange(3.0)
    assert unchanged(KEY, inputs) is inputs
