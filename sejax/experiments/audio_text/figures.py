"""What audio and text are worth beside chance, and where attention lies."""

import numpy as np

from sejax.core.results import is_finite
from sejax.report.drawing import BLUE, GREEN, INK, MUTED, RULE, VIOLET, drawn, subplots
from sejax.report.run import by_member, score

BINS = 50  # of an attention histogram
COLOURS = {"text": VIOLET, "audio": GREEN}
BOTH = BLUE


def bars_from_chance(rows, base):
    """A figure of UAR on the test part as bars that begin at chance, `base`; dots are members.

    `rows` [(label, Variant, colour, verdict in words)] from top to bottom.
    """
    figure, axes = subplots(5.6, 0.85 + 0.5 * len(rows))
    axes.axvline(100 * base, color=INK, linestyle="--", linewidth=1.2)
    bold = {"fontsize": 8.5, "fontweight": "bold"}
    for place, (_, fusion, colour, verdict) in enumerate(rows):
        values = 100 * np.array(list(by_member(fusion, "test/uar").values()))
        gain = 100 * score(fusion, "test/uar")["mean"] - 100 * base
        axes.barh(place, gain, left=100 * base, height=0.5, color=colour, alpha=0.45, linewidth=0)
        shift = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else 0.0
        axes.plot(values, place + shift, "o", color=colour, markersize=3.5, alpha=0.8, linestyle="none")
        axes.plot([100 * base + gain] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2)
        where = {"xy": (1.02, place), "xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(verdict, xytext=(0, 6), va="center", **bold, **where)
        axes.annotate(
            f"{values.mean():.1f} %, {gain:+.1f} over chance", xytext=(0, -6), va="center", fontsize=8.5, **where
        )
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    values = [100 * value for _, fusion, *_ in rows for value in by_member(fusion, "test/uar").values()]
    low, high = min(100 * base, *values), max(100 * base, *values)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(low - 0.06 * (high - low) - 1, high + 0.06 * (high - low) + 1))
    axes.set_xlabel(f"UAR on the test part (%); dashed: chance, {100 * base:.1f} %")
    axes.grid(axis="y", visible=False)
    return figure


def attention(fusion, classes):
    """Audio's share in every test utterance by true class: {class: f64[n]}, {} for a fusion without attention.

    Members that failed are left out; an utterance stands in it once for every member that tested it.
    """
    by_class = {name: [] for name in classes}
    for member in fusion.members:
        predictions = member.get("predictions") or {}
        shares = predictions.get("attention")
        if member.get("failed") or not shares:
            continue
        for label, share in zip(predictions.get("label") or (), shares, strict=False):
            if is_finite(share) and isinstance(label, int) and 0 <= label < len(classes):
                by_class[classes[label]].append(share)
    return {name: np.array(values) for name, values in by_class.items()} if any(by_class.values()) else {}


def examples(fusion):
    """The examples of the first member that has some and did not fail, [] without."""
    members = (member for member in fusion.members if member.get("examples") and not member.get("failed"))
    return next((member["examples"] for member in members), [])


@drawn
def attention_by_class(shares, classes):
    """Audio's share of attention over the test utterances, a panel for each fusion that has any, a row for each class.

    `shares` [(label, `attention`)] of the fusions. Heights are shares of the class's utterances in bins of 1 / BINS; a
    line is a class's mean. Left of 0.5 text has the greater share.
    """
    shares = [(label, by_class) for label, by_class in shares if by_class]
    size = 1.1 + 1.75 * max(2, len(shares)), 0.9 + 0.42 * len(classes)
    figure, grid = subplots(*size, columns=len(shares), squeeze=False)
    figure.get_layout_engine().set(wspace=0.05)
    edges = np.linspace(0, 1, BINS + 1)
    for axes, (label, by_class) in zip(grid[0], shares, strict=True):
        axes.axvline(0.5, color=MUTED, linestyle="--", linewidth=1)
        for place, name in enumerate(classes):
            axes.axhline(place, color=RULE, linewidth=0.6)
            if len(by_class.get(name, ())):
                counts = np.histogram(by_class[name], edges)[0]
                axes.stairs(
                    place - 0.82 * counts / counts.max(), edges, baseline=place, fill=True, color=GREEN, alpha=0.6
                )
                axes.plot([by_class[name].mean()] * 2, [place, place - 0.9], color=INK, linewidth=1.4)
        values = np.concatenate(list(by_class.values()))
        axes.set_title(label)
        axes.set(xlim=(0, 1), ylim=(len(classes) - 0.85, -1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
        axes.set_xlabel(f"{values.mean():.3f} ± {values.std():.3f}")
        axes.set_yticks(range(len(classes)), classes if axes is grid[0, 0] else ())
        axes.grid(False)
    figure.supxlabel(
        "audio's share of attention (0: text alone, 1: audio alone); mean ± deviation", fontsize=8.5, color=MUTED
    )
    return figure
