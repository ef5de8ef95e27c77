"""Members of audio and text: who trains on what, which words a fold knows, which utterances it explains."""

import numpy as np
import pytest
import toy_dialogue
from ml_collections import ConfigDict

from sejax.data.buckets import cut
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION
from sejax.data.text import word_types
from sejax.errors import InputError
from sejax.experiments.audio_text.members import choose_examples, make_members, split

RATE = 16000


def make_config(**changes):
    usual = {"fusion": "att_d_1", "protocol": "speaker", "folds": 5, "only_folds": 0, "validation": 0.1}
    usual |= {"keep": "best", "patience": 0, "seed": 0, "seeds": 1, "minimum": 1, "frequent": 8000.0}
    return ConfigDict(usual | {"learning_rates": (3e-3,), "split_folds": ()} | changes)


@pytest.fixture(scope="module")
def spoken():
    """The set, its word types and words, and its pieces: some utterances are two."""
    speech = toy_dialogue.spoken()
    types, ids = word_types(speech.transcripts)
    return speech, types, ids, cut(speech, ids, longest=5000, most_words=128)


def test_sessions_are_held_out_whole_and_each_tests_once(spoken):
    speech, types, ids, _ = spoken
    part = split(make_config(), speech, ids, len(types)).part
    assert part.shape == (5, 80)
    np.testing.assert_array_equal((part == TEST).sum(0), 1)
    for rows in part:
        sessions = {kind: set(speech.session[rows == kind]) for kind in (TRAIN, VALIDATION, TEST)}
        assert [len(sessions[kind]) for kind in (TRAIN, VALIDATION, TEST)] == [3, 1, 1]
        assert not sessions[TRAIN] & sessions[TEST] and not sessions[TRAIN] & sessions[VALIDATION]


def test_the_published_split_tests_a_random_tenth_and_trains_on_the_rest(spoken):
    speech, types, ids, _ = spoken
    config = make_config(protocol="utterance", folds=10, only_folds=1, validation=0.0, keep="last")
    part = split(config, speech, ids, len(types)).part
    assert part.shape == (1, 80) and (part == TEST).sum() == 8 and (part == TRAIN).sum() == 72


def test_unlabelled_utterances_have_no_part(spoken):
    from dataclasses import replace

    speech, types, ids, _ = spoken
    label = np.where(np.arange(80) % 10 == 0, -1, speech.label).astype(np.int32)
    part = split(make_config(), replace(speech, label=label), ids, len(types)).part
    assert (part[:, label < 0] == LEFT_OUT).all() and (part[:, label >= 0] != LEFT_OUT).all()


def test_a_fold_knows_the_words_of_its_training_utterances_alone(spoken):
    speech, types, ids, _ = spoken
    ids = [*ids]
    ids[7] = np.array([len(types)], np.int32)  # a word that one utterance alone has
    found = split(make_config(), speech, ids, len(types) + 1)
    for part, words in zip(found.part, found.vocabularies, strict=True):
        assert (words.lookup[-1] > 0) == (part[7] == TRAIN)
        said = {word for number in np.flatnonzero(part == TRAIN) for word in ids[number].tolist()}
        assert {word for word, row in enumerate(words.lookup) if row} == said


def test_members_of_one_draw_differ_in_their_rate_alone(spoken):
    speech, types, ids, pieces = spoken
    config = make_config(seeds=2, learning_rates=(1e-3, 3e-3), only_folds=2)
    folds = split(config, speech, ids, len(types))
    names, members = make_members(config, folds, pieces, np.zeros((2, 4), np.int32))
    assert [tuple(name.values()) for name in names[:4]] == [
        ("att_d_1", 0, 0, 1e-3),
        ("att_d_1", 0, 0, 3e-3),
        ("att_d_1", 0, 1, 1e-3),
        ("att_d_1", 0, 1, 3e-3),
    ]
    np.testing.assert_array_equal(members["draw"], [0, 0, 1, 1, 2, 2, 3, 3])
    np.testing.assert_allclose(members["learning_rate"], [1e-3, 3e-3] * 4)
    np.testing.assert_array_equal(members["part"][5], folds.part[1][pieces.utterance])  # every piece of an utterance
    counts = folds.vocabularies[0].counts
    np.testing.assert_allclose(members["drop"][0], np.sqrt(counts / 8000), rtol=1e-6)


def test_every_word_stays_where_none_is_frequent(spoken):
    speech, types, ids, pieces = spoken
    config = make_config(frequent=0.0)
    members = make_members(config, split(config, speech, ids, len(types)), pieces, np.zeros((5, 4), np.int32))[1]
    assert not members["drop"].any()


def test_examples_are_test_utterances_of_every_class_in_one_piece(spoken):
    speech, types, ids, pieces = spoken
    part = split(make_config(), speech, ids, len(types)).part
    rows, example = choose_examples(speech, pieces, part, each=2)
    assert example.shape == (5, 8) and len(set(rows.tolist())) == len(rows)
    counts = np.bincount(pieces.utterance)
    assert counts.max() == 2  # there is something to avoid
    for fold in range(5):
        chosen = pieces.utterance[rows[example[fold]]]
        assert (part[fold][chosen] == TEST).all() and (counts[chosen] == 1).all()
        np.testing.assert_array_equal(speech.label[chosen], [0, 0, 1, 1, 2, 2, 3, 3])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"validation": 0.0}, "keep=last"),
        ({"validation": 0.0, "keep": "last", "patience": 3}, "patience=0"),
        ({"only_folds": 6}, "only_folds=6"),
    ],
)
def test_what_cannot_be_split_is_refused(spoken, changes, told):
    speech, types, ids, _ = spoken
    with pytest.raises(InputError, match=told):
        split(make_config(**changes), speech, ids, len(types))
