"""What members of the four models learn by epoch, and the spectrograms that their generators make."""

import functools
import textwrap
from typing import NamedTuple

import numpy as np

from sejax.core.results import is_finite, unpack
from sejax.errors import InputError
from sejax.report.curves import axes_in_common, draw_curves, heights, wide_axis
from sejax.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, VIOLET, drawn, subplots, write_picture
from sejax.report.run import recorded_metrics
from sejax.report.terms import setting

# Diversity of generated crops, as a share of that of real ones, below which they are alike, and from which on diverse.
COLLAPSE, DIVERSE = 0.1, 0.2

# A row of the curves: its name, and for each line the key of the history, its name and colour.
CURVES = {
    "classifiers' loss": (
        ("train/loss_valence", "valence", BLUE),
        ("train/loss_activation", "activation", ORANGE),
        ("valid/loss", "valence, validation", GREEN),
    ),
    "GAN's loss": (
        ("train/loss_generator", "generator", VIOLET),
        ("train/loss_discriminator", "discriminator", INK),
    ),
    "D's probability": (("train/real", "real crops", BLUE), ("train/generated", "generated crops", ORANGE)),
    "diversity": (("train/diversity", "generated / real", VIOLET),),
    "validation": (
        *(("valid/accuracy", "accuracy", BLUE), ("valid/uar", "unweighted, 5 classes", ORANGE)),
        *(("valid/ccc", "CCC, valence", BLUE), ("valid/activation/ccc", "CCC, activation", ORANGE)),
    ),
}
GUIDES = {"D's probability": (0.5, "undecided"), "diversity": (COLLAPSE, f"collapse, {COLLAPSE:g}")}


def collapsed(member):
    """The epoch at which generated spectrograms became alike that had been diverse, or None.

    Results of earlier versions call it a collapse too where they never were.
    """
    epoch = (member.get("collapse") or {}).get("epoch")
    return epoch if any(share >= DIVERSE for at, share in _diversities(member) if at < (epoch or 0)) else None


def never_diverse(member):
    """The most diverse that a member's generated spectrograms were, where that is less than DIVERSE; else None."""
    most = max((share for _, share in _diversities(member)), default=DIVERSE)
    return most if most < DIVERSE else None


def _diversities(member):
    """[(epoch, diversity)] of a member's history."""
    rows = [(row.get("epoch"), row.get("train/diversity")) for row in member.get("history") or ()]
    return [(epoch, share) for epoch, share in rows if is_finite(share)]


@drawn
def training_curves(models, *, criterion="accuracy"):
    """Losses, the discriminator's mean probabilities, diversity and validation by epoch, a column for each model.

    `models` are Variants. Members are faint, their mean bold; a dot is the epoch whose weights a member
    restored, on the line of the `criterion` ("accuracy" or "uar") that chose it, a cross the one at which its generated
    spectrograms collapsed. Raises ValueError without a history.
    """
    recorded = recorded_metrics(member for model in models for member in model.members)
    shown = {row: [line for line in lines if line[0] in recorded] for row, lines in CURVES.items()}
    shown = {row: lines for row, lines in shown.items() if lines}
    if not shown:
        raise ValueError("no history of losses or scores in these results")
    size = 1.9 + 1.75 * len(models), 0.7 + 1.35 * len(shown)
    figure, grid = subplots(*size, len(shown), len(models), squeeze=False, sharex="col")
    for (at, column), axes in np.ndenumerate(grid):
        _panel(axes, models[column], list(shown)[at], list(shown.values())[at], criterion)
    for axes, model in zip(grid[0], models, strict=True):
        axes.set_title(model.label)
    for axes, (row, lines) in zip(grid, shown.items(), strict=True):
        axes[0].set_ylabel(row, color=INK, fontweight="bold", fontsize=8.5)
        for group in axes_in_common(axes):
            _row_axis(group, row)
        _row_legend(axes, row, lines, _colour_of(f"valid/{criterion}"))
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True, nbins=5)
    return figure


