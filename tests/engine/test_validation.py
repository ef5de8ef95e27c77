"""What chooses among trials: the validation figure of the weights that training kept, and nothing of the test part."""

import numpy as np
import pytest
import tones

from sejax.engine.validation import check_metric, figure, ranking, scored, validation_part
from sejax.errors import InputError

METRIC = "valid/accuracy"


def member(curve, *, fold=0, best_epoch=None, metrics=None, failed=None):
    rows = [
        {"iteration": iteration + 1, "epoch": epoch + 1, METRIC: value, "test/accuracy": 0.5}
        for iteration, values in enumerate(curve)
        for epoch, value in enumerate(values)
    ]
    return {"fold": fold, "seed": 0, "failed": failed, "metrics": metrics or {}, "history": rows} | (
        {"iterations": [{"best_epoch": 1}, {"best_epoch": best_epoch}]} if best_epoch else {}
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (member([[0.1, 0.2, 0.3]]), 0.3),
        (member([[0.9, 0.1], [0.2, 0.8, 0.4]], best_epoch=2), 0.8),
        (member([[0.9, 0.1], [0.2, 0.8, 0.4]]), 0.4),
        (member([[0.9]], metrics={METRIC: 0.7}), 0.7),
        (member([[0.5, 0.6, 0.1]]) | {"best_epoch": 2}, 0.6),
        (member([[0.5, float("nan")]]), None),
        (member([[0.5, None]]), None),
        (member([]), None),
    ],
)
def test_the_figure_is_that_of_the_weights_that_are_kept(entry, expected):
    assert figure(validation_part(entry), METRIC) == expected


def test_pseudo_labelling_restores_the_epoch_that_validated_best_and_that_one_counts(tmp_path):
    from sejax.experiments.pseudo_labelling.assembly import summarise

    history = [{"iteration": 1, "epoch": e + 1, METRIC: v, "train/loss": 0.0} for e, v in enumerate((0.4, 0.7, 0.6))]
    confusion = np.eye(3)
    record = dict.fromkeys(("labelled", "unlabelled", "confident", "confident_correct", "unlabelled_correct"), 0)
    record |= {"epochs": 3, "best_epoch": 2, "confusion/test": confusion, "confusion/test_utterance": confusion}
    entry = {"fold": 0, "seed": 0, "failed": None} | summarise(history, [record], speech=tones.spectrograms())
    assert figure(validation_part(entry), METRIC) == 0.7


def test_nothing_of_the_test_part_is_kept():
    kept = validation_part(member([[0.1]], metrics={METRIC: 0.1, "test/uar": 0.9}) | {"confusion": {"test": [[1]]}})
    assert "test" not in str(kept)
    assert kept["metrics"] == {METRIC: 0.1}


def test_a_score_is_the_mean_over_members_with_its_deviation():
    parts = [validation_part(member([[value]], fold=fold)) for fold, value in enumerate((0.2, 0.4, 0.9))]
    found = scored(parts, METRIC)
    np.testing.assert_allclose([found["score"], found["std"]], [0.5, np.std([0.2, 0.4, 0.9], ddof=1)])
    assert (found["n"], found["failed"]) == (3, None)
    assert found["members"][1] == {"fold": 1, "seed": 0, "score": 0.4}
    assert scored(parts[:1], METRIC)["std"] == 0.0


def test_a_member_that_failed_makes_the_trial_a_failed_one_with_its_reason():
    broken = member([[0.9]], fold=1, failed={"step": 3, "reason": "a loss was not finite at update 3"})
    found = scored([validation_part(member([[0.5]])), validation_part(broken)], METRIC)
    assert (found["score"], found["n"]) == (0.5, 1)
    assert found["failed"] == "1 of 2 members failed; fold 1 seed 0: a loss was not finite at update 3"
    assert scored([validation_part(member([[None]]))], METRIC)["failed"] == f"fold 0 seed 0: no finite {METRIC}"


def test_the_best_comes_first_failed_trials_last_and_equal_ones_in_their_order():
    scores = [(0.5, None), (0.9, "failed"), (0.7, None), (0.5, None), (None, "failed")]
    outcomes = [{"trial": number, "score": s, "failed": f} for number, (s, f) in enumerate(scores)]
    assert ranking(outcomes, METRIC) == [2, 0, 3, 1, 4]
    assert ranking(outcomes, "valid/loss") == [0, 3, 2, 1, 4]


@pytest.mark.parametrize("metric", ["test/uar", "train/accuracy", "accuracy", "valid/", "test_valid/uar"])
def test_what_is_no_validation_figure_is_refused(metric):
    with pytest.raises(InputError, match=f"--metric={metric} is not a validation figure"):
        check_metric(metric, None)


def test_a_figure_that_is_not_measured_is_refused_with_those_that_are():
    check_metric("valid/anything", None)
    check_metric("valid/loss", ("valid/accuracy", "valid/loss"))
    with pytest.raises(InputError, match="valid/uar is not measured.* are valid/accuracy, valid/loss"):
        check_metric("valid/uar", ("valid/accuracy", "valid/loss"))
    with pytest.raises(InputError, match="has no validation figure"):
        check_metric("valid/uar", ())
