"""Figures of scores beside the paper's: of variants, differences of them, learning rates, iterations, many runs."""

import math

import numpy as np

from sejax.core.results import field_value, is_finite
from sejax.report import Report
from sejax.report.curves import SERIES, legend_of
from sejax.report.drawing import BLUE, INK, MUTED, ORANGE, SURFACE, drawn, repeated, subplots
from sejax.report.run import (
    PUBLISHED,
    arranged,
    by_member,
    differences,
    figures_at,
    iterations,
    leading_metric,
    named,
    paper_figures,
    paper_of,
    variants_by,
)
from sejax.report.score_tables import run_names, run_scores
from sejax.report.terms import METRICS, levels, title

RATES_TO_DRAW = 3  # fewer learning rates make no curve
PANELS_IN_A_ROW = 4
PAPER = {"color": ORANGE, "marker": "D", "linestyle": "none"}


def score_panels(runs, report: Report, names=None, *, width=9.0):
    """A figure of the report's metrics on the test part: every variant's members faint, mean and deviation bold.

    `runs` are results, `names` their labels, which stand before those of the variants where there are several runs. A
    diamond is the paper's figure, a dashed line chance where all runs have the same. Width in inches.
    """
    rows = []
    for place, run in enumerate(runs):
        start = f"{names[place]}: " if names and len(runs) > 1 else ""
        variants = variants_by(run, report)
        rows += [(f"{start}{variant.label}", (place, report.apart(variant)), (run, variant)) for variant in variants]

    def values(item, metric):
        run, variant = item
        return by_member(variant, f"test/{metric}"), paper_of(run, variant, report).get(f"test/{metric}")

    known = {metric: {report.chance(run, metric) for run in runs} for metric in report.metrics}
    guides = {metric: chances.pop() if len(chances) == 1 else None for metric, chances in known.items()}
    axes = {metric: kind.axis for metric, kind in report.metrics.items()}
    return metric_panels(rows, values, report, axes, guides=guides, guide="chance", width=width)


def difference_panels(rows, report: Report, *, paper=lambda pair, metric: None, width=9.0):
    """A figure of differences of variants by fold and seed, mean and deviation, the paper's as a diamond.

    `rows` [(label, group, (Variant, Variant))] from top to bottom, `paper` the difference of the paper's figures.
    """

    def values(pair, metric):
        return differences(*pair, f"test/{metric}"), paper(pair, metric)

    axes = {metric: kind.gain_axis for metric, kind in report.metrics.items()}
    return metric_panels(rows, values, report, axes, width=width)


def metric_panels(rows, values, report: Report, labels, *, guides=None, guide="no difference", width=9.0):
    """A figure with a panel for each metric.

    `rows` [(label, group, item)] from top to bottom, with a gap where the group changes; `values` maps (item, metric)
    to {member: value} and the paper's value (None without one); `labels` {metric: its axis in words}. Shares are drawn
    in %. A dashed line called `guide` stands at `guides` {metric: value}, else at zero; a metric whose guide is None
    has none. Width in inches.
    """
    places = np.cumsum([1.0 + 0.6 * (row[1] != last[1]) for row, last in zip(rows, rows[:1] + rows, strict=False)])
    figure, panels = subplots(width, 1.05 + 0.34 * places[-1], columns=len(labels), sharey=True, squeeze=False)
    handles = {}
    for axes, (metric, label) in zip(panels[0], labels.items(), strict=True):
        scale = 100 if report.metrics[metric].share else 1
        for place, (_, _, item) in zip(places, rows, strict=True):
            scores, theirs = values(item, metric)
            handles |= repeated(axes, [scale * value for value in scores.values()], place, name="fold and seed")
            if is_finite(theirs):
                handles["paper"] = axes.plot(scale * theirs, place, markersize=5, **PAPER)[0]
        stands = guides.get(metric) if guides else 0.0
        if stands is not None:
            handles[guide] = axes.axvline(scale * stands, color=MUTED, linestyle="--", linewidth=1)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)
    panels[0, 0].set_yticks(places, [row[0] for row in rows])
    panels[0, 0].set_ylim(places[-1] + 0.6, places[0] - 0.6)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


