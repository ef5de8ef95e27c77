"""SAVEE: both layouts, the two emotions that begin with s, and the published counts."""

from collections import Counter

import pytest
from trees import write_wav

from sejax import corpora
from sejax.errors import InputError


def test_480_recordings_with_fifteen_of_each_emotion_and_thirty_neutral_ones(whole):
    corpus = corpora.open_corpus("savee", whole("savee"))
    assert len(corpus) == 480
    counts = Counter((r.speaker, r.emotion) for r in corpus.recordings)
    assert {name for name, _ in counts} == {"DC", "JE", "JK", "KL"} and {r.sex for r in corpus.recordings} == {"male"}
    assert {counts.pop((speaker, "neutral")) for speaker in ("DC", "JE", "JK", "KL")} == {30}
    assert set(counts.values()) == {15} and len(counts) == 24


def test_sa_and_su_are_not_taken_for_other_emotions(whole):
    emotions = {r.id: r.emotion for r in corpora.open_corpus("savee", whole("savee")).recordings}
    assert (emotions["DC_sa01"], emotions["DC_su01"], emotions["DC_a01"]) == ("sadness", "surprise", "anger")


def test_the_flat_layout_gives_the_same_corpus(whole):
    source = whole("savee")
    before = corpora.open_corpus("savee", source).digest()
    flat = source / "ALL"
    flat.mkdir()
    for path in sorted((source / "AudioData").glob("*/*.wav")):
        path.rename(flat / f"{path.parent.name}_{path.name}")
    assert corpora.open_corpus("savee", flat).digest() == before


def test_both_layouts_at_once_are_refused(whole):
    source = whole("savee")
    write_wav(source / "ALL" / "DC_a01.wav")
    with pytest.raises(InputError, match="same id DC_a01"):
        corpora.open_corpus("savee", source)


def test_missing_recordings_are_named(whole):
    source = whole("savee")
    (source / "AudioData/JK/su15.wav").unlink()
    with pytest.raises(InputError, match=r"479 of 480 files found.*missing JK_su15"):
        corpora.open_corpus("savee", source)
    assert len(corpora.open_corpus("savee", source, allow_partial=True)) == 479
