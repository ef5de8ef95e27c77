"""Many processes that train one run together: how they agree, share arrays, and which of them writes.

Every process runs the same command on the same data and calls the same collectives in the same order; jit over a mesh
of all their devices does the rest. The first process writes what people read, checkpoints are written by all, each its
part. All of them see one workdir (a shared file system). With one process everything here does nothing. How processes
find each other is `sejax.engine.joining`.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from sejax.core.experiment import PyTree
from sejax.errors import InputError


def joined() -> bool:
    """Whether this process has joined others; asking touches no device."""
    return jax.distributed.is_initialized()


def alone() -> bool:
    """Whether there is one process."""
    return not joined() or jax.process_count() == 1


def is_first() -> bool:
    """Whether this is the process that writes what people read."""
    return not joined() or jax.process_index() == 0


def place() -> tuple[int, int]:
    """Which process this is, from 0, and how many there are."""
    return (0, 1) if alone() else (jax.process_index(), jax.process_count())


def whole(tree: PyTree) -> PyTree:
    """The tree's arrays as numpy, on every process, wherever their parts lie. All processes must ask."""
    if alone():
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    def gathered(x):
        if not isinstance(x, jax.Array) or x.is_fully_addressable or x.is_fully_replicated:
            return np.asarray(x)
        return multihost_utils.process_allgather(x, tiled=True)

    return jax.tree.map(gathered, tree)


def put(x: Any, sharding: jax.sharding.Sharding) -> jax.Array:
    """An array that every process has (numpy or its own device's), or one of all, where ``sharding`` says."""
    if alone():
        return jax.device_put(x, sharding)
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        if x.sharding.is_equivalent_to(sharding, x.ndim):
            return x
        return jax.jit(lambda array: array, out_shardings=sharding)(x)
    if isinstance(x, jax.Array) and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        implementation = jax.random.key_impl(x)
        return jax.random.wrap_key_data(put(jax.random.key_data(x), sharding), impl=implementation)
    x = np.asarray(x)  # jax.device_put would compare the processes' arrays, in which NaN is not equal to itself
    return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])


def any_of(value: int) -> int:
    """The largest of the processes' numbers, on every process: what one of them saw, all see."""
    if alone():
        return value
    from jax.experimental import multihost_utils

    return int(multihost_utils.process_allgather(np.int32(value)).max())


def by_first(function: Callable[[], Any]) -> Any:
    """What ``function`` returns (as JSON) where the first process calls it, on every process; the others wait for it.

    Raises:
      InputError: on every process, where it raised one, or an OSError, on the first (which raises what it raised).
    """
    if alone():
        return function()
    told, raised = {}, None
    if is_first():
        try:
            told["value"] = function()
        except (InputError, OSError) as error:
            told["error"], raised = str(error)[:2000], error
    told = _told(told)
    if raised is not None:
        raise raised
    if "error" in told:
        raise InputError(f"the first process says: {told['error']}")
    return told["value"]


def by_all(function: Callable[[], Any]) -> Any:
    """What ``function`` returns in each process, where all of them call it.

    Raises:
      InputError: on every process, where it raised one on any: its own, or what another says.
    """
    if alone():
        return function()
    value, raised = None, None
    try:
        value = function()
    except InputError as error:
        raised = error
    failed = any_of(jax.process_index() + 1 if raised else 0) - 1
    if failed >= 0:
        told = _told(str(raised)[:2000], failed)
        raise raised or InputError(f"process {failed} says: {told}")
    return value


def _told(value: Any, by: int = 0) -> Any:
    """What one process says (as JSON), on every process."""
    from jax.experimental import multihost_utils

    tells = jax.process_index() == by
    text = json.dumps(value, default=str).encode() if tells else b""
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(text)), is_source=tells))
    heard = multihost_utils.broadcast_one_to_all(np.frombuffer(text.ljust(size), np.uint8), is_source=tells)
    return json.loads(np.asarray(heard).tobytes())


@contextlib.contextmanager
def held_by_first(context: contextlib.AbstractContextManager[Any]) -> Iterator[Any]:
    """A context (a lock, a claim) that the first process enters for all; all know what it gave, or that it failed."""
    with contextlib.ExitStack() as held:
        yield by_first(lambda: held.enter_context(context))
