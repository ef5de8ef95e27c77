"""Spectrograms as colour images for networks that were pre-trained on photographs (pure jnp).

The image is made on the device, inside the training step, so that only the small spectrogram travels there:
colours are looked up at the spectrogram's own size and then resized by two small matrix products.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sejax.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Array, Float

REFERENCES = ("max", "absolute")

# Per channel (red, green, blue): positions in [0, 1], and the intensity there; linear in between.
_COLOUR_MAPS = {
    "jet": (
        ((0.0, 0.35, 0.66, 0.89, 1.0), (0.0, 0.0, 1.0, 1.0, 0.5)),
        ((0.0, 0.125, 0.375, 0.64, 0.91, 1.0), (0.0, 0.0, 1.0, 1.0, 0.0, 0.0)),
        ((0.0, 0.11, 0.34, 0.65, 1.0), (0.5, 1.0, 1.0, 0.0, 0.0)),
    ),
    "hot": (
        ((0.0, 0.365079, 1.0), (0.0416, 1.0, 1.0)),
        ((0.0, 0.365079, 0.746032, 1.0), (0.0, 0.0, 1.0, 1.0)),
        ((0.0, 0.746032, 1.0), (0.0, 0.0, 1.0)),
    ),
    "gray": (((0.0, 1.0), (0.0, 1.0)),) * 3,
}
COLOUR_MAPS = tuple(_COLOUR_MAPS)

# Per weight source: colours are read in `channels` order, then (colour - mean) / deviation.
_NORMALISATIONS = {
    "torchvision": {"channels": "RGB", "mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)},
    # Caffe's networks see BGR bytes minus the mean of ImageNet.
    "caffe": {"channels": "BGR", "mean": (104 / 255, 117 / 255, 123 / 255), "deviation": (1 / 255,) * 3},
    # Keras's ResNet50 sees them minus finer means, its InceptionV3 colours between -1 and 1.
    "keras_caffe": {
        "channels": "BGR",
        "mean": (103.939 / 255, 116.779 / 255, 123.68 / 255),
        "deviation": (1 / 255,) * 3,
    },
    "keras_tf": {"channels": "RGB", "mean": (0.5,) * 3, "deviation": (0.5,) * 3},
    "none": {"channels": "RGB", "mean": (0.0,) * 3, "deviation": (1.0,) * 3},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """How a spectrogram in dB becomes an image.

    Attributes:
      size: height and width in pixels, the network's input.
      colour_map: one of `COLOUR_MAPS`.
      dynamic_range: dB between the colour map's lowest and highest colour.
      reference: what gets the highest colour: "max" = each spectrogram's own largest value, "absolute" = `level`,
        which keeps loudness visible.
      level: dB, used with reference="absolute" only. Nine in ten blocks of the Berlin database peak below 31 dB
        on the default linear bands, and below 19 dB on mel bands of equal area.
      flip_frequency: True puts high frequencies at the top, as spectrograms are drawn.
      normalise: "torchvision", "caffe", "keras_caffe", "keras_tf" or "none", whatever the network's weights were
        trained with.

    Raises:
      InputError: a value is unknown or out of range.
    """

    size: tuple[int, int] = (224, 224)
    colour_map: str = "jet"
    dynamic_range: float = 80.0
    reference: str = "max"
    level: float = 30.0
    flip_frequency: bool = True
    normalise: str = "torchvision"

    def __post_init__(self):
        known = {"colour_map": COLOUR_MAPS, "reference": REFERENCES, "normalise": tuple(_NORMALISATIONS)}
        for field, choices in known.items():
            value = getattr(self, field)
            if value not in choices:
                raise InputError(f"image: {field} {value!r} is unknown; choose one of {', '.join(choices)}")
        object.__setattr__(self, "size", _checked_size(self.size))
        if not self.dynamic_range > 0:
            raise InputError(f"image: dynamic_range is {self.dynamic_range} dB; it must be above zero")


@functools.cache
def colour_map(name: str) -> np.ndarray:
    """Table of the colour map `name` (one of `COLOUR_MAPS`), dark to bright: read-only f32[256, 3], RGB in [0, 1].

    Raises:
      InputError: there is no such map.
    """
    if name not in COLOUR_MAPS:
        raise InputError(f"colour map: {name!r} is unknown; choose one of {', '.join(COLOUR_MAPS)}")
    positions = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(positions, *corners) for corners in _COLOUR_MAPS[name]]
    table = np.stack(channels, axis=-1).astype(np.float32)
    table.setflags(write=False)
    return table


def colour(values: Float[Array, "*batch height width"], name: str) -> Float[Array, "*batch height width 3"]:
    """Colours of values in [0, 1] (others are clipped) by a map's name: [..., H, W] -> f32[..., H, W, 3]."""
    return _look_up(values, colour_map(name))


