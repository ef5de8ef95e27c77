"""Arrays in the safetensors format, beside the package of that name."""

import json

import numpy as np
import pytest

from sejax.export.tensors import packed, unpacked

ARRAYS = {
    "a/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "a/bias": np.zeros((0, 2), np.float16),
    "count": np.array(7, np.int32),
    "words": np.arange(5, dtype=np.int64),
    "mask": np.array([True, False]),
}


def test_the_package_reads_what_is_packed_and_the_other_way():
    safetensors = pytest.importorskip("safetensors.numpy")
    for found in (safetensors.load(packed(ARRAYS)), unpacked(safetensors.save(ARRAYS)), unpacked(packed(ARRAYS))):
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    assert packed(ARRAYS) == packed(dict(reversed(ARRAYS.items())))


def test_big_endian_arrays_are_packed_as_little_endian_and_other_types_are_refused():
    np.testing.assert_array_equal(unpacked(packed({"x": np.arange(3, dtype=">f4")}))["x"], [0, 1, 2])
    with pytest.raises(ValueError, match="x is an array of complex64"):
        packed({"x": np.zeros(2, np.complex64)})
    with pytest.raises(ValueError, match="x is an array of object"):
        packed({"x": np.array([{}], dtype=object)})


def header(**entries):
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


ROW = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0" * 7, b"\xff" * 16, (1 << 40).to_bytes(8, "little") + b"{}", header(x=ROW)),
        *(header(x=ROW) + bytes(9), header(x=ROW | {"shape": [3]}) + bytes(8)),
        header(x=ROW | {"dtype": "O"}) + bytes(8),
        *(header(x=ROW | {"shape": [-2]}) + bytes(8), header(x=ROW | {"shape": [True, 2]}) + bytes(8)),
        *(header(x=ROW | {"shape": [2.0]}) + bytes(8), header(x=ROW | {"data_offsets": [0, 8, 9]}) + bytes(8)),
        *(header(x=ROW, y=ROW) + bytes(8), header(x=ROW | {"data_offsets": [4, 12]}) + bytes(12), header(x=3)),
        *(header(x=ROW | {"shape": [1 << 70]}) + bytes(8), header(x=ROW | {"shape": [1] * 40 + [2]}) + bytes(8)),
        *(len(text).to_bytes(8, "little") + text for text in (b"[]", b"{,", b"\xff" * 8)),
    ],
)
def test_what_is_no_safetensors_is_refused(content):
    with pytest.raises(ValueError, match="no safetensors"):
        unpacked(content)
