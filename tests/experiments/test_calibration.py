"""Runs calibrated before they are averaged: known temperatures, nothing of a fold's own test part, right siblings."""

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest
import toy_vectors

from sejax.core.files import write_json
from sejax.errors import InputError
from sejax.experiments.calibration import calibrated, calibrated_answers, temperatures, validation_runs
from sejax.experiments.ensembles import Answers, answers, ensemble, ensemble_table
from sejax.experiments.training import train_run
from sejax.report.tables import plain_text

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "pseudo_labelling.py"))["get_config"]
NAMES = [f"u{number}" for number in range(20)]


def run_of(name, sure, wrong, **changes):
    """One fold and seed that tests t0 and t1, and gives the first of two classes ``sure`` in 20 validation answers."""
    posterior = {(0, 0): {"t0": np.array([sure, 1 - sure]), "t1": np.array([0.5, 0.5])}}
    validated = {(0, 0): {utterance: np.array([sure, 1 - sure]) for utterance in NAMES}}
    label = {utterance: int(place < wrong) for place, utterance in enumerate(NAMES)} | {"t0": 0, "t1": 1}
    return Answers(name, ("x", "y"), posterior, label, 0.2, {}, validated)._replace(**changes)


@pytest.mark.parametrize(("sure", "wrong"), [(0.6, 4), (0.99, 4), (0.7, 8)])
def test_posteriors_become_as_sure_as_validation_answers_are_right(sure, wrong):
    run = run_of("run", sure, wrong)
    right = 1 - wrong / 20
    found = calibrated(run, run).posterior[0, 0]
    np.testing.assert_allclose(found["t0"], [right, 1 - right], atol=1e-4)
    np.testing.assert_allclose(found["t1"], [0.5, 0.5], atol=1e-6)
    expected = np.log(sure / (1 - sure)) / np.log(right / (1 - right))
    assert temperatures(run, run) == {(0, 0): pytest.approx(expected, rel=1e-3)}


def test_who_is_unsure_of_what_it_knows_counts_as_it_should():
    unsure = run_of("unsure", 0.6, 1)  # right in 95 % of its answers
    sure = run_of("sure", 0.9, 8)._replace(posterior={(0, 0): {"t0": np.array([0.1, 0.9]), "t1": np.array([0.2, 0.8])}})
    assert ensemble([unsure, sure]).each[0, -1] == 0.5  # t0 goes with whoever is surer, and is wrong
    found = [calibrated(run, run) for run in (unsure, sure)]
    assert ensemble(found).each[0, -1] == 1.0
    text = plain_text(ensemble_table(found))
    assert "unsure: posteriors at temperature 0.138, fitted to 20 validation answers of unsure" in text


def test_what_a_fold_tests_does_not_calibrate_it():
    """The other fold's validation part holds t0 and t1, with labels that would change the temperature."""
    run = run_of("run", 0.6, 4)
    other = {"t0": np.array([0.001, 0.999]), "t1": np.array([0.999, 0.001])}
    both = run._replace(
        posterior=run.posterior | {(1, 0): {"u0": np.array([0.6, 0.4])}}, validated=run.validated | {(1, 0): other}
    )
    found = temperatures(both, both)
    assert found[0, 0] == pytest.approx(temperatures(run, run)[0, 0], rel=1e-6)
    assert found[1, 0] > 2 * found[0, 0]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (run_of("other", 0.6, 4, validated={}), "no validation part"),
        (run_of("other", 0.6, 4, classes=("y", "x")), "other folds or classes"),
        (run_of("other", 0.6, 4, posterior={(0, 0): {"t2": np.array([1.0, 0.0])}}), "other folds or classes"),
        (run_of("other", 0.6, 4, posterior={(3, 0): {"t0": np.array([1.0, 0.0])}}), "other folds or classes"),
    ],
)
def test_what_cannot_calibrate_is_refused(other, said):
    with pytest.raises(InputError, match=said):
        calibrated(run_of("run", 0.6, 4), other)


