"""UAR of classifiers of real, synthetic and augmented vectors, their gains, and training curves."""

import numpy as np

from sejax.report.augmentation import (
    ANCHOR,
    anchor,
    by_repeat,
    classifiers,
    evaluation,
    gains,
    run_title,
)
from sejax.report.curves import SERIES, draw_curves
from sejax.report.drawing import INK, MUTED, ORANGE, drawn, page, repeated
from sejax.report.published.cyclegan import uar
from sejax.report.results import is_finite


@drawn
def uar_scores(runs, names=None):
    """UAR of every training set, and beside it the gain over real vectors: repeats faint, mean and deviation bold.

    `runs` are results; `names` their labels, which stand before those of the training sets where there are several
    runs. A diamond is the paper's figure for the same training set, a dashed line guessing. A gain pairs repeats.
    """
    rows = [(run, place, one) for place, run in enumerate(runs) for one in (*classifiers(run), None)]
    rows = [row for row in rows if row[2] or is_finite(anchor(row[0]).get("uar"))]
    places = np.cumsum([1.5 * (row[1] != before[1]) or 1.0 for row, before in zip(rows, rows[:1] + rows, strict=False)])
    figure, (scores, paired) = page(8.4, 1.05 + 0.3 * places[-1], columns=2, sharey=True, width_ratios=(3, 2))
    figure.get_layout_engine().set(wspace=0.08)
    handles = {}
    for place, (run, _, one) in zip(places, rows, strict=True):
        if one is None:
            style = {"marker": "s", "color": INK, "markersize": 5.5, "linestyle": "none"}
            handles["linear SVM"] = scores.plot(100 * anchor(run)["uar"], place, **style)[0]
            continue
        handles |= repeated(scores, _percents(by_repeat(one)), place, name="repeat")
        theirs = uar(evaluation(run), one.training, one.weight)
        if theirs:
            style = {"color": ORANGE, "marker": "D", "markersize": 5, "linestyle": "none"}
            handles["paper"] = scores.plot(theirs[0], place, **style)[0]
        if one.training != "real":
            repeated(paired, _percents(gains(run, one)), place, name="repeat")
    chance = {1 / len(run["classes"]) for run in runs if run.get("classes")}
    if len(chance) == 1:
        handles["chance"] = scores.axvline(100 * chance.pop(), color=MUTED, linestyle="--", linewidth=1)
    paired.axvline(0, color=MUTED, linewidth=1)
    labels = [one.label if one else ANCHOR for *_, one in rows]
    if len(runs) > 1:
        names = names or list(map(run_title, runs))
        labels = [f"{names[place]}: {label}" for (_, place, _), label in zip(rows, labels, strict=True)]
    scores.set_yticks(places, labels)
    scores.set(ylim=(places[-1] + 0.6, places[0] - 0.6), xlabel="UAR (%)")
    paired.set(xlabel="gain over Real, same repeat (points of UAR)")
    for axes in (scores, paired):
        axes.grid(axis="y", visible=False)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _percents(by_seed):
    return [100 * share for share in by_seed.values()]


@drawn
def classifier_curves(results):
    """Loss and accuracy of every training set over its epochs: members faint, their mean bold.

    `results` as in results.json. A column is a training set with epochs of its own; a row's panels share their axis.
    Raises ValueError where no member recorded a loss or an accuracy.
    """
    found = classifiers(results)
    recorded = {name for one in found for member in one.members for row in member["history"] for name in row}
    quantities = [name for name in ("loss", "accuracy") if recorded & {f"{part}/{name}" for part, *_ in SERIES}]
    if not quantities:
        raise ValueError("no history of losses or accuracies in these results")
    size = 0.7 + 1.55 * len(found), 0.9 + 1.5 * len(quantities)
    figure, grid = page(*size, len(quantities), len(found), squeeze=False, sharex="col", sharey="row")
    handles = {}
    for (row, column), axes in np.ndenumerate(grid):
        for part, label, colour in SERIES:
            name = f"{part}/{quantities[row]}"
            if name in recorded:
                handles[label] = draw_curves(axes, found[column].members, name, None, colour=colour, label=label)
    for axes, one in zip(grid[0], found, strict=True):
        axes.set_title(one.label, fontsize=8.5)
    for axes, quantity in zip(grid[:, 0], quantities, strict=True):
        axes.set_ylabel(quantity, color=INK, fontweight="bold", fontsize=8.5)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True, nbins=4)
    if len(handles) > 1:
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure
