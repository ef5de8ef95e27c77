"""A journal of finished groups: one JSON line each, written after the group's data is on the disk."""

import json
import os
from pathlib import Path


class Journal:
    """Append-only list of JSON values that survives a kill: a half-written last line is cut off."""

    def __init__(self, path: Path):
        self.entries: list = []
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        self.entries = [json.loads(line) for line in data[:whole].splitlines()]
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._file.truncate(whole)
        self._file.seek(whole)

    def append(self, entry) -> None:
        """Write one entry; it is on the disk when this returns."""
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.entries.append(entry)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
