"""EMOVO: what names say, two channels, and the published counts."""

from collections import Counter

import pytest
from trees import write_wav

from sejax import corpora
from sejax.errors import InputError


def test_fourteen_recordings_of_every_actor_and_emotion(whole):
    corpus = corpora.open_corpus("emovo", whole("emovo"))
    assert len(corpus) == 588
    assert corpus.classes == ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    counts = Counter((item.speaker, item.emotion) for item in corpus.recordings)
    assert set(counts.values()) == {14} and len(counts) == 42
    item = next(item for item in corpus.recordings if item.id == "pau-m2-l3")
    assert (item.speaker, item.sex, item.emotion_original, item.emotion) == ("m2", "male", "paura", "fear")
    assert corpus.decode(item).waveform.shape == (1600,)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "f1/dis-f1-b1.wav").unlink(), r"13 of 14 dis of f1; unpack the whole"),
        (lambda d: write_wav(d / "take1.wav"), r"'take1' is not emotion, actor, sentence; names are"),
        (lambda d: write_wav(d / "f1/abc-f1-b1.wav"), r"unknown emotion 'abc' \(known: dis"),
        (lambda d: write_wav(d / "f1/dis-f9-b1.wav"), r"unknown actor 'f9' \(known: f1"),
        (lambda d: write_wav(d / "copy/dis-f1-b1.wav"), r"has the same id dis-f1-b1 as .*remove one of the two"),
        (lambda d: write_wav(d / "f1/dis-f1-b1.wav"), r"1 of 588 files: not sampled at 48000 Hz"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(whole, damage, words):
    source = whole("emovo")
    damage(source)
    with pytest.raises(InputError, match=words):
        corpora.open_corpus("emovo", source)
    assert len(corpora.open_corpus("emovo", source, allow_partial=True)) >= 587
