"""From an original weight file to a safetensors file with flat names, and from there to a network's variables.

Every name and shape is checked on either way.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sejax import models
from sejax.core.files import damaged, digest_of, written_whole
from sejax.errors import InputError, typed
from sejax.pretrained import names, sources

# What the images were normalised with (`sejax.audio.image.normalise`), by source, or by model where a source has
# several ways.
_PREPROCESSING = {
    "torchvision": "torchvision",
    "ndf": "caffe",
    "resnet50_keras": "keras_caffe",
    "inception_v3_keras": "keras_tf",
}


def convert(model: str, source: str, path, output, *, num_classes: int = 1000) -> dict[str, Any]:
    """Convert the weights of `model` in the file `path` to `output` (.safetensors), atomically.

    source: "torchvision" (a .pth state dict or .safetensors), "keras" (.h5, .weights.h5 or .keras of
    keras.applications' networks) or "ndf" (its pickle; path "" or None means the one that the installed
    package ships). num_classes: the classes that the file's last layer has.
    Returns the metadata, a dict with model, source, preprocessing, sha256 (of the input), num_classes and
    parameters (a count, running statistics not among them).
    Raises InputError, writing nothing, for anything wrong with the input or output.
    """
    output = Path(output)
    check_output(output, path)
    flat, metadata = read_original(model, source, path, num_classes=num_classes)
    write(output, flat, metadata)
    return metadata


def check_output(output, path):
    """Raise InputError where `output` (a Path) is no place for what is converted from the input `path`."""
    if output.suffix != ".safetensors":
        raise InputError(f"{output}: the output is a .safetensors file; give it that ending")
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give a file")
    if path and output.resolve() == Path(path).resolve():
        raise InputError(f"{output}: is the input; give another output")


def read_original(model, source, path, *, num_classes=1000):
    """An original file as (flat dict of our names to float32 numpy arrays, metadata). See `convert`.

    Names or shapes that differ from the model's raise InputError with a +/- list in the source's names.
    """
    wanted = names.parameters(model, source, num_classes)
    if source == "ndf" and not path:
        path = sources.installed_ndf_weights()
    if not path:
        raise InputError(f"pretrained: no input file for {model} from {source}; give one")
    arrays, digest = sources.read(path, source)
    named = _in_source_names(model, source, arrays)
    lines = names.report({p.source_name: p.source_shape for p in wanted}, _shapes(named))
    if lines:
        remedy = _remedy(model, source, arrays, num_classes)
        raise InputError("\n".join([f"{path}: is no {model} with {num_classes} classes: {remedy}", *lines]))
    flat = {p.name: p.to_ours(named[p.source_name]) for p in wanted}
    negative = [p for p in wanted if p.name.endswith("/var") and (flat[p.name] < 0).any()]
    if negative:
        raise InputError(f"{path}: {negative[0].source_name} holds a negative variance; get the file again")
    metadata = {
        "model": model,
        "source": source,
        "preprocessing": _PREPROCESSING.get(source) or _PREPROCESSING[model],
        "sha256": digest,
        "num_classes": num_classes,
        "parameters": sum(array.size for name, array in flat.items() if name.startswith("params/")),
    }
    return flat, metadata


def _in_source_names(model, source, arrays):
    """`arrays` as `sources.read` gives them by the names that `model` has at `source`; Keras numbers its layers."""
    return names.by_layer_name(model, arrays) if source == "keras" else arrays


def _shapes(arrays):
    return {name: tuple(array.shape) for name, array in arrays.items()}


def _remedy(model, source, arrays, num_classes):
    """What to pass instead, where the shapes in `arrays` are those of a model that is known."""
    if any(name.startswith("params/") for name in arrays):
        return "it is converted already, sejax.pretrained.load reads it"
    for other in (model, *(name for name in models.names() if name != model)):
        try:
            sample = names.parameters(other, source, num_classes)
        except InputError:  # this source has no such model
            continue
        found = _shapes(_in_source_names(other, source, arrays))
        last = f"params/{models.LAST_LAYER[other]}/bias"
        bias = found.get(next(p.source_name for p in sample if p.name == last), ())
        wanted = names.parameters(other, source, bias[0]) if len(bias) == 1 and bias[0] else sample
        if found == {p.source_name: p.source_shape for p in wanted}:
            change = f"model={other}" if other != model else f"num_classes={bias[0]}"
            return f"it is {other} with {bias[0]} classes, pass {change}"
        if head := _lacking_head(other, wanted, found):
            return f"it is {other} without {head}; give a file that has it"
    return "give this model's own weights"


def _lacking_head(model, wanted, found):
    """What the file of shapes `found` lacks where only classifiers of `model` are missing, else None."""
    heads = {
        models.LAST_LAYER[model]: "its last layer (in Keras: include_top=False)",
        "AuxLogits": "its auxiliary classifier (in torchvision: aux_logits=False)",
    }
    lacking = {p.name.split("/")[1] for p in wanted if p.source_name not in found}
    kept = {p.source_name: p.source_shape for p in wanted if p.name.split("/")[1] not in lacking}
    if not lacking <= heads.keys() or found != kept:
        return None
    return " and ".join(heads[layer] for layer in heads if layer in lacking)


def write(output, flat, metadata):
    """Write flat arrays and their metadata to a safetensors file that appears whole or not at all.

    The metadata is one JSON text under "sejax" in the header: the same weights always give the same bytes. It holds
    digests of the arrays and of itself, which are checked when they are read.
    Raises InputError where the file cannot be written.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise InputError(f"{output}: writing needs safetensors; pip install 'sejax[pretrained]'") from error
    about = metadata | {"arrays": _digest_of_arrays(flat)}
    content = save(flat, {"sejax": json.dumps(about | {"digest": _digest_of_metadata(about)}, sort_keys=True)})
    try:
        with written_whole(output) as file:
            file.write(content)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); give another output") from error


