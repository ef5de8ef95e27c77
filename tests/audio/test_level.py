"""Levels: the stated one is reached, whatever the recording's own; nothing else changes."""

import numpy as np
import pytest

from sejax.audio import level as module
from sejax.audio.degradations import gain, narrow_band, white, with_noise
from sejax.audio.level import LEVELS, MASK, Traits, joined, levelled, ranges, traits, unlike
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


def test_masked_recordings_have_one_noise_floor_and_no_offset(speech):
    def found(noise, offset):
        recorded = speech + noise * np.random.default_rng(1).normal(size=len(speech)) + offset
        return traits(levelled(np.round(recorded).clip(-32768, 32767).astype(np.int16), RATE, "masked"), RATE)

    clean, noisy = found(0.0, 0.0), found(10.0, 900.0)  # the noise 54 dB below the bursts
    assert clean.floor == pytest.approx(-MASK, abs=2.5) and noisy.floor == pytest.approx(clean.floor, abs=0.2)
    assert clean.level == pytest.approx(noisy.level, abs=0.1)
    assert max(clean.offset, noisy.offset) < 2e-5
    assert levelled(speech, RATE, "masked").tobytes() == levelled(speech, RATE, "masked").tobytes()


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
    with pytest.raises(InputError, match="level='loud'; use one of none, peak, rms, loudness, masked"):
        levelled(np.ones(9, np.int16), RATE, "loud")


def test_the_traits_of_a_made_recording_are_those_it_was_made_with():
    time = np.arange(2 * RATE) / RATE
    wave = 0.25 * np.sin(2 * np.pi * 1000 * time) * np.where(time < 1.5, 1.0, 0.01) + 0.01
    found = traits(np.round(wave * 32768).astype(np.int16), RATE)
    power = 0.25**2 / 2 * (0.75 + 0.25 * 0.01**2)
    assert found.level == pytest.approx(10 * np.log10(power), abs=0.05)
    assert found.peak == pytest.approx(20 * np.log10(0.25), abs=0.05)
    assert found.offset == pytest.approx(0.01, abs=1e-4)
    assert found.floor == pytest.approx(10 * np.log10(0.25**2 / 2 * 0.01**2 / power), abs=0.2)
    assert 1000 < found.bandwidth <= 1750
    assert found.clipped == 0


def test_clipping_is_found_at_whatever_level_it_happened():
    time = np.arange(RATE) / RATE
    wave = np.round(30000 * np.sin(2 * np.pi * 100 * time)).astype(np.int16)
    flat = gain(gain(wave, 6.0), -12.0)
    assert traits(wave, RATE).clipped < 0.02
    assert traits(flat, RATE).clipped == pytest.approx(2 * np.arccos(32768 / 60000) / np.pi, abs=0.02)


@pytest.mark.parametrize("samples", [[], [0] * 700, [9] * 700, [1], [1, -1]])
def test_silence_and_a_few_samples_have_traits_too(samples):
    found = traits(np.array(samples, np.int16), RATE)
    assert np.isfinite(found).all()
    assert found.level == -120 or len(samples) == 2


@pytest.mark.parametrize("level", ["peak", "rms"])
def test_long_recordings_are_read_in_pieces_to_the_same_result(speech, level, monkeypatch):
    flat = gain(gain(speech, 12.0), -6.0)
    whole = levelled(speech, RATE, level), traits(flat, RATE)
    monkeypatch.setattr(module, "_PIECE", 7000)
    np.testing.assert_array_equal(levelled(speech, RATE, level), whole[0])
    np.testing.assert_allclose(traits(flat, RATE), whole[1], rtol=1e-9)
    assert whole[1].clipped > 0.01


def test_what_is_unlike_the_recordings_of_a_corpus_is_said_and_nothing_else(speech):
    noise = white(len(speech), np.random.default_rng(0))
    others = [with_noise(gain(speech, decibels), noise, snr) for decibels in (0.0, -3.0) for snr in (40.0, 90.0)]
    known = ranges([traits(x, RATE) for x in others])
    noisy, narrow = with_noise(speech, noise, 0.0), narrow_band(speech, RATE)
    assert unlike(traits(gain(speech, -1.5), RATE), known) == []
    for changed, word in ((gain(speech, -20.0), "quieter"), (noisy, "noisier"), (narrow, "narrower")):
        said = unlike(traits(changed, RATE), known)
        assert any(line.startswith(word) for line in said), said
    assert unlike(traits(gain(speech, -20.0), RATE), known, level="rms") == []
    assert unlike(traits(speech, RATE), {}) == []


def test_ranges_of_several_corpora_hold_all_of_them():
    one, other = ({name: [low, low + 1.0] for name in Traits._fields} for low in (0.0, 5.0))
    assert joined([one, other])["level"] == [0.0, 6.0]
    assert joined([one, {}]) == {} and ranges([]) == {}