@drawn
def variant_scores(variants, *, metric=None, names=None, classes=0, units=None):
    """One metric of every variant: members faint, mean and deviation bold, a diamond for the paper's figure.

    `variants` from `sejax.report.run.arranged`, of one run or several; `names` their labels from top to
    bottom. `metric` is a key of results.json (default: `leading_metric`). A dashed line is guessing among
    `classes` for an accuracy; `units` as `sejax.report.terms.levels` gives them. A gap parts the networks.
    """
    metric = metric or leading_metric(variants)
    names = names or [variant.label for variant in variants]
    places = _places(variants)
    figure, axes = subplots(6.6, 0.85 + 0.27 * (places[-1] + 1))
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
            handles["paper"] = axes.plot(variant.paper[metric], place, markersize=5.5, **PAPER)[0]
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
    values = [member["metrics"].get(metric) for member in members if not member.get("failed")]
    return [value for value in values if is_finite(value)]


def rated(results, report: Report):
    """The groups of a run's variants with enough learning rates for a curve: {group: [Variant, ...]}, rates rising."""
    groups = {}
    for variant in arranged(results, report):
        if is_finite(variant.rate) and variant.rate > 0:
            groups.setdefault(variant.group, []).append(variant)
    groups = {group: sorted(variants, key=lambda variant: variant.rate) for group, variants in groups.items()}
    return {
        group: variants
        for group, variants in groups.items()
        if len(variants) >= RATES_TO_DRAW
        and any(is_finite(variant.mean(f"{part}/accuracy")) for variant in variants for part, *_ in SERIES)
    }


@drawn
def accuracy_over_rate(results, report: Report):
    """Training and validation accuracy over the learning rate, a panel for each network of `rated`.

    Members are faint dots, lines join their means, diamonds are the paper's figures at its rate, and the dashed line
    is chance. All panels share their axes.
    """
    groups, classes = rated(results, report), len(results.get("classes") or ())
    across = min(PANELS_IN_A_ROW, len(groups))
    down = math.ceil(len(groups) / across)
    size = max(4.6, 0.6 + 2.1 * across), 0.9 + 1.9 * down
    figure, grid = subplots(*size, down, across, squeeze=False, sharex=True, sharey=True)
    rates = sorted({variant.rate for variants in groups.values() for variant in variants})
    for place, (axes, (group, variants)) in enumerate(zip(grid.flat, groups.items(), strict=False)):
        for part, name, colour in SERIES:
            _rate_curve(axes, variants, f"{part}/accuracy", name, colour)
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
    handles = legend_of(grid)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles) if across > 2 else 3)
    return figure


def _rate_curve(axes, variants, metric, name, colour):
    points = [(variant.rate, variant.mean(metric)) for variant in variants if is_finite(variant.mean(metric))]
    if points:
        axes.plot(*np.transpose(points), color=colour, marker="o", markersize=4, linewidth=1.8, label=name)
    for variant in variants:
        values = _values(variant.members, metric)
        axes.plot([variant.rate] * len(values), values, "o", color=colour, markersize=2.5, alpha=0.35)
        if variant.mark == PUBLISHED and is_finite(variant.paper.get(metric)):
            style = {"markerfacecolor": "none", "markeredgecolor": colour, "linestyle": "none", "markersize": 7}
            axes.plot(variant.rate, variant.paper[metric], marker="D", label=f"paper, {name}", **style)


