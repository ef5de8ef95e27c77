"""TensorBoard's event files of a run: figures by epoch; confusion matrices and histograms at the end of iterations."""

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sejax.core.experiment import HISTOGRAM
from sejax.core.stores import is_local, path_of, put_file

_PUT_SECONDS = 30.0  # between two times that a store gets what grew
_OPENED = itertools.count()  # writers of this process


class EventFiles:
    """Writes into ``folder`` what TensorBoard shows, a curve, table or histogram for each member.

    What lies in a store cannot grow: there it is written on this machine and put again every half minute.
    """

    def __init__(self, folder: Path):
        folder = path_of(folder)
        self._store, self._put_at = None if is_local(folder) else folder, time.monotonic()
        self._beside = None if self._store is None else tempfile.TemporaryDirectory()
        self.writer = _writer(folder if self._beside is None else Path(self._beside.name))

    def epoch(self, rows: Mapping[str, np.ndarray], names: Sequence[Mapping[str, Any]], step: int) -> None:
        """Writes the finite figures f32[M] of an epoch, members named so."""
        for name, values in rows.items():
            for value, member in zip(values, names, strict=True):
                if not np.isnan(value):
                    self.writer.add_scalar(f"{name}/{_tag(member)}", float(value), step)
        if time.monotonic() - self._put_at > _PUT_SECONDS:
            self.writer.flush()
            self._put()

    def iteration(
        self, records: Mapping[str, np.ndarray], names: Sequence[Mapping[str, Any]], step: int, *, classes=()
    ) -> None:
        """Writes an iteration's records [M, ...] that are shown: confusions as tables, and histograms."""
        for name, values in records.items():
            for value, member in zip(values, names, strict=True):
                if not value.sum():
                    continue  # nobody was tested, or it is of a version that did not count
                if not name.startswith(HISTOGRAM):
                    self.writer.add_text(f"{name}/{_tag(member)}", confusion_text(value, classes), step)
                else:
                    tag = f"{name.removeprefix(HISTOGRAM)}/{_tag(member)}"
                    self.writer.add_histogram_raw(tag, **_histogram(value), global_step=step)

    def close(self) -> None:
        """Flushes and closes the files."""
        self.writer.close()
        self._put()
        if self._beside is not None:
            self._beside.cleanup()

    def _put(self) -> None:
        self._put_at = time.monotonic()
        for file in Path(self._beside.name).iterdir() if self._beside is not None else ():
            put_file(file, self._store / file.name)


def is_shown(name: str) -> bool:
    """Whether a record is a confusion matrix or a histogram, by its name."""
    return "confusion" in name.split("/") or name.startswith(HISTOGRAM)


def confusion_text(counts: np.ndarray, classes: Sequence[str] = ()) -> str:
    """Counts [C, C] as a table in Markdown: a row for each true class, shares of it in % and counts."""
    known = list(classes) if len(classes) == len(counts) else list(map(str, range(len(counts))))
    lines = [["true, predicted", *known], ["---", *["---:"] * len(known)]]
    for name, row in zip(known, counts, strict=True):
        total = max(row.sum(), 1)
        lines.append([name, *(f"{100 * count / total:.0f} % ({count:.0f})" for count in row)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _histogram(counts: np.ndarray) -> dict[str, Any]:
    """What TensorBoard keeps of counts f32[B] in equal bins of [0, 1]; sums as if all lay amid their bin."""
    edges = np.linspace(0, 1, len(counts) + 1)
    middle, filled = (edges[1:] + edges[:-1]) / 2, np.flatnonzero(counts)
    return {
        "min": float(edges[filled[0]]),
        "max": float(edges[filled[-1] + 1]),
        "num": float(counts.sum()),
        "sum": float(counts @ middle),
        "sum_squares": float(counts @ middle**2),
        "bucket_limits": edges[1:].tolist(),
        "bucket_counts": counts.tolist(),
    }


def _tag(member: Mapping[str, Any]) -> str:
    return "_".join(f"{name}{value}" for name, value in member.items())


def _writer(folder: Path):
    """A writer of event files, without the seconds and the memory of torch.

    tensorboardX 2.6 imports torch wherever it is installed, and writes the same without.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # importing it raises ImportError, as where there is none
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    # Its names tell seconds and hosts apart, and a run that goes on within a second would replace what is there.
    return SummaryWriter(str(folder), flush_secs=10, filename_suffix=f".{os.getpid()}.{next(_OPENED)}")
