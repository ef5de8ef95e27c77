"""How synthetic vectors lie between source and target, and the losses of every GAN."""

from itertools import product

import numpy as np

from sejax.core.results import is_finite
from sejax.report.curves import axes_in_common, heights, wide_axis
from sejax.report.drawing import COLOURS, INK, MUTED, RULE, SURFACE, subplots
from sejax.report.run import recorded_metrics

MARKERS = ("o", "s", "^", "D")
LOOKS = {"source": (MUTED, "o"), "target": (INK, "D")}
LOSSES = ("generator", "discriminator", "cycle", "classification")
STYLES = ("-", "--", ":")  # for more weights than there are colours
PLAIN = INK, "-"


def line_style(place):
    """Colour and dashes of the lines of a weight by its place."""
    return COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]


def marks_by_feature(moments, features):
    """A figure of mean and deviation of features: `moments` {a set's name: (mean [F], deviation [F])}.

    `features` have "category" and "name"; each row is a feature.
    """
    figure, axes = subplots(7.4, 0.9 + (0.1 + 0.09 * max(4, len(moments))) * len(features))
    looks = product(MARKERS[1:], COLOURS)
    for (name, (mean, deviation)), shift in zip(moments.items(), np.linspace(-0.28, 0.28, len(moments)), strict=True):
        colour, marker = LOOKS.get(name) or next(looks)[::-1]
        style = {"color": colour, "marker": marker, "markersize": 4.5, "linestyle": "none", "elinewidth": 1.2}
        axes.errorbar(mean, np.arange(len(features)) + shift, xerr=deviation, label=name, **style)
    for place in np.arange(len(features) - 1) + 0.5:
        axes.axhline(place, color=RULE, linewidth=0.6)
    labels = [f"{feature['category']}\n{feature['name']}" for feature in features]
    axes.set_yticks(range(len(features)), labels, fontsize=7.5)
    axes.set(ylim=(len(features) - 0.5, -0.5), xlabel="min-max scaled value")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=min(4, len(moments)))
    return figure


def scatter_panels(panels, classes, explained):
    """A figure with a panel for each of `panels` {title: (a member's projection, the set that it shows)}.

    `explained` are the shares of the variance of both axes, which all panels share.
    """
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    size = 0.6 + 2.9 * across, 0.9 + 2.8 * down
    figure, grid = subplots(*size, down, across, squeeze=False, sharex=True, sharey=True)
    for axes, (title, (sets, kind)) in zip(grid.flat, panels.items(), strict=False):
        _scatter(axes, sets, kind, classes)
        axes.set_title(title)
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    shares = [f"component {place} ({100 * share:.1f} % of variance)" for place, share in enumerate(explained, 1)]
    figure.supxlabel(shares[0], fontsize=9, color=MUTED)
    figure.supylabel(shares[1], fontsize=9, color=MUTED)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(handles), markerscale=1.8)
    return figure


def _scatter(axes, sets, kind, classes):
    """One panel: the source in grey, one set's emotions over it, and the target's means."""
    plain = {"linestyle": "none", "markeredgewidth": 0}
    axes.plot(*_columns(sets["source"]), marker="o", color=MUTED, alpha=0.4, markersize=3, label="source", **plain)
    for name, colour, marker in zip(classes, COLOURS, MARKERS, strict=False):
        points = _columns(sets[kind].get(name) or ())
        axes.plot(*points, marker=marker, color=colour, alpha=0.65, markersize=3.6, label=name, **plain)
    for name, colour, marker in zip(classes, COLOURS, MARKERS, strict=False):
        target = np.asarray(sets["target"].get(name) or np.zeros((0, 2)))
        if len(target):
            style = {"markerfacecolor": SURFACE, "markeredgecolor": colour, "markeredgewidth": 2.2, "zorder": 4}
            axes.plot(*target.mean(0), marker=marker, markersize=9, linestyle="none", **style)


def _columns(points):
    return np.asarray(points, dtype=float).reshape(-1, 2).T


def loss_panels(groups, losses, classes, row_epochs):
    """A figure of losses by epoch: a row for each loss, a column for each emotion.

    `groups` {label: (members, colour, dashes)}; a row of the history stands for `row_epochs` epochs. Raises ValueError
    where no member recorded such losses.
    """
    recorded = recorded_metrics(member for members, *_ in groups.values() for member in members)
    losses = [loss for loss in losses if recorded & {f"train/{loss}/{name}" for name in classes}]
    if not losses:
        raise ValueError("no history of losses in these results")
    size = 0.7 + 2.05 * len(classes), 0.8 + 1.45 * len(losses)
    figure, grid = subplots(*size, len(losses), len(classes), squeeze=False, sharex=True)
    for (row, column), axes in np.ndenumerate(grid):
        name, handles = f"train/{losses[row]}/{classes[column]}", {}
        for label, (members, colour, style) in groups.items():
            handles[label] = _lines(axes, members, name, row_epochs, color=colour, linestyle=style)
        if row == 0:
            axes.set_title(classes[column])
        if row == len(losses) - 1:
            axes.set_xlabel("epoch")
    for row, loss in zip(grid, losses, strict=True):
        row[0].set_ylabel(loss, color=INK, fontweight="bold", fontsize=8.5)
        for group in axes_in_common(row):
            wide_axis(group[0], [value for axes in group for value in heights(axes)])
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
