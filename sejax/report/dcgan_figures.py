"""Scores of the four models beside the paper's, what unlabelled speech and a second task add, and training curves."""

import numpy as np

from sejax.report.curves import draw_curves, wide_axis
from sejax.report.dcgan import COLLAPSE, collapsed, models, pairs
from sejax.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, VIOLET, drawn, page
from sejax.report.metric_panels import metric_panels
from sejax.report.paired import by_member, differences
from sejax.report.published.dcgan import published
from sejax.report.results import is_finite

CHANCE = {"uar": 0.2, "uar_3": 1 / 3, "pearson": 0.0}
SCORES = {
    "uar": "5 classes:\nunweighted accuracy (%)",
    "uar_3": "3 classes:\nunweighted accuracy (%)",
    "pearson": "ρ of the expected rating",
}
GAINS = {
    "uar": "5 classes: difference of\nunweighted accuracy (points of %)",
    "uar_3": "3 classes: difference of\nunweighted accuracy (points of %)",
    "pearson": "difference of ρ",
}

# A row of the curves: its name, and for each line the key of the history, its name and colour.
CURVES = {
    "classifiers' loss": (
        ("train/loss_valence", "valence", BLUE),
        ("train/loss_activation", "activation", ORANGE),
        ("valid/loss", "valence, validation", GREEN),
    ),
    "GAN's loss": (
        ("train/loss_generator", "generator", VIOLET),
        ("train/loss_discriminator", "discriminator", INK),
    ),
    "D's probability": (("train/real", "real crops", BLUE), ("train/generated", "generated crops", ORANGE)),
    "diversity": (("train/diversity", "generated / real", VIOLET),),
    "validation": (("valid/accuracy", "accuracy", BLUE), ("valid/uar", "unweighted, 5 classes", ORANGE)),
}
GUIDES = {"D's probability": (0.5, "undecided"), "diversity": (COLLAPSE, f"collapse, {COLLAPSE:g}")}


@drawn
def model_scores(runs, names=None):
    """Valence of every model on the test part: members faint, mean and deviation bold, the paper's as a diamond.

    `runs` are results, `names` their labels, which stand before those of the models where there are several runs. A
    dashed line is guessing.
    """
    rows = []
    for place, run in enumerate(runs):
        start = f"{names[place]}: " if names and len(runs) > 1 else ""
        rows += [(f"{start}{one.label}", place, one) for one in models(run)]

    def values(one, metric):
        return by_member(one, f"test/{metric}"), published(one.name).get(f"test/{metric}")

    return metric_panels(rows, values, SCORES, guides=CHANCE, guide="chance", plain=("pearson",))


@drawn
def model_differences(results):
    """Differences of pairs of models by fold and seed, mean and deviation, the paper's as a diamond."""
    rows = [(f"{first.label} −\n{second.label}", 0, (first, second)) for first, second in pairs(results)]

    def values(pair, metric):
        theirs = [published(model.name).get(f"test/{metric}") for model in pair]
        return differences(*pair, f"test/{metric}"), None if None in theirs else theirs[0] - theirs[1]

    return metric_panels(rows, values, GAINS, plain=("pearson",))


@drawn
def training_curves(results):
    """Losses, the discriminator's mean probabilities, diversity and validation by epoch, a column for each model.

    `results` as in results.json. Members are faint, their mean bold; a dot is the epoch whose weights a member
    restored, a cross the one at which its generated spectrograms collapsed. Raises ValueError without a history.
    """
    found = models(results)
    recorded = {name for member in results["members"] for row in member.get("history") or () for name in row}
    shown = {row: [line for line in lines if line[0] in recorded] for row, lines in CURVES.items()}
    shown = {row: lines for row, lines in shown.items() if lines}
    if not shown:
        raise ValueError("no history of losses or scores in these results")
    size = 1.9 + 1.75 * len(found), 0.7 + 1.35 * len(shown)
    figure, grid = page(*size, len(shown), len(found), squeeze=False, sharex="col", sharey="row")
    for (at, column), axes in np.ndenumerate(grid):
        _panel(axes, found[column], list(shown)[at], list(shown.values())[at])
    for axes, model in zip(grid[0], found, strict=True):
        axes.set_title(model.label)
    for axes, (row, lines) in zip(grid, shown.items(), strict=True):
        axes[0].set_ylabel(row, color=INK, fontweight="bold", fontsize=8.5)
        _row_axis(axes, row)
        _row_legend(axes, row, lines)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True, nbins=5)
    return figure


def _panel(axes, model, row, lines):
    members = [{**member, "history": member.get("history") or []} for member in model.members]
    names = {name for member in members for entry in member["history"] for name in entry if is_finite(entry[name])}
    if not any(name in names for name, *_ in lines):
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    for name, label, colour in lines:
        if name in names:
            draw_curves(axes, members, name, None, colour=colour, label=label)
    if row in GUIDES:
        axes.axhline(GUIDES[row][0], color=MUTED, linestyle="--", linewidth=1)
    for member in members:
        if row == "validation":
            _mark(axes, member, member.get("best_epoch"), "valid/accuracy", marker="o", color=BLUE, markersize=4)
        if row == "diversity":
            style = {"marker": "x", "color": ORANGE, "markersize": 7, "markeredgewidth": 1.8}
            _mark(axes, member, collapsed(member), "train/diversity", **style)


def _mark(axes, member, epoch, name, **style):
    """A mark on a member's line at an epoch."""
    for entry in member["history"]:
        if entry.get("epoch") == epoch and is_finite(entry.get(name)):
            axes.plot(epoch, entry[name], linestyle="none", zorder=4, **style)


def _row_axis(row_axes, row):
    if row.endswith("loss"):
        wide_axis(row_axes[0], [value for axes in row_axes for line in axes.lines for value in line.get_ydata()])
    elif row == "D's probability":
        row_axes[0].set_ylim(-0.03, 1.03)
    else:
        row_axes[0].set_ylim(bottom=0)


def _row_legend(row_axes, row, lines):
    """What a row's lines and marks are, to the right of its last panel."""
    from matplotlib.lines import Line2D

    handles = {label: Line2D([], [], color=colour, linewidth=2) for _, label, colour in lines}
    if row in GUIDES:
        handles[GUIDES[row][1]] = Line2D([], [], color=MUTED, linestyle="--", linewidth=1)
    if row == "validation":
        handles["restored epoch"] = Line2D([], [], color=BLUE, marker="o", markersize=4, linestyle="none")
    if row == "diversity":
        style = {"color": ORANGE, "marker": "x", "markersize": 7, "markeredgewidth": 1.8, "linestyle": "none"}
        handles["collapsed"] = Line2D([], [], **style)
    options = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5), "borderaxespad": 0}
    row_axes[-1].legend(handles.values(), handles, **options)
