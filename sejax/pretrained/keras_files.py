"""Reading Keras's weight files: HDF5 in two layouts, and the .keras archive around the second.

Only arrays are read. A model's configuration, which may hold code, is never looked at.
"""

import io
import zipfile
from pathlib import Path

from sejax.errors import InputError

# Far above the 16 MB of the largest kernel and the 95 MB of the largest file with a network known here: a small
# file can claim, and would fill, any amount of memory.
_LARGEST_BYTES = 1 << 30
_MEMBER = "model.weights.h5"
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def read(path):
    """Every weight of the layers in `path`, in the order that Keras keeps: dict of str to numpy array.

    path: what `model.save` or `model.save_weights` wrote as .h5, .weights.h5 or .keras. A key is the kind of
    layer, its number among that kind in the model's order, and the weight: "conv2d_17/kernel", "dense_0/bias",
    "batch_normalization_3/moving_mean". Layers of other kinds keep the names they have in the file.
    Raises InputError where the file is damaged or laid out in another way.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path}: reading Keras's files needs h5py; pip install h5py") from error
    try:
        with h5py.File(_content(path), "r") as file:
            return _layers(file, _datasets(file))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # the zip reader and HDF5 raise many kinds for a damaged file
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read as a Keras file ({cause}); get the file again") from error


def _content(path):
    """The HDF5 file: `path`, or the member of the archive that it is, in memory."""
    with path.open("rb") as file:
        archived = file.read(4) == b"PK\x03\x04"
    if not archived:
        return path
    with zipfile.ZipFile(path) as archive:
        if _MEMBER not in archive.namelist():
            raise InputError(f"holds no {_MEMBER}; save it with model.save('x.keras')")
        if archive.getinfo(_MEMBER).file_size > _LARGEST_BYTES:
            raise InputError(f"{_MEMBER} claims more than {_LARGEST_BYTES:,} bytes; get the file again")
        return io.BytesIO(archive.read(_MEMBER))


def _datasets(file):
    """Every array of an HDF5 file, unread, by path. Links to other files are not followed."""
    import h5py

    found = {}

    def add(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        if item.external or item.is_virtual:
            raise InputError(f"{name} lies in another file; save the weights in one file")
        if item.nbytes > _LARGEST_BYTES:
            raise InputError(f"{name} claims {item.nbytes:,} bytes; get the file again")
        found[name] = item

    file.visititems(add)
    return found


def _layers(file, datasets):
    group = "model_weights" if "model_weights" in file else "/"
    ordered = _texts(file[group].attrs, "layer_names")
    if ordered is not None:
        return _by_recorded_order(file[group], ordered, datasets)
    if any(name.startswith("layers/") for name in datasets):
        return _by_number(datasets)
    raise InputError("holds no layers of a Keras model; save it with model.save_weights('x.weights.h5')")


def _by_recorded_order(group, ordered, datasets):
    """The older layout: a group per layer, and lists of the layers and of each one's weights."""
    arrays, counts = {}, {}
    for layer in ordered:
        listed = _texts(group[layer].attrs, "weight_names") or []
        paths = {name.rsplit("/", 1)[-1].split(":")[0]: f"{group.name}/{layer}/{name}".lstrip("/") for name in listed}
        gone = [name for name in paths.values() if name not in datasets]
        if gone:
            raise InputError(f"lists {gone[0]} and does not hold it; get the file again")
        weights = {name: datasets[path][()] for name, path in paths.items()}
        kind = _kind(weights)
        if kind:
            number = counts[kind] = counts.get(kind, -1) + 1
            layer = f"{kind}_{number}"
        arrays.update({f"{layer}/{name}": array for name, array in weights.items()})
    return arrays


def _kind(weights):
    if "kernel" in weights:
        return "dense" if weights["kernel"].ndim == 2 else "conv2d"
    return "batch_normalization" if any(name in weights for name in _BATCH_NORM) else None


def _by_number(datasets):
    """Keras 3's layout: layers/KIND_NUMBER/vars/INDEX, numbered in the model's order; the first has no number."""
    layers = {}
    for name, dataset in datasets.items():
        root, *path = name.split("/")
        if root == "layers" and len(path) == 3 and path[1] == "vars":
            layers.setdefault(path[0], {})[path[2]] = dataset[()]
        elif root == "layers":  # a model inside a model
            layers[name] = {"": dataset[()]}
    arrays = {}
    for layer, weights in layers.items():
        names = _names(layer, len(weights))
        numbered = layer if layer.rpartition("_")[2].isdigit() else f"{layer}_0"
        place = numbered if names else layer
        arrays.update({f"{place}/{names.get(index, index)}": array for index, array in weights.items()})
    return arrays


def _names(layer, count):
    """The names of the weights "0", "1" ... of a layer that has `count`; {} for a kind not known."""
    kind, _, number = layer.rpartition("_")
    kind = kind if number.isdigit() else layer
    if kind == "batch_normalization":
        return dict(zip("0123", _BATCH_NORM if count == 4 else _BATCH_NORM[1:], strict=False))  # 3: without scale
    return {"0": "kernel", "1": "bias"} if kind in ("conv2d", "dense") else {}


def _texts(attributes, name):
    """A list of names that Keras keeps as one attribute, or where that is too long as name0, name1 ...; or None."""
    if name in attributes:
        chunks = [attributes[name]]
    else:
        chunks = []
        while f"{name}{len(chunks)}" in attributes:
            chunks.append(attributes[f"{name}{len(chunks)}"])
    if not chunks:
        return None
    texts = [text for chunk in chunks for text in chunk]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
