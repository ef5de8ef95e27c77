"""Random noise: its ratio over an example's own samples, its spectrum, and what it leaves as it is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.audio.augmentation import NOISES, waveforms_in_noise

KEY, RATE, LENGTH = jax.random.key(3), 16000, np.array([16384, 9000, 4000, 16384], np.int32)


@pytest.fixture(scope="module")
def waveform():
    """int16[4, 16384]: a tone at four levels, shorter in some rows, zeros behind it."""
    tone = np.sin(np.arange(16384) * 0.3)[None] * np.array([9000, 300, 3000, 0])[:, None]
    return jnp.asarray(np.where(np.arange(16384) < LENGTH[:, None], tone, 0).astype(np.int16))


@pytest.mark.parametrize("kind", NOISES)
def test_the_ratio_is_that_of_the_examples_own_samples_and_lies_within_the_limits(waveform, kind):
    noisy = jax.jit(partial(waveforms_in_noise, kind=kind, limits=(-5.0, 20.0)))(KEY, waveform, LENGTH)
    clean = np.asarray(waveform, np.float64) / 32768
    noise = np.asarray(noisy, np.float64) - clean
    ratios = []
    for row, length in enumerate(LENGTH):
        assert (noise[row, length:] == 0).all()
        if row < 3:
            ratios.append(10 * np.log10(np.square(clean[row, :length]).mean() / np.square(noise[row, :length]).mean()))
    assert -5.01 <= min(ratios) < max(ratios) <= 20.01 and np.ptp(ratios) > 0.1
    assert (noise[3] == 0).all()  # silence stays silence


def test_a_fixed_ratio_is_met(waveform):
    noisy = waveforms_in_noise(KEY, waveform[:1], LENGTH[:1], kind="pink", limits=(10.0, 10.0))
    clean = np.asarray(waveform[0], np.float64) / 32768
    ratio = np.square(clean).sum() / np.square(np.asarray(noisy[0], np.float64) - clean).sum()
    np.testing.assert_allclose(10 * np.log10(ratio), 10.0, atol=0.01)


def octaves(noise):
    """Mean power of noise [B, T] per Hz in octaves from 125 Hz to 8 kHz, in dB."""
    power = np.square(np.abs(np.fft.rfft(noise))).mean(0)
    frequency = np.fft.rfftfreq(noise.shape[1], 1 / RATE)
    edges = 125 * 2.0 ** np.arange(7)
    bands = [(frequency >= low) & (frequency < high) for low, high in zip(edges, edges[1:], strict=False)]
    return np.array([10 * np.log10(power[band].mean()) for band in bands]), power[(frequency > 0) & (frequency < 19)]


@pytest.mark.parametrize(("kind", "fall"), [("white", 0.0), ("pink", 10 * np.log10(2))])
def test_white_noise_is_flat_and_pink_noise_falls_by_three_decibels_an_octave(kind, fall):
    loud = jnp.full((16, 16384), 0.1)
    length = jnp.full((16,), 16384)
    noise = np.asarray(waveforms_in_noise(KEY, loud, length, kind=kind, limits=(0.0, 0.0))) - 0.1
    level, below = octaves(noise)
    np.testing.assert_allclose(np.diff(level), -fall, atol=0.5)
    assert kind == "white" or below.max() < 1e-6 * np.square(np.abs(np.fft.rfft(noise))).max()


def test_either_gives_some_examples_white_noise_and_others_pink():
    loud, length = jnp.full((24, 8192), 0.1), jnp.full((24,), 8192)
    noise = np.asarray(waveforms_in_noise(KEY, loud, length, kind="either", limits=(0.0, 0.0))) - 0.1
    high = np.square(np.abs(np.fft.rfft(noise)))[:, 2048:].sum(1) / np.square(np.abs(np.fft.rfft(noise))).sum(1)
    white = high > 0.35  # half of white noise lies above 4 kHz, an eighth of pink noise
    assert 4 < white.sum() < 20 and high[~white].max() < 0.2


def test_an_update_draws_its_own_noise_and_the_same_key_the_same(waveform):
    noisy = partial(waveforms_in_noise, waveform=waveform, length=LENGTH, kind="white", limits=(0.0, 10.0))
    one, again, other = noisy(KEY), noisy(KEY), noisy(jax.random.fold_in(KEY, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one[0], other[0])
    correlation = np.corrcoef(np.asarray(one[0] - waveform[0] / 32768), np.asarray(other[0] - waveform[0] / 32768))
    assert abs(correlation[0, 1]) < 0.05


def test_it_is_added_after_a_gain_too(waveform):
    quiet = waveform.astype(jnp.float32) / 32768 * 0.1
    np.testing.assert_allclose(
        waveforms_in_noise(KEY, quiet, LENGTH, kind="white", limits=(5.0, 5.0)),
        0.1 * waveforms_in_noise(KEY, waveform, LENGTH, kind="white", limits=(5.0, 5.0)),
        atol=1e-6,
    )
