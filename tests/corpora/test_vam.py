"""VAM: names, merged ratings, their quadrants, and the published counts."""

import pytest

from sejax import corpora
from sejax.corpora import vam
from sejax.corpora.published import quadrant


@pytest.mark.parametrize(
    ("valence", "activation", "name"),
    [(0.2, 0.1, "q1"), (0.2, -0.1, "q2"), (-0.2, -0.1, "q3"), (-0.2, 0.1, "q4"), (0.0, 0.0, "q1"), (0.0, -1.0, "q2")],
)
def test_quadrants_go_round_from_positive_and_active(valence, activation, name):
    assert quadrant(valence, activation) == name


def test_ratings_give_the_class(whole):
    corpus = corpora.open_corpus("vam", whole("vam"))
    assert [(item.id, item.speaker, item.emotion) for item in corpus.recordings] == [
        ("Satz01001", "01", "q4"),
        ("Satz01002", "01", "q1"),
        ("Satz47001", "47", "q2"),
    ]
    first = corpus.recordings[0]
    assert (first.valence, first.activation, first.dominance) == (-0.25, 0.5, 0.3)
    assert "1 sentences have a valence or activation of exactly 0, which counts as above" in corpus.notes
    assert corpus.classes == ("q1", "q2", "q3", "q4")


def test_the_papers_number_of_sentences_is_taken_too(whole, monkeypatch):
    source = whole("vam")
    monkeypatch.setattr(vam, "RECORDINGS", {"sentences": 4, "speakers": 2})
    monkeypatch.setattr(vam, "THE_PAPERS", 3)
    corpus = corpora.open_corpus("vam", source)
    assert len(corpus) == 3 and "3 utterances; the paper has 946" in corpus.notes


def test_the_speakers_folders_alone_are_a_source(whole):
    source = whole("vam")
    assert corpora.open_corpus("vam", source / "data").digest() == corpora.open_corpus("vam", source).digest()
