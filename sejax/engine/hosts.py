"""Many processes that train one run together: how they find each other, agree, and which of them writes.

Every process runs the same command on the same data and calls the same collectives in the same order; jit over a mesh
of all their devices does the rest. The first process writes what people read, checkpoints are written by all, each its
part. All of them see one workdir (a shared file system). With one process everything here does nothing.
"""

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from absl import flags

from sejax.core.experiment import PyTree
from sejax.core.files import printable
from sejax.errors import InputError

_ROOM = 1 << 13  # bytes of what the first process tells the others at once
# Where a launcher says how many processes it has started; jax.distributed reads the rest from its variables by itself.
_COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")


def define_flags() -> None:
    """Flags of a script that many processes may run as one; `run_command` obeys them."""
    flags.DEFINE_string(
        "coordinator_address",
        None,
        "HOST:PORT on which the first of several processes listens; found by itself under SLURM, Open MPI, Kubernetes "
        "and on Cloud TPU",
    )
    flags.DEFINE_integer("num_processes", None, "how many processes train together", lower_bound=1)
    flags.DEFINE_integer("process_id", None, "which of them this is, from 0", lower_bound=0)
    flags.DEFINE_float("wait_seconds", 300.0, "how long processes wait for each other at the start", lower_bound=1)


def join_by_flags() -> None:
    """`join` as the flags of `define_flags` or the launcher's environment say; nothing where there is one process.

    Raises:
      InputError: some of the three flags are missing, or do not fit together.
    """
    given = {name: flags.FLAGS[name].value for name in ("coordinator_address", "num_processes", "process_id")}
    if given["num_processes"] == 1 or (not any(x is not None for x in given.values()) and not _announced()):
        return
    if any(x is not None for x in given.values()):
        missing = [f"--{name}" for name, value in given.items() if value is None]
        if missing:
            raise InputError(f"{', '.join(missing)} missing; give all of {', '.join(f'--{name}' for name in given)}")
        if given["process_id"] >= given["num_processes"]:
            raise InputError(
                f"--process_id={given['process_id']} of --num_processes={given['num_processes']}: count from 0"
            )
    join(*given.values(), seconds=flags.FLAGS["wait_seconds"].value)


def _announced() -> bool:
    """Whether a launcher, or the machine, says that this process has peers."""
    if any(os.environ.get(name, "1") not in ("", "1") for name in _COUNTS):
        return True
    if "JOB_COMPLETION_INDEX" in os.environ and "JAX_COORDINATOR_ADDRESS" in os.environ:  # an indexed job of Kubernetes
        return True
    return "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")


def join(address: str | None, count: int | None, index: int | None, *, seconds: float) -> None:
    """Makes this process one of ``count``; None: as the launcher's environment says. Before any device is touched.

    jaxlib 0.10.2 aborts a process whose peers do not come. Here it ends with one line and status 2 before that.
    """

    def give_up():
        where = f"the processes at {address}" if address else "the processes that the launcher names"
        print(
            f"error: {where} did not all come within {seconds:g} s; start all of them with the same "
            "--coordinator_address and --num_processes, each with its own --process_id, or raise --wait_seconds",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)

    alarm = threading.Timer(seconds, give_up)
    alarm.daemon = True
    alarm.start()
    patience = {"heartbeat_timeout_seconds": max(10, int(seconds))}  # until a process that died is noticed
    try:
        jax.distributed.initialize(address, count, index, initialization_timeout=int(seconds) + 60, **patience)
    except (RuntimeError, ValueError) as error:
        told = " ".join(str(error).split())[:300]
        raise InputError(
            f"processes cannot find each other ({told}); give --coordinator_address, --num_processes and --process_id"
        ) from None
    finally:
        alarm.cancel()


def joined() -> bool:
    """Whether this process has joined others; asking touches no device."""
    return jax.distributed.is_initialized()


def alone() -> bool:
    """Whether there is one process."""
    return not joined() or jax.process_count() == 1


def is_first() -> bool:
    """Whether this is the process that writes what people read."""
    return not joined() or jax.process_index() == 0


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


def _told(value: dict[str, Any]) -> dict[str, Any]:
    """What the first process says, on every process."""
    from jax.experimental import multihost_utils

    text = json.dumps(value, default=str).encode() if is_first() else b""
    if len(text) > _ROOM:
        raise ValueError(f"hosts: {len(text)} bytes to tell the other processes, room for {_ROOM}")
    heard = multihost_utils.broadcast_one_to_all(np.frombuffer(text.ljust(_ROOM), np.uint8))
    return json.loads(np.asarray(heard).tobytes())


@contextlib.contextmanager
def held_by_first(context: contextlib.AbstractContextManager[Any]) -> Iterator[Any]:
    """A context (a lock, a claim) that the first process enters for all; all know what it gave, or that it failed."""
    with contextlib.ExitStack() as held:
        yield by_first(lambda: held.enter_context(context))


@contextlib.contextmanager
def taking_part() -> Iterator[None]:
    """The body of a command that many processes may run as one, as its flags say (`join_by_flags`).

    What the others than the first print goes nowhere. A process that fails is gone at once, with what it has to say and
    its status: at Python's end it would wait for those that wait for it. jaxlib ends these within ``--wait_seconds``.
    """
    join_by_flags()
    try:
        with contextlib.ExitStack() as held:
            if not is_first():
                nowhere = held.enter_context(open(os.devnull, "w"))
                held.enter_context(contextlib.redirect_stdout(nowhere))
                held.enter_context(contextlib.redirect_stderr(nowhere))
            yield
    except (Exception, SystemExit) as error:
        if alone() or (isinstance(error, SystemExit) and not error.code):
            raise
        if isinstance(error, InputError | OSError):
            print(f"error: process {jax.process_index()}: {printable(error)}", file=sys.stderr)
        elif not isinstance(error, SystemExit):
            traceback.print_exc()
        if is_first():
            time.sleep(1.0)  # those that failed alike are to say so; without the first they are ended
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(2 if isinstance(error, InputError | OSError) else 1)
