"""The figures of a run: confusion matrices, curves, pseudo-labels, scores; and of many beside the paper.

Every function takes parts of results.json and returns a picture; `sejax.report.drawing.drawn` documents the
option `format`. Sound is drawn in sejax.report.sound, training in sejax.report.curves, the scores of a run's
variants in sejax.report.variant_figures; all are named here. Experiments with a `View` draw in modules of their own.
"""

import numpy as np

from sejax.report.comparison import run_scores
from sejax.report.confusion import confusion_matrix
from sejax.report.curves import learning_curves, mean_curve, training_curves
from sejax.report.drawing import BLUE, INK, ORANGE, RULE, SURFACE, drawn, page
from sejax.report.results import is_finite
from sejax.report.run_tables import figures_at, iterations, paper_figures
from sejax.report.sound import gallery, posteriors_over_time
from sejax.report.terms import METRICS, levels
from sejax.report.variant_figures import accuracy_over_rate, variant_scores

__all__ = [
    "accuracy_over_rate",
    "confusion_matrix",
    "gallery",
    "iteration_scores",
    "learning_curves",
    "mean_curve",
    "posteriors_over_time",
    "pseudo_label_counts",
    "pseudo_labels",
    "runs_beside_paper",
    "training_curves",
    "variant_scores",
]


@drawn
def pseudo_labels(members):
    """What became of the unlabelled images after each iteration, as means over the members that did not fail.

    Bars: confident and right, confident and wrong, not confident; the text gives the share of confident
    labels that is right. Where the truth of the unlabelled images is not known, confident ones are drawn as
    such.
    """
    rows = pseudo_label_counts(members)
    known = all(is_finite(row["confident_correct"]) for row in rows)
    shown = ("confident and right", "confident and wrong") if known else ("confident", "")
    figure, axes = page(6.6, 0.95 + 0.45 * len(rows))
    for place, row in enumerate(rows):
        right = row["confident_correct"] if known else row["confident"]
        parts = (right, row["confident"] - right, row["unlabelled"] - row["confident"])
        start = 0.0
        for count, name, colour in zip(parts, (*shown, "not confident"), (BLUE, ORANGE, RULE), strict=True):
            if name:
                axes.barh(place, count, left=start, height=0.6, color=colour, label=None if place else name)
            start += count
        text = f"{row['confident']:.0f} of {row['unlabelled']:.0f} confident"
        if known and row["confident"]:
            text += f",\n{100 * right / row['confident']:.1f} % of these right"
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    axes.set_yticks(range(len(rows)), [f"iteration {row['iteration']}" for row in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, max(row["unlabelled"] for row in rows)))
    axes.set_xlabel("unlabelled images, mean over members", loc="left")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def pseudo_label_counts(members):
    """Mean counts of each iteration over the members that did not fail; [] if nothing was unlabelled.

    Returns a list of {"iteration", "labelled", "unlabelled", "confident", "confident_correct"}; a count
    that no member knows is None.
    """
    entries = [entry for member in members if not member.get("failed") for entry in member.get("iterations", ())]
    rows = []
    for number in sorted({entry["iteration"] for entry in entries}):
        row = {"iteration": number}
        for name in ("labelled", "unlabelled", "confident", "confident_correct"):
            values = [entry.get(name) for entry in entries if entry["iteration"] == number]
            values = [value for value in values if is_finite(value)]
            row[name] = float(np.mean(values)) if values else None
        rows.append(row)
    return [row for row in rows if row["unlabelled"] and row["confident"] is not None]


@drawn
def iteration_scores(results):
    """Macro-F1 and UAR on the test part after each iteration, mean and deviation, beside the paper's."""
    steps, paper, summary = iterations(results), paper_figures(results), results["summary"]
    metrics, units = ("macro_f1", "uar"), levels(results)
    figure, panels = page(6.6, 3.0, columns=len(metrics), sharey=True)
    figure.get_layout_engine().set(wspace=0.06)
    for axes, metric in zip(panels, metrics, strict=True):
        for part, colour, shift in (("test", BLUE, -0.04), ("test_utterance", ORANGE, 0.04)):
            found = [(step, figures_at(summary, part, metric, step, steps[-1])) for step in steps]
            found = [(step + shift, entry["mean"], entry["std"] or 0.0) for step, entry in found if entry]
            if found:
                x, mean, std = zip(*found, strict=True)
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
def runs_beside_paper(runs, names):
    """Macro-F1 per block of many runs after their last iteration, mean and deviation, beside the paper's.

    `runs` as for `comparison`, `names` their labels from top to bottom; a diamond is the paper's figure for
    the same setting, a hollow dot the run's first iteration.
    """
    figure, axes = page(6.6, 0.8 + 0.27 * len(runs))
    labels = {}
    for place, run in enumerate(runs):
        (_, first, _), (_, last, theirs) = run_scores(run)
        if first:
            style = {
                "marker": "o",
                "markerfacecolor": SURFACE,
                "linestyle": "none",
                "color": BLUE,
                "markersize": 5,
            }
            labels["first iteration"] = axes.plot(first["mean"], place, **style)[0]
        if last:
            bar = axes.errorbar(last["mean"], place, xerr=last["std"] or 0.0, fmt="o", color=BLUE, markersize=5)
            labels["last iteration"] = bar
        if is_finite(theirs):
            labels["paper"] = axes.plot(theirs, place, marker="D", color=ORANGE, linestyle="none", markersize=5)[0]
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(runs) - 0.4, -0.6), xlabel="macro-F1 per block")
    order = [name for name in ("first iteration", "last iteration", "paper") if name in labels]
    figure.legend([labels[name] for name in order], order, loc="outside upper left", ncols=3)
    return figure
