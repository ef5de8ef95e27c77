"""Files that appear whole or not at all, values as the JSON that is written into them, and names as text."""

import dataclasses
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by `text` (UTF-8) in one move; the folder is made if missing.

    A reader sees the old file or the new one, never half of one: the text is written beside it, flushed to
    the disk and moved over it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


_NO_UTF_8 = re.compile("[\udc80-\udcff]")


def printable(name: object) -> str:
    r"""A file name, or a message with one, as text: a byte that is no UTF-8 becomes four characters such as `\xe9`.

    Python keeps such a byte as half a surrogate pair, which can be neither printed nor written.
    """
    return _NO_UTF_8.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(name))


def plain(value: Any, where: str = "results") -> Any:
    """`value` as JSON's own types, with null for NaN and infinities.

    Mappings (config objects with `to_dict` too), sequences, dataclasses, paths, numpy and JAX arrays and
    scalars are taken; anything else raises a TypeError that names its place, as in
    results['config']['model'].
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}[{str(key)!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return plain(_listed(np.asarray(value), where), where)
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold")


def _listed(array: np.ndarray, where: str) -> Any:
    if array.dtype.kind in "biufU":
        return array.tolist()
    if array.dtype.kind == "V" or "float" in array.dtype.name:  # bfloat16 and other small floats
        return array.astype(np.float32).tolist()
    raise TypeError(f"{where} is an array of {array.dtype}, which JSON cannot hold")
