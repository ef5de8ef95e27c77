"""RAVDESS: the seven codes of a name, copies, and other modalities."""

import os
from collections import Counter

import numpy as np
import pytest
import soundfile
from trees import write_wav

from sejax import corpora
from sejax.errors import InputError


def test_names_are_spelt_out(ravdess):
    corpus = corpora.open_corpus("ravdess", ravdess)
    assert len(corpus) == 1440
    recording = next(r for r in corpus.recordings if r.id == "03-01-06-01-02-01-12")
    assert (recording.speaker, recording.sex, recording.emotion_original) == ("12", "female", "fearful")
    assert (recording.emotion, recording.transcript) == ("fear", "Dogs are sitting by the door.")
    assert next(r for r in corpus.recordings if r.speaker == "11").sex == "male"


def test_every_class_has_192_recordings_but_neutral_96(ravdess):
    counts = Counter(r.emotion for r in corpora.open_corpus("ravdess", ravdess).recordings)
    assert counts.pop("neutral") == 96
    assert set(counts.values()) == {192} and len(counts) == 7


def test_copies_and_other_modalities_are_passed_over(ravdess):
    original = ravdess / "Actor_01" / "03-01-01-01-01-01-01.wav"
    (ravdess / "copy").mkdir()
    (ravdess / "copy" / original.name).write_bytes(original.read_bytes())
    write_wav(ravdess / "Actor_01" / "03-02-01-01-01-01-01.wav")
    corpus = corpora.open_corpus("ravdess", ravdess)
    assert len(corpus) == 1440
    assert corpus.notes[0].startswith("1 copies") and corpus.notes[1].startswith("1 files of other modalities")


def test_48_khz_becomes_16_khz(ravdess):
    corpus = corpora.open_corpus("ravdess", ravdess)
    utterance = corpus.decode(corpus.recordings[0])
    frames = soundfile.info(corpus.recordings[0].path).frames
    assert utterance.rate == 16000 and utterance.waveform.dtype == np.int16
    assert abs(len(utterance.waveform) - frames / 3) <= 1


def sung_names():
    return [
        f"03-02-{emotion}-{intensity}-{statement}-{take}-{actor:02}"
        for actor in range(1, 25)
        if actor != 18
        for emotion in ("01", "02", "03", "04", "05", "06")
        for intensity in (("01",) if emotion == "01" else ("01", "02"))
        for statement in ("01", "02")
        for take in ("01", "02")
    ]


def test_the_songs_are_a_corpus_of_their_own(tmp_path):
    original = write_wav(tmp_path / "original", rate=48000)
    for name in sung_names():
        (tmp_path / f"Actor_{name[-2:]}").mkdir(exist_ok=True)
        os.link(original, tmp_path / f"Actor_{name[-2:]}" / f"{name}.wav")
    write_wav(tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav", rate=48000)
    corpus = corpora.open_corpus("ravdess_song", tmp_path)
    assert (corpus.name, len(corpus), len({r.speaker for r in corpus.recordings})) == ("ravdess_song", 1012, 23)
    assert corpus.classes == ("neutral", "calm", "happiness", "sadness", "anger", "fear")
    counts = Counter(r.emotion for r in corpus.recordings)
    assert counts.pop("neutral") == 92 and set(counts.values()) == {184}
    assert corpus.notes == ("1 files of other modalities or of speech were passed over",)
    (tmp_path / "Actor_02" / "03-02-01-01-01-01-02.wav").unlink()
    gap = r"1011 of 1012 song files found under .*each actor has 44; Actor_02 has 43; unpack Audio_Song_Actors_01-24"
    with pytest.raises(InputError, match=gap):
        corpora.open_corpus("ravdess_song", tmp_path)