@pytest.fixture
def workdirs(tmp_path):
    """{name: folder} of configs alone; a pair without and with a validation part is of one rate each."""

    def claim(name, **config):
        config = {"experiment": "pseudo_labelling", "seeds": 3, "l2": 0.0, "plateau_patience": 5} | config
        write_json(tmp_path / name / "config.json", {"config": config, "environment": {}})
        return tmp_path / name

    rows = {"a": {"validation": 0.0}, "b": {"validation": 0.0, "l2": 0.1}, "own": {"validation": 0.2}}
    rows |= {"a-valid": {"validation": 0.1, "plateau_patience": 99, "run": {"keep": 5}}}
    rows |= {"a-more": {"validation": 0.3}}
    rows |= {"b-valid": {"validation": 0.1, "l2": 0.1}, "b-seeds": {"validation": 0.1, "l2": 0.1, "seeds": 1}}
    for name in rows:
        (tmp_path / name).mkdir()
    return {name: claim(name, **row) for name, row in rows.items()}


def test_runs_find_their_siblings_by_config_in_any_order(workdirs):
    given, siblings = ([workdirs[name] for name in names] for names in (("a", "own", "b"), ("b-valid", "a-valid")))
    assert validation_runs(given, siblings) == [workdirs[name] for name in ("a-valid", "own", "b-valid")]


@pytest.mark.parametrize(
    ("given", "siblings", "said"),
    [
        (["a"], [], "a: validation=0, so .* none was given; give one"),
        (["a"], ["b-seeds", "b-valid"], "none was given .*b-valid differs in l2: 0.0 -> 0.1"),
        (["b"], ["b-seeds"], "b-seeds differs in seeds: 3 -> 1"),
        (["a"], ["a-valid", "a-more"], "a-valid and .*a-more are"),
        (["a"], ["b"], "b: validation=0, so nothing of it calibrates"),
        (["own"], ["a-valid"], "of the config of no run with validation=0"),
    ],
)
def test_other_siblings_are_refused(workdirs, given, siblings, said):
    with pytest.raises(InputError, match=said):
        validation_runs([workdirs[name] for name in given], [workdirs[name] for name in siblings])


def test_a_trained_run_is_calibrated_on_its_sibling(tmp_path, monkeypatch):
    made = toy_vectors.emotional("emodb")
    noise = np.random.default_rng(0).normal(size=made.features.shape) * made.features.std(0)
    made = dataclasses.replace(made, features=(made.features + 2 * noise).astype(np.float32))
    toy_vectors.write_prepared_set(tmp_path / "data", made)
    folders = [tmp_path / name for name in ("whole", "whole-valid")]
    for folder, validation in zip(folders, (0, 0.1), strict=True):
        config = get_config(f"features=functionals,folds=3,epochs=6,validation={validation}")
        config.run.tensorboard = False
        train_run(config, folder, tmp_path / "data", command="")
    whole, sibling = (answers(folder, tmp_path / "data") for folder in folders)
    assert not any(whole.validated.values()) and all(sibling.validated.values())
    assert all(not each.keys() & sibling.posterior[place].keys() for place, each in sibling.validated.items())
    known = dict(zip(folders, (whole, sibling), strict=True))
    monkeypatch.setattr("sejax.experiments.calibration.answers", lambda folder, *about: known[folder])
    found, itself = calibrated_answers(folders, folders[1:], tmp_path / "data")
    assert "validation answers of whole-valid" in itself.note
    assert found.note.startswith("whole: posteriors at temperature ") and "whole-valid" in found.note
    # Who answers what stays; how sure of it does not.
    for place, tested in whole.posterior.items():
        for name, mean in tested.items():
            assert found.posterior[place][name].argmax() == mean.argmax()
    assert not np.allclose(*(list(each.posterior[0, 0].values()) for each in (whole, found)), atol=0.01)
    with pytest.raises(InputError, match="no validation part"):
        calibrated(whole, whole)
