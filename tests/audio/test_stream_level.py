"""The level of what is heard as it comes."""

import numpy as np
import pytest

from sejax.audio.level import LEVELS, levelled, traits
from sejax.audio.stream_level import RunningLevel, stream_level
from sejax.errors import InputError

RATE = 16000


def noise(seconds, *, amplitude=900.0):
    """int16 whose mean is exactly zero."""
    half = np.random.default_rng(1).normal(0, amplitude, round(seconds * RATE / 2)).astype(np.int16)
    return np.stack([half, -half], axis=1).reshape(-1)


@pytest.mark.parametrize("level", ["rms", "peak"])
def test_a_stated_level_does_what_a_files_own_would(level):
    waveform = noise(2.0)
    own = {"rms": traits(waveform, RATE).level, "peak": 20 * np.log10(np.abs(waveform.astype(int)).max() / 32768)}
    brought = stream_level(level, repr(float(own[level])), RATE)
    made = np.concatenate([brought(piece) for piece in np.split(waveform, [5, 1000, 1001])])
    np.testing.assert_array_equal(made, levelled(waveform, RATE, level))


def test_recordings_taken_as_they_are_need_no_level():
    waveform = noise(0.1)
    np.testing.assert_array_equal(stream_level("none", "", RATE)(waveform), waveform)


@pytest.mark.parametrize("level", ["rms", "peak"])
def test_the_running_level_depends_on_what_was_heard_and_not_on_how_it_was_cut(level):
    waveform = noise(3.005) + np.int16(40)
    waveform[: RATE // 2] //= 8
    running = RunningLevel(level, RATE)
    made = [running(piece) for piece in np.split(waveform, np.arange(0, len(waveform), 77))]
    assert all(len(one) == 0 for one in made[: RATE // 77])  # the first second is measured before any of it comes
    made = np.concatenate(made)
    np.testing.assert_array_equal(made, RunningLevel(level, RATE)(waveform))
    assert len(made) == len(waveform) // 160 * 160
    np.testing.assert_array_equal(made[:RATE], levelled(waveform[:RATE], RATE, level))
    # The last hundredth is brought by all that was heard, as the whole of it would be.
    np.testing.assert_array_equal(made[-160:], levelled(waveform[: len(made)], RATE, level)[-160:])


def test_a_level_that_is_more_than_one_gain_is_refused(monkeypatch):
    monkeypatch.setattr("sejax.audio.stream_level.LEVELS", (*LEVELS, "another"))
    with pytest.raises(InputError, match="level=another: what is done to a recording for it needs the whole"):
        stream_level("another", "-20", RATE)


def test_silence_so_far_stays_silence():
    assert not RunningLevel("rms", RATE)(np.full(2 * RATE, 3, np.int16)).any()


@pytest.mark.parametrize(
    ("level", "stated", "said"),
    [
        ("rms", "", "known while it comes; give it in dBFS"),
        ("rms", "loud", "--stream_level=loud"),
        ("peak", "nan", "dBFS"),
        ("loudness", "", "LUFS"),
        ("loudness", "running", "in LUFS"),
        ("none", "-20", "leave it out"),
        ("quiet", "-20", ", ".join(LEVELS)),
    ],
)
def test_a_level_that_cannot_be_is_refused(level, stated, said):
    with pytest.raises(InputError, match=said):
        stream_level(level, stated, RATE)
