"""Training curves: of one run's members, and of its variants as small multiples beside one another."""

import math
import textwrap

import numpy as np

from sejax.core.results import field_value, is_finite
from sejax.report import Report
from sejax.report.drawing import BLUE, INK, MUTED, ORANGE, drawn, subplots
from sejax.report.run import TUNED, arranged, columns, histories, recorded_metrics

QUANTITIES = ("accuracy", "loss")
SERIES = (("train", "training", ORANGE), ("valid", "validation", BLUE))
WIDE_RANGE = 20  # losses that span more than this factor are drawn on a log axis


@drawn
def training_curves(members, *, iteration=1):
    """Loss, accuracy and learning rate over the epochs of one iteration: members faint, their mean bold.

    `members` as in results.json; the limits come from all iterations, so that their figures compare. The
    mean stops where fewer than half of the members still train: early stopping would otherwise bend it.
    """
    history = [entry for member in members for entry in member.get("history", ())]
    figure, panels = subplots(3.25, 4.6, rows=3, sharex=True, height_ratios=(3, 3, 2))
    for axes, quantity in zip(panels, ("loss", "accuracy"), strict=False):
        for part, name, colour in SERIES:
            draw_curves(axes, members, f"{part}/{quantity}", iteration, colour=colour, label=name)
        _shared_limits(axes, [entry.get(f"{part}/{quantity}") for entry in history for part, *_ in SERIES])
        axes.set_title(quantity)
    draw_curves(panels[2], members, "learning_rate", iteration, colour=INK, label="mean", drawstyle="steps-post")
    panels[2].set_yscale("log")
    panels[2].minorticks_off()
    rates = [entry.get("learning_rate") for entry in history]
    _shared_limits(panels[2], [rate for rate in rates if is_finite(rate) and rate > 0], factor=1.6)
    panels[2].set(
        title="learning rate", xlabel="epoch", xlim=(1, max(2, *(entry.get("epoch", 1) for entry in history)))
    )
    panels[0].legend(loc="upper right")
    return figure


def draw_curves(axes, members, name, iteration, *, colour, label, **style):
    """One quantity over the epochs of an iteration (None: of all): members faint, their mean bold, whose line it gives.

    `members` as in results.json, `name` a key of their history; see `mean_curve` for where the mean stops.
    """
    for member in members:
        points = _points(member, name, iteration)
        axes.plot(*points, color=colour, alpha=0.3, linewidth=0.8, **style)
    return axes.plot(*mean_curve(members, name, iteration), color=colour, linewidth=2, label=label, **style)[0]


def _points(member, name, iteration):
    rows = [entry for entry in member.get("history", ()) if iteration in (None, entry.get("iteration", 1))]
    rows = [entry for entry in rows if is_finite(entry.get(name))]
    return [entry["epoch"] for entry in rows], [entry[name] for entry in rows]


def mean_curve(members, name, iteration):
    """Epochs and means of one quantity over the members that did not fail, while half of them have it."""
    sound, columns = [member for member in members if not member.get("failed")], {}
    for member in sound:
        for epoch, value in zip(*_points(member, name, iteration), strict=True):
            columns.setdefault(epoch, []).append(value)
    kept = {epoch: values for epoch, values in sorted(columns.items()) if 2 * len(values) >= len(sound)}
    return list(kept), [float(np.mean(values)) for values in kept.values()]


def wide_axis(axes, values):
    """Give axes a log scale where positive `values` span more than WIDE_RANGE; whether it did."""
    wide = len(values) > 0 and min(values) > 0 and max(values) > WIDE_RANGE * min(values)
    if wide:
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda value, _: field_value(float(value)))
    return wide


APART = 10  # panels whose values differ by more than this factor have axes of their own


def axes_in_common(row):
    """The panels of a row that share their vertical axis: [[all]], or each alone where they differ by orders.

    They share none when drawn; the size of a panel is the largest distance of its lines from zero. Panels that share
    have the numbers at the first one alone.
    """
    row = list(row)
    sizes = {place: max(map(abs, heights(axes)), default=0.0) for place, axes in enumerate(row)}
    sizes = [size for size in sizes.values() if size > 0]
    if sizes and max(sizes) > APART * min(sizes):
        return [[axes] for axes in row]
    for axes in row[1:]:
        axes.sharey(row[0])
        axes.tick_params(labelleft=False)
    row[0].relim()
    row[0].autoscale(axis="y")
    return [row]


def heights(axes):
    """The finite values of the lines of axes."""
    return [float(value) for line in axes.lines for value in line.get_ydata() if is_finite(float(value))]


