import copy
import re
from xml.etree import ElementTree

import pytest
from reading import accuracy_over_rate, arranged, learning_curves, rated, report

from sejax.core.results import summaries
from sejax.report import drawing
from sejax.report.score_figures import variant_scores

pytest.importorskip("matplotlib")
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    """Every text of an SVG, its parts joined by spaces."""
    return [" ".join("".join(node.itertext()).split()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


class Drawn:
    """Catches a figure's axes before they become a picture."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(drawing, "_export", lambda figure, format, name: figure)

    def lines(self, axes, label):
        return [line for line in axes.get_lines() if line.get_label() == label]


@pytest.fixture
def drawn(monkeypatch):
    return Drawn(monkeypatch)


@pytest.fixture(scope="module")
def small(fabricate_transfer):
    """Two networks at three rates, two seeds."""
    return fabricate_transfer(models=("resnet50", "inception_v3"), seeds=2)


def test_learning_curves_draw_the_means_of_each_network_and_rate_on_shared_axes(small, drawn):
    axes = drawn_axes = learning_curves(small).axes
    assert len(axes) == 2 * 3 * 2
    grid = [drawn_axes[row * 6 : row * 6 + 6] for row in range(2)]
    assert [row[0].get_ylabel() for row in grid] == ["resnet50", "inception_v3"]
    heads = ["rate 0.0001 (published)", "rate 0.01", "rate 1"]
    assert [panel.get_title(loc="left").split("\n") for panel in grid[0]] == [
        [quantity, head] for quantity in ("accuracy", "loss") for head in heads
    ]
    for first in (0, 3):
        assert len({panel.get_ylim() for row in grid for panel in row[first : first + 3]}) == 1
    chosen = [m for m in small["members"] if m["model"] == "inception_v3" and m["learning_rate"] == 0.01]
    expected = [sum(m["history"][epoch]["valid/loss"] for m in chosen) / 2 for epoch in range(10)]
    (line,) = drawn.lines(grid[1][4], "validation")
    assert list(line.get_xdata()) == list(range(1, 11))
    assert list(line.get_ydata()) == pytest.approx(expected)
    assert [panel.get_title(loc="right") for panel in grid[1]] == ["", "tuned", "", "", "tuned", ""]


def test_chance_is_one_class_in_three_and_its_cross_entropy(small, drawn):
    axes = learning_curves(small).axes
    assert drawn.lines(axes[0], "chance")[0].get_ydata()[0] == pytest.approx(1 / 3)
    assert drawn.lines(axes[3], "chance")[0].get_ydata()[0] == pytest.approx(1.0986, abs=1e-4)


def test_losses_of_very_different_size_are_drawn_on_a_log_axis(small, drawn):
    wide = copy.deepcopy(small)
    assert learning_curves(small).axes[3].get_yscale() == "linear"
    wide["members"][0]["history"][0]["train/loss"] = 30.0
    axes = learning_curves(wide).axes[3]
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[1] > 30


def test_many_rates_leave_the_published_and_the_tuned_beside_each_other(small, drawn):
    members = copy.deepcopy(small["members"])
    more = [{**m, "learning_rate": 0.1} for m in copy.deepcopy(members) if m["learning_rate"] == 1.0]
    run = small | {"members": members + more}
    del run["variants"]
    titles = [axes.get_title(loc="left") for axes in learning_curves(run).axes[:4]]
    heads = "published rate 0.0001", "tuned rate 0.01"
    assert titles == [f"{quantity}\n{head}" for quantity in ("accuracy", "loss") for head in heads]


def test_a_network_without_a_rate_and_a_history_without_losses_still_draw(small, drawn):
    members = [m for m in small["members"] if (m["model"], m["learning_rate"]) != ("inception_v3", 1.0)]
    bare = [{**m, "history": [{"epoch": 1, "valid/accuracy": float("nan")}]} for m in members]
    run = small | {"members": bare, **summaries(bare)}
    axes = learning_curves(run).axes
    assert len(axes) == 2 * 3
    assert [text.get_text() for text in axes[-1].texts] == ["not run"]
    with pytest.raises(ValueError, match="no history of accuracy, loss"):
        learning_curves(run | {"members": [{**m, "history": []} for m in members]})


def test_scores_stand_beside_the_papers_diamonds(small, drawn):
    (axes,) = variant_scores(arranged(small), classes=3).axes
    assert [label.get_text() for label in axes.get_yticklabels()][:3] == [
        "resnet50 at 0.0001 (published)",
        "resnet50 at 0.01 (tuned)",
        "resnet50 at 1",
    ]
    diamonds = [line for line in axes.get_lines() if line.get_marker() == "D"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in diamonds] == [(0.998, 0.0), (0.385, 3.5)]
    assert axes.get_xlabel() == "validation accuracy"
    assert any(list(line.get_xdata()) == pytest.approx([1 / 3, 1 / 3]) for line in axes.get_lines())


def test_accuracy_over_the_rate_rises_with_its_rates_and_needs_three(small, drawn, fabricate_transfer):
    assert rated(fabricate_transfer(models=("resnet50",), rates=(0.0001, 1.0), seeds=1)) == {}
    first, second = accuracy_over_rate(small).axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("resnet50", "inception_v3")
    assert first.get_xscale() == "log"
    (line,) = drawn.lines(second, "validation")
    found = {variant.rate: variant.mean("valid/accuracy") for variant in arranged(small)[3:]}
    assert list(line.get_xdata()) == [0.0001, 0.01, 1.0]
    assert list(line.get_ydata()) == pytest.approx([found[rate] for rate in (0.0001, 0.01, 1.0)])
    assert list(drawn.lines(second, "paper, training")[0].get_ydata()) == [0.385]


def test_the_report_of_several_networks_has_a_matrix_for_each_and_ids_of_their_own(small):
    text = report(small)
    for caption in ("resnet50 at 0.0001 (published)", "inception_v3 at 0.01 (tuned)", "inception_v3 at 1"):
        assert text.count(f"<figcaption>{caption}</figcaption>") == 2  # per chunk and per utterance
    for heading in ("Validation accuracy beside the paper", "Accuracy over the learning rate", "Accuracy and loss"):
        assert heading in text
    for fact in ("anger: anger, stress: fear, neutral: neutral", "the images were split into", "41,207"):
        assert fact in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    published = small["variants"][0]["summary"]["valid/accuracy"]
    score = f"{published['mean']:.3f} ± {published['std']:.3f}"
    assert f"Validation accuracy at the published rate: resnet50 {score} (paper: 0.998)" in text
    assert "Pseudo-labels" not in text


def test_a_failed_member_of_a_variant_is_named_in_words(small, monkeypatch):
    def missing():
        raise ImportError("no figures here")

    monkeypatch.setattr(drawing, "_matplotlib", missing)
    run = copy.deepcopy(small)
    run["members"][1]["failed"] = {"step": 7, "reason": "the loss is NaN"}
    assert "resnet50 at 0.0001, seed 1 failed at step 7: the loss is NaN." in report(run)


def test_variants_whose_members_all_failed_make_a_page(small):
    members = [{**m, "failed": {"step": 1, "reason": "NaN"}, "metrics": {}, "history": []} for m in small["members"]]
    text = report(small | {"members": members, **summaries(members)})
    assert "0 of 12 members (12 failed)" in text
    assert "resnet50 at 1, seed 0 failed at step 1" in text
    assert "<svg" not in text
