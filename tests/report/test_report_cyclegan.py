"""The report of a CycleGAN run: distances, distributions, projection, losses and stopped GANs."""

import re

import numpy as np
import pytest
from cyclegan_runs import CLASSES, FEATURES, make_cyclegan_results, stop
from reading import headline, report

from sejax.experiments.cyclegan import report as cyclegan
from sejax.experiments.cyclegan.figures import LOSSES
from sejax.experiments.cyclegan.report import (
    REPORT,
    differences,
    emotion_table,
    feature_distributions,
    member_table,
    projection,
    run_comparison,
)
from sejax.report import drawing


@pytest.fixture(scope="module")
def run():
    return make_cyclegan_results()


@pytest.fixture
def small():
    """Two folds and all data at both weights, with few rows of history: to be changed."""
    return make_cyclegan_results(folds=(-1, 0, 1), rows=4)


def cells(table, *start):
    """The rest of the only row that starts with these cells."""
    (found,) = [row for row in table.rows if row[: len(start)] == start]
    return found[len(start) :]


def values(run, key, weight, folds=range(5)):
    found = [m for m in run["members"] if m["lambda_cls"] == weight and m["fold"] in folds]
    return [member["metrics"][key] for member in found]


def test_headline_is_table_one_with_the_papers_figures(run):
    table = headline(run)
    assert [row[0] for row in table.rows] == [
        "training part",
        "",
        "",
        "held-out part",
        "",
        "",
        "all labelled data",
        "",
        "",
    ]
    assert [row[4] for row in table.rows] == ["0.084", "0.013", "0.049", "–", "–", "–", "0.084", "0.013", "0.049"]
    found = values(run, "train/difference_synthetic", 2.0)
    assert table.rows[2][1:3] == (
        "target − synthetic (λ 2)",
        f"{np.mean(found):.4f} ± {np.std(found, ddof=1):.4f}",
    )
    source = values(run, "train/difference_source", 0.0)
    assert table.rows[2][3] == f"{100 * np.mean(found) / np.mean(source):.0f} %"
    held = values(run, "test/frechet_synthetic", 0.0)
    assert table.rows[4][6] == f"{np.mean(held):.3f} ± {np.std(held, ddof=1):.3f}"
    assert "training part 5, held-out part 5, all labelled data 1" in table.caption


def test_the_model_of_all_data_stays_out_of_the_means_over_folds(small):
    before = headline(small).rows
    for member in small["members"]:
        if member["fold"] == -1:
            member["metrics"] = {name: 9.0 for name in member["metrics"]}
    after = headline(small).rows
    assert after[:6] == before[:6]
    assert after[6][2] == "9.0000"


def test_the_source_counts_once_for_each_fold_whatever_the_weights(small):
    entry = cyclegan.distance(small, "train", "difference_source")
    assert entry["n"] == 2
    assert cyclegan.distance(small, "train", "difference_source", 2.0)["n"] == 2
    assert cyclegan.distance(small, "all", "difference_source")["n"] == 1
    assert cyclegan.distance(small, "test", "no_such") is None


def test_failed_members_and_stopped_gans_are_left_out(small):
    small["members"][1]["failed"] = {"step": 3, "reason": "the loss is NaN"}
    assert cyclegan.distance(small, "train", "difference_synthetic", 0.0)["n"] == 1
    stop(small, 4, "sad", 1312)
    entry = cyclegan.distance(small, "train", "difference_synthetic", 2.0, "sad")
    assert entry["mean"] == small["members"][5]["emotions"]["sad"]["train/difference_synthetic"]
    status = [row[2] for row in member_table(small).rows]
    assert status[1] == "failed at step 3: the loss is NaN"
    assert status[4] == "stopped: sad at update 1312"
    assert status[0] == status[5] == "finished"


def test_the_table_by_emotion_has_every_part_and_weight(run):
    table = emotion_table(run)
    assert [row[0] for row in table.rows] == CLASSES
    assert table.columns[1:4] == tuple(
        f"{kind} (training part)" for kind in ("source", "synthetic, λ 0", "synthetic, λ 2")
    )
    found = [m["emotions"]["neutral"]["test/difference_synthetic"] for m in run["members"][7:]]
    assert table.rows[2][-1] == f"{np.mean(found):.4f} ± {np.std(found, ddof=1):.4f}"


def test_a_run_of_all_data_at_one_weight_takes_the_weight_from_its_config():
    run = make_cyclegan_results(folds=(-1,), weights=(2.0,), rows=3, protocol="as_published")
    run["config"]["lambda_cls"] = run["members"][0].pop("lambda_cls")
    assert [row[1] for row in headline(run).rows] == ["target − source", "target − synthetic (λ 2)"]
    source, synthetic = (run["members"][0]["metrics"][f"train/difference_{kind}"] for kind in ("source", "synthetic"))
    expected = f"all labelled data: source {source:.4f} (paper: 0.084); synthetic, λ 2: {synthetic:.4f} (paper: 0.049)."
    assert REPORT.lead(run).endswith(expected)


