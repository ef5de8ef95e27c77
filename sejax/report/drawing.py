"""How every figure looks and leaves: one palette, one style, inline SVG for a page, SVG or PNG for files."""

import base64
import functools
import io
import re

import numpy as np

from sejax.core.results import spread
from sejax.core.stores import path_of
from sejax.errors import InputError, needs

# name -> colour. The report redefines these names as CSS variables for dark mode; files keep the colours.
PALETTE = {
    "surface": "#fefefe",
    "ink": "#1f2429",
    "muted": "#5b6570",
    "rule": "#d3d9df",
    "blue": "#1668c4",
    "orange": "#c4560a",
    "shade": "#0b4c96",
    "green": "#157a52",
    "violet": "#8d3fc2",
}
SURFACE, INK, MUTED, RULE, BLUE, ORANGE, SHADE, GREEN, VIOLET = PALETTE.values()
COLOURS = (BLUE, ORANGE, GREEN, VIOLET)  # of several series, in this order
FORMATS = ("svg", "png", "inline")

_STYLE = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the reader's font
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "text.color": INK,
    "figure.facecolor": SURFACE,
}


def drawn(draw):
    """Turn a function that returns a matplotlib Figure into one that returns the picture itself.

    The function gains the option `format`: "svg" (default; a str for a file, light colours), "png" (bytes,
    200 dots an inch) or "inline" (a str: an <svg> element for an HTML page whose CSS variables give the
    colours); and `ids`, what the ids of an inline picture start with (the function's name by default), so that
    a page may have several pictures of one kind. matplotlib is imported on the first call; without it the
    ImportError says how to get it.
    """

    @functools.wraps(draw)
    def render(*args, format="svg", ids=None, **options):
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}; known formats: {', '.join(FORMATS)}")
        matplotlib = _matplotlib()
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": draw.__name__}):
            figure = draw(*args, **options)
            return _export(figure, format, ids or draw.__name__.replace("_", "-"))

    return render


def _matplotlib():
    with needs("report"):
        import matplotlib
    return matplotlib


def write_picture(path, draw):
    """Write a picture into an .svg or .png file, whose folder is made; `draw` maps a `format` to what `drawn` gives.

    Raises InputError for a name that ends otherwise.
    """
    path = path_of(path)
    if path.suffix not in (".svg", ".png"):
        raise InputError(f"{path}: a picture's name must end in .svg or .png")
    picture = draw(format=path.suffix.lstrip("."))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture if isinstance(picture, bytes) else picture.encode())


def subplots(width, height, rows=1, columns=1, **options):
    """A new figure of width x height inches and its axes, as `Figure.subplots` shapes them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def _export(figure, format, name):
    if format == "png":
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=200)
        return out.getvalue()
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=format == "inline", metadata={"Date": None})
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), out.getvalue())
    svg = re.sub(r"(?<=data:image/png;base64,)[^\"]+", lambda png: _paletted(png[0]), svg)
    return _inline(svg, name, figure.get_size_inches()[0]) if format == "inline" else svg


def _paletted(text):
    """A PNG in base64 with a palette instead of four bytes a pixel, where it has few enough opaque colours.

    A colour map has 256 of them: a spectrogram takes a quarter of the space, each pixel as it was.
    """
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA"))  # [H, W, 4]
    colours, place = np.unique(np.ascontiguousarray(pixels).view(np.uint32), return_inverse=True)
    colours = colours.view(np.uint8).reshape(-1, 4)
    if len(colours) > 256 or (colours[:, 3] < 255).any():
        return text
    image = Image.fromarray(place.reshape(pixels.shape[:2]).astype(np.uint8))
    image.putpalette(colours[:, :3].tobytes())
    out = io.BytesIO()
    image.save(out, format="png", optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def _inline(svg, name, inches):
    """An <svg> element without the file's preamble: ids of its own, colours from CSS, width from the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, value in PALETTE.items():
        svg = svg.replace(value, f"var(--{colour}, {value})")
    box = re.search(r'viewBox="[^"]*"', svg)[0]
    pixels = round(96 * inches)
    size = f'style="width: {pixels}px; min-width: {min(pixels, max(300, round(0.7 * pixels)))}px"'
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box} role="img" {size}>' + svg[svg.index(">") + 1 :]


def repeated(axes, values, place, *, name):
    """Numbers in a row of axes at height `place`: each faint where there are several, their mean and deviation bold.

    Returns {text: what to name so in a legend}; `name` is what one number is called.
    """
    values, handles = list(values), {}
    entry = spread(values)
    if len(values) > 1:
        style = {"color": BLUE, "markersize": 3, "alpha": 0.35}
        handles[name] = axes.plot(values, [place] * len(values), "o", **style)[0]
    if entry:
        style = {"color": BLUE, "markersize": 6, "capsize": 3, "fmt": "o"}
        handles["mean"] = axes.errorbar(entry["mean"], place, xerr=entry["std"], **style)
    return handles


def shaded(axes, left, right, row, share, text, **style):
    """A cell of a matrix: a box around `row`, shaded by `share` in [0, 1], with text that stays legible."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, row - 0.5), right - left, 1, facecolor=SHADE, alpha=share, linewidth=0))
    colour = SURFACE if share > 0.72 else INK  # where both palettes' contrasts cross, near 4 to 1
    options = {"ha": "center", "va": "center", "color": colour, **style}
    axes.text((left + right) / 2, row, text, **options)
