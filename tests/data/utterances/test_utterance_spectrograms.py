"""Sets of whole-utterance spectrograms: frames, spans, ratings, what is asked for and what is found again."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import soundfile
import speech_like
import toy_speech

from sejax.audio.spectrogram import spectrogram
from sejax.audio.voice_activity import voiced_frames
from sejax.corpora.corpus import Utterance, Word
from sejax.data.store.sets import heard
from sejax.data.utterances import frames as frames_module
from sejax.data.utterances.frames import frame_batches, frames, frames_of
from sejax.data.utterances.load import UtteranceSettings, UtteranceSpectrograms, find_utterance_spectrograms
from sejax.data.utterances.prepare import preparation, prepare_utterances, spans_of
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
LENGTHS = (1.3, 0.02, 2.2, 0.7)
DEFAULT = UtteranceSettings()
STEP = 0.0625  # dB, of f16 between 64 and 128


def corpus(folder):
    """As `speech_like.corpus`, with ratings of the first and the third utterance."""
    path = speech_like.corpus(folder, LENGTHS)
    header, *rows = path.read_text().split()
    rated = [f"{row},{rating}" for row, rating in zip(rows, ("4.5,2.0", ",", "1.5,3.25", ","), strict=True)]
    path.write_text("\n".join([f"{header},valence,activation", *rated]) + "\n")
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def folder(source, data_dir, told):
    return prepare_utterances("manifest", source, data_dir, name="small", progress=lambda *values: told.append(values))


@pytest.fixture(scope="module")
def prepared(folder):
    return UtteranceSpectrograms.load(folder)


@functools.cache
def whole_spectrogram(settings):
    return jax.jit(lambda waveform: spectrogram(waveform, settings.spectrogram, fmax=settings.fmax))


def of_the_whole(waveform, settings=DEFAULT):
    """f16[frames, bands], the spectrogram of an int16 waveform in one piece, zeros behind it (for one compilation)."""
    padded = np.zeros(50_000, np.float32)
    padded[: len(waveform)] = waveform / np.float32(32768)
    frames = 1 + len(waveform) // settings.spectrogram.hop_length
    return np.asarray(whole_spectrogram(settings)(padded), np.float16).T[:frames]


def test_every_utterance_has_the_frames_of_its_spectrogram(prepared, source):
    assert isinstance(prepared.frames, np.memmap) and prepared.frames.dtype == np.float16
    assert prepared.offset[0] == 0 and prepared.offset[-1] == len(prepared.frames)
    for number in range(len(LENGTHS)):
        waveform, _ = soundfile.read(source.parent / f"f{number}.wav", dtype="int16")
        found = prepared.frames[prepared.offset[number] : prepared.offset[number + 1]]
        assert found.shape == (1 + len(waveform) // 256, 128)
        np.testing.assert_allclose(found.astype(float), of_the_whole(waveform).astype(float), atol=STEP)
        assert prepared.maximum[number] == found.max()
        assert prepared.seconds[number] == len(waveform) / 16000


def test_who_said_what_and_how_it_was_rated_comes_along(prepared):
    assert prepared.utterance_ids == ("u0", "u1", "u2", "u3")
    assert prepared.classes == ("anger", "joy") and prepared.sex == ("male", "female")
    np.testing.assert_array_equal(prepared.label, [1, 0, -1, 1])
    np.testing.assert_array_equal(prepared.utterance_label, prepared.label)
    np.testing.assert_array_equal(prepared.speaker, [0, 1, 0, 1])
    np.testing.assert_array_equal(prepared.valence, np.float32([4.5, np.nan, 1.5, np.nan]))
    np.testing.assert_array_equal(prepared.activation, np.float32([2.0, np.nan, 3.25, np.nan]))
    assert np.isnan(prepared.dominance).all() and prepared.valence.dtype == np.float32


def test_spans_are_the_voiced_stretches_in_frames_where_there_are_no_words(prepared, source):
    assert not prepared.aligned.any() and prepared.span_offset.dtype == np.int32
    for number in (0, 2, 3):
        waveform, _ = soundfile.read(source.parent / f"f{number}.wav", dtype="int16")
        inside = np.zeros(len(waveform) // 480, bool)
        spans = slice(*prepared.span_offset[number : number + 2])
        for start, end in zip(prepared.span_start[spans], prepared.span_end[spans], strict=True):
            inside[round(start * 256 / 480) : round(end * 256 / 480)] = True
        np.testing.assert_array_equal(inside, voiced_frames(waveform, 16000, mode=3))
    spans = slice(*prepared.span_offset[1:3])  # of 0.02 s, which is no frame of the detector: the whole
    np.testing.assert_array_equal([prepared.span_start[spans], prepared.span_end[spans]], [[0], [320 / 256]])


def test_the_set_knows_in_how_many_seconds_speech_was_found(prepared, source):
    waveforms = [soundfile.read(source.parent / f"f{number}.wav", dtype="int16")[0] for number in range(len(LENGTHS))]
    speech = 0.03 * sum(voiced_frames(waveform, 16000, mode=3).sum() for waveform in waveforms)
    assert 0.5 < speech < sum(LENGTHS) - 0.5
    assert prepared.counts["seconds_speech"] == pytest.approx(speech)
    found = {"detector": "3", "seconds": round(sum(LENGTHS), 3), "speech": round(speech, 3)}
    assert heard(prepared) == {"voice_activity": found}


@pytest.mark.parametrize("count", [1, 255, 256, 5000])
def test_an_utterance_may_have_any_number_of_samples(count):
    waveform = speech_like.vowels(1)[4000 : 4000 + count]
    found = frames(waveform, DEFAULT)
    np.testing.assert_allclose(found.astype(float), of_the_whole(waveform).astype(float), atol=STEP)


def test_a_recording_longer_than_a_call_is_cut_and_its_frames_are_those_of_the_whole(monkeypatch):
    monkeypatch.setattr(frames_module, "FRAMES", 64)
    settings = UtteranceSettings(window_length=0.06, window_hop=0.01, bands=40)  # a window shorter than its transform
    waveforms = [speech_like.vowels(seconds, seed=number) for number, seconds in enumerate((3.0, 0.2, 0.9, 0.35))]
    parts = list(frame_batches(waveforms, settings))
    assert len(parts) > 8 and max(len(part) for part, _ in parts) < 64
    expected = np.concatenate([of_the_whole(waveform, settings) for waveform in waveforms])
    found = np.concatenate([part for part, _ in parts])
    np.testing.assert_allclose(found.astype(float), expected.astype(float), atol=STEP)
    np.testing.assert_array_equal(np.concatenate([highest for _, highest in parts]), found.max(axis=1))


def test_the_next_utterance_is_not_heard_in_the_last_frames_of_one():
    quiet, loud = np.zeros(1000, np.int16), np.full(1000, 20000, np.int16)
    ((found, _),) = frame_batches([quiet, loud, quiet], DEFAULT)
    assert (found[:4] == -100).all() and (found[8:] == -100).all() and found[4:8].max() > 0


def spoken(words, seconds=1.0):
    waveform = speech_like.vowels(seconds)
    return Utterance(id="u", waveform=waveform, rate=16000, words=tuple(Word(*word) for word in words))


def test_word_times_are_kept_inside_the_utterance():
    spans = spans_of(spoken([("a", -0.1, 0.2), ("b", 0.5, 0.4), ("c", 0.9, 1.3), ("d", 1.0, 1.1)]), DEFAULT)
    assert spans.kind == "words"
    np.testing.assert_array_equal([spans.start, spans.end], [[0, 0.5, 0.9], [0.2, 0.5, 1.0]])


def test_without_words_or_voice_the_span_is_the_whole_utterance():
    assert spans_of(spoken([]), DEFAULT).kind == "voiced"
    assert spans_of(spoken([("after the end", 2.0, 3.0)]), DEFAULT).kind == "voiced"
    whole = spans_of(spoken([]), UtteranceSettings(voice_activity=None))
    assert (whole.kind, whole.start.tolist(), whole.end.tolist()) == ("whole", [0.0], [1.0])
    silent = Utterance(id="u", waveform=np.zeros(8000, np.int16), rate=16000)
    assert spans_of(silent, DEFAULT).kind == "whole"


def test_the_summary_says_how_many_are_rated_and_have_word_times(folder):
    lines = UtteranceSpectrograms.load(folder).describe().split("\n")
    assert "frames      266 of 128 bands, log" in lines
    assert "rated       2 utterances: valence 1.5 to 4.5, activation 2 to 3.25" in lines
    assert any(line.endswith("voiced stretches instead for 3, the whole of 1") for line in lines)


def test_progress_is_told_in_seconds_of_audio(folder, told):
    of_frames = [(done, total) for stage, done, total in told if stage == "spectrograms"]
    assert of_frames[-1] == (pytest.approx(sum(LENGTHS)), pytest.approx(sum(LENGTHS)))
    assert [done for done, _ in of_frames] == sorted(done for done, _ in of_frames)


def test_the_command_prepares_with_the_settings_in_its_flags_and_prints_the_summary(source, tmp_path):
    arguments = ["--corpus=manifest", f"--source={source}", "--name=small", f"--data_dir={tmp_path}"]
    arguments += [
        "--features=utterance_spectrograms",
        "--scale=mel",
        "--bands=40",
        "--fmax=7000",
        "--voice_activity=none",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    found = find_utterance_spectrograms(tmp_path, "small", scale="mel")
    assert done.returncode == 0 and done.stdout.startswith(UtteranceSpectrograms.load(found.folder).describe())
    assert "spectrograms: 100%" in done.stderr
    settings = UtteranceSettings(scale="mel", bands=40, fmax=7000.0, voice_activity=None)
    assert found.settings == settings.as_dict() and found.frames.shape == (266, 40)
    assert found.span_start.tolist() == [0] * len(LENGTHS)


def test_the_set_is_found_by_corpus_and_scale(folder, data_dir):
    assert find_utterance_spectrograms(data_dir, "small").folder == str(folder)
    with pytest.raises(InputError, match="--name=small .*--features=utterance_spectrograms --scale=mel"):
        find_utterance_spectrograms(data_dir, "small", scale="mel")


def test_toy_sets_are_read_back_as_they_were_made(tmp_path):
    toy_speech.write_both(tmp_path)
    for made in (toy_speech.rated(), toy_speech.unlabelled()):
        found = find_utterance_spectrograms(tmp_path, made.corpus)
        for name in (*("frames", "offset", "maximum", "valence", "label", "span_start"), "utterance_label"):
            np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
        assert (found.classes, found.speakers, found.sex) == (made.classes, made.speakers, made.sex)


def test_a_damaged_set_is_an_error_that_says_what_to_do(tmp_path):
    folder = toy_speech.write_prepared_set(tmp_path, toy_speech.unlabelled())
    np.save(folder / "frames.npy", np.load(folder / "frames.npy")[:-1])
    with pytest.raises(InputError, match="delete the folder and prepare the set again"):
        UtteranceSpectrograms.load(folder)
    (folder / "frames.npy").unlink()
    with pytest.raises(InputError, match="not a finished set of utterance spectrograms; .*--features=utterance_spec"):
        UtteranceSpectrograms.load(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": "linear"}, "scale='linear'; use one of log, mel"),
        ({"bands": 0}, "bands=0"),
        ({"fmax": 11000.0}, "fmax=11000.0 Hz; use a frequency above 0 and up to 8000"),
        ({"window_length": 1.0}, "window_length=1.0 s"),
        ({"window_hop": 0.001}, "window_hop=0.001 s; use a sixteenth"),
        ({"voice_activity": 4}, "voice_activity=4; use 0, 1, 2, 3, silero or none"),
        ({"frame_ms": 25}, "frame_ms=25"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        UtteranceSettings(**settings)


def test_bands_that_hold_no_bin_are_refused_before_any_file_is_read(tmp_path):
    with pytest.raises(InputError, match="mel"):
        prepare_utterances("emodb", tmp_path / "nowhere", settings=UtteranceSettings(scale="mel", bands=500))


def test_every_setting_makes_another_set():
    changes = {"scale": "mel", "bands": 64, "fmax": 7000.0, "window_length": 0.032, "window_hop": 0.008}
    changes |= {"voice_activity": None, "frame_ms": 10}
    names = {preparation(UtteranceSettings(**{name: value})).folder_name("u") for name, value in changes.items()}
    usual = preparation(DEFAULT)
    assert len(names | {usual.folder_name("u"), usual.folder_name("v")}) == len(changes) + 2
    assert json.loads(json.dumps(DEFAULT.as_dict())) == DEFAULT.as_dict()


def test_waveforms_that_share_calls_have_the_frames_that_each_has_alone():
    lengths = (0.3, 70.0, 0.02, 61.0, 2.0, 1.0)  # of calls of 65 s
    waveforms = [speech_like.vowels(seconds, seed=number) for number, seconds in enumerate(lengths)]
    taken = []
    shared = frames_of((taken.append(len(one)) or one for one in waveforms), DEFAULT)
    first = next(shared)
    assert len(taken) == 2  # no more than fill a call
    for found, waveform in zip([first, *shared], waveforms, strict=True):
        np.testing.assert_array_equal(found, frames(waveform, DEFAULT))
