"""Levels: the stated one is reached, whatever the recording's own; nothing else changes."""

import numpy as np
import pytest

from sejax.audio.degradations import gain
from sejax.audio.level import LEVELS, levelled
from sejax.errors import InputError

RATE = 16000
GIVEN = [level for level in LEVELS if level != "none"]


@pytest.fixture(scope="module")
def speech():
    """Two bursts of noise below 4 kHz with a pause between, and an offset; peak near full scale."""
    pytest.importorskip("pyloudnorm", reason="install sejax[data]")
    random = np.random.default_rng(0)
    noise = np.convolve(random.normal(size=3 * RATE), np.ones(4) / 4, "same")
    noise[RATE : 2 * RATE] *= 0.001
    noise /= np.abs(noise).max()
    return np.round(20000 * noise + 300).astype(np.int16)


def rms(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) / 32768)


def test_none_gives_the_waveform_itself(speech):
    assert levelled(speech, RATE, "none") is speech


def test_each_level_is_reached(speech):
    import pyloudnorm

    assert np.abs(levelled(speech, RATE, "peak").astype(int)).max() in (32767, 32768)
    assert rms(levelled(speech, RATE, "rms")) == pytest.approx(-26, abs=0.01)
    loud = pyloudnorm.Meter(RATE).integrated_loudness(levelled(speech, RATE, "loudness") / 32768)
    assert loud == pytest.approx(-26, abs=0.1)


def test_a_pause_counts_for_the_root_mean_square_and_its_edges_alone_for_the_loudness(speech):
    pause = np.full(7 * RATE, 300, np.int16)
    longer = np.concatenate([speech[: 2 * RATE], pause, speech[2 * RATE :]])

    def raised(level):
        short, long = (levelled(part, RATE, level)[: RATE // 2] for part in (speech, longer))
        return rms(long) - rms(short)

    assert raised("rms") == pytest.approx(10 * np.log10(10 / 3), abs=0.1)
    assert raised("loudness") == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("level", GIVEN)
@pytest.mark.parametrize("decibels", [-6.0, -30.0])
def test_the_recordings_own_level_makes_no_difference(speech, level, decibels):
    there, here = levelled(speech, RATE, level).astype(float), levelled(gain(speech, decibels), RATE, level)
    assert 20 * np.log10(np.std(here - there) / np.std(there)) < -45  # the rounding of the quiet one


@pytest.mark.parametrize("level", GIVEN)
def test_the_mean_is_removed(speech, level):
    assert abs(levelled(speech, RATE, level).mean()) < 1


@pytest.mark.parametrize("level", GIVEN)
@pytest.mark.parametrize("samples", [[0] * 500, [7] * 500, [], [5]])
def test_silence_is_silent(level, samples):
    pytest.importorskip("pyloudnorm", reason="install sejax[data]")
    np.testing.assert_array_equal(levelled(np.array(samples, np.int16), RATE, level), np.zeros(len(samples)))


@pytest.mark.parametrize("level", GIVEN)
@pytest.mark.parametrize("length", [2, 100, 6399])
def test_recordings_shorter_than_a_block_of_the_gate_and_clicks_have_a_level(level, length):
    pytest.importorskip("pyloudnorm", reason="install sejax[data]")
    click = np.zeros(length, np.int16)
    click[length // 2] = 20000
    assert np.abs(levelled(click, RATE, level).astype(int)).max() > 100


def test_an_unknown_level_is_named():
    with pytest.raises(InputError, match="level='loud'; use one of none, peak, rms, loudness"):
        levelled(np.ones(9, np.int16), RATE, "loud")