def test_figure_two_shows_the_mean_over_emotions_and_folds(small):
    found = cyclegan.distribution(small)
    assert list(found) == ["source", 0.0, 2.0, "target"]
    members = [m for m in small["members"] if m["fold"] >= 0 and m["lambda_cls"] == 2.0]
    expected = np.mean(
        [[m["distribution"]["synthetic"][name]["std"] for name in CLASSES] for m in members], axis=(0, 1)
    )
    np.testing.assert_allclose(found[2.0][1], expected)
    stop(small, 4, "sad", 7)
    rest = [members[0]["distribution"]["synthetic"][name]["mean"] for name in CLASSES[:3]]
    other = [members[1]["distribution"]["synthetic"][name]["mean"] for name in CLASSES]
    expected = (np.mean(rest, axis=0) + np.mean(other, axis=0)) / 2
    np.testing.assert_allclose(cyclegan.distribution(small)[2.0][0], expected)
    pytest.importorskip("matplotlib")
    svg = feature_distributions(small)
    assert all(name in svg and category in svg for category, name in FEATURES)
    assert "synthetic, λ 2" in svg and "target" in svg


def test_the_projection_is_of_one_fold_and_says_its_shares(small):
    pytest.importorskip("matplotlib")
    found = cyclegan.projections(small)
    assert list(found) == [0.0, 2.0]
    assert {member["fold"] for member in found.values()} == {-1}
    svg = projection(small)
    for text in ("component 1 (21.4 % of variance)", "component 2 (9.3 % of variance)", "synthetic, λ 2", *CLASSES):
        assert text in svg
    small["members"][3]["failed"] = "NaN"  # all data at weight 2: the first fold has both weights
    assert {member["fold"] for member in cyclegan.projections(small).values()} == {0}
    for member in small["members"]:
        member["projection"]["explained"] = [None, None]
    assert cyclegan.projections(small) == {}
    with pytest.raises(ValueError, match="projection"):
        projection(small)


def lines(monkeypatch, draw, run):
    """What a figure's panels hold: {(loss, class): [(colour, label or None, x, y), ...]}."""
    kept = {}

    def export(figure, format, name):
        panels = [axes for axes in figure.axes if axes.lines]
        across = len(CLASSES)
        for place, axes in enumerate(panels):
            loss = panels[place - place % across].get_ylabel()
            drawn_lines = [(line.get_color(), line.get_linewidth(), *line.get_data()) for line in axes.lines]
            kept[loss, CLASSES[place % across]] = drawn_lines
        return ""

    monkeypatch.setattr(drawing, "_export", export)
    draw(run)
    return kept


def test_every_gan_has_a_line_in_every_loss(small, monkeypatch):
    pytest.importorskip("matplotlib")
    found = lines(monkeypatch, cyclegan.gan_curves, small)
    assert set(found) == {(loss, name) for loss in LOSSES for name in CLASSES}
    panel = found["cycle", "neutral"]
    assert len(panel) == 2 * (3 + 1)  # three members and their mean at each weight
    _, _, x, y = panel[0]
    history = small["members"][0]["history"]
    np.testing.assert_array_equal(x, [50, 100, 150, 200])
    np.testing.assert_allclose(y, [row["train/cycle/neutral"] for row in history])
    rows = [[row["train/cycle/neutral"] for row in m["history"]] for m in small["members"][:3]]
    np.testing.assert_allclose(panel[3][3], np.mean(rows, axis=0))
    assert {line[0] for line in panel[:4]} == {drawing.BLUE} and {line[0] for line in panel[4:]} == {drawing.ORANGE}


def test_the_line_of_a_stopped_gan_ends_in_a_cross(small, monkeypatch):
    pytest.importorskip("matplotlib")
    for row in small["members"][4]["history"][2:]:
        row["train/generator/sad"] = None
    found = lines(monkeypatch, cyclegan.gan_curves, small)
    panel = found["generator", "sad"]
    assert len(panel) == 2 * (3 + 1) + 1
    cross = [line for line in panel if len(line[2]) == 1]
    assert cross[0][2] == [100]
    assert len(found["generator", "happy"]) == 2 * (3 + 1)


def test_pretraining_has_the_members_of_its_own_stage(small, monkeypatch):
    pytest.importorskip("matplotlib")
    found = lines(monkeypatch, cyclegan.pretraining_curves, small)
    assert {loss for loss, _ in found} == {"cycle"}
    assert len(found["cycle", "angry"]) == 3 + 1
    np.testing.assert_array_equal(found["cycle", "angry"][0][2], [250, 500, 750, 1000])
    small["stages"] = {}
    with pytest.raises(ValueError, match="no history"):
        cyclegan.pretraining_curves(small)