def _panel(axes, model, row, lines, criterion):
    members = [{**member, "history": member.get("history") or []} for member in model.members]
    names = {name for member in members for entry in member["history"] for name in entry if is_finite(entry[name])}
    if not any(name in names for name, *_ in lines):
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color=MUTED)
        return
    for name, label, colour in lines:
        if name in names:
            draw_curves(axes, members, name, None, colour=colour, label=label)
    if row in GUIDES:
        axes.axhline(GUIDES[row][0], color=MUTED, linestyle="--", linewidth=1)
    for member in members:
        if row == "validation":
            name = f"valid/{criterion}"
            _mark(axes, member, member.get("best_epoch"), name, marker="o", color=_colour_of(name), markersize=4)
        if row == "diversity":
            style = {"marker": "x", "color": ORANGE, "markersize": 7, "markeredgewidth": 1.8}
            _mark(axes, member, collapsed(member), "train/diversity", **style)


def _colour_of(name):
    """The colour of a line of the curves by its key in the history; ink where there is none of that name."""
    return next((colour for lines in CURVES.values() for key, _, colour in lines if key == name), INK)


def _mark(axes, member, epoch, name, **style):
    """A mark on a member's line at an epoch."""
    for entry in member["history"]:
        if entry.get("epoch") == epoch and is_finite(entry.get(name)):
            axes.plot(epoch, entry[name], linestyle="none", zorder=4, **style)


def _row_axis(row_axes, row):
    if row.endswith("loss"):
        wide_axis(row_axes[0], [value for axes in row_axes for value in heights(axes)])
    elif row == "D's probability":
        row_axes[0].set_ylim(-0.03, 1.03)
    else:
        row_axes[0].set_ylim(bottom=0)


def _row_legend(row_axes, row, lines, dots):
    """What a row's lines and marks are, to the right of its last panel."""
    from matplotlib.lines import Line2D

    handles = {label: Line2D([], [], color=colour, linewidth=2) for _, label, colour in lines}
    if row in GUIDES:
        handles[GUIDES[row][1]] = Line2D([], [], color=MUTED, linestyle="--", linewidth=1)
    if row == "validation":
        handles["restored epoch"] = Line2D([], [], color=dots, marker="o", markersize=4, linestyle="none")
    if row == "diversity":
        style = {"color": ORANGE, "marker": "x", "markersize": 7, "markeredgewidth": 1.8, "linestyle": "none"}
        handles["collapsed"] = Line2D([], [], **style)
    options = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5), "borderaxespad": 0}
    row_axes[-1].legend(handles.values(), handles, **options)


# Generated spectrograms.

MOST = 8  # latent vectors drawn
MAP = "magma"
GAP = 0.06  # between neighbouring crops, as a share of their width
STEP = 4  # of 256 values: 1.25 of 80 dB, which nobody sees, and pictures a third smaller


class Gallery(NamedTuple):
    """A GAN's spectrograms as bytes, low bands first: E epochs, N latent vectors, B bands, W frames.

    generated u8[E, N, B, W]; neighbours u8[N, B, W], the real crop nearest to each of the last epoch, with captions
    (its utterance and corpus) and distance f64[N], the root mean square over pixels in [-1, 1]; distance_real, the
    median of the same for held-out real crops, or None; seconds and kilohertz that a crop spans.
    """

    epochs: list
    generated: np.ndarray
    neighbours: np.ndarray
    captions: list
    distance: np.ndarray
    distance_real: float | None
    seconds: float
    kilohertz: float


def read_gallery(results, member):
    """The Gallery of a member, None where it has none; ValueError for one whose parts do not fit together."""
    stored = member.get("gallery")
    if not stored:
        return None
    generated, neighbours = (unpack(stored.get(name)) for name in ("generated", "neighbours"))
    epochs, ids, corpora, distance = (
        list(stored.get(name) or ()) for name in ("epochs", "neighbour_ids", "neighbour_corpora", "distance")
    )
    if generated.ndim != 4 or neighbours.shape != generated.shape[1:]:
        raise ValueError(f"generated {generated.shape} and neighbours {neighbours.shape} are not of one kind")
    if 0 in generated.shape:
        raise ValueError(f"generated {generated.shape} is empty")
    if len(epochs) != len(generated) or {len(ids), len(corpora), len(distance)} != {generated.shape[1]}:
        raise ValueError("its epochs, ids, corpora and distances are not as many as its spectrograms")
    captions = [f"{name} ({corpus})" for name, corpus in zip(ids, corpora, strict=True)]
    distance = np.array([value if is_finite(value) else np.nan for value in distance], dtype=float)
    real = stored.get("distance_real")
    seconds = generated.shape[3] * setting(results, "hop", 256) / setting(results, "rate", 16000)
    kilohertz = setting(results, "fmax", 8000.0) / 1000
    real = real if is_finite(real) else None
    return Gallery(epochs, generated, neighbours, captions, distance, real, seconds, kilohertz)


