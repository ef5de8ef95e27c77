"""RAVDESS: the seven codes of a name, copies, and other modalities."""

from collections import Counter

import numpy as np
import soundfile
from trees import write_wav

from sejax import corpora


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