def test_the_page_has_every_figure_and_names_the_gans_that_stopped(small):
    pytest.importorskip("matplotlib")
    stop(small, 4, "sad", 1312)
    small["stages"]["pretraining"]["members"][0]["gans"] = {"angry": {"update": 5}}
    text = report(small)
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert text.count("<svg ") == 4
    for title in ("Distances", "Projection", "Losses", "Members", "Config"):
        assert f"<h2>{title}</h2>" in text
    assert "Fold 0, seed 0, λ 2: GANs that were not finite any more stopped: sad at update 1312." in text
    assert "Pretraining, all data, seed 0: GANs that were not finite any more stopped: angry at update 5." in text
    assert text.count('class="warning"') == 2


def test_panels_that_differ_by_orders_have_axes_of_their_own(small, panels):
    cyclegan.gan_curves(small)
    row = np.array(panels).reshape(len(LOSSES), len(CLASSES))[0]
    assert len({axes.get_ylim() for axes in row}) == 1  # alike: they compare
    for member in small["members"]:
        for entry in member["history"]:
            entry["train/generator/sad"] *= 1000
    panels.clear()
    cyclegan.gan_curves(small)
    row = np.array(panels).reshape(len(LOSSES), len(CLASSES))[0]
    drawn = [np.concatenate([line.get_ydata() for line in axes.lines]) for axes in row]
    for axes, values in zip(row, drawn, strict=True):
        low, high = axes.get_ylim()
        assert low <= values.min() and values.max() <= high < 3 * values.max()
        assert all(label.get_visible() for label in axes.get_yticklabels())


def test_vectors_on_one_spot_or_farther_than_the_source_are_an_alarm(small):
    assert not REPORT.warnings(small)
    member = small["members"][1]
    for name, share in {"angry": 3.17, "sad": 4.3}.items():
        found = member["emotions"][name]
        found["train/difference_synthetic"] = share * found["train/difference_source"]
    target = member["distribution"]["target"]["happy"]["std"]
    member["distribution"]["synthetic"]["happy"]["std"] = [0.05 * value for value in target]
    spot, farther = REPORT.warnings(small)
    where = f"of fold {member['fold']}, seed 0, λ {member['lambda_cls']:g}"
    count = 4 * len(small["members"])
    assert spot.startswith(f"Synthetic vectors of 1 of {count} CycleGANs lie nearly on one spot, with 5 % of the")
    assert f"(happy {where})" in spot
    assert farther.startswith(f"Synthetic vectors of 2 of {count} CycleGANs lie farther from the target than")
    assert f"at 317 to 430 % of its distance (sad {where}; angry {where})" in farther
    assert report(small).count('class="warning"') == 2
    member["gans"] = dict.fromkeys(("angry", "happy", "sad"), {"update": 9})  # has an alarm of its own
    (text,) = REPORT.warnings(small)
    assert "stopped" in text


def test_a_page_without_matplotlib_keeps_its_tables(small, monkeypatch):
    def missing():
        raise ImportError("figures need matplotlib: pip install 'sejax[report]'")

    monkeypatch.setattr(drawing, "_matplotlib", missing)
    text = report(small)
    assert "<svg" not in text and "figures need matplotlib" in text
    assert "<h2>Distances</h2>" in text and "<h2>Members</h2>" in text


def test_runs_are_compared_by_run_and_weight(small):
    other = make_cyclegan_results(folds=(-1,), weights=(0.0, 1.0), rows=3, protocol="as_published")
    runs = [{"run": "folds", **small}, {"run": "whole", **other}]
    (table,) = run_comparison(runs)
    assert [(row[0], row[3], row[4]) for row in table.rows] == [
        *(("folds", "leak_free", "λ 0"), ("folds", "leak_free", "λ 2")),
        *(("whole", "as_published", "λ 0"), ("whole", "as_published", "λ 1")),
    ]
    assert cells(table, "whole", "unlabelled", "emodb", "as_published", "λ 1")[2] == "–"  # the paper has no such weight
    assert len(run_comparison(runs, group_by=["protocol"])) == 2
    with pytest.raises(ValueError, match="cannot group by colour; known fields: source"):
        run_comparison(runs, group_by=["colour"])
    pytest.importorskip("matplotlib")
    svg = differences(runs, ["folds", "whole"])
    assert "folds, λ 2" in svg and "whole, λ 1" in svg


def test_a_run_whose_members_all_failed_makes_a_page(small):
    for member in small["members"]:
        member |= {"failed": "NaN", "metrics": {}, "emotions": {}, "distribution": {}, "projection": {}, "history": []}
    small["stages"] = {}
    text = report(small)
    assert text.count('class="warning"') == len(small["members"]) and "<h2>Distributions</h2>" not in text
    assert headline(small).rows == ()
