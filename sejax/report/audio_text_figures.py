"""What audio and text are worth, every fusion beside the paper's figures, and where attention lies."""

import numpy as np

from sejax.report.audio_text import METRICS, attention, chance, find, fusions, leading, over_chance, pairs, verdict
from sejax.report.drawing import BLUE, GREEN, INK, MUTED, RULE, VIOLET, drawn, page
from sejax.report.metric_panels import metric_panels
from sejax.report.paired import by_member, differences, score
from sejax.report.published.audio_text import published
from sejax.report.terms import with_vectors

SCORES = {"accuracy": "accuracy (%)", "uar": "UAR (%)"}
GAINS = {"accuracy": "difference of accuracy\n(points of %)", "uar": "difference of UAR\n(points of %)"}
BINS = 50  # of an attention histogram
COLOURS = {"text": VIOLET, "audio": GREEN}


@drawn
def modality_scores(results):
    """UAR of text alone, audio alone and both (the fusion that validated best) as bars that begin at chance.

    A bar to the right of the dashed line is what a modality tells of emotions; dots are members (fold and seed). Raises
    ValueError where chance is not known or neither modality was trained alone.
    """
    fused = leading(results)
    rows = [(f"{name} alone", find(results, name), colour) for name, colour in COLOURS.items()]
    rows += [(f"both: {fused.label}", fused, BLUE)] if fused else []
    rows = [row for row in rows if row[1] and score(row[1], "test/uar")]
    base = chance(results, "uar")
    if base is None or not any(one.alone for _, one, _ in rows):
        raise ValueError("no UAR of audio alone or text alone in these results")
    figure, axes = page(5.6, 0.85 + 0.5 * len(rows))
    axes.axvline(100 * base, color=INK, linestyle="--", linewidth=1.2)
    bold = {"fontsize": 8.5, "fontweight": "bold"}
    for place, (_, one, colour) in enumerate(rows):
        values = 100 * np.array(list(by_member(one, "test/uar").values()))
        gain = 100 * score(one, "test/uar")["mean"] - 100 * base
        axes.barh(place, gain, left=100 * base, height=0.5, color=colour, alpha=0.45, linewidth=0)
        shift = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else 0.0
        axes.plot(values, place + shift, "o", color=colour, markersize=3.5, alpha=0.8, linestyle="none")
        told = verdict(results, one)
        axes.plot([100 * base + gain] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2)
        where = {"xy": (1.02, place), "xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(told, xytext=(0, 6), va="center", **bold, **where)
        axes.annotate(
            f"{values.mean():.1f} %, {gain:+.1f} over chance", xytext=(0, -6), va="center", fontsize=8.5, **where
        )
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    found = [100 * value for _, one, _ in rows for value in by_member(one, "test/uar").values()]
    low, high = min(100 * base, *found), max(100 * base, *found)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(low - 0.06 * (high - low) - 1, high + 0.06 * (high - low) + 1))
    axes.set_xlabel(f"UAR on the test part (%); dashed: chance, {100 * base:.1f} %")
    axes.grid(axis="y", visible=False)
    return figure


@drawn
def fusion_scores(runs, names=None):
    """Accuracy and UAR of every fusion on the test part: members faint, mean and deviation bold, the paper's a diamond.

    `runs` are results, `names` their labels, which stand before those of the fusions where there are several runs. The
    paper's figure is Table 4's, or Table 5's for a run with word vectors. A dashed line is chance where all runs have
    the same.
    """
    rows = []
    for place, run in enumerate(runs):
        start = f"{names[place]}: " if names and len(runs) > 1 else ""
        rows += [(f"{start}{one.label}", (place, one.alone), (run, one)) for one in fusions(run)]

    def values(item, metric):
        run, one = item
        return by_member(one, f"test/{metric}"), published(one.name, vectors=with_vectors(run)).get(f"test/{metric}")

    known = {metric: {chance(run, metric) for run in runs} for metric in METRICS}
    guides = {metric: found.pop() if len(found) == 1 else None for metric, found in known.items()}
    return metric_panels(rows, values, SCORES, guides=guides, guide="chance", width=8.4)


@drawn
def modality_gains(results):
    """What text adds to audio alone, and audio to text alone: paired differences of every fusion."""
    rows = [(f"{ours.label} − {base.label.lower()}", base.name, (ours, base)) for ours, base in pairs(results)]

    def values(pair, metric):
        # Nothing of the paper's: what it quotes for one modality is of other networks than its own.
        return differences(*pair, f"test/{metric}"), None

    return metric_panels(rows, values, GAINS, width=8.4)


@drawn
def attention_by_class(results):
    """Audio's share of attention over the test utterances, a panel for each fusion that has any, a row for each class.

    Heights are shares of the class's utterances in bins of 1 / BINS; a line is a class's mean. Left of 0.5 text has the
    greater share.
    """
    classes = list(results["classes"])
    found = [(one, attention(one, results)) for one in fusions(results)]
    found = [(one, told) for one, told in found if told]
    figure, grid = page(1.1 + 1.75 * max(2, len(found)), 0.9 + 0.42 * len(classes), columns=len(found), squeeze=False)
    figure.get_layout_engine().set(wspace=0.05)
    edges = np.linspace(0, 1, BINS + 1)
    for axes, (one, told) in zip(grid[0], found, strict=True):
        axes.axvline(0.5, color=MUTED, linestyle="--", linewidth=1)
        for place, name in enumerate(classes):
            axes.axhline(place, color=RULE, linewidth=0.6)
            if len(told.get(name, ())):
                counts = np.histogram(told[name], edges)[0]
                axes.stairs(
                    place - 0.82 * counts / counts.max(), edges, baseline=place, fill=True, color=GREEN, alpha=0.6
                )
                axes.plot([told[name].mean()] * 2, [place, place - 0.9], color=INK, linewidth=1.4)
        values = np.concatenate(list(told.values()))
        axes.set_title(one.label)
        axes.set(xlim=(0, 1), ylim=(len(classes) - 0.85, -1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
        axes.set_xlabel(f"{values.mean():.3f} ± {values.std():.3f}")
        axes.set_yticks(range(len(classes)), classes if axes is grid[0, 0] else ())
        axes.grid(False)
    figure.supxlabel(
        "audio's share of attention (0: text alone, 1: audio alone); mean ± deviation", fontsize=8.5, color=MUTED
    )
    return figure


def has_modalities(results):
    """Whether `modality_scores` has something to draw."""
    return any(over_chance(results, find(results, name)) for name in COLOURS)
