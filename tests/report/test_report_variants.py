import copy

import numpy as np
import pytest
from reading import arranged

from sejax.core.results import label, name_of, summaries, summarise, variants
from sejax.report.run import columns, leading_metric, named


def member(model, rate, seed=0, **metrics):
    return {"model": model, "learning_rate": rate, "seed": seed, "failed": None, "metrics": metrics}


def run_of(members, paper=None):
    return {"experiment": "made_up", "config": {}, "members": members, **summaries(members, paper=paper)}


def test_variants_are_the_members_of_one_name_in_run_order():
    members = [member(model, rate, seed, a=seed + rate) for model in "ba" for rate in (0.1, 1e-4) for seed in range(3)]
    found = variants(members, paper=lambda name: {"a": 7.0} if name == {"model": "a", "learning_rate": 1e-4} else {})
    names = [(variant["name"]["model"], variant["name"]["learning_rate"]) for variant in found]
    assert names == [("b", 0.1), ("b", 1e-4), ("a", 0.1), ("a", 1e-4)]
    assert [variant["paper"] for variant in found] == [{}, {}, {}, {"a": 7.0}]
    assert found[0]["summary"]["a"] == {"mean": pytest.approx(1.1), "std": pytest.approx(1.0), "n": 3, "failed": 0}


def test_failed_members_count_in_their_own_variant_alone():
    members = [member("a", 1.0, seed, x=1.0) for seed in range(2)] + [member("b", 1.0, x=2.0)]
    members[1]["failed"] = {"step": 3, "reason": "NaN"}
    first, second = variants(members)
    assert (first["summary"]["x"]["n"], first["summary"]["x"]["failed"]) == (1, 1)
    assert second["summary"]["x"]["failed"] == 0


def test_members_of_folds_and_seeds_make_one_variant_without_a_name(results):
    found = summaries(results["members"])
    assert [variant["name"] for variant in found["variants"]] == [{}]
    assert found["summary"] == found["variants"][0]["summary"] == summarise(results["members"])
    assert not named(results)


def test_the_summary_of_several_variants_has_every_number_under_its_label(transfer_run):
    assert named(transfer_run)
    assert len(transfer_run["summary"]) == 12 * 10
    values = [m["metrics"]["test/uar"] for m in transfer_run["members"][:3]]
    assert transfer_run["summary"]["resnet50 at 0.0001/test/uar"]["mean"] == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ({}, ""),
        ({"model": "resnet50", "learning_rate": 0.0001}, "resnet50 at 0.0001"),
        ({"learning_rate": 1e-5, "fusion": "late"}, "late at 1e-05"),
        ({"fusion": "late", "classes_kept": 4}, "late, classes kept 4"),
        ({"learning_rate": 10}, "at 10"),
    ],
)
def test_labels_in_a_few_words(name, text):
    assert label(name) == text


def test_a_members_name_has_neither_its_records_nor_fold_and_seed():
    one = member("a", 0.1) | {"fold": 2, "history": [], "iterations": [{}], "confusion": {"test": [[1]]}}
    assert name_of(one) == {"model": "a", "learning_rate": 0.1}


def test_the_tuned_rate_has_the_best_validation_accuracy_and_the_test_part_has_no_say():
    rates = {1e-4: (0.6, 0.9), 0.01: (0.5, 0.8), 0.1: (0.7, 0.1), 1.0: (0.6, 0.99)}
    members = [
        member("a", rate, seed, **{"valid/accuracy": valid + 0.01 * seed, "test/accuracy": test})
        for rate, (valid, test) in rates.items()
        for seed in range(2)
    ]
    found = arranged(run_of(members[::-1], paper=lambda name: {"x": 1} if name["learning_rate"] == 1e-4 else {}))
    assert [(variant.rate, variant.mark) for variant in found] == [
        (1e-4, "published"),
        (0.01, ""),
        (0.1, "tuned"),
        (1.0, ""),
    ]


