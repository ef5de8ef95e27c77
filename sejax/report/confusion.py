"""Confusion matrices drawn: counts, shares of the true class, and recall and precision beside them."""

import numpy as np

from sejax.report.drawing import RULE, SHADE, drawn, shaded, subplots

READABLE = 32  # classes whose cells are read one by one


@drawn
def confusion_matrix(counts, classes):
    """A confusion matrix: each cell shows its share of the row (in %, and as shade) above its count.

    `counts` [C, C] numbers, rows the true class and columns the predicted one; `classes` C names. A class
    that never occurs has an empty row. More than `READABLE` classes have shades alone, and every so many a name.
    """
    counts = np.asarray(counts, dtype=float)  # [C, C]
    totals = counts.sum(axis=1, keepdims=True)
    rates = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    if len(classes) > READABLE:
        return _shades(rates, classes)
    side = 0.54 * len(classes)
    figure, axes = subplots(side + 1.25, side + 0.95)
    for (row, column), rate in np.ndenumerate(rates):
        text = f"{100 * rate:.0f} %\n{counts[row, column]:.0f}" if counts[row, column] else ""
        weight = "bold" if row == column else "normal"
        shaded(
            axes,
            column - 0.5,
            column + 0.5,
            row,
            rate,
            text,
            fontweight=weight,
            fontsize=8.5,
            linespacing=1.3,
        )
    _matrix_axes(axes, classes)
    return figure


@drawn
def confusion_rates(rates, classes, counts=None):
    """A confusion matrix in %: `rates` [C, C] shares of each true class (rows), NaN for none, `classes` C names.

    `counts` [C, C], where they are known, stand below the shares; of a tie they are fractions, and rounded.
    """
    side = (0.46 if counts is None else 0.54) * len(classes)
    figure, axes = subplots(side + 0.95, side + 0.8)
    for (row, column), rate in np.ndenumerate(np.asarray(rates, dtype=float)):
        if np.isfinite(rate):
            weight = "bold" if row == column else "normal"
            text = f"{100 * rate:.1f}" + (f"\n{counts[row][column]:.0f}" if counts is not None else "")
            style = {"fontweight": weight, "fontsize": 8.5, "linespacing": 1.3}
            shaded(axes, column - 0.5, column + 0.5, row, rate, text, **style)
    _matrix_axes(axes, classes)
    return figure


@drawn
def confusion_with_shares(counts, classes, *, columns=("recall", "precision")):
    """Counts of a confusion matrix, shaded by their share of the row, and to its right two shares of every class.

    `counts` [C, C], rows the true class; `classes` C names. The shares are recall (the right share of a row) and
    precision (the right share of a column) under the names `columns`, a dash where a class never occurs or is never
    predicted. More than `READABLE` classes have the shades alone.
    """
    counts = np.asarray(counts, dtype=float)
    size, right = len(classes), np.diag(counts)
    totals = counts.sum(1), counts.sum(0)
    rates = np.divide(counts, totals[0][:, None], out=np.zeros_like(counts), where=totals[0][:, None] > 0)
    if size > READABLE:
        return _shades(rates, classes)
    figure, axes = subplots(0.5 * size + 2.15, 0.42 * size + 1.0)
    for (row, column), rate in np.ndenumerate(rates):
        weight = "bold" if row == column else "normal"
        style = {"fontweight": weight, "fontsize": 8.5}
        shaded(axes, column - 0.5, column + 0.5, row, rate, f"{counts[row, column]:.0f}", **style)
    for place, total in enumerate(totals):
        for row in range(size):
            text = f"{right[row] / total[row]:.3f}" if total[row] else "–"
            axes.text(size + 0.15 + 1.15 * place, row, text, ha="center", va="center", fontsize=8.5)
    _matrix_axes(axes, classes)
    axes.set(xlim=(-0.5, size + 1.85), aspect="auto")
    names = [*classes, *columns]
    axes.set_xticks([*range(size), size + 0.15, size + 1.3], names, rotation=40, ha="right", rotation_mode="anchor")
    axes.axvline(size - 0.5, color=RULE, linewidth=0.8)
    return figure


def _shades(rates, classes):
    """A confusion matrix of more classes than anybody reads cell by cell, as one image."""
    from matplotlib.colors import to_rgb

    figure, axes = subplots(8.0, 7.6)
    image = np.empty((*rates.shape, 4))  # colour and opacity
    image[..., :3], image[..., 3] = to_rgb(SHADE), rates
    axes.imshow(image, interpolation="nearest")
    _matrix_axes(axes, classes, every=-(-len(classes) // READABLE))
    return figure


def _matrix_axes(axes, classes, *, every=1):
    """Give axes the frame of a confusion matrix: a cell for each pair of `classes`, the first true class on top.

    `every`: how many classes lie between two that are named.
    """
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5), aspect="equal")
    places, named = range(0, len(classes), every), classes[::every]
    axes.set_xticks(places, named, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, named)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
