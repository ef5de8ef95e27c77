"""Images as compressed text: they come back as they were, and what is no packed array is told apart."""

import json

import numpy as np
import pytest

from sejax.core.results import pack, unpack


@pytest.mark.parametrize("shape", [(2, 3, 5), (7,), (0, 4), ()])
def test_an_array_comes_back_through_json(shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = unpack(json.loads(json.dumps(pack(array))))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array, strict=True)


def test_strided_views_are_packed_by_their_values():
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(unpack(pack(array.T[::2])), array.T[::2])


def test_only_bytes_are_packed():
    with pytest.raises(ValueError, match="float32"):
        pack(np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [4, 6, 2]}, "24 bytes for its shape"),
        ({"shape": [-4, -6]}, "not a list of sizes"),
        ({"shape": None}, "not a list of sizes"),
        ({"zlib": "?"}, "broken"),
        ({"zlib": "AAAA"}, "broken"),
        ({"zlib": None}, "broken"),
    ],
)
def test_broken_data_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        unpack(pack(np.zeros((4, 6), np.uint8)) | change)


def test_other_things_are_refused():
    for thing in (None, [], {"shape": [1]}):
        with pytest.raises(ValueError, match="mapping with a shape"):
            unpack(thing)
