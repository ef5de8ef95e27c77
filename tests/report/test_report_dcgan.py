"""The report of valence from spectrograms: Table 2, activation, paired differences, folds, many runs, the page."""

import re

import numpy as np
import pytest
from dcgan_runs import CLASSES, MODELS, make_dcgan_results
from reading import cell, headline, report, signed

from sejax.core.results import read_results, write_results
from sejax.experiments.dcgan.report import (
    REPORT,
    activation_table,
    difference_table,
    fold_table,
    member_table,
    models,
    pooled,
    run_comparison,
    validation_table,
)
from sejax.report.tables import Strong

LABELS = ("BasicCNN", "MultitaskCNN", "BasicDCGAN", "MultitaskDCGAN")
SECTIONS = ("What was run", "Results", "Differences", "Activation", "Validation", "Confusion matrices")
SECTIONS += ("Training curves", "Generated spectrograms", "Folds", "Members", "Config")


@pytest.fixture
def run():
    """Four models, two folds, two seeds: to be changed."""
    return make_dcgan_results(folds=2, seeds=2, epochs=3)


def values(run, model, metric="test/uar"):
    """{(fold, seed): value}, slowly."""
    found = [m for m in run["members"] if m["model"] == model and not m["failed"]]
    found = {(m["fold"], m["seed"]): m["metrics"].get(metric) for m in found}
    return {place: value for place, value in found.items() if value is not None and np.isfinite(value)}


def told(numbers, scale=100, digits=2):
    numbers = scale * np.array(list(numbers))
    return f"{np.mean(numbers):.{digits}f} ± {np.std(numbers, ddof=1):.{digits}f}"


def test_headline_is_table_two_beside_the_papers(run):
    table = headline(run)
    assert [row[0] for row in table.rows] == list(LABELS)
    papers = [("38.52", "46.59", "0.1639"), ("36.78", "40.57", "0.0737")]
    papers += [("43.88", "49.80", "0.2618"), ("43.69", "48.88", "0.2434")]
    for place, model in enumerate(MODELS):
        assert cell(table, place, "n") == "4"
        assert cell(table, place, "5 classes") == told(values(run, model).values())
        assert cell(table, place, "3 classes") == told(values(run, model, "test/uar_3").values())
        assert cell(table, place, "ρ") == told(values(run, model, "test/pearson").values(), 1, 3)
        assert tuple(cell(table, place, "paper", at) for at in range(3)) == papers[place]
    assert table.columns.index("paper") > table.columns.index("5 classes")


def test_the_best_mean_of_a_column_stands_out(run):
    for column, metric in (("5 classes", "test/uar"), ("3 classes", "test/uar_3"), ("ρ", "test/pearson")):
        means = [np.mean(list(values(run, model, metric).values())) for model in MODELS]
        cells = [cell(headline(run), place, column) for place in range(4)]
        assert [isinstance(text, Strong) for text in cells] == [mean == max(means) for mean in means]


def test_pooled_accuracy_has_all_predictions_in_one_matrix_and_leaves_absent_classes_out(run):
    found = [m for m in run["members"] if m["model"] == "basic_dcgan"]
    found[0]["confusion"]["test"] = (9 * np.eye(5, dtype=int)).tolist()
    counts = sum(np.array(m["confusion"]["test"]) for m in found)
    model = next(one for one in models(run) if one.name["model"] == "basic_dcgan")
    assert pooled(model)["uar"] == pytest.approx(np.mean(np.diag(counts) / counts.sum(1)))
    three = np.array([counts[:2, :2].sum(), counts[2, 2], counts[3:, 3:].sum()])
    expected = np.mean(three / [counts[:2].sum(), counts[2].sum(), counts[3:].sum()])
    assert pooled(model)["uar_3"] == pytest.approx(expected)
    assert cell(headline(run), 2, "pooled", 0) == f"{100 * pooled(model)['uar']:.2f}"
    assert cell(headline(run), 2, "pooled", 1) == f"{100 * expected:.2f}"
    for member in found:
        member["confusion"]["test"] = [[0] * 5, [1, 3, 0, 0, 0], *[[0] * 5] * 3]
    assert pooled(model) == {"uar": 0.75, "uar_3": 1.0}
    for member in found:
        member["confusion"] = {}
    assert pooled(model) == {} and cell(headline(run), 2, "pooled") == "–"


