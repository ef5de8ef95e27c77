"""Named arrays as bytes in the safetensors format, read and written with numpy alone.

Eight bytes of the header's length, a JSON header {name: {"dtype", "shape", "data_offsets"}}, then the arrays one after
the other, little-endian. Nothing in it can run.
"""

import json
from collections.abc import Mapping

import numpy as np

_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1"},
    **{"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"},
}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
_LONGEST = 1 << 24  # bytes of a header
_MOST_AXES = 32  # that numpy 1 has; numpy 2 has 64


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as safetensors: equal arrays give equal bytes.

    Raises ValueError for a type that the format does not have.
    """
    header, content, place = {}, [], 0
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype not in _NAMES:
            raise ValueError(f"{name} is an array of {array.dtype}; convert it to float32")
        content.append(array.tobytes())
        end = place + len(content[-1])
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8
    return b"".join([len(text).to_bytes(8, "little"), text, *content])


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of a safetensors file, read-only views of them.

    Raises ValueError, in a few words, for anything else.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(_LONGEST, len(content) - 8):
        raise ValueError("no safetensors: its header is longer than it is")
    try:
        header = json.loads(content[8 : 8 + length].decode())
    except (ValueError, RecursionError):
        raise ValueError("no safetensors: its header is no JSON") from None
    if not isinstance(header, dict):
        raise ValueError("no safetensors: its header names nothing")
    header.pop("__metadata__", None)
    data, found, places = memoryview(content)[8 + length :], {}, []
    for name, about in header.items():
        dtype, shape, start, end = _described(name, about)
        size = dtype.itemsize
        for side in shape:
            size *= side
        if end > len(data) or end - start != size:
            raise ValueError(f"no safetensors: {name!r} of shape {shape} does not fit its place {start} to {end}")
        places.append((start, end))
        found[name] = np.frombuffer(data[start:end], dtype).reshape(shape)
    edges = [0, *(edge for place in sorted(places) for edge in place), len(data)]
    if any(before != after for before, after in zip(edges[::2], edges[1::2], strict=True)):
        raise ValueError("no safetensors: its arrays overlap, or leave some of it out")
    return found


def _described(name: str, about) -> tuple[np.dtype, tuple[int, ...], int, int]:
    """Type, shape and place of an array by its entry in the header."""
    try:
        dtype = np.dtype(_TYPES[about["dtype"]])
        (start, end), shape = about["data_offsets"], about["shape"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"no safetensors: {name!r} is not described by a known type, a shape and a place") from None
    if not all(type(number) is int and number >= 0 for number in (start, end, *shape)) or len(shape) > _MOST_AXES:
        raise ValueError(f"no safetensors: {name!r} has the shape {str(shape)[:80]} at {start} to {end}")
    return dtype, tuple(shape), start, end
