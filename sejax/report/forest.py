"""The figure of paired differences: one row a pair, each fold, the mean and both of its intervals."""

from collections.abc import Sequence

from sejax.report import Report
from sejax.report.drawing import BLUE, INK, MUTED, SURFACE, drawn, subplots
from sejax.report.folds import drawn_anew, metric_name, written_as
from sejax.report.paired import Comparison, Difference

MOST_ROWS = 24
WIDTH = 4.4  # inches, so that a phone shows it nearly at its own size


@drawn
def forest(differences: Sequence[Difference], report: Report):
    """Differences of one metric, the first `MOST_ROWS` of them from top to bottom, the pair's name above each row.

    Faint dots: folds. A bold one: their mean. The thick line is the bootstrap interval, the thin one with ends the
    corrected interval, that of the test; a pair without intervals has dots alone. The dashed line: no difference.
    """
    differences = differences[:MOST_ROWS]
    run, metric = differences[0].pair.first.run, differences[0].metric
    scale, _ = written_as(metric, report)
    figure, axes = subplots(WIDTH, 1.1 + 0.5 * len(differences))
    handles = {"no difference": axes.axvline(0.0, color=MUTED, linestyle="--", linewidth=1)}
    fold = "draw" if drawn_anew(run) else "fold"
    for place, difference in enumerate(differences):
        found = difference.inference
        values = [scale * value for value in difference.folds.values()]
        style = {"color": BLUE, "markersize": 3.5, "alpha": 0.5}
        handles[fold] = axes.plot(values, [place + 0.2] * len(values), "o", **style)[0]  # beside the lines
        if found.corrected:
            low, high = (scale * end for end in found.corrected)
            (thin,) = axes.plot([low, high], [place, place], color=INK, linewidth=1, marker="|", markersize=7)
            handles["corrected 95 %"] = thin
        if found.bootstrap:
            low, high = (scale * end for end in found.bootstrap)
            line = {"color": BLUE, "linewidth": 3.5, "solid_capstyle": "butt", "alpha": 0.6}
            handles["bootstrap 95 %"] = axes.plot([low, high], [place, place], **line)[0]
        mean = {"color": BLUE, "markersize": 7, "zorder": 4}
        handles["mean"] = axes.plot(scale * found.mean, place, "o", **mean)[0]
        label = {"xycoords": ("axes fraction", "data"), "va": "center", "color": INK, "fontsize": 9}
        label["bbox"] = {"facecolor": SURFACE, "linewidth": 0, "pad": 1}  # before the dashed line
        axes.annotate(difference.pair.label, (0.0, place - 0.42), **label)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(differences) - 0.5, -0.75)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=6)
    points = " (points of %)" if scale == 100 else ""
    axes.set_xlabel(f"difference of {metric_name(run, report, metric)}{points}")
    order = [name for name in (fold, "mean", "bootstrap 95 %", "corrected 95 %", "no difference") if name in handles]
    figure.legend([handles[name] for name in order], order, loc="outside upper left", ncols=3)
    return figure


def of_metric(comparison: Comparison, metric: str) -> list[Difference]:
    """The differences of one metric, in order."""
    return [difference for difference in comparison.differences if difference.metric == metric]
