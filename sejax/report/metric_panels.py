"""Several metrics of the same rows side by side: members faint, mean and deviation bold, the paper's as a diamond."""

import numpy as np

from sejax.report.drawing import MUTED, ORANGE, page, repeated
from sejax.report.results import is_finite


def metric_panels(rows, values, labels, *, guides=None, guide="no difference", plain=(), width=9.0):
    """A figure with a panel for each metric.

    `rows` [(label, group, item)] from top to bottom, with a gap where the group changes; `values` maps (item, metric)
    to {member: value} and the paper's value (None without one); `labels` {metric: its axis in words}. Values are
    shares, drawn in %, but for the metrics named in `plain`. A dashed line called `guide` stands at `guides` {metric:
    value}, else at zero; a metric whose guide is None has none. Width in inches.
    """
    places = np.cumsum([1.0 + 0.6 * (row[1] != last[1]) for row, last in zip(rows, rows[:1] + rows, strict=False)])
    figure, panels = page(width, 1.05 + 0.34 * places[-1], columns=len(labels), sharey=True, squeeze=False)
    handles = {}
    for axes, (metric, label) in zip(panels[0], labels.items(), strict=True):
        scale = 1 if metric in plain else 100
        for place, (_, _, item) in zip(places, rows, strict=True):
            found, theirs = values(item, metric)
            handles |= repeated(axes, [scale * value for value in found.values()], place, name="fold and seed")
            if is_finite(theirs):
                style = {"color": ORANGE, "marker": "D", "markersize": 5, "linestyle": "none"}
                handles["paper"] = axes.plot(scale * theirs, place, **style)[0]
        stands = guides.get(metric) if guides else 0.0
        if stands is not None:
            handles[guide] = axes.axvline(scale * stands, color=MUTED, linestyle="--", linewidth=1)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)
    panels[0, 0].set_yticks(places, [row[0] for row in rows])
    panels[0, 0].set_ylim(places[-1] + 0.6, places[0] - 0.6)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure
