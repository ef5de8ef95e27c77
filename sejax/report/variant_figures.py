"""The scores of a run's variants: one metric of each beside the paper's, and accuracy over the learning rate."""

import math

import numpy as np

from sejax.report.curves import SERIES
from sejax.report.drawing import BLUE, MUTED, ORANGE, drawn, page
from sejax.report.results import field_value, is_finite
from sejax.report.terms import title
from sejax.report.variants import PUBLISHED, arranged, leading_metric

RATES_TO_DRAW = 3  # fewer learning rates make no curve
PANELS_IN_A_ROW = 4


@drawn
def variant_scores(variants, *, metric=None, names=None, classes=0, units=None):
    """One metric of every variant: members faint, mean and deviation bold, a diamond for the paper's figure.

    `variants` from `sejax.report.variants.arranged`, of one run or several; `names` their labels from top to
    bottom. `metric` is a key of results.json (default: `leading_metric`). A dashed line is guessing among
    `classes` for an accuracy; `units` as `sejax.report.terms.levels` gives them. A gap parts the networks.
    """
    metric = metric or leading_metric(variants)
    names = names or [variant.label for variant in variants]
    places = _places(variants)
    figure, axes = page(6.6, 0.85 + 0.27 * (places[-1] + 1))
    handles = {}
    for place, variant in zip(places, variants, strict=True):
        values = _values(variant.members, metric)
        if len(values) > 1:
            faint = axes.plot(values, [place] * len(values), "o", color=BLUE, markersize=3, alpha=0.35)
            handles["member"] = faint[0]
        entry = variant.summary.get(metric)
        if entry and is_finite(entry["mean"]):
            style = {"color": BLUE, "markersize": 6, "capsize": 3}
            handles["mean"] = axes.errorbar(entry["mean"], place, xerr=entry.get("std") or 0.0, fmt="o", **style)
        if is_finite(variant.paper.get(metric)):
            style = {"color": ORANGE, "markersize": 5.5, "linestyle": "none"}
            handles["paper"] = axes.plot(variant.paper[metric], place, marker="D", **style)[0]
    if classes > 1 and metric.endswith("accuracy"):
        handles["chance"] = axes.axvline(1 / classes, color=MUTED, linestyle="--", linewidth=1)
    axes.set_yticks(places, names)
    axes.set(ylim=(places[-1] + 0.6, -0.6), xlabel=title(metric, units or {}))
    axes.grid(axis="y", visible=False)
    order = [name for name in ("member", "mean", "paper", "chance") if name in handles]
    figure.legend([handles[name] for name in order], order, loc="outside upper left", ncols=len(order))
    return figure


def _places(variants):
    """Rows from the top, with half a row more where another group begins."""
    places = [0.0]
    for before, after in zip(variants, variants[1:], strict=False):
        places.append(places[-1] + (1.0 if before.group == after.group or after.rate is None else 1.5))
    return places


def _values(members, metric):
    found = [member["metrics"].get(metric) for member in members if not member.get("failed")]
    return [value for value in found if is_finite(value)]


def rated(results):
    """The groups of a run's variants with enough learning rates for a curve: {group: [Variant, ...]}, rates rising."""
    groups = {}
    for variant in arranged(results):
        if is_finite(variant.rate) and variant.rate > 0:
            groups.setdefault(variant.group, []).append(variant)
    groups = {group: sorted(found, key=lambda variant: variant.rate) for group, found in groups.items()}
    return {group: found for group, found in groups.items() if len(found) >= RATES_TO_DRAW and _has_accuracy(found)}


def _has_accuracy(found):
    return any(is_finite(variant.mean(f"{part}/accuracy")) for variant in found for part, *_ in SERIES)


@drawn
def accuracy_over_rate(results):
    """Training and validation accuracy over the learning rate, a panel for each network of `rated`.

    Members are faint dots, lines join their means, diamonds are the paper's figures at its rate, and the dashed line
    is chance. All panels share their axes.
    """
    groups, classes = rated(results), len(results.get("classes") or ())
    across = min(PANELS_IN_A_ROW, len(groups))
    down = math.ceil(len(groups) / across)
    size = max(4.6, 0.6 + 2.1 * across), 0.9 + 1.9 * down
    figure, grid = page(*size, down, across, squeeze=False, sharex=True, sharey=True)
    rates = sorted({variant.rate for found in groups.values() for variant in found})
    for place, (axes, (group, found)) in enumerate(zip(grid.flat, groups.items(), strict=False)):
        for part, name, colour in SERIES:
            _rate_curve(axes, found, f"{part}/accuracy", name, colour)
        if classes > 1:
            axes.axhline(1 / classes, color=MUTED, linestyle="--", linewidth=1, label="chance")
        axes.set_title(group)
        axes.set_xscale("log")
        axes.minorticks_off()
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(rates) > PANELS_IN_A_ROW else {}
        axes.set_xticks(rates, [field_value(rate) for rate in rates], **turned)
        axes.tick_params(labelbottom=place + across >= len(groups))
    for axes in grid.flat[len(groups) :]:
        axes.set_visible(False)
    grid[0, 0].set_ylim(-0.04, 1.06)
    figure.supxlabel("learning rate", fontsize=9, color=MUTED)
    figure.supylabel("accuracy", fontsize=9, color=MUTED)
    handles = {name: line for axes in grid.flat for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles) if across > 2 else 3)
    return figure


def _rate_curve(axes, found, metric, name, colour):
    points = [(variant.rate, variant.mean(metric)) for variant in found if is_finite(variant.mean(metric))]
    if points:
        axes.plot(*np.transpose(points), color=colour, marker="o", markersize=4, linewidth=1.8, label=name)
    for variant in found:
        values = _values(variant.members, metric)
        axes.plot([variant.rate] * len(values), values, "o", color=colour, markersize=2.5, alpha=0.35)
        if variant.mark == PUBLISHED and is_finite(variant.paper.get(metric)):
            style = {"markerfacecolor": "none", "markeredgecolor": colour, "linestyle": "none", "markersize": 7}
            axes.plot(variant.rate, variant.paper[metric], marker="D", label=f"paper, {name}", **style)
