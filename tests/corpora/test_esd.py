"""ESD: its parts, its texts in every encoding and with either separator, one language alone, mirrors without parts."""

import shutil
from collections import Counter

import pytest
from corpus_trees import ESD_SEX, ESD_TEXT
from trees import write_bytes, write_wav

from sejax import corpora
from sejax.corpora.esd import SPEAKERS
from sejax.errors import InputError

INNER = "Emotion Speech Dataset"


def test_speakers_emotions_parts_and_texts(whole):
    corpus = corpora.open_corpus("esd", whole("esd"))
    counts = Counter((item.speaker, item.emotion) for item in corpus.recordings)
    assert len(counts) == 35 and set(counts.values()) == {3}
    assert Counter(item.split for item in corpus.recordings) == {"train": 35, "valid": 35, "test": 35}
    assert {item.speaker: item.sex for item in corpus.recordings} == ESD_SEX["mandarin"] | ESD_SEX["english"]
    items = {item.id: item for item in corpus.recordings}
    assert (items["0011_000351"].emotion_original, items["0011_000351"].emotion) == ("Angry", "anger")
    assert items["0011_000351"].split == "valid" and items["0011_001451"].split == "train"
    for speaker, language in (("0001", "mandarin"), ("0003", "mandarin"), ("0011", "english"), ("0012", "english")):
        assert items[f"{speaker}_001421"].transcript == ESD_TEXT[language][0]
    assert items["0015_000001"].transcript == items["0015_000021"].transcript == ESD_TEXT["english"][0]
    assert items["0015_000051"].transcript == ""
    assert items["0016_000001"].transcript == "It’s here." and items["0018_000001"].transcript == "A café."
    assert corpus.notes == (
        "1 lines of texts are not number, text, emotion, and were passed over",
        "1 recordings have no line of text",
    )


def test_the_published_speakers_are_ten_of_each_language_and_half_are_men():
    sexes = {language: list(speakers.values()) for language, speakers in SPEAKERS.items()}
    assert [(len(each), each.count("male")) for each in sexes.values()] == [(10, 5), (10, 5)]
    assert list(SPEAKERS["mandarin"]) + list(SPEAKERS["english"]) == [f"{n:04}" for n in range(1, 21)]


def test_one_language_alone(whole):
    source = whole("esd")
    english = corpora.open_corpus("esd", source, part=("english",))
    assert {item.speaker for item in english.recordings} == set(ESD_SEX["english"])
    assert "30 files of the other language were passed over" in english.notes
    both = corpora.open_corpus("esd", source)
    assert english.digest() != both.digest()
    with pytest.raises(InputError, match="part=french; use mandarin, english or both"):
        corpora.open_corpus("esd", source, part=("french",))


def test_mirrors_without_parts_have_no_split(whole):
    source = whole("esd")
    for path in list(source.glob("**/*.wav")):
        path.rename(path.parents[1] / path.name)
    corpus = corpora.open_corpus("esd", source)
    assert len(corpus) == 105 and {item.split for item in corpus.recordings} == {""}
    assert "105 recordings lie in no folder of train, evaluation or test: no split of their own" in corpus.notes


def test_the_folder_counts_where_a_text_gives_another_emotion(whole):
    source = whole("esd")
    path = source / INNER / "0011/0011.txt"
    write_bytes(path, path.read_bytes().replace(b"Neutral", b"Sad", 1))
    corpus = corpora.open_corpus("esd", source)
    assert {item.id: item for item in corpus.recordings}["0011_000001"].emotion == "neutral"
    assert "1 lines of texts give another emotion than the folder, which counts" in corpus.notes


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: shutil.rmtree(d / "0011/Sad/test"), r"2 of 3 Sad of 0011; unpack the whole"),
        (lambda d: (d / "0012/0012.txt").unlink(), r"0012\.txt: not found under .*; unpack the whole"),
        (lambda d: write_wav(d / "0011/Sad/test/take1.wav"), r"'take1' is not speaker, number; files are"),
        (lambda d: write_wav(d / "0011/Bored/0011_000400.wav"), r"unknown folder '' \(known: Angry"),
        (lambda d: write_wav(d / "0099/Sad/0099_001051.wav"), r"unknown speaker '0099' \(known: 0001"),
        (lambda d: write_wav(d / "again/Sad/0011_001051.wav"), r"has the same id 0011_001051 as .*remove one"),
        (
            lambda d: write_wav(d / "0011/Sad/test/0011_001071.wav", rate=22050),
            r"not sampled at 16000 Hz as published: 0011_001071\.wav \(22050 Hz\)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(whole, damage, words):
    source = whole("esd")
    damage(source / INNER)
    with pytest.raises(InputError, match=words):
        corpora.open_corpus("esd", source)
    assert len(corpora.open_corpus("esd", source, allow_partial=True)) >= 104
