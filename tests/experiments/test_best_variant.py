"""Which of several variants answers: the one that the run's own validation figure prefers, and never the test part."""

import pytest

from sejax.experiments.audio_text.report import leading
from sejax.experiments.members import best_variant


def variant(name, **metrics):
    return {"name": {"fusion": name}, "summary": {name: {"mean": value} for name, value in metrics.items()}}


def run_of(experiment, variants, **config):
    return {"experiment": experiment, "config": config, "variants": variants}


ACCURATE = variant("att_d_1", **{"valid/accuracy": 0.8, "valid/uar": 0.5, "test/uar": 0.9})
EVEN = variant("concatenation", **{"valid/accuracy": 0.7, "valid/uar": 0.6, "test/uar": 0.1})


@pytest.mark.parametrize(
    ("experiment", "config", "best"),
    [
        ("audio_text", {"criterion": "uar"}, "concatenation"),
        ("audio_text", {"criterion": "accuracy"}, "att_d_1"),
        ("audio_text", {}, "att_d_1"),  # a version that knew accuracy alone
        ("transfer", {}, "att_d_1"),
        ("augmentation", {}, "concatenation"),
    ],
)
def test_the_best_variant_is_by_the_figure_that_the_run_validates_by(experiment, config, best):
    assert best_variant(run_of(experiment, [ACCURATE, EVEN], **config), {}) == {"fusion": (best,)}


def test_a_run_without_that_figure_is_ranked_by_accuracy_then_uar_and_never_by_its_test_part():
    accurate, even = (
        {"name": each["name"], "summary": {"valid/accuracy": each["summary"]["valid/accuracy"]}}
        for each in (ACCURATE, EVEN)
    )
    assert best_variant(run_of("audio_text", [even, accurate], criterion="uar"), {}) == {"fusion": ("att_d_1",)}
    tested = [variant("att_d_1", **{"test/uar": 0.1}), variant("concatenation", **{"test/uar": 0.9})]
    assert best_variant(run_of("audio_text", tested, criterion="uar"), {}) == {"fusion": ("att_d_1",)}


@pytest.mark.parametrize("criterion", ["uar", "accuracy"])
def test_the_report_calls_the_same_fusion_the_best(criterion):
    run = run_of("audio_text", [ACCURATE, EVEN], criterion=criterion)
    run["members"] = [
        {"fusion": each["name"]["fusion"], "fold": 0, "seed": 0, "failed": None}
        | {"metrics": {name: entry["mean"] for name, entry in each["summary"].items()}}
        for each in (ACCURATE, EVEN)
    ]
    assert (leading(run).name["fusion"],) == best_variant(run, {})["fusion"]