def test_a_failed_member_and_an_unrated_part_leave_the_means(run):
    run["members"][0]["failed"] = {"step": 3, "reason": "NaN"}
    run["members"][1]["metrics"]["test/pearson"] = None
    run["members"][5]["metrics"]["test/uar"] = float("nan")
    table = headline(run)
    assert cell(table, 0, "n") == "3 of 4" and cell(table, 1, "n") == "3 of 4"
    kept = [value for place, value in values(run, "basic_cnn", "test/pearson").items() if place != (0, 1)]
    assert cell(table, 0, "ρ") == told(kept, 1, 3) and len(kept) == 2
    assert cell(table, 1, "5 classes") == told(values(run, "multitask_cnn").values())


def test_activation_has_a_table_of_the_multitask_models(run):
    table = activation_table(run)
    assert [row[0] for row in table.rows] == ["MultitaskCNN", "MultitaskDCGAN"] and "paper" not in table.columns
    assert "Activation" in table.caption and "derived" in table.caption
    assert cell(table, 1, "5 classes") == told(values(run, "multitask_dcgan", "test_activation/uar").values())
    found = [np.array(m["confusion"]["test_activation"]) for m in run["members"] if m["model"] == "multitask_dcgan"]
    counts = sum(found)
    assert cell(table, 1, "pooled") == f"{100 * np.mean(np.diag(counts) / counts.sum(1)):.2f}"


def test_differences_pair_folds_and_seeds(run):
    run["members"][1]["failed"] = "NaN"  # basic_cnn, fold 0, seed 1
    table = difference_table(run)
    pairs = [("basic_dcgan", "basic_cnn"), ("multitask_dcgan", "multitask_cnn")]
    pairs += [("multitask_cnn", "basic_cnn"), ("multitask_dcgan", "basic_dcgan")]
    names = dict(zip(MODELS, LABELS, strict=True))
    assert [row[0] for row in table.rows] == [f"{names[first]} − {names[second]}" for first, second in pairs]
    for place, (first, second) in enumerate(pairs):
        base, ours = values(run, second), values(run, first)
        gains = np.array([ours[at] - base[at] for at in sorted(set(base) & set(ours))])
        assert len(gains) == (3 if "basic_cnn" in (first, second) else 4)
        assert cell(table, place, "5 classes") == signed(told(gains))
        assert cell(table, place, "above") == f"{(gains > 0).sum()} of {len(gains)}"
    assert [cell(table, place, "paper") for place in range(4)] == ["+5.36", "+6.91", "-1.74", "-0.19"]
    assert [cell(table, place, "paper", 2) for place in range(4)] == ["+0.0979", "+0.1697", "-0.0902", "-0.0184"]


def test_the_lead_says_what_dcgans_add_and_that_ratings_are_derived(run):
    lead = REPORT.lead(run)
    base, ours = values(run, "basic_cnn"), values(run, "basic_dcgan")
    gains = np.array([ours[place] - base[place] for place in base])
    expected = f"BasicDCGAN − BasicCNN {signed(told(gains))}, above in {(gains > 0).sum()} of 4 pairs (paper: +5.36)"
    assert expected in lead and "BasicDCGAN " + told(ours.values()) + " (paper: 43.88)" in lead
    assert "ratings derived from emotions" in lead and "protocol speaker" in lead and "unlabelled+nemo" in lead
    assert REPORT.title(run) == "dcgan: emodb, derived ratings"
    assert "with unlabelled speech" in lead
    run["unlabelled"] = []
    assert "unlabelled speech: none" in REPORT.lead(run) and "adversarial training alone" in REPORT.lead(run)


