"""The Berlin database: what the file names say, the published counts, subset, partial copies and the download."""

import importlib
import os
import sys
import types
from collections import Counter

import pytest
from trees import noise, write_bytes, write_wav

from sejax import corpora
from sejax.corpora.emodb import AUDIO
from sejax.corpora.folder import Audio
from sejax.errors import InputError


def test_names_are_spelt_out(emodb):
    recordings = {recording.id: recording for recording in corpora.open_corpus("emodb", emodb).recordings}
    first = recordings["03a01Wa"]
    assert (first.speaker, first.sex, first.emotion_original, first.emotion) == ("03", "male", "Wut", "anger")
    assert first.transcript == "Der Lappen liegt auf dem Eisschrank."
    other = recordings["08b03Tc"]
    assert (other.speaker, other.sex, other.emotion) == ("08", "female", "sadness")


def test_counts_are_the_published_ones(emodb):
    corpus = corpora.open_corpus("emodb", emodb)
    assert len(corpus) == 535
    assert Counter(recording.emotion for recording in corpus.recordings) == {
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "joy": 71,
        "sadness": 62,
        "neutral": 79,
    }
    assert {r.speaker for r in corpus.recordings if r.sex == "male"} == {"03", "10", "11", "12", "15"}
    assert len({recording.transcript for recording in corpus.recordings}) == 10
    assert corpus.classes == corpora.PUBLISHED["emodb"].classes


def test_order_and_digest_do_not_depend_on_where_the_files_lie(emodb):
    first = corpora.open_corpus("emodb", emodb)
    assert [r.id for r in first.recordings] == sorted(r.id for r in first.recordings)
    before = {first.digest(), corpora.open_corpus("emodb", emodb / "wav").digest()}
    moved = emodb.rename(emodb.with_name("elsewhere"))
    assert {corpora.open_corpus("emodb", moved).digest()} == before


def test_digest_follows_a_file_that_changes_within_its_length(emodb):
    before = corpora.open_corpus("emodb", emodb).digest()
    path = emodb / "wav" / "03a01Fa.wav"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    write_bytes(path, bytes(data))
    assert corpora.open_corpus("emodb", emodb).digest() != before


def test_the_281_further_files_of_later_versions_are_passed_over(emodb):
    write_wav(emodb / "wav" / "03a01Ab.wav")
    corpus = corpora.open_corpus("emodb", emodb)
    assert len(corpus) == 535
    assert corpus.notes == ("1 files beyond the 535 of the original distribution were passed over",)


def test_subset_keeps_what_passes_both_thresholds(emodb):
    # The tree's erkennung.txt: every second file 90 % recognised, the others 40 %; every fourth 55 % natural, the
    # others 60 %.
    corpus = corpora.open_corpus("emodb", emodb, subset=494)
    everything = corpora.open_corpus("emodb", emodb)
    assert [r.id for r in corpus.recordings] == [r.id for r in everything.recordings][1::4]
    assert corpus.digest() != everything.digest()


def test_the_real_erkennung_leaves_493_of_the_535_files(emodb_source):
    corpus = corpora.open_corpus("emodb", emodb_source, subset=494)
    assert len(corpus) == 493
    assert "14b09Tb" in corpus.notes[0]


def test_partial_copies_pass_only_with_allow_partial_and_say_what_is_missing(emodb):
    (emodb / "wav" / "03a01Fa.wav").unlink()
    write_bytes(emodb / "wav" / "16b10Td.wav", b"")
    with pytest.raises(InputError, match=r"2 inputs cannot be used.*03a01Fa\.wav.*16b10Td\.wav"):
        corpora.open_corpus("emodb", emodb)
    corpus = corpora.open_corpus("emodb", emodb, allow_partial=True)
    assert len(corpus) == 533
    assert [("03a01Fa" in p.what, "16b10Td" in p.where) for p in corpus.left_out] == [(True, False), (False, True)]


def test_copies_of_another_rate_and_length_pass_only_with_allow_partial(emodb, monkeypatch):
    original = write_wav(emodb / "altered", noise(0.2, rate=22050), rate=22050)
    for path in (emodb / "wav").glob("*.wav"):
        path.unlink()
        os.link(original, path)
    others = r"535 of 535 files: not sampled at 16000 Hz as published: 03a01Fa\.wav \(22050 Hz\).* and 525 more"
    shorter = r"535 recordings: last 107\.00 s together instead of 53\.50 s as published"
    with pytest.raises(InputError, match=f"{others}.*{shorter}.*--allow_partial"):
        corpora.open_corpus("emodb", emodb)
    corpus = corpora.open_corpus("emodb", emodb, allow_partial=True)
    assert len(corpus) == 535 and len(corpus.left_out) == 2


def test_the_published_lengths_are_the_originals():
    names = ("crema_d", "emovo", "nemo", "ravdess", "savee")
    audio = {name: importlib.import_module(f"sejax.corpora.{name}").AUDIO for name in names} | {"emodb": AUDIO[535]}
    assert audio == {
        "crema_d": Audio(16000, 7441, 18924.0),
        "emodb": Audio(16000, 535, 1487.1),
        "emovo": Audio(48000, 588, 1835.1),
        "nemo": Audio(24000, 4481, 11061.3),
        "ravdess": Audio(48000, 1440, 5329.0),
        "savee": Audio(44100, 480, 1842.9),
    }


def test_download_without_audb_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "audb", None)
    with pytest.raises(InputError, match=r"audb package.*sejax\[download\].*--source"):
        corpora.open_corpus("emodb", tmp_path / "new", download=True)


def test_download_without_a_network_says_so(tmp_path, monkeypatch):
    def load_to(*_, **__):
        raise ConnectionError("Name or service not known")

    monkeypatch.setitem(sys.modules, "audb", types.SimpleNamespace(load_to=load_to))
    with pytest.raises(InputError, match=r"could not fetch emodb 1\.4\.1.*ConnectionError.*check the network"):
        corpora.open_corpus("emodb", tmp_path / "new", download=True)


def test_download_fetches_the_version_of_535_files_once(emodb, tmp_path, monkeypatch):
    calls = []

    def load_to(root, name, *, version):
        calls.append((name, version))
        emodb.rename(root)

    monkeypatch.setitem(sys.modules, "audb", types.SimpleNamespace(load_to=load_to))
    for _ in range(2):
        assert len(corpora.open_corpus("emodb", tmp_path / "fetched", download=True)) == 535
    assert calls == [("emodb", "1.4.1")]


def test_real_recordings_decode_to_the_documented_total(emodb_source):
    utterances = list(corpora.read("emodb", emodb_source))
    assert len(utterances) == 535
    assert {utterance.rate for utterance in utterances} == {16000}
    assert sum(len(utterance.waveform) for utterance in utterances) / 16000 == pytest.approx(1487, abs=1)