@drawn
def iteration_scores(results, report: Report):
    """Macro-F1 and UAR on the test part after each iteration, mean and deviation, beside the paper's."""
    steps, paper, summary = iterations(results), paper_figures(results, report), results["summary"]
    metrics, units = ("macro_f1", "uar"), levels(results)
    figure, panels = subplots(6.6, 3.0, columns=len(metrics), sharey=True)
    figure.get_layout_engine().set(wspace=0.06)
    for axes, metric in zip(panels, metrics, strict=True):
        for part, colour, shift in (("test", BLUE, -0.04), ("test_utterance", ORANGE, 0.04)):
            entries = [(step, figures_at(summary, part, metric, step, steps[-1])) for step in steps]
            entries = [(step + shift, entry["mean"], entry["std"] or 0.0) for step, entry in entries if entry]
            if entries:
                x, mean, std = zip(*entries, strict=True)
                axes.errorbar(x, mean, std, color=colour, marker="o", capsize=3, label=f"per {units[part]}")
        theirs = [(step, figures_at(paper, "test", metric, step, steps[-1])) for step in steps]
        _paper_line(axes, [(step, value) for step, value in theirs if is_finite(value)])
        axes.locator_params(axis="y", steps=[1, 2, 5, 10])
        axes.set(title=METRICS[metric], xlabel="iteration", xticks=steps)
        axes.set_xlim(steps[0] - 0.4, steps[-1] + 0.4)
    drawn_lines = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    order = [name for name in (*(f"per {unit}" for unit in units.values()), "paper") if name in drawn_lines]
    figure.legend([drawn_lines[name] for name in order], order, loc="outside upper left", ncols=3)
    return figure


def _paper_line(axes, points):
    if len(points) == 1:
        axes.axhline(points[0][1], color=INK, linestyle="--", linewidth=1.2, label="paper")
    elif points:
        axes.plot(*zip(*points, strict=True), color=INK, linestyle="--", linewidth=1.2, marker="D", label="paper")


@drawn
def runs_beside_paper(runs, names, report: Report):
    """Macro-F1 per block of many runs after their last iteration, mean and deviation, beside the paper's.

    `runs` as for `sejax.report.score_tables.run_comparison`, `names` their labels from top to bottom; a diamond is the
    paper's figure for the same setting, a hollow dot the run's first iteration.
    """
    figure, axes = subplots(6.6, 0.8 + 0.27 * len(runs))
    labels = {}
    for place, run in enumerate(runs):
        (_, first, _), (_, last, theirs) = run_scores(run, report)
        if first:
            style = {"marker": "o", "markerfacecolor": SURFACE, "linestyle": "none", "color": BLUE, "markersize": 5}
            labels["first iteration"] = axes.plot(first["mean"], place, **style)[0]
        if last:
            bar = axes.errorbar(last["mean"], place, xerr=last["std"] or 0.0, fmt="o", color=BLUE, markersize=5)
            labels["last iteration"] = bar
        if is_finite(theirs):
            labels["paper"] = axes.plot(theirs, place, markersize=5, **PAPER)[0]
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(runs) - 0.4, -0.6), xlabel="macro-F1 per block")
    order = [name for name in ("first iteration", "last iteration", "paper") if name in labels]
    figure.legend([labels[name] for name in order], order, loc="outside upper left", ncols=3)
    return figure


def picture_of(runs, report: Report, *, format):
    """The figure of the runs of one experiment, each with its field "run", and its caption."""
    names = run_names(runs)
    if report.picture:
        return report.picture(runs, [run["run"] for run in runs], format=format)
    if not any(map(named, runs)):
        return runs_beside_paper(runs, names, report, format=format), "Macro-F1 beside the paper's"
    if len(set(names)) < len(runs):
        names = [run["run"] for run in runs]
    variants = [arranged(run, report) for run in runs]
    start = [f"{name}: " * (len(runs) > 1) for name in names]
    labels = [name + variant.label for name, mine in zip(start, variants, strict=True) for variant in mine]
    every = [variant for mine in variants for variant in mine]
    classes = {len(run.get("classes") or ()) for run in runs}
    options = {"classes": max(classes) if len(classes) == 1 else 0, "units": levels(runs[0])}
    return variant_scores(every, names=labels, format=format, **options), "Every variant"
