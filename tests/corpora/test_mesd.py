"""MESD: both versions' counts, voices for speakers, and the changed voices that are passed over."""

from collections import Counter

import pytest
from trees import noise, write_wav

from sejax import corpora
from sejax.errors import InputError

INNER = "Mexican Emotional Speech Database (MESD)"
WHO = "names say women, men or children, not who of them: each of the three counts as one speaker"


def test_words_by_women_men_and_children(whole):
    corpus = corpora.open_corpus("mesd", whole("mesd"))
    assert corpus.notes == (
        "2 files of voices made less natural were passed over",
        "the version without a file of Anger and one of Neutral",
        WHO,
    )
    assert Counter(item.emotion for item in corpus.recordings) == {
        **{"anger": 143, "neutral": 143},
        **{name: 144 for name in ("disgust", "fear", "happiness", "sadness")},
    }
    assert {(item.speaker, item.sex) for item in corpus.recordings} == {
        *(("women", "female"), ("men", "male"), ("children", ""))
    }
    item = {item.id: item for item in corpus.recordings}["Sadness_M_A_basta_ya"]
    assert (item.emotion_original, item.transcript) == ("Sadness", "basta ya")
    utterance = next(iter(corpus))
    assert utterance.rate == 16000 and len(utterance.waveform) == 1600


def test_the_first_version_has_two_more(whole):
    source = whole("mesd")
    for name in ("Anger_C_A_aa", "Neutral_C_A_aa"):
        write_wav(source / INNER / f"{name}.wav", noise(0.1, rate=48000), rate=48000)
    corpus = corpora.open_corpus("mesd", source / INNER)
    assert len(corpus) == 864 and corpus.notes == (WHO,)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "Fear_F_B_ba.wav").unlink(), r"143 of 144 Anger, 143 of 144 Fear, 143 of 144 Neutral; unpack"),
        (lambda d: write_wav(d / "take1.wav"), r"'take1' is not emotion, voice, list, word; names are"),
        (lambda d: write_wav(d / "Joy_F_A_si.wav"), r"unknown emotion 'Joy' \(known: Anger"),
        (lambda d: write_wav(d / "Fear_X_A_si.wav"), r"unknown voice 'X' \(known: F, M, C"),
        (lambda d: write_wav(d / "Fear_F_C_si.wav"), r"unknown list 'C' \(known: A, B"),
        (lambda d: write_wav(d / "Fear_F_A_aa.wav"), r"not sampled at 48000 Hz as published: Fear_F_A_aa\.wav"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(whole, damage, words):
    source = whole("mesd")
    damage(source / INNER)
    with pytest.raises(InputError, match=words):
        corpora.open_corpus("mesd", source)
    assert len(corpora.open_corpus("mesd", source, allow_partial=True)) >= 861