def test_ratings_by_humans_are_not_called_derived():
    run = make_dcgan_results(folds=2, epochs=2, ratings="rated", protocol="session")
    texts = [REPORT.title(run), REPORT.lead(run), headline(run).caption, *headline(run).notes]
    assert not any("derived" in text.lower() for text in texts) and "rated by humans" in headline(run).caption
    assert any("one validates, the other tests" in note for note in headline(run).notes)


def test_every_table_of_figures_says_protocol_and_derived_ratings(run):
    makers = (headline, activation_table, difference_table, validation_table, fold_table, member_table)
    for table in (make(run) for make in makers):
        assert "protocol speaker" in table.caption and "ratings derived" in table.caption, table.caption
    assert any(note.startswith("Derived ratings") for note in headline(run).notes)


def test_validation_figures_have_a_table_of_their_own(run):
    table = validation_table(run)
    assert table.columns[:4] == ("model", "accuracy", "5 classes", "ρ") and "Validation" in table.caption
    assert "chosen by its accuracy" in table.notes[0]
    run["config"]["criterion"] = "uar"
    assert "chosen by its unweighted accuracy (UAR)" in validation_table(run).notes[0]
    assert cell(table, 2, "accuracy") == told(values(run, "basic_dcgan", "valid/accuracy").values())
    activation = cell(table, 3, "activation, 5 classes")
    assert activation == told(values(run, "multitask_dcgan", "valid_activation/uar").values())
    assert cell(table, 0, "activation, 5 classes") == "–"


def test_folds_are_means_over_seeds(run):
    table = fold_table(run)
    assert table.columns == ("", *LABELS, *(f"ρ {name}" for name in LABELS))
    fold = [value for (place, _), value in values(run, "basic_dcgan").items() if place == 1]
    assert table.rows[1][0] == "fold 1" and table.rows[1][3] == told(fold)
    fold = [value for (place, _), value in values(run, "multitask_dcgan", "test/pearson").items() if place == 0]
    assert table.rows[0][8] == told(fold, 1, 3)


def test_members_have_their_epochs_and_what_became_of_them(run):
    run["members"][0]["failed"] = {"step": 7, "reason": "the loss is NaN"}
    gan = run["members"][8]
    gan["collapse"], gan["history"][0]["train/diversity"] = {"epoch": 2}, 0.3
    rows = member_table(run).rows
    assert rows[0][:3] == ("BasicCNN", "fold 0, seed 0", "failed at step 7: the loss is NaN")
    assert rows[8][:3] == ("BasicDCGAN", "fold 0, seed 0", "collapsed at epoch 2")
    assert rows[9][2] == "finished" and rows[9][3:5] == ("3", str(run["members"][9]["best_epoch"]))
    (warning,) = REPORT.warnings(run)
    assert warning.startswith("BasicDCGAN, fold 0, seed 0: spectral collapse at epoch 2")
    # Results of earlier versions may say so of a generator that never was diverse.
    for row in gan["history"]:
        row["train/diversity"] = 0.088
    (alike,) = REPORT.warnings(run)
    assert "never became diverse" in alike and "BasicDCGAN, fold 0, seed 0: 0.09" in alike
    assert member_table(run).rows[8][2] == "finished"
    for row in gan["history"]:
        row["train/diversity"] = 0.5
    gan["collapse"] = None
    assert not REPORT.warnings(run)


