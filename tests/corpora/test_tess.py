"""TESS: the misnamed file, the file of another rate, copies, and the published counts."""

import shutil
from collections import Counter

import pytest
from trees import noise, write_wav

from sejax import corpora
from sejax.errors import InputError


def test_two_hundred_words_of_both_women_in_every_emotion(whole):
    corpus = corpora.open_corpus("tess", whole("tess"))
    assert len(corpus) == 2800 and corpus.notes == ()
    counts = Counter((item.speaker, item.emotion) for item in corpus.recordings)
    assert set(counts.values()) == {200} and len(counts) == 14
    items = {item.id: item for item in corpus.recordings}
    misnamed = items["OAF_bite_neutral"]
    assert misnamed.path.endswith("OA_bite_neutral.wav") and misnamed.speaker == "OAF"
    item = items["YAF_back_ps"]
    assert (item.sex, item.emotion_original, item.emotion) == ("female", "ps", "surprise")
    assert item.transcript == "Say the word back."


def test_copies_count_once(whole):
    source = whole("tess")
    shutil.copytree(source / "OAF_Fear", source / "TESS again" / "OAF_Fear")
    corpus = corpora.open_corpus("tess", source)
    assert len(corpus) == 2800 and corpus.notes == ("200 copies of files already seen were passed over",)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "OAF_Fear/OAF_back_fear.wav").unlink(), r"199 of 200 fear of OAF; unpack the whole"),
        (lambda d: write_wav(d / "take1.wav"), r"'take1' is not speaker, word, emotion; names are"),
        (lambda d: write_wav(d / "XAF_back_fear.wav"), r"unknown speaker 'XAF' \(known: OAF, YAF"),
        (lambda d: write_wav(d / "OAF_back_bored.wav"), r"unknown emotion 'bored' \(known: angry"),
        (lambda d: write_wav(d / "again/OAF_back_fear.wav", noise(0.3)), r"differs in size from .*remove the damaged"),
        (
            lambda d: write_wav(d / "OAF_Fear/OAF_back_fear.wav"),
            r"2 files: not sampled at 24414 Hz as published: OAF_back_fear\.wav \(16000 Hz\), YAF_back_sad\.wav",
        ),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(whole, damage, words):
    source = whole("tess")
    damage(source)
    with pytest.raises(InputError, match=words):
        corpora.open_corpus("tess", source)
    assert len(corpora.open_corpus("tess", source, allow_partial=True)) >= 2799