def resize(
    image: Float[Array, "*batch height width channels"], size: tuple[int, int]
) -> Float[Array, "*batch rows columns channels"]:
    """Anti-aliased bilinear resize, [..., H, W, C] -> f32[..., *size, C].

    Pixel centres lie at half-integers. Where the image shrinks, the triangle filter widens to cover every
    source pixel, as in PIL's BILINEAR and torch's ``interpolate(antialias=True)``.
    """
    height, width = _checked_size(size)
    image = jnp.asarray(image, jnp.float32)
    rows = resize_weights(image.shape[-3], height)
    columns = resize_weights(image.shape[-2], width)
    # HIGHEST: TPUs and recent GPUs otherwise round f32 products to 8 or 11 bits.
    product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    return product("Hh,...hWc->...HWc", rows, product("Ww,...hwc->...hWc", columns, image))


def normalise(
    rgb: Float[Array, "*batch height width 3"], source: str = "torchvision"
) -> Float[Array, "*batch height width 3"]:
    """RGB in [0, 1], [..., 3] -> what networks with weights from `source` expect, same shape.

    "torchvision": RGB minus ImageNet's mean, by its deviation. "caffe": BGR x 255 minus (104, 117, 123).
    "keras_caffe": BGR x 255 minus (103.939, 116.779, 123.68). "keras_tf": 2 x RGB - 1. "none": unchanged.
    """
    if source not in _NORMALISATIONS:
        raise InputError(f"image: weight source {source!r} is unknown; choose one of {', '.join(_NORMALISATIONS)}")
    rule = _NORMALISATIONS[source]
    ordered = rgb[..., ::-1] if rule["channels"] == "BGR" else rgb
    return (ordered - np.asarray(rule["mean"], np.float32)) / np.asarray(rule["deviation"], np.float32)


def render(
    spectrogram_db: Float[Array, "*batch bands frames"], settings: ImageSettings
) -> Float[Array, "*batch height width 3"]:
    """Network inputs from spectrograms in dB, [..., bands, frames] -> f32[..., *settings.size, 3].

    `settings` is a static argument under jit. Both the colour look-up and the resize are affine per channel
    in the colours, so normalisation is applied to the 256 colours of the table instead of to every pixel.
    """
    table = normalise(colour_map(settings.colour_map), settings.normalise)
    return resize(_look_up(intensity(spectrogram_db, settings), table), settings.size)


def intensity(
    spectrogram_db: Float[Array, "*batch bands frames"], settings: ImageSettings
) -> Float[Array, "*batch bands frames"]:
    """Where each cell lies on the colour map, in [0, 1] and the picture's orientation: f32[..., bands, frames]."""
    loudest = jnp.max(spectrogram_db, axis=(-2, -1), keepdims=True)
    top = loudest if settings.reference == "max" else settings.level
    values = jnp.clip(1.0 + (spectrogram_db - top) / settings.dynamic_range, 0.0, 1.0)
    return jnp.flip(values, axis=-2) if settings.flip_frequency else values


@functools.lru_cache(maxsize=32)
def resize_weights(before: int, after: int) -> np.ndarray:
    """Matrix of the anti-aliased bilinear resize of one axis: read-only f32[after, before], rows sum to 1."""
    scale = before / after
    reach = max(scale, 1.0)
    centres = (np.arange(after)[:, None] + 0.5) * scale
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(before) + 0.5 - centres) / reach)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    weights.setflags(write=False)
    return weights


def _look_up(values, table):
    """256 equal bins of [0, 1], the last one closed, as matplotlib divides them."""
    return jnp.asarray(table)[jnp.clip(jnp.floor(values * 256), 0, 255).astype(jnp.int32)]


def _checked_size(size):
    values = tuple(size) if isinstance(size, tuple | list) else ()
    if len(values) != 2 or not all(isinstance(v, int | np.integer) and v > 0 for v in values):
        raise InputError(f"image: size {size!r}; give height and width in pixels, such as (224, 224)")
    return values
