"""How synthetic vectors lie between source and target: Fig. 2, a projection, and the distances of many runs."""

from itertools import product

import numpy as np

from sejax.report import cyclegan
from sejax.report.cyclegan import weight_text, weights
from sejax.report.drawing import COLOURS, INK, MUTED, RULE, SURFACE, drawn, page

MARKERS = ("o", "s", "^", "D")
LOOKS = {"source": (MUTED, "o"), "target": (INK, "D")}


@drawn
def feature_distributions(results):
    """Fig. 2: mean and deviation of a few features in source, synthetic and target vectors, min-max scaled.

    `results` as in results.json with "figure_features"; each row is a feature below its category, each mark the mean
    over emotions, folds and seeds (`cyclegan.distribution`), its bar one mean deviation to both sides.
    """
    found, features = cyclegan.distribution(results), results["figure_features"]
    figure, axes = page(7.4, 0.9 + (0.1 + 0.09 * max(4, len(found))) * len(features))
    looks = product(MARKERS[1:], COLOURS)
    for (name, moments), shift in zip(found.items(), np.linspace(-0.28, 0.28, len(found)), strict=True):
        colour, marker = LOOKS.get(name) or next(looks)[::-1]
        style = {"color": colour, "marker": marker, "markersize": 4.5, "linestyle": "none", "elinewidth": 1.2}
        label = name if name in LOOKS else f"synthetic, {weight_text(name)}"
        axes.errorbar(moments[0], np.arange(len(features)) + shift, xerr=moments[1], label=label, **style)
    for place in np.arange(len(features) - 1) + 0.5:
        axes.axhline(place, color=RULE, linewidth=0.6)
    axes.set_yticks(range(len(features)), [f"{one['category']}\n{one['name']}" for one in features], fontsize=7.5)
    axes.set(ylim=(len(features) - 0.5, -0.5), xlabel="min-max scaled value")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=min(4, len(found)))
    return figure


@drawn
def projection(results):
    """Source, target and synthetic vectors on the first two principal components of source and target.

    A panel for the target and one for each weight, of one member of each weight (`cyclegan.projections`): grey is the
    source, colours and shapes are emotions, and a large hollow mark is an emotion's mean in the target. Panels share
    their axes, which carry the share of the variance. Raises ValueError without a projection.
    """
    members = cyclegan.projections(results)
    if not members:
        raise ValueError("no member of these results has a projection")
    first = next(iter(members.values()))["projection"]
    panels = {"target": (first, "target")}
    panels |= {f"synthetic, {weight_text(weight)}": (m["projection"], "synthetic") for weight, m in members.items()}
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure, grid = page(0.6 + 2.9 * across, 0.9 + 2.8 * down, down, across, squeeze=False, sharex=True, sharey=True)
    for axes, (title, (drawn_from, kind)) in zip(grid.flat, panels.items(), strict=False):
        _scatter(axes, drawn_from, kind, results["classes"])
        axes.set_title(title)
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    shares = [
        f"component {place} ({100 * share:.1f} % of variance)" for place, share in enumerate(first["explained"], 1)
    ]
    figure.supxlabel(shares[0], fontsize=9, color=MUTED)
    figure.supylabel(shares[1], fontsize=9, color=MUTED)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(handles), markerscale=1.8)
    return figure


def _scatter(axes, drawn_from, kind, classes):
    """One panel: the source in grey, one set's emotions over it, and the target's means."""
    plain = {"linestyle": "none", "markeredgewidth": 0}
    axes.plot(
        *_columns(drawn_from["source"]), marker="o", color=MUTED, alpha=0.4, markersize=3, label="source", **plain
    )
    for name, colour, marker in zip(classes, COLOURS, MARKERS, strict=False):
        points = _columns(drawn_from[kind].get(name) or ())
        axes.plot(*points, marker=marker, color=colour, alpha=0.65, markersize=3.6, label=name, **plain)
    for name, colour, marker in zip(classes, COLOURS, MARKERS, strict=False):
        target = np.asarray(drawn_from["target"].get(name) or np.zeros((0, 2)))
        if len(target):
            style = {"markerfacecolor": SURFACE, "markeredgecolor": colour, "markeredgewidth": 2.2, "zorder": 4}
            axes.plot(*target.mean(0), marker=marker, markersize=9, linestyle="none", **style)


def _columns(points):
    return np.asarray(points, dtype=float).reshape(-1, 2).T


@drawn
def differences(runs, names):
    """Mean |difference| to the target of source (hollow) and synthetic vectors, a row for each run and weight."""
    rows = [(run, name, weight) for run, name in zip(runs, names, strict=True) for weight in weights(run)]
    figure, axes = page(6.6, 1.0 + 0.3 * len(rows))
    handles = {}
    for place, (run, _, weight) in enumerate(rows):
        part = cyclegan.main_part(run)
        for kind, only, face in (("source", None, SURFACE), ("synthetic", weight, COLOURS[0])):
            entry = cyclegan.distance(run, part, f"difference_{kind}", only)
            if entry:
                style = {"color": COLOURS[0], "markerfacecolor": face, "markersize": 6, "capsize": 3, "fmt": "o"}
                handles[kind] = axes.errorbar(entry["mean"], place, xerr=entry["std"], **style)
    axes.set_yticks(range(len(rows)), [f"{name}, {weight_text(weight)}" for _, name, weight in rows])
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="mean |difference| to the target, min-max scaled")
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure
