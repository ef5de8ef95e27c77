"""Reading a pickle that may hold numbers, text, containers and numeric numpy arrays, and nothing else."""

import io
import pickle

import numpy as np

from sejax.errors import InputError


def read(content, path):
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