def test_no_rate_is_tuned_that_validated_worse_than_the_published_one():
    rates = {"worse": (0.7, 0.6, 0.5), "better": (0.5, 0.6, 0.7)}
    members = [
        member(model, rate, **{"valid/accuracy": accuracy})
        for model, accuracies in rates.items()
        for rate, accuracy in zip((1e-4, 0.1, 1.0), accuracies, strict=True)
    ]
    found = arranged(run_of(members, lambda name: {"x": 1} if name["learning_rate"] == 1e-4 else {}))
    marks = [variant.mark for variant in found]
    assert marks == ["published", "", "", "published", "", "tuned"]
    tuned = columns(found, most=2)["tuned rate"]
    assert {model: cell.rate for model, cell in tuned.items()} == {"worse": 1e-4, "better": 1.0}


def test_each_network_has_its_own_tuned_rate_and_one_outside_the_paper_shares_its_published_rate():
    best = {"known": 0.1, "other": 1.0}
    members = [
        member(model, rate, **{"valid/accuracy": 0.9 if rate == best[model] else 0.4})
        for model in best
        for rate in (0.1, 1.0, 1e-4)
    ]
    paper = {"known": {"valid/accuracy": 0.998}}
    found = arranged(run_of(members, lambda name: paper.get(name["model"], {}) if name["learning_rate"] < 0.01 else {}))
    marks = {(variant.group, variant.rate): variant.mark for variant in found}
    assert marks["known", 0.1] == marks["other", 1.0] == "tuned"
    assert marks["known", 1e-4] == marks["other", 1e-4] == "published"
    assert marks["known", 1.0] == marks["other", 0.1] == ""


def test_a_rate_whose_members_all_failed_is_never_the_tuned_one():
    members = [member("a", rate, **{"valid/accuracy": rate}) for rate in (0.1, 0.2, 0.3)]
    members[2] |= {"failed": {"step": 1, "reason": "NaN"}}
    assert [variant.mark for variant in arranged(run_of(members))] == ["", "tuned", ""]
    assert arranged(run_of(members[:1]))[0].mark == ""


def test_a_run_that_recorded_no_variants_is_read_all_the_same(transfer_run):
    bare = {field: value for field, value in transfer_run.items() if field != "variants"}
    assert arranged(bare) == arranged(transfer_run)


def test_variants_hold_their_own_members(transfer_run):
    for variant in arranged(transfer_run):
        assert {(m["model"], m["learning_rate"]) for m in variant.members} == {(variant.group, variant.rate)}
        assert len(variant.members) == 3


def test_few_rates_have_a_column_each_and_many_only_the_published_and_the_tuned(transfer_run):
    found = arranged(transfer_run)
    by_rate = columns(found)
    assert list(by_rate) == ["rate 0.0001 (published)", "rate 0.01", "rate 1"]
    assert all(variant.rate == 0.01 for variant in by_rate["rate 0.01"].values())
    by_mark = columns(found, most=2)
    assert list(by_mark) == ["published rate 0.0001", "tuned rate 0.01"]
    assert list(by_mark["tuned rate 0.01"]) == list(dict.fromkeys(variant.group for variant in found))


def test_variants_without_a_rate_make_one_column():
    members = [{"fusion": name, "fold": fold, "failed": None, "metrics": {}} for name in "ab" for fold in (0, 1)]
    (cells,) = columns(arranged(run_of(members))).values()
    assert list(cells) == ["a", "b"]


def test_the_leading_metric_is_the_papers_before_the_validation_accuracy(transfer_run):
    assert leading_metric(arranged(transfer_run)) == "valid/accuracy"
    scored = {"x/ccc": 0.5, "test/uar": 0.6, "valid/accuracy": 0.7}
    assert leading_metric(arranged(run_of([member("a", 1, **scored)], lambda _: {"train/x": 1, "x/ccc": 1}))) == "x/ccc"
    assert leading_metric(arranged(run_of([member("a", 1, **scored)]))) == "valid/accuracy"
    assert leading_metric(arranged(run_of([member("a", 1)]))) is None


def test_arranging_leaves_the_results_as_they_are(transfer_run):
    kept = copy.deepcopy(transfer_run)
    arranged(transfer_run)
    assert transfer_run == kept