def test_runs_with_and_without_unlabelled_speech_are_told_apart_and_paired(run):
    bare = make_dcgan_results(folds=2, seeds=2, epochs=3, unlabelled=(), gain=-0.2)
    other = make_dcgan_results(folds=2, seeds=2, epochs=3, ratings="rated", gain=0.1)
    runs = [{"run": "bare", **bare}, {"run": "full", **run}, {"run": "rated", **other}]
    table, control = run_comparison(runs)
    column = table.columns.index("unlabelled")
    assert [row[column] for row in table.rows] == [
        *["–"] * 2,
        *["none"] * 2,
        *(["–"] * 2 + ["unlabelled+nemo"] * 2) * 2,
    ]
    assert cell(table, 2, "5 classes") == told(values(bare, "basic_dcgan").values())
    assert cell(table, 6, "5 classes") == told(values(run, "basic_dcgan").values())
    assert [row[:4] for row in control.rows] == [
        ("BasicDCGAN", "unlabelled+nemo", "full", "bare"),
        ("MultitaskDCGAN", "unlabelled+nemo", "full", "bare"),
    ]
    base, ours = values(bare, "basic_dcgan"), values(run, "basic_dcgan")
    gains = np.array([ours[place] - base[place] for place in base])
    assert control.rows[0][4:6] == (signed(told(gains)), f"{(gains > 0).sum()} of 4")
    assert len(run_comparison(runs, group_by=["unlabelled"])) == 2
    assert len(run_comparison(runs[1:])) == 1
    assert [row[2] for row in table.rows[::4]] == ["derived from emotions"] * 2 + ["rated by humans"]
    again = [runs[1], runs[0], {**runs[1], "run": "again"}]
    assert [len(one.rows) for one in run_comparison(again, group_by=["unlabelled"])] == [4, 8]
    with pytest.raises(ValueError, match="cannot group by colour"):
        run_comparison(runs, group_by=["colour"])


def test_epochs_do_not_split_a_model_into_variants(run):
    assert [variant["name"] for variant in run["variants"]] == [{"model": name} for name in MODELS]
    assert run["variants"][2]["paper"]["test/uar"] == 0.4388
    assert run["summary"]["basic_cnn/test/uar"]["n"] == 4


def test_the_page_has_every_section_from_the_file(run, tmp_path):
    pytest.importorskip("matplotlib")
    run = make_dcgan_results(folds=2, epochs=2, gallery={"width": 64, "epochs": (1, 2), "count": 2})
    run["members"][0]["failed"] = {"step": 12, "reason": "the training loss is NaN"}
    write_results(tmp_path, run)
    text = report(read_results(tmp_path))
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in text
    # Scores, differences; four matrices, the paper's and two of activation; curves; two galleries of two.
    assert text.count("<svg ") == 2 + 4 + 1 + 2 + 1 + 2 * 2
    assert "fold 0, seed 0 failed at step 12: the training loss is NaN" in text
    assert all(f"{share:.1f}<" in text for share in (33.2, 77.0, 35.1, 30.3, 43.9))


def test_missing_pieces_leave_a_page():
    pytest.importorskip("matplotlib")
    run = make_dcgan_results(names=("basic_cnn", "basic_dcgan"), folds=1, epochs=2)
    run["members"][1]["gallery"] = {"epochs": [1], "generated": {"shape": [1], "zlib": "!"}, "neighbours": None}
    text = report(run)
    assert "BasicDCGAN, fold 0, seed 0: no generated spectrograms" in text
    assert "<h2>Activation</h2>" not in text and "<h2>Differences</h2>" in text
    for member in run["members"]:
        member |= {"failed": "NaN", "metrics": {}, "confusion": {}, "history": [], "gallery": None}
    assert cell(headline(run), 1, "5 classes") == "–" and cell(headline(run), 1, "n") == "0 of 1"
    text = report(run)
    assert "<h2>Results</h2>" in text and "<svg " not in text
    run["members"] = []
    assert "<h2>Results</h2>" in report(run)


def test_a_run_without_classes_and_with_empty_records_leaves_a_page():
    pytest.importorskip("matplotlib")
    run = make_dcgan_results(names=MODELS, folds=1, epochs=1)
    for member in run["members"]:
        for field in ("confusion", "epochs", "best_epoch", "collapse", "history", "gallery"):
            member.pop(field)
        member["metrics"] = dict.fromkeys(member["metrics"])
    run["classes"] = []
    assert "<h2>Members</h2>" in report(run) and CLASSES
