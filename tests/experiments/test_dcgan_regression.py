"""Valence and activation as numbers: CCC by Lin's definition, its loss, what a run learns, says and answers."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_speech

import sejax
from sejax.core import metrics
from sejax.core.metrics import Concordance, RootMean
from sejax.data.level_statistics import level_scores
from sejax.data.ratings import on_scale, unit
from sejax.errors import InputError
from sejax.experiments import report_of
from sejax.experiments.dcgan.assembly import held_out, variants
from sejax.experiments.dcgan.results import LOSSES, value_loss
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor
from sejax.experiments.prediction_table import Rows
from sejax.experiments.training import train_run
from sejax.report.html import report_page

get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "dcgan.py"))["get_config"]
pytestmark = pytest.mark.usefixtures("quickly_compiled")


def lin(x, y):
    """Lin (1989), by its definition, in numpy."""
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


@pytest.fixture(scope="module")
def pairs():
    random = np.random.default_rng(0)
    x = random.normal(3.0, 1.0, 200)
    return x, 0.5 * x + random.normal(1.0, 0.4, 200)


def test_ccc_is_lins_whatever_batches_the_sums_were_merged_from(pairs):
    x, y = pairs
    parts = [Concordance.from_pairs(a, b) for a, b in zip(np.split(x, [7, 90]), np.split(y, [7, 90]), strict=True)]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    np.testing.assert_allclose(merged.compute(), lin(x, y), rtol=1e-5)
    weights = np.arange(200) % 3 > 0
    np.testing.assert_allclose(Concordance.from_pairs(x, y, weights).compute(), lin(x[weights], y[weights]), rtol=1e-5)
    assert abs(float(merged.compute())) < abs(np.corrcoef(x, y)[0, 1])  # the other spread costs
    np.testing.assert_allclose(Concordance.from_pairs(x, x).compute(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(Concordance.from_pairs(x, 6 - x).compute(), lin(x, 6 - x), rtol=1e-5)
    assert float(Concordance.from_pairs(x, np.full(200, 3.0)).compute()) == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(Concordance.from_pairs(np.ones(3), np.ones(3)).compute())
    assert np.isnan(Concordance.from_pairs(x, y, np.zeros(200)).compute())


def test_the_root_of_merged_squares_is_the_error_of_all(pairs):
    x, y = pairs
    whole = RootMean.from_values((x[:50] - y[:50]) ** 2).merge(RootMean.from_values((x[50:] - y[50:]) ** 2))
    np.testing.assert_allclose(metrics.compute({"rmse": whole})["rmse"], np.sqrt(np.mean((x - y) ** 2)), rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batchs_loss_is_that_of_its_rated_rows_with_a_finite_gradient(pairs, loss):
    x, y = (jnp.asarray(part[:12], jnp.float32) for part in pairs)
    counts = jnp.arange(12) < 9
    kept = np.asarray(x[:9], np.float64), np.asarray(y[:9], np.float64)
    square = np.mean((kept[0] - kept[1]) ** 2)
    expected = {"ccc": 1 - lin(*kept), "mse": square, "both": 1 - lin(*kept) + square}[loss]
    np.testing.assert_allclose(value_loss(x, y, counts, loss=loss), expected, rtol=1e-4)
    for values in (x, jnp.full(12, 3.0)):  # the second is what an untrained head may give
        gradient = jax.grad(lambda v: value_loss(v, y, counts, loss=loss))(values)
        assert np.isfinite(gradient).all() and (gradient[9:] == 0).all()
    nothing = jax.grad(lambda v: value_loss(v, y, jnp.zeros(12, bool), loss=loss))(x)
    np.testing.assert_array_equal(nothing, 0)


def test_errors_and_answers_are_on_the_corpus_own_scale():
    assert unit((1.0, 5.0)) == 1.0 and unit((0.0, 1.0)) == 0.25 and unit((1.0, 7.0)) == 1.5
    np.testing.assert_allclose(on_scale(np.array([1.0, 3.0, 5.0]), (1.0, 7.0)), [1.0, 4.0, 7.0])


def config_of(argument="", **changes):
    sizes = "models=multitask_cnn,width=32,filters=4,side=4,epochs=8,batch_size=16,learning_rates=0.003,folds=2"
    config = get_config(f"corpus=rated,{sizes},hidden=16,target=regression{argument}")
    config.run.tensorboard = False
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(workdir, results) of two members trained on rated toy speech, whose scale is said to be 1 to 5."""
    data_dir, workdir = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs") / "regression"
    toy_speech.write_prepared_set(data_dir, toy_speech.rated())
    return workdir, train_run(config_of(), workdir, data_dir, command="train"), data_dir