@drawn
def over_training(gallery):
    """Generated spectrograms of one member: rows are epochs, and every column is one latent vector throughout."""
    count = min(MOST, gallery.generated.shape[1])
    figure, grid = _rows(gallery, len(gallery.epochs), count, extra=0.0)
    for axes, epoch, images in zip(grid, gallery.epochs, gallery.generated, strict=True):
        _strip(axes, images[:count], gallery)
        axes.set_ylabel(f"epoch {epoch}", color=INK, fontsize=8.5)
    return figure


@drawn
def nearest(gallery):
    """The last generated spectrograms above the real crops nearest to them, with distances and utterances."""
    count = min(MOST, gallery.generated.shape[1])
    figure, grid = _rows(gallery, 2, count, extra=0.75)
    for axes, images, name in zip(
        grid, (gallery.generated[-1], gallery.neighbours), ("generated", "nearest real"), strict=True
    ):
        _strip(axes, images[:count], gallery)
        axes.set_ylabel(name, color=INK, fontsize=8.5)
    for place in range(count):
        whose = "\n".join(textwrap.wrap(gallery.captions[place], 15))
        apart = gallery.distance[place]
        text = f"{apart:.3f}\n{whose}" if np.isfinite(apart) else whose
        grid[1].annotate(
            text, (_middle(place), 0), (0, -17), textcoords="offset points", ha="center", va="top", fontsize=7.5
        )
    return figure


def write_gallery(path, results, *, model, draw=over_training):
    """Draw a model's gallery (`over_training` or `nearest`) into an .svg or .png file.

    Raises InputError for a model without one, and for a name that ends otherwise.
    """
    for member in results["members"]:
        gallery = read_gallery(results, member) if member.get("model") == model else None
        if gallery is not None:
            return write_picture(path, functools.partial(draw, gallery))
    raise InputError(f"{path}: no member of {model!r} has generated spectrograms in these results; name a GAN")


def _middle(place):
    return place * (1 + GAP) + 0.5


def _rows(gallery, rows, count, *, extra):
    """A figure of `rows` strips of `count` crops; `extra` inches for text below."""
    side = min(1.05, 8.4 / count)
    figure, grid = subplots(
        0.9 + side * (1 + GAP) * count, 0.75 + (side * 0.92 + 0.1) * rows + extra, rows, squeeze=False
    )
    figure.supylabel(f"frequency upward, 0 to {gallery.kilohertz:g} kHz", fontsize=8.5, color=MUTED)
    grid[-1, 0].set_xlabel(f"time, {gallery.seconds:.3g} s each", loc="left", fontsize=8.5)
    return figure, grid[:, 0]


def _strip(axes, images, gallery):
    """Crops side by side, each one unit wide."""
    for place, image in enumerate(images):
        extent = (place * (1 + GAP), place * (1 + GAP) + 1, 0, gallery.kilohertz)
        # "none" leaves the pixels as they are in an SVG, whoever shows it scales them.
        axes.imshow(
            image // STEP * STEP,
            extent=extent,
            origin="lower",
            aspect="auto",
            interpolation="none",
            cmap=MAP,
            vmin=0,
            vmax=255,
        )
    axes.set(xlim=(0, _middle(len(images) - 1) + 0.5), ylim=(0, gallery.kilohertz), xticks=[])
    axes.set_yticks([0, gallery.kilohertz / 2, gallery.kilohertz])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
