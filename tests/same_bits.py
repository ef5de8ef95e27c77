"""Equality of pytrees to the last bit: shapes, types, NaNs and signs of zero included."""

import jax
import numpy as np


def bits(leaf) -> np.ndarray:
    """An array's bytes, flat."""
    return np.ascontiguousarray(leaf).reshape(-1).view(np.uint8)


def named_leaves(tree) -> dict:
    """Leaves by path, as in ``state/params/kernel``."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def as_numpy(tree) -> dict[str, np.ndarray]:
    """Leaves by path as host arrays, typed PRNG keys as their raw words."""

    def words(leaf):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return {name: words(leaf) for name, leaf in named_leaves(tree).items()}


def assert_same_bits(found, expected) -> None:
    """Fails with the names of all leaves that differ in shape, type or any bit."""
    found, expected = as_numpy(found), as_numpy(expected)
    assert found.keys() == expected.keys()
    differing = [
        name
        for name, array in expected.items()
        if (found[name].dtype, found[name].shape) != (array.dtype, array.shape)
        or not np.array_equal(bits(found[name]), bits(array))
    ]
    assert not differing, f"differ: {differing}"
