"""SmartKom: turns and states of Partitur files, their overlap, umlauts, parts and microphones."""

import pytest

from sejax import corpora
from sejax.corpora.smartkom import Stretch, dominant


def test_turns_are_utterances_with_the_state_that_covers_most(whole):
    corpus = corpora.open_corpus("smartkom", whole("smartkom"))
    assert [(item.id, item.emotion_original, item.emotion) for item in corpus.recordings] == [
        ("w001_pk_ABC_000", "Neutral", "neutral"),
        ("w001_pk_ABC_001", "Uberlegen/Nachdenken", "pondering"),
        ("w001_pk_ABC_002", "", ""),
        ("w002_pk_DEF_000", "Ärger/Miserfolg", "anger"),
    ]
    first, second = corpus.recordings[:2]
    assert (first.start, first.end, first.seconds, first.speaker, first.session) == (0.05, 0.55, 0.5, "ABC", "w001_pk")
    assert (first.transcript, second.transcript) == ("guten", "schönen Tag")
    assert corpus.classes == corpora.PUBLISHED["smartkom"].classes


def test_samples_are_the_turns_own(whole):
    corpus = corpora.open_corpus("smartkom", whole("smartkom"))
    assert [len(utterance.waveform) for utterance in corpus] == [8000, 16000, 8000, 8000]


def test_what_is_passed_over_is_noted(whole):
    notes = corpora.open_corpus("smartkom", whole("smartkom")).notes
    assert "1 sessions without a turn or without a user state were passed over" in notes
    assert "1 turns lie outside every stretch of a user state and are unlabelled" in notes
    assert "4 utterances; the paper has 3823" in notes


def test_the_desk_microphone_is_taken_of_several(whole):
    paths = [item.path for item in corpora.open_corpus("smartkom", whole("smartkom")).recordings]
    assert all(path.endswith("d.wav") for path in paths)


def test_parts_are_chosen(whole):
    source = whole("smartkom")
    home = corpora.open_corpus("smartkom", source, part="home")
    assert [item.speaker for item in home.recordings] == ["JKL"]
    assert len(corpora.open_corpus("smartkom", source, part=["public", "home"])) == 5
    public = corpora.open_corpus("smartkom", source)
    assert corpora.open_corpus("smartkom", source / "SK-Public").digest() == public.digest() != home.digest()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([(0, 50, "a"), (50, 100, "b")], "a"),
        ([(0, 40, "a"), (40, 100, "b")], "b"),
        ([(0, 30, "a"), (30, 70, "b"), (70, 100, "a")], "a"),
        ([(-500, 20, "a"), (20, 60, "b"), (60, 2000, "c")], "b"),
        ([(200, 300, "a")], ""),
        ([], ""),
    ],
)
def test_a_turn_has_the_state_that_covers_most_of_it(states, expected):
    assert dominant(Stretch(0, 100, ""), [Stretch(*state) for state in states]) == expected
