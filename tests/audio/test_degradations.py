"""Degradations: the gain, the signal-to-noise ratio, the bandwidth and the bit rate are the stated ones."""

import numpy as np
import pytest

from sejax.audio.degradations import BABBLE, babble, gain, mp3, narrow_band, white, with_noise
from sejax.errors import InputError

RATE = 16000


def tone(frequency, seconds=1.0, amplitude=8000):
    time = np.arange(round(seconds * RATE)) / RATE
    return np.round(amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def power(samples):
    return np.mean(np.square(samples, dtype=np.float64))


@pytest.mark.parametrize("decibels", [-30.0, -6.0, 3.0])
def test_a_gain_is_so_many_decibels(decibels):
    found = 10 * np.log10(power(gain(tone(440), decibels)) / power(tone(440)))
    assert found == pytest.approx(decibels, abs=0.01)


def test_what_a_gain_brings_beyond_full_scale_is_clipped():
    assert gain(np.array([30000, -30000], np.int16), 6.0).tolist() == [32767, -32768]


@pytest.mark.parametrize("snr", [20.0, 0.0])
@pytest.mark.parametrize("kind", ["white", "babble"])
def test_noise_has_the_stated_ratio_to_the_signal(kind, snr):
    random, voice = np.random.default_rng(0), tone(440, amplitude=3000)
    talkers = [tone(200 + 50 * number, seconds=0.7) for number in range(BABBLE + 1)]
    noise = white(len(voice), random) if kind == "white" else babble(len(voice), talkers, random)
    added = with_noise(voice, noise, snr).astype(np.float64) - voice
    assert 10 * np.log10(power(voice) / power(added)) == pytest.approx(snr, abs=0.1)


def test_silence_stays_silence_and_babble_needs_talkers():
    silence = np.zeros(1000, np.int16)
    np.testing.assert_array_equal(with_noise(silence, np.ones(1000), 0.0), silence)
    with pytest.raises(InputError, match="2 recordings that are not silent; give at least 6"):
        babble(10, [tone(440), tone(550), silence], np.random.default_rng(0))


def test_a_narrow_band_keeps_what_is_below_half_its_rate_and_nothing_else():
    pytest.importorskip("soxr")
    low, high = tone(1000), tone(6000)
    assert power(narrow_band(low, RATE) - low.astype(float)) < 1e-4 * power(low)
    assert power(narrow_band(high, RATE)[1000:-1000]) < 1e-6 * power(high)  # it begins and ends with a click
    assert len(narrow_band(low[:12345], RATE)) == 12345


def test_mp3_is_of_32_kbit_per_second_as_long_as_before_and_in_step(monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    sizes, read = [], soundfile.read

    def sized(file, **how):
        sizes.append(len(file.getvalue()))
        return read(file, **how)

    monkeypatch.setattr(soundfile, "read", sized)
    voice = with_noise(tone(440, seconds=4.0), white(4 * RATE, np.random.default_rng(1)), 30.0)
    found = mp3(voice)
    assert 8 * sizes[0] / 4.0 == pytest.approx(32000, rel=0.03)
    assert len(found) == len(voice)
    assert np.corrcoef(found, voice)[0, 1] > 0.99
