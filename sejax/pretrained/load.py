"""From converted weights to the variables of a network, with every name and shape checked."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from sejax import models
from sejax.errors import InputError
from sejax.pretrained import mismatch, names
from sejax.pretrained.convert import read_original

# The classifier that a network may do without: Inception's second one, for training on large images alone.
_OPTIONAL = "AuxLogits"


def load(name, path, *, num_classes=None):
    """Variables of the network `name` (see sejax.models.names), as float32 jax arrays: {"params": ...}, and
    "batch_stats" beside it for a network with BatchNorm.

    path: a file that launch/convert_weights.py wrote, or "ndf" for the ImageNet weights of SqueezeNet 1.1
    that the installed ndf package ships, converted in memory. num_classes: the classes that the last layer
    must have; None takes the file's own number.
    Raises InputError where the file is missing or damaged, and with a list of what is missing (-),
    unexpected (+) or of the wrong shape (!) where it does not fit the network.
    """
    import jax.numpy as jnp

    flat, metadata = _read(name, path)
    if num_classes is None:
        last = flat.get(f"params/{models.LAST_LAYER[name]}/bias")
        num_classes = last.shape[0] if last is not None and last.ndim == 1 else 1000
    found = {key: tuple(array.shape) for key, array in flat.items()}
    lines = mismatch.report(names.expected_shapes(name, num_classes), found)
    if lines:
        held = f"it holds {metadata['model']}" if metadata.get("model") else "was it converted?"
        raise InputError(
            f"{path}: does not fit {name} with {num_classes} classes ({held}); "
            "launch/convert_weights.py makes a file that does\n" + "\n".join(lines)
        )
    for key, array in flat.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"{path}: {key} is not finite float32 numbers; convert the original file again")
    return names.unflatten({key: jnp.asarray(flat[key]) for key in found})


def describe(path):
    """What a file (or "ndf") holds: dict with model, source, preprocessing (the `source` that
    sejax.audio.image.normalise takes), sha256 of the original file, num_classes, parameters.

    Raises InputError where `path` is no file that launch/convert_weights.py wrote.
    """
    if str(path) == "ndf":
        return dict(_ndf()[1])
    with _open(path) as file:
        return _metadata(path, file)


def imagenet_squeezenet():
    """SqueezeNet 1.1 with the ImageNet weights that the installed ndf package ships: (variables, "caffe").

    "caffe" is the preprocessing: BGR in 0..255 less the means 104, 117, 123. Raises InputError where ndf is
    not installed.
    """
    return load("squeezenet1_1", "ndf"), describe("ndf")["preprocessing"]


def warm_start(name, initial, weights, *, fresh=None):
    """The variables `initial` of the network `name` with every array of `weights` put in, but for the layers
    in `fresh` (default: the layers whose width is the number of classes, Inception's auxiliary one too), which
    stay as they are, running statistics included. A layer is its path, as in "fc" or "AuxLogits/fc"; with it
    goes everything below. An auxiliary head that `initial` does without is left out.

    Raises InputError with a +/- list where the rest does not agree in names and shapes.
    """
    ours, theirs = names.flatten(initial), names.flatten(weights)
    if not any(_below(key, _OPTIONAL) for key in ours):
        theirs = {key: value for key, value in theirs.items() if not _below(key, _OPTIONAL)}
    if fresh is None:
        fresh = [layer for layer in models.CLASS_LAYERS[name] if any(_below(key, layer) for key in ours)]
    unknown = [layer for layer in fresh if not any(_below(key, layer) for key in ours)]
    if unknown:
        raise InputError(f"pretrained: {name} has no layer {', '.join(unknown)} to leave fresh")
    kept = {key for key in ours.keys() | theirs.keys() if any(_below(key, layer) for layer in fresh)}
    lines = mismatch.report(
        {key: tuple(value.shape) for key, value in ours.items() if key not in kept},
        {key: tuple(value.shape) for key, value in theirs.items() if key not in kept},
    )
    if lines:
        raise InputError(f"pretrained: the weights do not fit this {name}\n" + "\n".join(lines))
    return names.unflatten({key: ours[key] if key in kept else theirs[key] for key in ours})


def _below(key, layer):
    """Whether the array with the flat name `key` belongs to `layer`."""
    return f"{key.partition('/')[2]}/".startswith(f"{layer}/")


@cache
def _ndf():
    return read_original("squeezenet1_1", "ndf", None)


def _read(name, path):
    if name not in models.names():
        raise InputError(f"pretrained: model {name!r} is unknown; known are {', '.join(models.names())}")
    if str(path) == "ndf":
        if name != "squeezenet1_1":
            raise InputError(f"pretrained: ndf has no {name}; it has squeezenet1_1")
        return _ndf()
    with _open(path) as file:
        metadata = _metadata(path, file, required=False)
        try:
            return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118
        except Exception as error:  # a damaged file, or a type that numpy does not have
            raise InputError(f"{path}: cannot be read ({error}); convert the original file again") from error


def _open(path):
    """A safetensors file, open for reading numpy arrays."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; launch/convert_weights.py makes one")
    if path.suffix in (".pth", ".pt", ".pkl", ".h5", ".keras"):
        raise InputError(f"{path}: is an original file; convert it with launch/convert_weights.py")
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise InputError(f"{path}: reading it needs safetensors; pip install 'sejax[pretrained]'") from error
    try:
        return safe_open(path, framework="numpy")
    except Exception as error:  # the reader raises its own error and OSError for a damaged file
        raise InputError(f"{path}: is no safetensors file ({error}); convert the original again") from error


def _metadata(path, file, *, required=True):
    try:
        metadata = json.loads((file.metadata() or {}).get("sejax", "{}"))
    except ValueError:
        metadata = {}
    if required and not (isinstance(metadata, dict) and "model" in metadata):
        raise InputError(f"{path}: carries no description; launch/convert_weights.py writes one")
    return metadata if isinstance(metadata, dict) else {}
