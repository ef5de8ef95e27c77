"""Several sets of vectors as one, and the labelled part of a set."""

from dataclasses import replace

import numpy as np
import pytest
from emotional_vectors import make_vectors

from sejax.data.folds import TEST, make_folds, speaker_units
from sejax.data.store.joined import join
from sejax.data.vectors.load import labelled_only
from sejax.errors import InputError

COUNTS = (6, 5, 4, 7)


def test_the_labelled_part_keeps_rows_together():
    whole = make_vectors(COUNTS)
    label = np.where(np.arange(22) % 3 == 0, -1, whole.label).astype(np.int32)
    found = labelled_only(replace(whole, label=label, utterance_label=label))
    rows = np.flatnonzero(label >= 0)
    np.testing.assert_array_equal(found.features, whole.features[rows])
    for name in ("label", "speaker", "session", "seconds"):
        np.testing.assert_array_equal(getattr(found, name), getattr(replace(whole, label=label), name)[rows])
    assert found.utterance_ids == tuple(f"u{row}" for row in rows)
    np.testing.assert_array_equal(found.utterance, range(len(rows)))
    np.testing.assert_array_equal(found.utterance_label, found.label)


def test_a_set_alone_stays_as_it_is():
    alone = make_vectors(COUNTS)
    assert join([alone]) is alone


def test_joined_rows_keep_their_features_labels_and_speakers():
    one, other = make_vectors(COUNTS, corpus="one"), make_vectors(COUNTS, corpus="other", seed=1, people=2)
    both = join([one, other])
    assert both.corpus == "one+other" and both.classes == one.classes
    for row, (part, number) in enumerate([(one, n) for n in range(22)] + [(other, n) for n in range(22)]):
        np.testing.assert_array_equal(both.features[row], part.features[number])
        assert both.label[row] == both.utterance_label[row] == part.label[number]
        assert both.utterance_ids[row] == f"{part.corpus}:u{number}"
        name = part.speakers[part.speaker[number]]
        assert both.speakers[both.speaker[row]] == f"{part.corpus}:{name}"
        assert both.sex[both.speaker[row]] == part.sex[part.speaker[number]]
    assert len(set(both.speakers)) == 6
    np.testing.assert_array_equal(both.utterance, range(44))


def test_sessions_are_held_out_of_a_corpus_that_has_some_and_speakers_of_one_that_has_none():
    one = make_vectors(COUNTS, corpus="one", sessions=(0, 0, 1, 1))
    both = join([one, make_vectors(COUNTS, corpus="other", people=2)])
    assert both.sessions == ("", "one:Ses0", "one:Ses1")
    for part in make_folds(both, protocol="speaker", folds=2, validation=0.0).part:
        tests = part == TEST
        assert set(both.speaker[tests]).isdisjoint(both.speaker[~tests])
        assert set(both.session[tests]) & set(both.session[~tests]) <= {0}
        assert set(both.origin[tests]) == {0, 1}  # each fold tests speakers of both


def test_a_corpus_of_one_session_does_not_hold_all_of_its_speakers_together():
    sets = [make_vectors(COUNTS, corpus=name, sessions=(0, 0, 0, 0)) for name in ("one", "other")]
    both = join(sets)
    assert both.sessions == ("",) and len(np.unique(speaker_units(both))) == 8


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"names": tuple("abcdefghijkl")}, "other and one differ in features"),
        ({"settings": {"features": "is10"}}, "other and one were prepared with different settings"),
        ({"corpus": "one"}, "one\\+one: give each once"),
    ],
)
def test_sets_that_do_not_fit_are_refused(change, named):
    one, other = make_vectors(COUNTS, corpus="one"), make_vectors(COUNTS, corpus="other")
    with pytest.raises(InputError, match=named):
        join([one, replace(other, **change)])
