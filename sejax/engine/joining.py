"""How a command becomes one of many processes: its flags, how long it waits for the others, and how it ends."""

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator

import jax
from absl import flags

from sejax.core.files import printable
from sejax.engine.command import in_words
from sejax.engine.hosts import alone, is_first
from sejax.errors import InputError

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
            told = in_words(error) if isinstance(error, OSError) else error
            print(f"error: process {jax.process_index()}: {printable(told)}", file=sys.stderr)
        elif not isinstance(error, SystemExit):
            traceback.print_exc()
        if is_first():
            time.sleep(1.0)  # those that failed alike are to say so; without the first they are ended
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(2 if isinstance(error, InputError | OSError) else 1)
