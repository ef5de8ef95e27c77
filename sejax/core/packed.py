"""Images in results.json: 8-bit arrays as compressed text."""

import base64
import binascii
import math
import zlib

import numpy as np


def pack(array):
    """An array of bytes as {"shape": [...], "zlib": base64 text}, for `unpack`.

    Raises ValueError for an array that is not uint8.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        raise ValueError(f"only uint8 arrays are packed; this one is {array.dtype}")
    stored = zlib.compress(np.ascontiguousarray(array).tobytes(), 9)
    return {"shape": list(array.shape), "zlib": base64.b64encode(stored).decode("ascii")}


def unpack(packed):
    """The u8 array of the shape that `pack` was given.

    Raises ValueError, saying what is wrong, for anything that `pack` did not make.
    """
    if not isinstance(packed, dict) or not {"shape", "zlib"} <= set(packed):
        raise ValueError("a packed array is a mapping with a shape and its data")
    shape = packed["shape"]
    if not isinstance(shape, list | tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"the shape of a packed array is {shape!r}, not a list of sizes")
    try:
        data = zlib.decompress(base64.b64decode(packed["zlib"], validate=True))
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise ValueError(f"the data of a packed array are broken: {error}") from None
    if len(data) != math.prod(shape):
        raise ValueError(f"a packed array has {len(data)} bytes for its shape {shape}")
    return np.frombuffer(data, np.uint8).reshape(shape)