def _digest_of_arrays(flat):
    rows = [(name, str(array.dtype), array.shape, digest_of(array.tobytes())) for name, array in sorted(flat.items())]
    return digest_of(repr(rows).encode())


def _digest_of_metadata(metadata):
    return digest_of(json.dumps(metadata, sort_keys=True).encode())


_REMEDY = "convert the original file again"

# The classifier that a network may do without: Inception's second one, for training on large images alone.
_OPTIONAL = "AuxLogits"


def load(name: str, path, *, num_classes: int | None = None) -> dict[str, Any]:
    """Variables of the network `name` (see sejax.models.names), as float32 jax arrays: {"params": ...}, and
    "batch_stats" beside it for a network with BatchNorm.

    path: a file that `sejax convert` wrote, or "ndf" for the ImageNet weights of SqueezeNet 1.1
    that the installed ndf package ships, converted in memory. num_classes: the classes that the last layer
    must have; None takes the file's own number.
    Raises InputError where the file is missing or damaged, and with a list of what is missing (-),
    unexpected (+) or of the wrong shape (!) where it does not fit the network.
    """
    import jax

    flat, metadata = _read(name, path)
    if num_classes is None:
        last = flat.get(f"params/{models.LAST_LAYER[name]}/bias")
        num_classes = last.shape[0] if last is not None and last.ndim == 1 else 1000
    lines = names.report(names.expected_shapes(name, num_classes), _shapes(flat))
    if lines:
        held = f"it holds {metadata['model']}" if metadata.get("model") else "was it converted?"
        raise InputError(
            f"{path}: does not fit {name} with {num_classes} classes ({held}); "
            f"{typed('convert')} makes a file that does\n" + "\n".join(lines)
        )
    for key, array in flat.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"{path}: {key} is not finite float32 numbers; convert the original file again")
    return names.unflatten(jax.device_put(dict(flat)))  # all at once: one by one each is a program of its own


def describe(path) -> dict[str, Any]:
    """What a file (or "ndf") holds: dict with model, source, preprocessing (the `source` that
    sejax.audio.image.normalise takes), sha256 of the original file, num_classes, parameters.

    Raises InputError where `path` is no file that `sejax convert` wrote.
    """
    if str(path) == "ndf":
        return dict(_ndf()[1])
    with _open(path) as file:
        metadata = _metadata(path, file)
    metadata.pop("arrays", None)
    return metadata


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
    lines = names.report(
        *({key: shape for key, shape in _shapes(each).items() if key not in kept} for each in (ours, theirs))
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
    return read_converted(path)


def read_converted(path):
    """(flat dict of numpy arrays, metadata) of a file that was converted; InputError where it is damaged."""
    with _open(path) as file:
        metadata = _metadata(path, file, required=False)
        try:
            flat = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except Exception as error:  # a damaged file, or a type that numpy does not have
            raise InputError(f"{path}: cannot be read ({error}); convert the original file again") from error
    if metadata.pop("arrays", None) not in (None, _digest_of_arrays(flat)):  # earlier versions wrote none
        raise damaged(path, "the digest of its arrays is another", _REMEDY)
    return flat, metadata


def _open(path):
    """A safetensors file, open for reading numpy arrays."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; {typed('convert')} makes one")
    if path.suffix in (".pth", ".pt", ".pkl", ".h5", ".keras"):
        raise InputError(f"{path}: is an original file; convert it with {typed('convert')}")
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
    if isinstance(metadata, dict) and metadata.pop("digest", None) not in (None, _digest_of_metadata(metadata)):
        raise damaged(path, "the digest of its description is another", _REMEDY)
    if required and not (isinstance(metadata, dict) and "model" in metadata):
        raise InputError(f"{path}: carries no description; {typed('convert')} writes one")
    return metadata if isinstance(metadata, dict) else {}
