"""A .npy file that grows by rows and can be cut back to what a journal vouches for."""

import os
from pathlib import Path

import numpy as np

from sejax.errors import InputError


class GrowingArray:
    """Append rows [n, *shape] to a .npy file, f32 by default; `finish` writes the number of rows into its header.

    numpy reserves room in the header for any number of rows, so no row moves when the number changes.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], *, rows: int = 0, dtype: str = "<f4"):
        """Open the file for appending after its first `rows` rows of `dtype`; anything behind them is cut off.

        Raises InputError when the file holds fewer (after a power cut, say).
        """
        self.shape, self.rows, self.dtype = tuple(shape), rows, np.dtype(dtype)
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._write_header()
        end = self._file.tell() + rows * self._row_bytes()
        if path.stat().st_size < end and rows:
            raise InputError(f"{path} holds fewer than the {rows} rows its journal counts; delete {path.parent}")
        self._file.truncate(end)
        self._file.seek(0, os.SEEK_END)

    def append(self, values: np.ndarray) -> None:
        """Append [n, *shape] of any type; it is written as the array's."""
        assert values.shape[1:] == self.shape, (values.shape, self.shape)
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.rows += len(values)

    def flush(self) -> None:
        """Return once everything appended is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Write the final header and close the file."""
        self._file.seek(0)
        self._write_header()
        self.flush()
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def _row_bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize
