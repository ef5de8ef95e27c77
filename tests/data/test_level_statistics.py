"""What levels alone tell: all where the labels lie in them, nothing where they do not, and what is said of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from sejax.audio.level import Traits
from sejax.data.folds import TEST, TRAIN
from sejax.data.level_statistics import (
    COLUMNS,
    level_columns,
    level_folds,
    level_scores,
    levels_in_words,
    logistic_regression,
    ridge_regression,
)

SPEAKERS, EACH = 5, 24


def speech(*, leak: bool, speakers=SPEAKERS):
    """A set of three classes, two blocks an utterance; with a leak the last class has an offset, as emoDB's sadness."""
    random, utterances = np.random.default_rng(0), speakers * EACH
    label = np.arange(utterances) % 3
    offset = np.where(leak & (label == 2), 1e-2, 1e-4) * random.uniform(0.5, 2, utterances)
    traits = [Traits(-20 + random.normal(), -1.0, each, -40 + random.normal(), 8000.0, 0.0) for each in offset]
    utterance = np.repeat(np.arange(utterances), 2)
    return SimpleNamespace(
        traits=tuple(map(list, traits)),
        utterance=utterance,
        label=label[utterance],
        utterance_label=label,
        speaker=utterance // EACH,
    )


def parts(made):
    """Each speaker tested once, as int8[F, I]."""
    return np.where(made.speaker == np.arange(SPEAKERS)[:, None], TEST, TRAIN).astype(np.int8)


def test_a_leak_is_seen_and_chance_is_chance():
    leaky, sound = (level_scores(level_folds(each, parts(each))) for each in (speech(leak=True), speech(leak=False)))
    assert leaky["uar"]["n"] == len(leaky["per_fold"]) == SPEAKERS
    assert leaky["uar"]["mean"] > 0.6  # one class of three, and half of the rest
    assert 0.2 < sound["uar"]["mean"] < 0.46
    assert leaky["columns"] == list(COLUMNS)


def test_labels_of_other_things_and_another_set_to_train_on():
    made = speech(leak=True)
    label = np.where(made.utterance_label == 0, -1, (made.utterance_label == 2).astype(np.int64))
    assert level_scores(level_folds(made, parts(made), label=label))["uar"]["mean"] > 0.95
    sound = speech(leak=False)
    tests = np.full((1, len(made.label)), TEST, np.int8)
    leaky, clean = (level_scores(level_folds(made, tests, trained_on=each)) for each in (made, sound))
    assert leaky["uar"]["mean"] > 0.6 > clean["uar"]["mean"]


def test_members_of_one_fold_count_once_and_unlabelled_examples_not_at_all():
    made = speech(leak=True)
    expected = level_scores(level_folds(made, parts(made)))
    assert level_scores(level_folds(made, np.repeat(parts(made), 3, axis=0))) == expected
    unlabelled = np.where(np.arange(SPEAKERS * EACH) < EACH, -1, made.utterance_label)  # the first speaker
    mixed = SimpleNamespace(**vars(made) | {"utterance_label": unlabelled})
    assert len(level_scores(level_folds(mixed, parts(made)[1:]))["per_fold"]) == SPEAKERS - 1


def test_nothing_is_said_where_nothing_can_be():
    made = speech(leak=True)
    old = SimpleNamespace(**vars(made) | {"traits": ()})
    assert level_scores(level_folds(old, parts(made))) == {} == level_scores(())
    one_class = SimpleNamespace(**vars(made) | {"utterance_label": np.zeros_like(made.utterance_label)})
    assert level_scores(level_folds(one_class, parts(made))) == {}
    assert levels_in_words(old) == levels_in_words(speech(leak=True, speakers=1)) == ""


@pytest.mark.parametrize(
    ("speakers", "each"), [(5, "leave one speaker out"), (13, "10 groups of speakers")]
)
def test_a_line_says_how_it_was_tested_and_what_chance_is(speakers, each):
    line = levels_in_words(speech(leak=True, speakers=speakers))
    assert line.startswith("UAR 0.") and line.endswith(f"({each}; chance 0.333)")


def test_columns_are_in_decibels():
    found = level_columns([Traits(-20.0, -3.0, 0.01, -30.0, 4000.0, 0.001)])
    np.testing.assert_allclose(found, [[-3, -20, -40, -30, -60]], atol=0.02)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_the_classifier_is_scikit_learns_in_which_classes_weigh_alike(classes):
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(classes)
    label = np.minimum(random.integers(0, 2 * classes, 300), classes - 1)  # the last has most
    columns = random.normal(size=(300, 5)) * [1, 10, 0.1, 3, 0] + 0.5 * label[:, None]
    columns[:, 4] = 7.0  # constant
    columns, label = np.repeat(columns, 2, axis=0), np.repeat(label, 2)  # blocks of an utterance are alike
    scaled = (columns - columns.mean(0)) / np.maximum(columns.std(0), 1e-12)
    theirs = linear_model.LogisticRegression(class_weight="balanced", max_iter=10_000, tol=1e-9).fit(scaled, label)
    tested = random.normal(size=(2000, 5)) * columns.std(0) + columns.mean(0)
    expected = theirs.predict((tested - columns.mean(0)) / np.maximum(columns.std(0), 1e-12))
    np.testing.assert_array_equal(logistic_regression(columns, label + 1, tested), expected + 1)
    assert len(set(expected)) == classes


def test_the_classifier_ends_where_classes_can_be_told_apart_without_a_mistake():
    columns = np.array([[-1e6, 0.0], [-1.0, 0.0], [1.0, 0.0], [1e6, 0.0]])
    assert logistic_regression(columns, np.array([3, 3, 5, 5]), columns).tolist() == [3, 3, 5, 5]


def test_the_regression_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(0)
    columns, tested = random.normal(3, 2, (60, 5)), random.normal(3, 2, (20, 5))
    rating = (columns[:, 0] + random.normal(size=60)).astype(np.float32)
    mean, deviation = columns.mean(0), columns.std(0)
    expected = linear_model.Ridge().fit((columns - mean) / deviation, rating).predict((tested - mean) / deviation)
    np.testing.assert_allclose(ridge_regression(columns, rating, tested), expected, rtol=1e-6)
