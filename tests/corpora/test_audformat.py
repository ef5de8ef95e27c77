"""Databases in audformat: emoDB as audb lays it out, segments, schemes, splits, misc tables, and what is wrong."""

import json
import os
import sys
import types

import numpy as np
import pytest

pytest.importorskip("audformat")

import audformat
import databases
import pandas as pd
from databases import column, emodb_like
from trees import noise, write_wav

from sejax import corpora
from sejax.corpora.audformat import LOST
from sejax.data.blocks.prepare import prepare_blocks
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # audformat 1.4 on pandas 3.1


def files_of(folder):
    """A prepared set's files, without what says where its utterances came from."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "settings.json"}
    about = json.loads((folder / "settings.json").read_text())
    about["counts"].pop("published_images", None)  # of the paper's emodb, by that name
    own = {name: about.pop(name) for name in ("corpus", "utterances", "notes", "digest")}
    return found | {"settings": about}, own


@pytest.mark.parametrize("prepare", [prepare_waveforms, pytest.param(prepare_blocks, marks=pytest.mark.slow)])
def test_emodb_through_audformat_is_the_same_set_as_by_its_own_reader(emodb_source, tmp_path, prepare):
    root = tmp_path / "audb"
    root.mkdir()
    os.symlink(emodb_source / "wav", root / "wav")
    emodb_like(root, [f"wav/{path.name}" for path in sorted((emodb_source / "wav").glob("*.wav"))])
    own = prepare("emodb", emodb_source, tmp_path / "own")
    how = {"name": "emodb_audb", "table": ("emotion", "files"), "labels": ("happiness:joy",)}
    through = prepare("audformat", root, tmp_path / "through", **how)
    (ours, _), (theirs, about) = files_of(own), files_of(through)
    assert len(ours) > 6 and ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert about["corpus"] == "emodb_audb"
    assert about["notes"] == [
        "columns that mean nothing here were passed over: emotion.emotion.confidence, files.duration"
    ]


@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_what_schemes_say_of_emodb(emodb, storage):
    emodb_like(emodb, ["wav/08b03Tc.wav", "wav/03a01Fa.wav"], storage)
    how = {"name": "mine", "table": ("emotion", "files")}
    first, second = corpora.open_corpus("audformat", emodb, **how).recordings
    assert (first.id, first.speaker, first.sex, first.emotion) == ("08b03Tc", "08", "female", "sadness")
    assert (second.id, second.speaker, second.sex, second.emotion) == ("03a01Fa", "03", "male", "happiness")
    assert second.transcript == "Der Lappen liegt auf dem Eisschrank."
    alone = corpora.open_corpus("audformat", emodb, name="mine", table=("emotion",)).recordings
    assert [(item.speaker, item.transcript) for item in alone] == [("", ""), ("", "")]


def test_segments_end_with_their_file_where_no_end_is_said(tmp_path):
    database = databases.small(tmp_path)
    index = audformat.segmented_index(["a0.wav", "a0.wav", "a1.wav"], ["0s", "0.5s", "1.25s"], ["0.5s", pd.NaT, "2s"])
    database["emotion"] = audformat.Table(index)
    column(database, "emotion", "emotion", ["joy", "fear", "joy"])
    database["files"] = audformat.Table(audformat.filewise_index(["a0.wav", "a1.wav"]))
    column(database, "files", "speaker", ["s1", "s2"])
    database.save(str(tmp_path))
    corpus = corpora.open_corpus("audformat", tmp_path, table=("emotion", "files"))
    assert (corpus.name, corpus.classes) == ("mine", ("fear", "joy"))
    times = [(item.id, item.start, item.seconds, item.speaker) for item in corpus.recordings]
    assert times == [("a0_0.0_0.5", 0, 0.5, "s1"), ("a0_0.5", 0.5, 1.5, "s1"), ("a1_1.25_2.0", 1.25, 0.75, "s2")]
    np.testing.assert_array_equal(list(corpus)[1].waveform, noise(2.0)[8000:])


def test_speakers_of_a_misc_table_and_codes_of_emotions(tmp_path):
    database = databases.small(tmp_path)
    database.schemes["sex"] = audformat.Scheme(labels=["female", "male"])
    database["people"] = audformat.MiscTable(pd.Index(["s1", "s2"], dtype="string", name="speaker"))
    column(database, "people", "gender", ["female", "male"], scheme="sex")
    database.schemes["speaker"] = audformat.Scheme("str", labels="people")
    database.schemes["code"] = audformat.Scheme(labels={"W": "anger", "F": "joy"})
    database["table"] = audformat.Table(audformat.filewise_index(["a0.wav", "a1.wav", "a2.wav"]))
    column(database, "table", "speaker", ["s1", "s2", None])
    column(database, "table", "emotion", ["W", "F", None], scheme="code")
    column(database, "table", "arousal", [0.5, None, 1.0])
    database.save(str(tmp_path))
    items = corpora.open_corpus("audformat", tmp_path, table=("table",)).recordings
    assert [(item.speaker, item.sex) for item in items] == [("s1", "female"), ("s2", "male"), ("", "")]
    assert [item.emotion for item in items] == ["anger", "joy", ""]
    assert [item.activation for item in items][::2] == [0.5, 1.0] and np.isnan(items[1].activation)


def split_database(folder, tests=("test",)):
    database = databases.small(folder)
    for number, (name, kind) in enumerate([("train", "train"), ("dev", "dev"), *((name, "test") for name in tests)]):
        database.splits[name] = audformat.Split(type=kind)
        table = f"emotion.{name}"
        database[table] = audformat.Table(audformat.filewise_index([f"a{number}.wav"]), split_id=name)
        column(database, table, "emotion", ["joy"])
    database.save(str(folder))
    return [f"emotion.{name}" for name in ("train", "dev", *tests)]


def test_splits_of_tables_become_the_utterances_own(tmp_path):
    tables = split_database(tmp_path)
    items = corpora.open_corpus("audformat", tmp_path, table=tables).recordings
    assert [(item.id, item.split) for item in items] == [("a0", "train"), ("a1", "valid"), ("a2", "test")]


def test_several_test_sets_are_told_apart_by_their_names(tmp_path):
    tables = split_database(tmp_path, tests=("test-1", "test-2"))
    items = corpora.open_corpus("audformat", tmp_path, table=tables).recordings
    assert [item.split for item in items] == ["train", "valid", "test-1=test", "test-2=test"]


def test_csv_storage_loses_the_strings_that_stand_for_nothing_and_a_note_says_so(tmp_path):
    for storage in ("csv", "parquet"):
        folder = tmp_path / storage
        database = databases.small(folder, files=len(LOST) + 1)
        index = audformat.filewise_index([f"a{number}.wav" for number in range(len(LOST) + 1)])
        database["t"] = audformat.Table(index)
        column(database, "t", "speaker", [*LOST, "None"])
        column(database, "t", "emotion", ["joy"] * (len(LOST) + 1))
        database.save(str(folder), storage_format=storage)
    kept = corpora.open_corpus("audformat", tmp_path / "parquet", table=("t",))
    assert [item.speaker for item in kept.recordings] == [*LOST, "None"] and not kept.notes
    lost = corpora.open_corpus("audformat", tmp_path / "csv", table=("t",))
    assert [item.speaker for item in lost.recordings] == [""] * len(LOST) + ["None"]
    assert lost.notes[0] == (
        "1 cells of t.speaker say NA, which audformat takes for no value in CSV (store the database as parquet)"
    )
    assert len(lost.notes) == len(LOST)


def broken(folder, damage):
    database = databases.small(folder)
    database["emotion"] = audformat.Table(audformat.filewise_index(["a0.wav", "a1.wav"]))
    column(database, "emotion", "emotion", ["joy", "fear"])
    database["other"] = audformat.Table(audformat.filewise_index(["a1.wav"]))
    column(database, "other", "speaker", ["s1"])
    if damage == "contradiction":
        column(database, "other", "emotion", ["joy"])
    if damage == "twice":
        column(database, "emotion", "label", ["joy", "fear"])
    if damage == "misc":
        database["people"] = audformat.MiscTable(pd.Index(["s1"], dtype="string", name="speaker"))
    if damage == "gone":
        database["emotion"].extend_index(audformat.filewise_index(["b.wav"]), inplace=True)
    database.name = "nemo" if damage == "named" else "mine"
    database.save(str(folder))
    if damage == "header":
        (folder / "db.yaml").write_text("name: [")
    if damage == "no table":
        (folder / "db.emotion.csv").unlink(missing_ok=True)
        (folder / "db.emotion.parquet").unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize(
    ("damage", "table", "words"),
    [
        ("", (), ["db.yaml has the tables emotion, other", "--table=emotion"]),
        ("", ("emotions",), ["'emotions' is no table of", "give some of emotion, other"]),
        ("", ("emotion", "emotion"), ["'emotion' is there twice", "give some of"]),
        ("misc", ("people",), ["'people' in", "is a misc table", "give --table of"]),
        ("contradiction", ("emotion", "other"), ["table other, row 1: label is 'joy' and 'fear' in table emotion"]),
        ("twice", ("emotion",), ["table 'emotion'", "says label twice, in emotion and label", "remove one"]),
        ("gone", ("emotion",), ["table emotion, row 3 (b.wav)", "no such file", "check the path"]),
        ("named", ("emotion",), ["is called 'nemo'", "give --name=nemo_audb"]),
        ("header", ("emotion",), ["db.yaml cannot be read", "mend it"]),
        ("no table", ("emotion",), ["table 'emotion' of", "cannot be read", "save the database again"]),
    ],
)
def test_what_is_wrong_is_one_line_with_file_value_and_remedy(tmp_path, damage, table, words):
    folder = broken(tmp_path / "database", damage)
    with pytest.raises(InputError) as caught:
        corpora.open_corpus("audformat", folder, table=table)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_a_folder_without_a_database_and_an_absent_package_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no file .*db\.yaml.*--source.*--download=NAME"):
        corpora.open_corpus("audformat", tmp_path, table=("emotion",))
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(InputError, match=r"audformat.*; pip install 'sejax\[tables\]'"):
        corpora.open_corpus("audformat", tmp_path, table=("emotion",))


def test_a_database_is_fetched_once_by_name_and_version(tmp_path, monkeypatch):
    calls = []

    def load_to(root, name, *, version):
        calls.append((name, version))
        broken(tmp_path / "fetched", "")

    monkeypatch.setitem(sys.modules, "audb", types.SimpleNamespace(load_to=load_to))
    for _ in range(2):
        how = {"table": ("emotion",), "download": "mine:1.4.1"}
        assert len(corpora.open_corpus("audformat", tmp_path / "fetched", **how)) == 2
    assert calls == [("mine", "1.4.1")]
    with pytest.raises(InputError, match=r"needs the name of a database, as in --download=emodb"):
        corpora.open_corpus("audformat", tmp_path / "other", table=("emotion",), download=True)
    monkeypatch.setitem(sys.modules, "audb", None)
    with pytest.raises(InputError, match=r"audb package.*sejax\[download\]"):
        corpora.open_corpus("audformat", tmp_path / "other", table=("emotion",), download="mine")


def test_audio_may_lie_elsewhere(tmp_path):
    folder = broken(tmp_path / "database", "")
    (tmp_path / "audio").mkdir()
    for number in range(2):
        (folder / f"a{number}.wav").rename(tmp_path / "audio" / f"a{number}.wav")
    corpus = corpora.open_corpus("audformat", folder, table=("emotion",), audio=str(tmp_path / "audio"))
    assert len(corpus) == 2


def test_a_database_of_files_alone_is_an_unlabelled_pool(tmp_path):
    database = databases.small(tmp_path)
    database["files"] = audformat.Table(audformat.filewise_index(["a0.wav", "a1.wav"]))
    column(database, "files", "speaker", ["s1", "s2"])
    database.save(str(tmp_path))
    items = corpora.open_corpus("audformat", tmp_path, table=("files",)).recordings
    assert [(item.speaker, item.emotion) for item in items] == [("s1", ""), ("s2", "")]
    write_wav(tmp_path / "a1.wav", np.zeros(1600, np.int16))
    assert len(corpora.open_corpus("audformat", tmp_path, table=("files",))) == 2