def _shared_limits(axes, values, factor=None):
    values = [value for value in values if is_finite(value)]
    if not values:
        return
    low, high = min(values), max(values)
    if factor:
        axes.set_ylim(low / factor, high * factor)
    else:
        margin = 0.05 * (high - low) or 0.05
        axes.set_ylim(low - margin, high + margin)


@drawn
def learning_curves(results, report: Report, *, iteration=1, names=None):
    """Accuracy and loss over the epochs of every variant: a row for each network, columns for learning rates.

    `iteration` None: of all iterations. `names` {a network's name: what it is called in the figure}.
    `results` as in results.json. Panels of one quantity share their axes, so that networks and rates compare, but for
    losses that differ by orders;
    a dashed line is what guessing reaches: 1 / C, and ln C for the loss. The columns are those of
    `sejax.report.run.columns`. Raises ValueError where no member recorded an accuracy or a loss.
    """
    variants = arranged(results, report)
    groups = list(dict.fromkeys(variant.group for variant in variants))
    rows, recorded = histories(results), recorded_metrics(results["members"])
    quantities = [name for name in QUANTITIES if recorded & {f"{part}/{name}" for part, *_ in SERIES}]
    if not quantities:
        raise ValueError(f"no history of {', '.join(QUANTITIES)} in these results")
    cells = [(quantity, head, shown) for quantity in quantities for head, shown in columns(variants).items()]
    size = 0.75 + 1.75 * len(cells), 0.75 + 1.4 * len(groups)
    figure, grid = subplots(*size, len(groups), len(cells), squeeze=False, sharex=True)
    for place, (quantity, head, shown) in enumerate(cells):
        first = place == 0 or cells[place - 1][0] != quantity
        for axes, group in zip(grid[:, place], groups, strict=True):
            _panel(axes, shown.get(group), quantity, iteration, head)
            own = histories({"members": shown[group].members}) if group in shown else rows
            apart = quantity != "accuracy" and _apart(own, rows, quantity)
            _quantity_axis(axes, own if apart else rows, quantity, len(results.get("classes") or ()))
            axes.tick_params(labelleft=first or apart)
        grid[0, place].set_title(f"{quantity}\n{head}" if head else quantity)
        grid[-1, place].set_xlabel("epoch")
    for axes, group in zip(grid[:, 0], groups, strict=True):
        axes.set_ylabel(textwrap.fill((names or {}).get(group, group), 16), color=INK, fontweight="bold", fontsize=8.5)
    last = max(2, *(entry.get("epoch", 1) for entry in rows))
    grid[0, 0].set(xlim=(1, last), xticks=sorted({1, (1 + last) // 2, last}))
    handles = legend_of(grid)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _apart(own, rows, quantity):
    """Whether a panel's values are smaller by orders than the largest of all panels."""
    sizes = []
    for entries in (own, rows):
        values = [entry.get(f"{part}/{quantity}") for entry in entries for part, *_ in SERIES]
        sizes.append(max((abs(value) for value in values if is_finite(value)), default=0.0))
    return 0 < APART * sizes[0] < sizes[1]


def legend_of(grid):
    """What the lines of all panels are called: {name: a line}."""
    return {name: line for axes in grid.flat for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}


def _panel(axes, variant, quantity, iteration, head):
    """The curves of one variant; a corner says what the column's head does not: its rate, or that it is tuned."""
    if variant is None:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    for part, name, colour in SERIES:
        draw_curves(axes, variant.members, f"{part}/{quantity}", iteration, colour=colour, label=name)
    rate = field_value(variant.rate)
    notes = [] if variant.rate is None or f"rate {rate}" in head else [f"rate {rate}"]
    notes += [TUNED] * (variant.mark == TUNED and TUNED not in head)
    axes.set_title(", ".join(notes), loc="right", fontsize=8, color=MUTED, pad=2)


def _quantity_axis(axes, rows, quantity, classes):
    """The axis that all panels of a quantity share, with the line of chance among `classes` (0: not known)."""
    values = [entry.get(f"{part}/{quantity}") for entry in rows for part, *_ in SERIES]
    values = [value for value in values if is_finite(value)]
    if classes > 1:
        chance = 1 / classes if quantity == "accuracy" else math.log(classes)
        axes.axhline(chance, color=MUTED, linestyle="--", linewidth=1, label="chance")
        values.append(chance)
    if quantity == "accuracy":
        axes.set_ylim(-0.03, 1.03)
    elif wide_axis(axes, values):
        _shared_limits(axes, values, factor=1.3)
    else:
        _shared_limits(axes, values)
