"""From an original weight file to variables, and to a safetensors file with flat names."""

import json
import os
from pathlib import Path

from sejax import models
from sejax.errors import InputError
from sejax.pretrained import mismatch, names, sources

# What the images were normalised with (`sejax.audio.image.normalise`), where a source has one way for all models.
_PREPROCESSING = {"torchvision": "torchvision", "ndf": "caffe"}
_KERAS_PREPROCESSING = {"resnet50_keras": "keras_caffe", "inception_v3_keras": "keras_tf"}


def convert(model, source, path, output, *, num_classes=1000):
    """Convert the weights of `model` in the file `path` to `output` (.safetensors), atomically.

    source: "torchvision" (a .pth state dict or .safetensors), "keras" (.h5, .weights.h5 or .keras of
    keras.applications' networks) or "ndf" (its pickle; path "" or None means the one that the installed
    package ships). num_classes: the classes that the file's last layer has.
    Returns the metadata, a dict with model, source, preprocessing, sha256 (of the input), num_classes and
    parameters (a count, running statistics not among them).
    Raises InputError, writing nothing, for anything wrong with the input or output.
    """
    output = Path(output)
    if output.suffix != ".safetensors":
        raise InputError(f"{output}: the output is a .safetensors file; give it that ending")
    if output.is_dir():
        raise InputError(f"{output}: is a folder; give a file")
    if path and output.resolve() == Path(path).resolve():
        raise InputError(f"{output}: is the input; give another output")
    flat, metadata = read_original(model, source, path, num_classes=num_classes)
    write(output, flat, metadata)
    return metadata


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
    named = names.in_source_names(model, source, arrays)
    lines = mismatch.report({p.source_name: p.source_shape for p in wanted}, _shapes(named))
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
        "preprocessing": _PREPROCESSING.get(source) or _KERAS_PREPROCESSING[model],
        "sha256": digest,
        "num_classes": num_classes,
        "parameters": sum(array.size for name, array in flat.items() if name.startswith("params/")),
    }
    return flat, metadata


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
        found = _shapes(names.in_source_names(other, source, arrays))
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

    The metadata is one JSON text under "sejax" in the header: the same weights always give the same bytes.
    Raises InputError where the file cannot be written.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise InputError(f"{output}: writing needs safetensors; pip install 'sejax[pretrained]'") from error
    content = save(flat, {"sejax": json.dumps(metadata, sort_keys=True)})
    output = Path(output)
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); give another output") from error
