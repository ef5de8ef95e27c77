"""Work that only one process does at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sejax.errors import InputError


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file while the body runs; the system releases it when the process ends, however it ends.

    Raises InputError when another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path.parent} is being prepared by another process; wait for it, or use another data_dir"
            ) from None
        yield
