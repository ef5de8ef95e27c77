"""The anchor on openSMILE's functionals: a run's own folds, nothing of a test part, computed once."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import toy_vectors
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from sejax.data import anchor as anchors
from sejax.data.anchor import anchor
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION
from sejax.data.vectors.load import join

pytest.importorskip("sklearn", reason="the classifier is scikit-learn's; pip install sejax[classify]")
FOLDS = 3


def made(seed=0, corpus="emodb"):
    """Vectors of seven classes whose clusters overlap, so that some utterances are taken for others."""
    vectors = toy_vectors.emotional(corpus)
    noise = np.random.default_rng(seed).normal(size=vectors.features.shape).astype(np.float32)
    return replace(vectors, features=vectors.features + 2.0 * noise * vectors.features.std(0))


def blocks_of(vectors, *, each=2):
    """A prepared set of ``each`` blocks an utterance, in another order of utterances than the vectors."""
    order = np.random.default_rng(5).permutation(len(vectors.label))
    utterance = np.repeat(np.arange(len(order)), each)
    return SimpleNamespace(
        corpus=vectors.corpus,
        folder="",
        utterance_ids=tuple(vectors.utterance_ids[row] for row in order),
        utterance=utterance,
        utterance_label=vectors.label[order],
        speaker=vectors.speaker[order][utterance],
        order=order,
    )


def parts(speech):
    """Three groups of speakers, each tested once while the next validates: i8[F, N]."""
    group = speech.speaker % FOLDS
    after = (group - np.arange(FOLDS)[:, None]) % FOLDS
    return np.select([after == 0, after == 1], [TEST, VALIDATION], TRAIN).astype(np.int8)


def expected(vectors, speech, part):
    """UAR of each fold by scikit-learn alone, deviations of the training part by hand."""
    scores = []
    features = np.asarray(vectors.features, np.float64)[speech.order]
    for fold in part:
        trains, tests = (np.unique(speech.utterance[fold == kind]) for kind in (TRAIN, TEST))
        scale = features[trains].std(0)
        scaled = (features - features[trains].mean(0)) / np.where(scale > 0, scale, 1)
        machine = SVC(kernel="linear", C=1e-3, class_weight="balanced")
        predicted = machine.fit(scaled[trains], speech.utterance_label[trains]).predict(scaled[tests])
        scores.append(balanced_accuracy_score(speech.utterance_label[tests], predicted))
    return scores


def asked(data_dir, speech, part, **more):
    return anchor(data_dir, speech, part, label={"": speech.utterance_label}, **more)


def test_it_is_scikit_learns_machine_on_the_runs_own_folds_by_utterance(tmp_path):
    vectors = made()
    toy_vectors.write_prepared_set(tmp_path, vectors)
    speech = blocks_of(vectors)
    found = asked(tmp_path, speech, parts(speech))
    (scores,) = found["scores"].values()
    np.testing.assert_allclose(scores["per_fold"], expected(vectors, speech, parts(speech)), atol=1e-6)
    assert 0.2 < scores["uar"]["mean"] < 0.95 and scores["uar"]["n"] == FOLDS
    assert (found["features"], found["opensmile"]) == ("emobase2010", "2.6.0")
    assert found["without_vectors"] == scores["trained_too"] == 0 and found["of"] == len(vectors.label)
    seeds = asked(tmp_path, speech, np.repeat(parts(speech), 2, axis=0))  # members of one fold count once
    assert seeds == found


def test_equal_folds_are_computed_once_and_other_vectors_labels_or_a_damaged_file_anew(tmp_path, monkeypatch):
    vectors, fitted = made(), []
    toy_vectors.write_prepared_set(tmp_path, vectors)
    speech = blocks_of(vectors)

    def counted(folds, method):
        scores = recalls(folds, method)
        fitted.append(len(scores))
        return scores

    recalls = anchors.recalls
    monkeypatch.setattr(anchors, "recalls", counted)
    first = asked(tmp_path, speech, parts(speech))
    assert asked(tmp_path, speech, parts(speech)) == first and fitted == [FOLDS]
    (kept,) = (tmp_path / "emodb" / anchors.FOLDER).iterdir()
    kept.write_bytes(kept.read_bytes().replace(b'"std"', b'"sdt"'))
    assert asked(tmp_path, speech, parts(speech)) == first and len(fitted) == 2
    speech.utterance_label = np.where(speech.utterance_label == 6, 5, speech.utterance_label)
    assert asked(tmp_path, speech, parts(speech)) != first and len(fitted) == 3
    assert len(list(kept.parent.iterdir())) == 2


def test_nothing_of_a_test_part_is_fitted_to(tmp_path):
    vectors, other = made(), made()
    speech = blocks_of(vectors)
    part = parts(speech)
    tested = speech.order[np.unique(speech.utterance[part[0] == TEST])]
    other.features[tested] = other.features[tested][::-1]  # the same vectors, of other utterances
    for folder, each in (("one", vectors), ("two", other)):
        toy_vectors.write_prepared_set(tmp_path / folder, each)
    trained = []
    for folder in ("one", "two"):
        rows = anchors.matched(tmp_path / folder, speech).values
        trained.append(rows[np.unique(speech.utterance[part[0] == TRAIN])])
    np.testing.assert_array_equal(*trained)
    scores = [asked(tmp_path / folder, speech, part[:1])["scores"][""]["per_fold"][0] for folder in ("one", "two")]
    assert scores[0] > scores[1] + 0.1


def test_utterances_without_a_vector_are_left_out_and_counted(tmp_path):
    vectors = made()
    speech = blocks_of(vectors)
    first = (vectors.features[:130], vectors.label[:130], vectors.speaker[:130])
    toy_vectors.write_prepared_set(tmp_path, toy_vectors.vectors_of(*first, corpus="emodb"))
    found = asked(tmp_path, speech, parts(speech))
    assert (found["without_vectors"], found["of"]) == (10, 140)
    speech.utterance_ids = tuple(f"other{row}" for row in range(140))
    assert "has no vector of an utterance" in asked(tmp_path, speech, parts(speech))["missing"]


def test_what_trains_and_tests_at_once_is_told(tmp_path):
    vectors = made()
    toy_vectors.write_prepared_set(tmp_path, vectors)
    speech = blocks_of(vectors)
    split = np.where(np.arange(len(speech.utterance)) % 2, TEST, TRAIN)[None].astype(np.int8)  # the blocks of each
    assert asked(tmp_path, speech, split)["scores"][""]["trained_too"] == 1


def test_rated_dimensions_and_another_corpus_to_train_on(tmp_path):
    vectors, other = made(), made(1, "nemo")
    for each in (vectors, other):
        toy_vectors.write_prepared_set(tmp_path, each)
    speech, trained = blocks_of(vectors), blocks_of(other)
    tests = np.where(np.arange(len(speech.utterance)) < 200, TEST, LEFT_OUT)[None].astype(np.int8)
    label = {"valence": speech.utterance_label % 3, "activation": speech.utterance_label % 2}
    rated = anchor(tmp_path, speech, parts(speech), label=label)
    assert list(rated["scores"]) == ["valence", "activation"]
    found = asked(tmp_path, speech, tests, trained_on=trained)
    assert found["of"] == 100 + 140 and found["scores"][""]["trained_too"] == 0
    machine = SVC(kernel="linear", C=1e-3, class_weight="balanced")
    scale, mean = other.features.std(0, dtype=np.float64), other.features.mean(0, dtype=np.float64)
    scale[scale < 1e-6] = 1
    rows = speech.order[:100]
    machine.fit((other.features - mean) / scale, other.label)
    predicted = machine.predict((vectors.features[rows] - mean) / scale)
    assert found["scores"][""]["per_fold"] == pytest.approx([balanced_accuracy_score(vectors.label[rows], predicted)])
    both = join([vectors, other])
    joined = asked(tmp_path, both, parts(both))
    assert joined["of"] == 280 and joined["without_vectors"] == 0


def test_where_there_are_no_vectors_it_says_how_to_get_them(tmp_path):
    speech = blocks_of(made())
    found = asked(tmp_path, speech, parts(speech))
    assert list(found) == ["missing"]
    assert "sejax prepare --corpus=emodb" in found["missing"]
    assert "--features=emobase2010" in found["missing"]


def test_prepared_sets_that_may_only_be_read_have_their_figures_too(tmp_path, monkeypatch):
    vectors = made()
    toy_vectors.write_prepared_set(tmp_path, vectors)
    speech = blocks_of(vectors)

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(anchors, "write_json", refused)
    assert asked(tmp_path, speech, parts(speech))["scores"][""]["uar"]["n"] == FOLDS
