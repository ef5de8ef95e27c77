"""One utterance as a network of audio and text took it: waveform, words, attention, and what mattered in each."""

import numpy as np

from sejax.core.results import is_finite
from sejax.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, RULE, VIOLET, drawn

FAINTEST = 0.02  # probability: less than this is shaded as if this were the most, so that noise stays pale
STRONGEST = 0.6  # opacity of the most important stretch or word
WIDTH, ROW, BAR = 7.4, 0.42, 0.3  # inches: the picture, a row of words, a class of the posterior
LETTER = 0.072  # inches that a letter of a word takes, on average
COLUMNS = 400  # of the waveform
MOST_ROWS = 14  # of words; what does not fit is counted
SIGNS = {"speaks for the prediction": BLUE, "speaks against it": ORANGE}


@drawn
def explained(example, classes):
    """A waveform, the transcript below it at its times, attention as a bar, and the posterior.

    `example` is one of results.json's "examples" (its "label" None where no truth is known); `classes` C
    names. Blue stretches and words are those without which the predicted class would be less probable, orange ones
    those without which it would be more; the strongest of the picture is the darkest, and of words the change of
    probability is written below. Words without times are spread evenly.
    """
    from matplotlib.figure import Figure

    seconds = max(float(example.get("seconds") or 0.0), 1e-3)
    words, rows = _placed(example, seconds)
    count = max(rows) + 1 if rows else 1
    heights = {"wave": 1.15, "words": ROW * min(count, MOST_ROWS) + 0.1, "share": 0.3}
    heights["words"] = max(heights["words"], BAR * len(classes) - heights["wave"])
    shown = [name for name in heights if name != "share" or is_finite(example.get("attention"))]
    figure = Figure(figsize=(WIDTH, 1.0 + sum(heights[name] for name in shown)), layout="constrained")
    figure.get_layout_engine().set(hspace=0.02, h_pad=0.03)
    ratios = [heights[name] for name in shown]
    grid = figure.add_gridspec(len(shown), 2, width_ratios=(4.6, 1), height_ratios=ratios)
    axes = {name: figure.add_subplot(grid[place, 0]) for place, name in enumerate(shown)}
    strongest = _strongest(example)
    _draw_wave(axes["wave"], example, seconds, strongest)
    _draw_words(axes["words"], words, rows, example.get("word_importance"), seconds, strongest)
    if "share" in axes:
        _draw_share(axes["share"], float(example["attention"]))
    places = (heights["wave"] + heights["words"]) / BAR
    _draw_posterior(figure.add_subplot(grid[:2, 1]), example["posterior"], classes, example.get("label"), places)
    figure.suptitle(title(example, classes), x=0.01, ha="left", fontsize=9.5, color=INK, parse_math=False)
    _legend(figure, example, strongest)
    return figure


def title(example, classes):
    """The utterance, its true and its predicted class with its probability, in a line."""
    posterior = np.asarray(example["posterior"], dtype=float)
    best, label = int(posterior.argmax()), example.get("label")
    truth = f"true {classes[label]}, " if isinstance(label, int) and 0 <= label < len(classes) else ""
    return f"{example['id']}: {truth}predicted {classes[best]} ({posterior[best]:.2f})"


def _numbers(values):
    """Importances as f64[N], zeros for what is not finite; None for none."""
    if values is None or not len(values):
        return None
    return np.array([value if is_finite(value) else 0.0 for value in values], dtype=float)


def _strongest(example):
    importances = [_numbers(example.get(name)) for name in ("audio_importance", "word_importance")]
    return max([FAINTEST, *(float(np.abs(values).max()) for values in importances if values is not None)])


def _shade(importance, strongest):
    """Colour and opacity of a stretch or word."""
    colour = SIGNS["speaks for the prediction" if importance >= 0 else "speaks against it"]
    return colour, STRONGEST * min(1.0, abs(importance) / strongest)


