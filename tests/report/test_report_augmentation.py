"""The report of classifiers of real, synthetic and augmented vectors: Tables 2 and 3, gains, Fig. 3, curves."""

import re

import numpy as np
import pytest
from augmentation_runs import CLASSES, make_augmentation_results
from reading import headline, report

from sejax.experiments.augmentation import report as augmentation
from sejax.experiments.augmentation.report import (
    REPORT,
    classifier_curves,
    fold_table,
    gain_table,
    run_comparison,
    uar_scores,
)
from sejax.report import drawing
from sejax.report.confusion import confusion_rates
from sejax.report.run import by_repeat, mean_rates
from sejax.report.tables import Strong

TRAININGS = ("Real", "Syn.", "Real + Syn.", "Real + noise", "Real + mixup")


@pytest.fixture(scope="module")
def within():
    return make_augmentation_results(epochs=3)


@pytest.fixture
def small():
    """Three variants, two folds, three repeats: to be changed."""
    variants = (("real", None), ("syn", 2.0), ("real+syn", 2.0))
    return make_augmentation_results(variants=variants, folds=2, seeds=3, epochs=3)


def repeats(run, training, weight=None, metric="test/uar"):
    """UAR by repeat, slowly: the mean over folds of each seed."""
    found = [m for m in run["members"] if (m["training"], m.get("lambda_cls")) == (training, weight)]
    seeds = sorted({m["seed"] for m in found})
    return np.array([np.mean([m["metrics"][metric] for m in found if m["seed"] == seed]) for seed in seeds])


def told(values):
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f}"


def test_headline_is_table_two_with_baselines_anchor_paper_and_sahu(within):
    table = headline(within)
    assert table.columns == ("", *TRAININGS, "Linear SVM")
    assert [row[0] for row in table.rows[:2]] == ["λ 0", "λ 2"]
    for row, weight in zip(table.rows, (0.0, 2.0), strict=False):
        assert row[1] == told(repeats(within, "real"))
        assert row[2] == told(repeats(within, "syn", weight))
        assert row[3] == told(repeats(within, "real+syn", weight))
        assert row[4:6] == (told(repeats(within, "real+noise")), told(repeats(within, "real+mixup")))
        assert row[6] == f"{100 * within['anchor']['uar']:.2f}"
    assert table.rows[2] == ("paper (IEMOCAP), λ 0", "59.48 ± 0.71", "51.57 ± 0.60", "58.79 ± 0.77", "–", "–", "–")
    assert table.rows[3][1:4] == ("59.48 ± 0.71", "46.59 ± 0.75", "60.37 ± 0.70")
    assert table.rows[4][1:4] == ("59.42", "34.09", "60.29")
    assert "over 5 repeats of the mean over 5 folds" in table.caption and "emodb, within-corpus" in table.caption


def test_a_mean_stands_out_where_it_is_above_that_of_real(within):
    real = repeats(within, "real").mean()
    others = (("syn", 2.0), ("real+syn", 2.0), ("real+noise", None), ("real+mixup", None))
    expected = [repeats(within, *name).mean() > real for name in others]
    assert [isinstance(cell, Strong) for cell in headline(within).rows[1][2:6]] == expected
    assert True in expected and False in expected


def test_across_corpora_the_paper_is_table_three_and_the_development_part_has_a_column():
    run = make_augmentation_results(evaluation="cross", seeds=2, epochs=2)
    rows = headline(run).rows
    assert rows[2][:4] == ("paper (IEMOCAP to MSP-IMPROV), λ 0", "45.58 ± 0.40", "39.35 ± 0.33", "42.61 ± 0.34")
    assert rows[4][1:4] == ("45.14", "33.96", "45.40")
    assert "emodb to nemo, cross-corpus" in headline(run).caption
    table = gain_table(run)
    assert table.columns[1:5] == ("UAR", "accuracy", "macro-F1", "UAR, development")
    assert table.rows[0][4] == told(repeats(run, "real", metric="valid/uar"))
    assert fold_table(run).rows == ()


def test_a_repeat_with_a_failed_fold_is_left_out_whole(small):
    small["members"][0]["failed"] = {"step": 1, "reason": "NaN"}  # real, fold 0, seed 0
    real = augmentation.find(small, "real")
    assert sorted(by_repeat(real, "test/uar")) == [1, 2]
    assert headline(small).rows[0][1] == told(repeats(small, "real")[1:])
    assert "Real: 2 of 3 repeats; the others have a failed fold." in headline(small).notes
    for member in small["members"][:6]:
        member["failed"] = "NaN"
    assert headline(small).rows[0][1] == "–"
    assert gain_table(small).rows[1][-2:] == ("–", "–")


def test_a_gain_pairs_the_repeats(small):
    gains = repeats(small, "real+syn", 2.0) - repeats(small, "real")
    row = gain_table(small).rows[2]
    assert row[0] == "Real + Syn. (λ 2)"
    sign = "+" if gains.mean() >= 0 else ""
    assert row[-2:] == (f"{sign}{told(gains)}", f"{(gains > 0).sum()} of 3")
    assert row[-2] != told(repeats(small, "real+syn", 2.0) - repeats(small, "real").mean())
    assert gain_table(small).rows[0][-2:] == ("–", "–")
    side = "over" if gains.mean() >= 0 else "under"
    assert f"{side} Real, above it in {(gains > 0).sum()} of 3 repeats" in REPORT.lead(small)


def test_folds_are_means_over_repeats_beside_the_anchors(small):
    table = fold_table(small)
    values = [m["metrics"]["test/uar"] for m in small["members"] if m["training"] == "syn" and m["fold"] == 1]
    assert table.rows[1] == ("fold 1", table.rows[1][1], told(values), table.rows[1][3], "79.00")


