"""From an original weight file to variables, and to a safetensors file with flat names."""

import json
import os
from pathlib import Path

from sejax import models
from sejax.errors import InputError
from sejax.pretrained import mismatch, names, sources

PREPROCESSING = {"torchvision": "torchvision", "ndf": "caffe"}


def convert(model, source, path, output, *, num_classes=1000):
    """Convert the weights of `model` in the file `path` to `output` (.safetensors), atomically.

    source: "torchvision" (a .pth state dict or .safetensors) or "ndf" (its pickle; path "" or None means the
    one that the installed package ships). num_classes: the classes that the file's last layer has.
    Returns the metadata, a dict with model, source, preprocessing, sha256 (of the input), num_classes and
    parameters (a count). Raises InputError, writing nothing, for anything wrong with the input or output.
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
    found = {name: tuple(array.shape) for name, array in arrays.items()}
    lines = mismatch.report({p.source_name: p.source_shape for p in wanted}, found)
    if lines:
        remedy = _remedy(model, source, found)
        raise InputError("\n".join([f"{path}: is no {model} with {num_classes} classes: {remedy}", *lines]))
    flat = {p.name: p.to_ours(arrays[p.source_name]) for p in wanted}
    metadata = {
        "model": model,
        "source": source,
        "preprocessing": PREPROCESSING[source],
        "sha256": digest,
        "num_classes": num_classes,
        "parameters": sum(array.size for array in flat.values()),
    }
    return flat, metadata


def _remedy(model, source, found):
    """What to pass instead, where the shapes in `found` are those of a model that is known."""
    if any(name.startswith("params/") for name in found):
        return "it is converted already, sejax.pretrained.load reads it"
    for other in models.names():
        try:
            last = f"params/{models.LAST_LAYER[other]}/bias"
            bias = next(p.source_name for p in names.parameters(other, source, 1) if p.name == last)
        except InputError:  # this source has no such model
            continue
        classes = found[bias][0] if len(found.get(bias, ())) == 1 else 0
        fitting = names.parameters(other, source, classes) if classes else ()
        if fitting and found == {p.source_name: p.source_shape for p in fitting}:
            change = f"model={other}" if other != model else f"num_classes={classes}"
            return f"it is {other} with {classes} classes, pass {change}"
    return "give this model's own weights"


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
