"""Pictures of sound: example spectrograms of a corpus, and a recording with its posteriors over time."""

import math

import numpy as np

from sejax.report.drawing import BLUE, SHADE, SURFACE, drawn, shaded, subplots

DYNAMIC_RANGE = 80.0  # dB below the loudest cell that a drawn spectrogram still shows
MOST_BOXES = 100  # blocks drawn as boxes of their own; more are drawn as one image


@drawn
def gallery(images, *, seconds=1.0, top_frequency=8000.0):
    """Example images, one per class, four in a row, on axes of seconds and kHz.

    `images` maps a class to either RGB [H, W, 3] in [0, 1] with high frequencies on top, as the network
    sees it before normalisation, or a spectrogram in dB [bands, frames], low bands first. `seconds` and
    `top_frequency` (Hz) are what one image spans.
    """
    columns = min(4, len(images))
    rows = math.ceil(len(images) / columns)
    size = 0.5 + 1.55 * columns, 0.5 + 1.6 * rows
    figure, grid = subplots(*size, rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(images) :]:
        axes.set_visible(False)
    extent = (0, seconds, 0, top_frequency / 1000)
    for place, (axes, (name, image)) in enumerate(zip(grid.flat, images.items(), strict=False)):
        _show(axes, np.asarray(image, dtype=np.float32), extent)
        axes.set_title(name)
        axes.set_xticks([0, seconds / 2, seconds], ["0", f"{seconds / 2:g}", f"{seconds:g}"])
        axes.tick_params(labelbottom=place + columns >= len(images))
    figure.supxlabel("time (s)", fontsize=9)
    figure.supylabel("frequency (kHz)", fontsize=9)
    return figure


def _show(axes, image, extent):
    options = {"extent": extent, "aspect": "auto", "interpolation": "nearest"}
    if image.ndim == 3:
        axes.imshow(np.clip(image, 0, 1), origin="upper", **options)
    else:
        top = float(np.nanmax(image)) if image.size else 0.0
        axes.imshow(image, origin="lower", cmap="magma", vmin=top - DYNAMIC_RANGE, vmax=top, **options)
    axes.grid(False)


@drawn
def posteriors_over_time(
    waveform,
    rate,
    spectrogram_db,
    block_times,
    posteriors,
    classes,
    utterance_posterior,
    *,
    top_frequency=8000.0,
    title="",
    time_label="time (s)",
):
    """A recording's waveform, spectrogram and block posteriors on one time axis, the utterance's beside.

    `waveform` [T] int16 or float in [-1, 1] at `rate` Hz; `spectrogram_db` [bands, frames] dB, low bands
    first, over the same time; `block_times` [N, 2] start and end of each block in seconds; `posteriors` [N,
    C]; `classes` C names; `utterance_posterior` [C]. Of the time that two blocks share each gets half. The
    first class drawn is the top row.
    """
    waveform, block_times = np.asarray(waveform), np.asarray(block_times, dtype=float).reshape(-1, 2)
    posteriors = np.asarray(posteriors, dtype=float).reshape(len(block_times), len(classes))
    duration = len(waveform) / rate
    height = 2.7 + 0.3 * len(classes)
    layout = {"height_ratios": (0.9, 1.4, 0.3 * len(classes)), "width_ratios": (4, 1)}
    figure, grid = subplots(7.2, height, 3, 2, sharex="col", **layout)
    grid[0, 1].set_visible(False)
    grid[1, 1].set_visible(False)
    _draw_waveform(grid[0, 0], waveform, rate)
    _show(grid[1, 0], np.asarray(spectrogram_db, dtype=np.float32), (0, duration, 0, top_frequency / 1000))
    grid[1, 0].set_ylabel("kHz")
    _draw_posteriors(grid[2, 0], block_times, posteriors, classes, duration)
    grid[2, 0].set_xlabel(time_label)
    grid[2, 0].set_xlim(0, duration)
    _draw_utterance(grid[2, 1], np.asarray(utterance_posterior, dtype=float))
    grid[0, 0].set_title(title)
    return figure


def _draw_waveform(axes, waveform, rate, pieces=1500):
    """The waveform as a band from the smallest to the largest sample in each of `pieces` stretches."""
    scale = 32768.0 if np.issubdtype(waveform.dtype, np.integer) else 1.0
    length = max(1, math.ceil(len(waveform) / pieces))
    starts = np.arange(0, len(waveform), length)
    low = np.minimum.reduceat(waveform, starts) / scale
    high = np.maximum.reduceat(waveform, starts) / scale
    axes.fill_between((starts + length / 2) / rate, low, high, color=BLUE, linewidth=0.5)
    peak = max(1e-3, float(np.abs([low, high]).max()))
    axes.set(ylim=(-1.05 * peak, 1.05 * peak), yticks=(0,), yticklabels=("",))


def block_edges(block_times):
    """Stretches [N, 2] in seconds to draw blocks in: consecutive blocks that overlap meet in the middle."""
    edges = np.array(block_times, dtype=float)  # [N, 2]
    shared = edges[:-1, 1] > edges[1:, 0]
    middle = (edges[:-1, 1] + edges[1:, 0]) / 2
    edges[:-1, 1] = np.where(shared, middle, edges[:-1, 1])
    edges[1:, 0] = np.where(shared, middle, edges[1:, 0])
    return edges


def _draw_posteriors(axes, block_times, posteriors, classes, duration):
    edges = block_edges(block_times)
    if len(edges) > MOST_BOXES:
        _shade_columns(axes, edges, posteriors, duration)
    else:
        for (start, end), row in zip(edges, posteriors, strict=True):
            wide = (end - start) / duration > 0.07
            for place, value in enumerate(row):
                text = f"{100 * value:.0f} %" if wide and round(100 * value) >= 5 else ""
                weight = "bold" if place == row.argmax() else "normal"
                shaded(axes, start, end, place, value, text, fontsize=8, fontweight=weight)
            axes.axvline(start, color=SURFACE, linewidth=1)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(ylim=(len(classes) - 0.5, -0.5))
    axes.grid(False)


def _shade_columns(axes, edges, posteriors, duration, columns=1200):
    """Posteriors of a long recording as one small image, each column with the block that its middle falls in."""
    from matplotlib.colors import to_rgb

    middles = (np.arange(columns) + 0.5) * duration / columns
    block = np.clip(np.searchsorted(edges[:, 0], middles, side="right") - 1, 0, None)
    inside = (middles >= edges[block, 0]) & (middles < edges[block, 1])
    image = np.empty((posteriors.shape[1], columns, 4))
    image[..., :3] = to_rgb(SHADE)
    image[..., 3] = np.where(inside, posteriors[block].T, 0.0)
    extent = (0, duration, len(image) - 0.5, -0.5)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="nearest")


def _draw_utterance(axes, posterior):
    places = np.arange(len(posterior))
    axes.barh(places, posterior, color=BLUE, height=0.7)
    for place, value in enumerate(posterior):
        weight = "bold" if place == posterior.argmax() else "normal"
        axes.text(value + 0.03, place, f"{100 * value:.0f} %", va="center", fontsize=8, fontweight=weight)
    axes.set(ylim=(len(posterior) - 0.5, -0.5), xlim=(0, 1.45), yticks=(), xticks=(), xlabel="utterance")
    axes.grid(False)