def test_confusion_is_the_mean_of_shares_over_folds_and_repeats(small):
    small["members"][1]["confusion"]["test"][2] = [0, 0, 0, 0]  # a fold without the third class
    found = mean_rates(augmentation.find(small, "real").members, CLASSES)
    counts = np.array([m["confusion"]["test"] for m in small["members"][:6]], dtype=float)
    for row in range(4):
        kept = [one[row] / one[row].sum() for one in counts if one[row].sum()]
        np.testing.assert_allclose(found[row], np.mean(kept, axis=0))
    assert mean_rates(augmentation.find(small, "real").members, CLASSES[:3]) is None
    for member in small["members"][:6]:
        member["confusion"]["test"][1] = [0, 0, 0, 0]
    assert np.isnan(mean_rates(augmentation.find(small, "real").members, CLASSES)[1]).all()
    pytest.importorskip("matplotlib")
    svg = confusion_rates(found, CLASSES)
    assert all(f"{100 * rate:.1f}<" in svg for rate in found.ravel())
    counts = np.arange(16).reshape(4, 4) + 100
    with_counts = confusion_rates(found, CLASSES, counts)
    assert all(f"{count}<" in with_counts and f"{count}<" not in svg for count in counts.ravel())
    pooled = sum(np.array(m["confusion"]["test"]) for m in augmentation.find(small, "syn", 2.0).members)
    page = REPORT.drawings["confusion"](small, REPORT)
    assert all(f">{count:.0f}<" in page for count in pooled.ravel())


def test_the_figure_of_scores_has_every_repeat_and_gain(within, monkeypatch):
    pytest.importorskip("matplotlib")
    kept = []
    monkeypatch.setattr(drawing, "_export", lambda figure, format, name: kept.extend(figure.axes))
    uar_scores([within])
    drawn = [[np.asarray(line.get_xdata(), dtype=float) for line in axes.lines] for axes in kept]
    scores, paired = ({tuple(values.round(6)) for values in panel} for panel in drawn)
    for name in (("real", None), ("syn", 0.0), ("real+syn", 2.0), ("real+mixup", None)):
        assert tuple(np.round(100 * repeats(within, *name), 6)) in scores
    gains = repeats(within, "real+syn", 0.0) - repeats(within, "real")
    assert tuple(np.round(100 * gains, 6)) in paired
    papers = {59.48, 51.57, 46.59, 58.79, 60.37}
    assert papers <= {values[0] for values in scores if len(values) == 1}
    labels = [label.get_text() for label in kept[0].get_yticklabels()]
    assert labels[0] == "Real" and labels[-1] == "Linear SVM" and "Real + Syn. (λ 2)" in labels


def test_curves_have_a_column_for_each_training_set(small, monkeypatch):
    pytest.importorskip("matplotlib")
    kept = []
    monkeypatch.setattr(drawing, "_export", lambda figure, format, name: kept.extend(figure.axes))
    classifier_curves(small)
    assert [axes.get_title(loc="left") for axes in kept[:3]] == ["Real", "Syn. (λ 2)", "Real + Syn. (λ 2)"]
    assert [len(axes.lines) for axes in kept] == [6 + 1] * 6
    rows = [[row["train/accuracy"] for row in m["history"]] for m in small["members"] if m["training"] == "syn"]
    np.testing.assert_allclose(kept[4].lines[-1].get_ydata(), np.mean(rows, axis=0))
    for member in small["members"]:
        member["history"] = []
    with pytest.raises(ValueError, match="no history"):
        classifier_curves(small)


def test_the_page_has_every_section_and_the_anchors_matrix(small):
    pytest.importorskip("matplotlib")
    small["members"][0]["failed"] = {"step": 12, "reason": "the training loss is NaN"}
    text = report(small)
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    for title in ("What was run", "Results", "Confusion matrices", "Training curves", "Folds", "Config"):
        assert f"<h2>{title}</h2>" in text
    assert text.count("<svg ") == 1 + 4 + 1
    assert "fold 0, seed 0 failed at step 12: the training loss is NaN" in text
    assert "63.4<" in text  # 45 of 71 happy vectors, the anchor's
    assert "leave one speaker group out" in text


def test_runs_within_and_across_corpora_stand_side_by_side(small):
    cross = make_augmentation_results(evaluation="cross", seeds=2, epochs=2)
    runs = [{"run": "cross", **cross}, {"run": "within", **small}]
    (table,) = run_comparison(runs)
    assert [row[0] for row in table.rows] == [
        "within",
        "cross",
        "cross",
        *["paper", "paper", "Sahu et al., from the paper"] * 2,
    ]
    assert table.rows[0][4] == told(repeats(small, "real"))
    assert table.rows[2][6] == told(repeats(cross, "real+syn", 2.0))
    assert table.rows[3][1:5] == ("IEMOCAP, within-corpus", "–", "λ 0", "59.48 ± 0.71")
    assert [len(one.rows) for one in run_comparison(runs, group_by=["evaluation"])] == [5, 4]
    with pytest.raises(ValueError, match="cannot group by colour"):
        run_comparison(runs, group_by=["colour"])
    pytest.importorskip("matplotlib")
    picture, _ = REPORT.picture(runs, ["cross", "within"], format="svg")
    assert picture.index("within: Real<") < picture.index("cross: Real<")


def test_a_run_whose_members_all_failed_makes_a_page(small):
    for member in small["members"]:
        member |= {"failed": "NaN", "metrics": {}, "confusion": {}, "history": []}
    small["anchor"] = {}
    assert headline(small).rows[0] == ("λ 2", *["–"] * 6)
    assert "<h2>Results</h2>" in report(small)
