"""Voice activity: what the detector hears, and where the voiced samples lay."""

import numpy as np
import pytest

from sejax.audio.voice_activity import original_position, voiced, voiced_frames
from sejax.corpora import Utterance
from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.spectrograms import voiced_blocks
from sejax.data.utterances.load import UtteranceSettings
from sejax.data.utterances.prepare import spans_of
from sejax.errors import InputError

pytest.importorskip("webrtcvad", reason="voice activity detection needs the webrtcvad-wheels package")


@pytest.fixture(scope="module")
def speech():
    """One second of a vowel-like sound between two seconds of silence, int16 at 16 kHz."""
    time = np.arange(16000) / 16000
    harmonics = sum(np.cos(2 * np.pi * 140 * k * time) / k for k in range(1, 25))
    swell = np.hanning(16000) * (1 + 0.3 * np.sin(2 * np.pi * 4 * time))
    silence = np.zeros(32000, np.int16)
    return np.concatenate([silence, (4000 * swell * harmonics).astype(np.int16), silence])


def test_silence_is_dropped_and_the_voice_is_kept(speech):
    decisions = voiced_frames(speech, 16000, mode=3)
    frames = np.arange(len(decisions)) * 0.03
    assert decisions[(frames > 2.2) & (frames < 2.8)].all()
    assert not decisions[frames < 1.9].any()
    assert not decisions[frames > 3.5].any()


def test_higher_modes_keep_less(speech):
    kept = [len(voiced(speech, 16000, mode=mode)) for mode in range(4)]
    assert kept == sorted(kept, reverse=True) and kept[0] > kept[3] > 0


def test_the_detector_of_one_waveform_does_not_hear_the_one_before(speech):
    alone = voiced_frames(speech, 16000)
    voiced_frames(np.random.default_rng(0).integers(-20000, 20000, 64000).astype(np.int16), 16000)
    np.testing.assert_array_equal(voiced_frames(speech, 16000), alone)


def test_a_frame_is_heard_alike_however_often_it_is_asked_about():
    """A detector that is kept adapts: the same frame of a steady tone is speech at first and then no more."""
    import webrtcvad

    frame = (8000 * np.sin(2 * np.pi * 200 * np.arange(480) / 16000)).astype(np.int16)
    kept = webrtcvad.Vad(0)
    decisions = [kept.is_speech(frame.tobytes(), 16000) for _ in range(20)]
    assert decisions[0] and not decisions[-1]
    assert all(voiced_frames(frame, 16000).tolist() == [True] for _ in range(20))


def test_a_recording_is_cut_and_prepared_alike_however_often(speech):
    utterance = Utterance(id="u", waveform=speech, rate=16000)
    settings = UtteranceSettings(voice_activity=0), BlockSettings()
    spans, first = spans_of(utterance, settings[0]), voiced_blocks(speech, 16000, settings[1])
    for _ in range(20):
        again = voiced_blocks(speech, 16000, settings[1])
        np.testing.assert_array_equal(again.samples, first.samples)
        np.testing.assert_array_equal(spans_of(utterance, settings[0]).start, spans.start)


def test_decisions_are_those_of_the_detector_called_frame_by_frame(speech):
    import webrtcvad

    detector = webrtcvad.Vad(1)
    frames = speech[: len(speech) // 320 * 320].reshape(-1, 320)
    expected = [detector.is_speech(frame.tobytes(), 16000) for frame in frames]
    np.testing.assert_array_equal(voiced_frames(speech, 16000, mode=1, frame_ms=20), expected)


def test_every_joined_sample_is_found_at_its_place_in_the_original():
    waveform = np.random.default_rng(1).integers(-99, 99, 105).astype(np.int16)
    decisions = np.array([True, False, False, True, True, False, True, False, False, True])
    joined = waveform[:100].reshape(10, 10)[decisions].reshape(-1)
    positions = original_position(np.arange(len(joined)), decisions, frame=10)
    np.testing.assert_array_equal(waveform[positions], joined)
    np.testing.assert_array_equal(positions[[0, 10, 25, 49]], [0, 30, 45, 99])


def test_a_remainder_shorter_than_a_frame_has_no_decision():
    assert voiced_frames(np.zeros(479, np.int16), 16000).shape == (0,)
    assert voiced_frames(np.zeros(481, np.int16), 16000).shape == (1,)


@pytest.mark.parametrize(
    ("waveform", "rate", "mode", "frame_ms", "words"),
    [
        (np.zeros(480, np.float32), 16000, 0, 30, "float32"),
        (np.zeros((2, 480), np.int16), 16000, 0, 30, "shape \\(2, 480\\)"),
        (np.zeros(480, np.int16), 44100, 0, 30, "rate 44100 Hz"),
        (np.zeros(480, np.int16), 16000, 4, 30, "mode 4"),
        (np.zeros(480, np.int16), 16000, 0, 25, "frames of 25 ms"),
    ],
)
def test_what_the_detector_does_not_take_is_refused(waveform, rate, mode, frame_ms, words):
    with pytest.raises(InputError, match=words):
        voiced_frames(waveform, rate, mode=mode, frame_ms=frame_ms)
