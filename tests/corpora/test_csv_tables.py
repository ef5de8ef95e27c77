"""CSV tables of other tools as they are: nkululeko's and MSP-Podcast's columns, durations, letters and splits."""

import math

import numpy as np
import pytest
from trees import manifest, noise, write_wav

from sejax import corpora
from sejax.corpora.splits import parts_of, read_split
from sejax.errors import InputError


def test_nkululekos_columns_and_durations(tmp_path):
    rows = [
        "a.wav,0 days 00:00:00,0 days 00:00:00.500000,anger,male,s1,0.25,0.5,0.75,61",
        "a.wav,0 days 00:00:00.5,0 days 00:00:01.5,happy,male,s1,,,,61",
        "a.wav,0 days 00:00:01.5,NaT,,male,s1,1,0,1,61",
    ]
    header = "file,start,end,emotion,gender,speaker,valence,arousal,dominance,age"
    path = manifest(tmp_path, *rows, header=header)
    write_wav(tmp_path / "a.wav", noise(2.0))
    corpus = corpora.open_corpus("manifest", path, name="mine")
    first, second, third = corpus
    assert corpus.classes == ("anger", "happy")
    assert [(item.id, item.emotion) for item in (first, second, third)] == [
        ("a_0_0.5", "anger"),
        ("a_0.5_1.5", "happy"),
        ("a_1.5", ""),
    ]
    assert (first.sex, first.speaker) == ("male", "s1")
    assert (first.valence, first.activation, first.dominance) == (0.25, 0.5, 0.75)
    assert math.isnan(second.activation) and third.end == math.inf
    np.testing.assert_array_equal(np.concatenate([one.waveform for one in corpus]), noise(2.0))
    assert corpus.notes == ("columns that mean nothing here were passed over: age",)


def test_durations_count_days_hours_and_minutes(tmp_path):
    path = manifest(tmp_path, "a0.wav,00:00:00.05,0 days 00:00:00.1", header="file,start,end")
    (item,) = corpora.open_corpus("manifest", path).recordings
    assert (item.id, item.start, item.end) == ("a0_0.05_0.1", 0.05, 0.1)
    late = manifest(tmp_path, "a0.wav,1 days 01:01:01.5,", header="file,start,end")
    with pytest.raises(InputError, match=r"start 90061\.5 s, end inf s lie outside a0\.wav"):
        corpora.open_corpus("manifest", late)


def test_msp_podcasts_table(tmp_path):
    rows = [
        "a0.wav,N,4.2,3.8,4.4,127,Male,Train",
        "a1.wav,H,5.5,6.2,5.0,Unknown,Unknown,Development",
        "a2.wav,X,1.0,1.5,2.0,8,Female,Test1",
        "a3.wav,C,1.0,1.5,2.0,9,Female,Test2",
    ]
    header = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
    (tmp_path / "Labels").mkdir()
    path = manifest(tmp_path / "Labels", *rows, header=header, files=0)
    for number in range(4):
        write_wav(tmp_path / "Audios" / f"a{number}.wav", noise(seed=number))
    corpus = corpora.open_corpus("manifest", path, name="msp_podcast", audio=str(tmp_path / "Audios"))
    found = [(item.id, item.emotion, item.speaker, item.sex, item.split) for item in corpus.recordings]
    assert found == [
        ("a0", "neutral", "127", "male", "train"),
        ("a1", "happiness", "", "", "valid"),
        ("a2", "", "8", "female", "test1=test"),
        ("a3", "contempt", "9", "female", "test2=test"),
    ]
    assert (corpus.recordings[0].activation, corpus.recordings[0].valence, corpus.recordings[0].dominance) == (
        *(4.2, 3.8, 4.4),
    )
    assert corpus.classes == ("contempt", "happiness", "neutral") and corpus.notes == ()


def test_another_tools_column_means_nothing_beside_our_own(tmp_path):
    path = manifest(tmp_path, "a0.wav,b.flac,joy,F", header="path,file,label,emotion")
    corpus = corpora.open_corpus("manifest", path)
    assert [(item.id, item.emotion) for item in corpus.recordings] == [("a0", "joy")]
    assert corpus.notes == ("columns that mean nothing here were passed over: file, emotion",)


def test_labels_may_get_other_names(tmp_path):
    path = manifest(tmp_path, "a0.wav,Freude", "a1.wav,xxx", "a2.wav,anger")
    corpus = corpora.open_corpus("manifest", path, labels=("freude:joy", "xxx:"))
    assert [item.emotion for item in corpus.recordings] == ["joy", "", "anger"]
    assert [item.emotion_original for item in corpus.recordings] == ["Freude", "xxx", "anger"]
    assert corpus.classes == ("anger", "joy")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("", ""), ("train", "train"), ("Development", "valid"), ("dev", "valid"), ("Test", "test")),
        *(("Test3", "test3=test"), ("fold_2=dev; fold_1=TEST", "fold_1=test;fold_2=valid")),
        ("train;b=test", "train;b=test"),
    ],
)
def test_splits_are_read_in_the_fields_words(written, read):
    assert read_split(written) == read
    assert read_split(read) == read


@pytest.mark.parametrize("written", ["eval", "a=b=test", "=test", "f=test;f=train", "a b=test", "1=", "train;test"])
def test_other_splits_are_none(written):
    with pytest.raises(ValueError):
        read_split(written)


def test_a_splits_parts_by_fold():
    assert parts_of("") == {} and parts_of("train") == {"": "train"}
    assert parts_of("train;b=test") == {"": "train", "b": "test"}