def _draw_wave(axes, example, seconds, strongest):
    envelope = example.get("envelope") or {}
    low, high = (_columns(envelope.get(name) or [0.0], of) for name, of in (("low", np.minimum), ("high", np.maximum)))
    edges = np.linspace(0, seconds, len(low) + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    axes.fill_between(middles, low, high, color=INK, linewidth=0.6)
    peak = max(1e-3, float(np.abs([low, high]).max()))
    importance = _numbers(example.get("audio_importance"))
    if importance is not None:
        _shade_stretches(axes, importance, seconds, strongest)
    axes.set(xlim=(0, seconds), ylim=(-1.08 * peak, 1.08 * peak), yticks=())
    axes.xaxis.tick_top()
    axes.locator_params(axis="x", nbins=7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.set_ylabel("audio", color=MUTED, fontsize=8.5)
    axes.grid(False)
    axes.spines["left"].set_visible(False)


def _columns(values, of):
    """At most COLUMNS of an envelope's values, the lowest or highest (`of`) of each stretch."""
    values = np.asarray(values, dtype=float)
    starts = np.linspace(0, len(values), min(COLUMNS, len(values)), endpoint=False).astype(int)
    return of.reduceat(values, starts)


def _shade_stretches(axes, importance, seconds, strongest):
    """Boxes behind the waveform, one for each run of equal importances."""
    first = np.flatnonzero(np.diff(importance, prepend=np.nan) != 0)
    edges = np.linspace(0, seconds, len(importance) + 1)
    for begin, end in zip(first, [*first[1:], len(importance)], strict=True):
        colour, opacity = _shade(importance[begin], strongest)
        if opacity > 0.01:
            axes.axvspan(edges[begin], edges[end], facecolor=colour, alpha=opacity, linewidth=0, zorder=0)


def _placed(example, seconds):
    """Words as (word, left end, width) in seconds on the waveform's axis, and the row of each.

    A word stands where it is spoken, in the first row that has room there; words without times fill row by row, evenly
    spread where one row is enough.
    """
    words = [str(word) for word in example.get("words") or ()]
    letter = LETTER * seconds / (WIDTH * 0.78)
    widths = [letter * (max(len(word), 4) + 1.2) for word in words]
    start = example.get("start") or ()
    if len(start) == len(words) and all(map(is_finite, start)):
        lefts = [max(0.0, min(float(left), seconds - width)) for left, width in zip(start, widths, strict=True)]
        rows = _stacked(lefts, widths)
    else:
        lefts, rows = _flowing(widths, seconds)
    return [(word, left, width - 0.4 * letter) for word, left, width in zip(words, lefts, widths, strict=True)], rows


def _stacked(lefts, widths):
    ends, rows = [], []
    for left, width in zip(lefts, widths, strict=True):
        row = next((row for row, end in enumerate(ends) if end <= left), len(ends))
        ends[row : row + 1] = [left + width]
        rows.append(row)
    return rows


def _flowing(widths, seconds):
    gap = max(0.0, seconds - sum(widths)) / max(1, len(widths))
    lefts, rows, left, row = [], [], gap / 2, 0
    for width in widths:
        if left > gap / 2 and left + width > seconds:
            left, row = 0.0, row + 1
        lefts.append(left)
        rows.append(row)
        left += width + gap
    return lefts, rows


def _draw_words(axes, words, rows, importance, seconds, strongest):
    from matplotlib.patches import FancyBboxPatch

    importance = _numbers(importance)
    last = min(max(rows, default=0), MOST_ROWS - 1)
    for place, ((word, left, width), row) in enumerate(zip(words, rows, strict=True)):
        if row > last:
            continue
        middle, change = left + width / 2, None
        if importance is not None and place < len(importance):
            change = importance[place]
            colour, opacity = _shade(change, strongest)
            style = {"boxstyle": "square,pad=0", "facecolor": colour, "alpha": opacity, "linewidth": 0}
            axes.add_patch(FancyBboxPatch((left, row - 0.42), width, 0.84, **style))
        height = row - 0.12 if change is not None else row
        axes.text(middle, height, word, ha="center", va="center", fontsize=8.5, color=INK, parse_math=False)
        if change is not None:
            text = f"{change:+.2f}".replace("-", "−") if abs(change) >= 0.005 else "0"
            ink = INK if opacity > STRONGEST / 2 else MUTED
            axes.text(middle, row + 0.27, text, ha="center", va="center", fontsize=6.5, color=ink)
    left_out = sum(row > last for row in rows)
    if not words or left_out:
        place, text = ((1.0, -0.03), f"and {left_out} words more") if words else ((0.12, 0.5), "no words")
        axes.text(*place, text, transform=axes.transAxes, ha="right", va="center", color=MUTED, fontsize=8)
    axes.set(xlim=(0, seconds), ylim=(last + 0.55, -0.55), xticks=(), yticks=())
    axes.set_ylabel("text", color=MUTED, fontsize=8.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_share(axes, audio):
    for left, share, name, colour in ((0, audio, "audio", GREEN), (audio, 1 - audio, "text", VIOLET)):
        axes.barh(0, share, left=left, height=0.9, color=colour, alpha=0.35, linewidth=0)
        if share > 0.12:
            style = {"ha": "center", "va": "center", "fontsize": 8, "color": INK}
            axes.text(left + share / 2, 0, f"{name} {100 * share:.0f} %", **style)
    axes.axvline(audio, color=INK, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=(), yticks=())
    axes.set_ylabel("attention", rotation=0, ha="right", va="center", color=MUTED, fontsize=8.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_posterior(axes, posterior, classes, label, rows):
    """A bar for each class below its name, predicted and true one marked; the axes have room for `rows` of them."""
    posterior = np.asarray(posterior, dtype=float)
    places = np.arange(len(posterior))
    axes.barh(places + 0.22, np.ones(len(places)), color=RULE, height=0.26, alpha=0.5, linewidth=0)
    axes.barh(places + 0.22, posterior, color=BLUE, height=0.26, linewidth=0)
    for place, value in enumerate(posterior):
        weight = "bold" if place == posterior.argmax() else "normal"
        name = f"{classes[place]} (true)" if place == label else classes[place]
        axes.text(0, place - 0.13, name, va="center", fontsize=7.5, fontweight=weight, parse_math=False)
        axes.text(1.03, place + 0.22, f"{value:.2f}", va="center", fontsize=7.5, fontweight=weight)
    axes.set(xlim=(0, 1.3), ylim=(max(rows, len(posterior)) - 0.5, -0.5), xticks=(), yticks=())
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _legend(figure, example, strongest):
    """What the shades mean, and the change of probability that is the darkest."""
    from matplotlib.patches import Patch

    if _numbers(example.get("audio_importance")) is None and _numbers(example.get("word_importance")) is None:
        return
    handles = [Patch(facecolor=colour, alpha=STRONGEST, linewidth=0) for colour in SIGNS.values()]
    handles += [Patch(facecolor="none", linewidth=0)]
    names = [*SIGNS, f"darkest: a change of probability by {strongest:.2f}"]
    figure.legend(handles, names, loc="outside lower left", ncols=3, fontsize=8, handlelength=1.2)
