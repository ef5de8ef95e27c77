"""Runs asked together: means of posteriors on folds that all tested, equal weights, and figures that must agree."""

import dataclasses
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import toy_vectors

from sejax.core.results import FILE, read_results, write_results
from sejax.errors import InputError
from sejax.experiments.ensembles import Answers, answers, confusion, ensemble, ensemble_table, uar
from sejax.experiments.training import train_run
from sejax.report.tables import plain_text

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "pseudo_labelling.py"))["get_config"]
LABEL = {"a": 0, "b": 1, "c": 0, "d": 1}


def run_of(name, posteriors, **changes):
    """Answers of one fold, two seeds; ``posteriors``: of each seed {utterance: posterior of class 0}."""
    own = {
        (0, seed): {utterance: np.array([p, 1 - p]) for utterance, p in each.items()}
        for seed, each in enumerate(posteriors)
    }
    return Answers(name, ("x", "y"), own, LABEL, 0.2, {})._replace(**changes)


SURE = run_of("sure", [{"a": 0.9, "b": 0.2, "c": 0.1, "d": 0.3}, {"a": 0.9, "b": 0.2, "c": 0.8, "d": 0.3}])
UNSURE = run_of("unsure", [{"a": 0.4, "b": 0.6, "c": 0.95, "d": 0.4}, {"a": 0.4, "b": 0.6, "c": 0.45, "d": 0.4}])


def test_the_mean_of_posteriors_decides_seed_by_seed_and_of_all_seeds():
    found = ensemble([SURE, UNSURE])
    # sure: c is wrong by its first seed; unsure: a and b are wrong by both, c by the second; their mean is right always
    np.testing.assert_allclose(found.each, [[(0.75 + 1) / 2, (0.5 + 0.25) / 2, 1.0]])
    # of the seeds' means: sure 0.45 for c; unsure 0.4 for a, 0.6 for b, 0.7 for c
    np.testing.assert_allclose(found.together, [[0.75, 0.5, 1.0]])
    assert found.names == ("sure", "unsure") and found.folds == (0,) and found.seeds == (0, 1)


def test_recall_counts_classes_alike_and_folds_together_are_one_count():
    answered = np.eye(2)[[0, 0, 0, 0]]
    assert uar(confusion(answered, np.array([0, 0, 0, 1]))) == pytest.approx(0.5)
    first = {"a": 0.9, "b": 0.2}  # both right
    second = {"c": 0.9, "d": 0.8, "e": 0.3}  # of two of the second class one
    posterior = {
        (fold, 0): {name: np.array([p, 1 - p]) for name, p in each.items()} for fold, each in enumerate((first, second))
    }
    run = Answers("one", ("x", "y"), posterior, LABEL | {"e": 1}, 0.2, {})
    found = ensemble([run, run])
    np.testing.assert_allclose(found.each[:, 0], [1.0, 0.75])
    np.testing.assert_allclose(found.pooled, [[(1 + 2 / 3) / 2] * 3])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (UNSURE._replace(classes=("y", "x")), "other classes"),
        (UNSURE._replace(label=LABEL | {"a": 1}), "a has another label"),
        (run_of("few", [{"a": 0.4, "b": 0.6, "c": 0.9}] * 2), "d is tested by one alone"),
        (UNSURE._replace(posterior={(7, 0): UNSURE.posterior[0, 0]}), "no seed that all have"),
    ],
)
def test_runs_that_do_not_test_the_same_are_refused(other, said):
    with pytest.raises(InputError, match=said):
        ensemble([SURE, other])


def test_one_run_is_no_ensemble():
    with pytest.raises(InputError, match="two runs or more"):
        ensemble([SURE])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two runs on other vectors of the same utterances, and where these are; noise makes them err."""
    folder = tmp_path_factory.mktemp("ensemble")
    for number, name in enumerate(("emobase2010", "is10")):
        made = toy_vectors.emotional("emodb")
        noise = np.random.default_rng(number).normal(size=made.features.shape) * made.features.std(0)
        settings = made.settings | {"features": name}
        made = dataclasses.replace(made, features=(made.features + 2 * noise).astype(np.float32), settings=settings)
        toy_vectors.write_prepared_set(folder / "data", made)
        config = get_config(f"features=functionals:{name},folds=5,seeds=2,epochs=8")
        config.run.tensorboard = False
        train_run(config, folder / name, folder / "data", command="")
    return folder


def test_answers_are_those_of_the_runs_figures(trained):
    found = [answers(trained / name, trained / "data") for name in ("emobase2010", "is10")]
    made = ensemble(found)
    for place, name in enumerate(made.names):
        members = read_results(trained / name)["members"]
        for row, fold in enumerate(made.folds):
            own = [member["metrics"]["test/uar"] for member in members if member["fold"] == fold]
            assert made.each[row, place] == pytest.approx(np.mean(own), abs=1e-5)
    assert made.each[:, -1].mean() > made.each[:, :2].mean(0).max()  # noise apart is noise that evens out
    text = plain_text(ensemble_table(found))
    assert "Ensemble of emobase2010, is10: 5 folds" in text and "seeds together" in text


def test_figures_of_another_run_are_found_out(trained, tmp_path):
    results = json.loads((trained / "is10" / FILE).read_text())
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for entry in (trained / "is10").iterdir():
        if entry.name != FILE:
            (wrong / entry.name).symlink_to(entry)
    results.pop(list(results)[-1])  # its digest
    results["members"][0]["metrics"]["test/uar"] += 0.1
    write_results(wrong, results)
    with pytest.raises(InputError, match=r"a UAR of .* by utterance here and .* in results.json"):
        answers(wrong, trained / "data")
