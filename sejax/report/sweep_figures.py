"""The figure of a sweep: every swept field against the score."""

import numpy as np

from sejax.report.drawing import BLUE, INK, MUTED, ORANGE, drawn, page
from sejax.report.results import field_value, is_finite

PANELS_IN_A_ROW = 3
SPREAD = 0.16  # how far apart the trials of one choice are drawn, in choices


@drawn
def swept_fields(found, *, label):
    """A panel for each swept field: its values against the score of every trial, deviations faint, the best orange.

    `found` as in sweep.json. Choices stand beside one another with a bar at the mean of their trials, numbers on
    their own axis; trials without a score, or in which something failed, are not drawn. `label` names the score.
    """
    trials = [trial for trial in found["trials"] if is_finite(trial["score"]) and not trial["failed"]]
    fields, best = list(found["space"]), (found["best"] or {}).get("trial")
    rows = -(-len(fields) // PANELS_IN_A_ROW)
    columns = -(-len(fields) // rows)
    size = max(3.4, 2.9 * columns + 0.4), 2.45 * rows + 0.35
    figure, panels = page(*size, rows, columns, squeeze=False, sharey=True)
    for axes, field in zip(panels.flat, fields, strict=False):
        places = _field_axis(axes, found["space"][field], [trial["values"][field] for trial in trials])
        scores = [trial["score"] for trial in trials]
        for place, trial in zip(places, trials, strict=True):
            chosen = trial["trial"] == best
            axes.errorbar(place, trial["score"], trial["std"], color=MUTED, alpha=0.45, linewidth=0.9, zorder=1)
            style = {"color": ORANGE, "markersize": 8, "zorder": 4} if chosen else {"color": BLUE, "markersize": 5}
            axes.plot(place, trial["score"], "o", alpha=1.0 if chosen else 0.75, **style)
        if "|" in found["space"][field]:
            _means(axes, np.round(places), scores)
        axes.set_xlabel(field)
    for axes in panels[:, 0]:
        axes.set_ylabel(label)
    for axes in list(panels.flat)[len(fields) :]:
        axes.set_visible(False)
    _legend(figure, with_means=any("|" in text for text in found["space"].values()))
    return figure


def _field_axis(axes, domain, values):
    """Where the values of a field stand on the axis, which is made for them."""
    if "|" in domain:
        names = [_text(choice) for choice in domain.split("|")]
        places = np.array([names.index(_text(value)) for value in values], float)
        for choice in range(len(names)):  # side by side, in the order of the trials
            rows = np.flatnonzero(places == choice)
            places[rows] += np.linspace(-SPREAD, SPREAD, len(rows)) if len(rows) > 1 else 0.0
        crowded = sum(map(len, names)) > 26
        turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(names)), names, **turn)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.grid(axis="x", visible=False)
        return places
    if not all(is_finite(value) for value in values):  # one value of another type
        axes.set_xticks([0], [domain])
        return np.zeros(len(values))
    if domain.startswith("log:"):
        axes.set_xscale("log")
        few = max(values) / min(values) < 300 if values else True  # so few decades that their powers are too few marks
        axes.xaxis.get_major_locator().set_params(subs=(1.0, 3.0) if few else (1.0,))
        axes.xaxis.set_major_formatter(lambda value, _: field_value(value))
        axes.minorticks_off()
    elif ".." in domain:
        axes.xaxis.get_major_locator().set_params(integer=True)
    return np.array(values, float)


def _means(axes, choices, scores):
    for choice in sorted(set(choices)):
        mean = np.mean([score for place, score in zip(choices, scores, strict=True) if place == choice])
        axes.plot([choice - 0.3, choice + 0.3], [mean, mean], color=INK, linewidth=1.6, zorder=3)


def _legend(figure, *, with_means):
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=5, label="trial"),
        Line2D([], [], color=ORANGE, marker="o", linestyle="none", markersize=8, label="best"),
        Line2D([], [], color=MUTED, alpha=0.45, label="± deviation over members"),
    ]
    handles += [Line2D([], [], color=INK, linewidth=1.6, label="mean of a choice's trials")] * with_means
    figure.legend(handles=handles, loc="outside upper left", ncols=2 if len(figure.axes) < 2 else 4)


def _text(value):
    """A choice as it is compared and written: 1e-3 and 0.001 are one, a list's entries are joined by +."""
    if isinstance(value, list | tuple):
        return "+".join(map(_text, value))
    try:
        return field_value(float(value)) if not isinstance(value, bool) else str(value).lower()
    except ValueError:
        return value.strip()
