"""A journal of finished groups: one JSON line each, written after the group's data is on the disk."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

JOURNAL = "journal.jsonl"  # of an unfinished set


class Journal:
    """Append-only list of JSON values that survives a kill: a half-written last line is cut off.

    With `keep` the entries are in memory too, as `entries`; without, `read` goes through them one at a time.
    """

    def __init__(self, path: Path, *, keep: bool = True):
        self.entries: list | None = None
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        if keep:
            self.entries = [json.loads(line) for line in data[:whole].splitlines()]
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._file.truncate(whole)
        self._file.seek(whole)

    def append(self, entry) -> None:
        """Write one entry; it is on the disk when this returns."""
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        if self.entries is not None:
            self.entries.append(entry)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> Iterator:
    """Entries of a journal's file, one after the other."""
    with open(path, "rb") as file:
        yield from map(json.loads, file)
