"""Losses of every GAN over the epochs: a row for each loss, a column for each emotion, a line for each member."""

import numpy as np

from sejax.report import cyclegan
from sejax.report.curves import wide_axis
from sejax.report.cyclegan import weight_text
from sejax.report.drawing import COLOURS, INK, drawn, page
from sejax.report.results import is_finite
from sejax.report.terms import setting

LOSSES = ("generator", "discriminator", "cycle", "classification")
STYLES = ("-", "--", ":")  # for more weights than there are colours


@drawn
def pretraining_curves(results):
    """The loss of the first stage (its objective's), a panel for each emotion: members faint, their mean bold.

    `results` as in results.json. A cross ends the line of a GAN that stopped because it was not finite. Raises
    ValueError where the run has no such stage.
    """
    members = cyclegan.pretraining(results)
    stage = setting(results, "pretraining") or {}
    epochs = stage.get("row_epochs") or setting(results, "row_epochs", 1)
    return _small_multiples(results, {"all folds": (members, INK, "-")}, (cyclegan.objective(results),), epochs)


@drawn
def gan_curves(results):
    """The losses of the adversarial stage: a row for each loss, a column for each emotion, colours for the weights.

    `results` as in results.json. Lines are members (a fold and a seed), faint, and their mean, bold; panels of a row
    share their axis. A cross ends the line of a GAN that stopped because it was not finite. Raises ValueError where no
    member recorded such losses.
    """
    groups = {}
    for place, weight in enumerate(cyclegan.weights(results)):
        found = [member for member in results["members"] if cyclegan.weight_of(results, member) == weight]
        style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]
        groups[weight_text(weight)] = found, *style
    return _small_multiples(results, groups, LOSSES, setting(results, "row_epochs", 1))


def _small_multiples(results, groups, losses, row_epochs):
    recorded = {name for found, *_ in groups.values() for member in found for row in member["history"] for name in row}
    classes = results.get("classes") or ()
    losses = [loss for loss in losses if recorded & {f"train/{loss}/{name}" for name in classes}]
    if not losses:
        raise ValueError("no history of losses in these results")
    size = 0.7 + 2.05 * len(classes), 0.8 + 1.45 * len(losses)
    figure, grid = page(*size, len(losses), len(classes), squeeze=False, sharex=True, sharey="row")
    for (row, column), axes in np.ndenumerate(grid):
        name, handles = f"train/{losses[row]}/{classes[column]}", {}
        for label, (found, colour, style) in groups.items():
            handles[label] = _lines(axes, found, name, row_epochs, color=colour, linestyle=style)
        if row == 0:
            axes.set_title(classes[column])
        if row == len(losses) - 1:
            axes.set_xlabel("epoch")
    for axes, loss in zip(grid[:, 0], losses, strict=True):
        axes.set_ylabel(loss, color=INK, fontweight="bold", fontsize=8.5)
        wide_axis(
            axes, [value for panel in grid[losses.index(loss)] for line in panel.lines for value in line.get_ydata()]
        )
    if len(groups) > 1:
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _lines(axes, members, name, row_epochs, **style):
    """Every member's line, and the mean of the sound ones while half of them go on, whose line it returns."""
    columns = {}
    for member in members:
        rows = [row for row in member["history"] if name in row]
        points = [(row["epoch"] * row_epochs, row[name]) for row in rows if is_finite(row[name])]
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), alpha=0.35, linewidth=0.8, **style)
        if not is_finite(rows[-1][name]):
            axes.plot(*points[-1], marker="x", markersize=6, markeredgewidth=1.6, color=style["color"])
        for epoch, value in points if not member.get("failed") else ():
            columns.setdefault(epoch, []).append(value)
    sound = sum(not member.get("failed") for member in members)
    kept = {epoch: np.mean(values) for epoch, values in sorted(columns.items()) if 2 * len(values) >= sound}
    return axes.plot(list(kept), list(kept.values()), linewidth=1.9, **style)[0]
