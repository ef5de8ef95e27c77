"""Generated spectrograms: a grid over training, and the last ones above their nearest real neighbours."""

import functools
import textwrap
from typing import NamedTuple

import numpy as np

from sejax.core.packed import unpack
from sejax.errors import InputError
from sejax.report.drawing import INK, MUTED, drawn, page, write_picture
from sejax.report.results import is_finite
from sejax.report.terms import setting

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
    figure, grid = page(0.9 + side * (1 + GAP) * count, 0.75 + (side * 0.92 + 0.1) * rows + extra, rows, squeeze=False)
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