def test_a_run_learns_to_rate_and_reports_agreement_and_errors(run):
    _, results, data_dir = run
    summary = results["summary"]
    assert {"test/ccc", "test/pearson", "test/rmse", "test/mae", "test_activation/ccc"} <= set(summary)
    assert not [name for name in summary if "uar" in name or "accuracy" in name]
    assert summary["test/ccc"]["mean"] > 0.3 and summary["test_activation/ccc"]["mean"] > 0.3
    for member in results["members"]:
        found = member["metrics"]
        assert abs(found["test/ccc"]) <= abs(found["test/pearson"]) + 1e-6 and found["test/mae"] <= found["test/rmse"]
        best = max(row["valid/ccc"] for row in member["history"])
        np.testing.assert_allclose(found["valid/ccc"], best, atol=1e-5)  # the weights of that epoch came back
    held = held_out(variants(config_of())["multitask_cnn"], data_dir)
    assert held.label["valence"].dtype.kind == "f" and (held.label["valence"][held.part[0] == 2] >= 1).all()


def test_its_page_shows_ccc_in_place_of_accuracies(run):
    _, results, _ = run
    page = report_page(results, report_of(results))
    assert "CCC of valence" in page and "RMSE" in page and "Unweighted accuracy" not in page
    assert "Ratings as numbers" in page and "multitask" in page.lower()
    assert report_of({**results, "config": {}}).headline is not report_of(results).headline


def test_prediction_gives_ratings_on_the_corpus_scale(run, tmp_path):
    workdir, results, _ = run
    assert results["classes"] == ["rating"]
    predict = Predictor(workdir, only={"fold": ("0",)})
    assert predict.rated == {"valence": ("rating",), "activation": ("rating",)}
    found = predict(np.random.default_rng(0).normal(0, 2000, 32000).astype(np.int16), 16000)
    assert found.utterance.shape == (2, 1) and ((found.utterance >= 1) & (found.utterance <= 5)).all()
    rows = Rows(
        ["utterance"], classes=predict.classes, rated=predict.rated, members=predict.members, transcribed=False, run=""
    )
    assert {"valence_rating", "activation_rating"} <= set(rows.columns)
    assert not [name for name in rows.columns if "entropy" in name or "expected" in name]
    np.testing.assert_allclose(rows._figures(found.utterance)["valence_rating"], found.utterance[0, 0])


def test_an_exported_model_answers_as_the_run_does(run, tmp_path):
    export(run[0], tmp_path / "model.sejax")
    model, noise = sejax.load(tmp_path / "model.sejax"), np.random.default_rng(1).normal(0, 900, 24000).astype(np.int16)
    np.testing.assert_allclose(model(noise, 16000).utterance, Predictor(run[0])(noise, 16000).utterance, atol=1e-4)
    assert model.rated["valence"] == ("rating",) and "a number on the scale" in model.card


def test_levels_alone_are_told_by_ccc():
    random = np.random.default_rng(0)
    levels = random.normal(size=(80, 5))
    rating = (3 + levels[:, 0]).astype(np.float32)
    found = level_scores([((levels[:60], rating[:60]), (levels[60:], rating[60:]))])
    assert found["ccc"]["mean"] > 0.9 and found["classifier"] == "ridge regression" and "uar" not in found


def test_a_criterion_of_the_other_target_is_refused():
    for changes in ({"criterion": "uar"}, {"target": "points"}):
        with pytest.raises(InputError, match="give criterion=ccc with target=regression"):
            variants(config_of(**changes))
