"""A prepared set's large array, written one group of utterances after the other, each noted when it is on the disk."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sejax.corpora.builder import SPLIT
from sejax.data.growing_array import GrowingArray
from sejax.data.journal import Journal


class Row(Protocol):
    """What is noted of an utterance: a dataclass of plain values."""

    seconds: float

    def as_dict(self) -> dict:
        """Plain values, ready for JSON."""


# (data source, numbers of a group's utterances, list to append their rows to) -> the group's part of the array.
Compute = Callable[[Any, range, list], Iterator[np.ndarray]]


def write_groups(
    utterances,
    folder: Path,
    compute: Compute,
    *,
    array: str,
    shape: tuple[int, ...],
    dtype: str = "<f4",
    row: Callable[..., Row],
    length: Callable[[Row], int],
    seconds_each: float,
    report: Callable[[float], None],
) -> list[Row]:
    """Write <array>.npy and the journal from where a killed preparation left them; returns a row per utterance.

    Args:
      utterances: builder of the utterance set, whose shards are the groups.
      folder: of the unfinished set.
      compute: yields arrays [n, *shape] and appends the group's rows before it ends.
      array, shape, dtype: name of the file, shape and type of one of its rows.
      row: makes a row from what its `as_dict` gave; length: rows of the array that belong to an utterance's row.
      seconds_each: seconds of audio that a row of the array stands for, for `report(seconds done)`.
    """
    source = utterances.as_data_source(split=SPLIT)
    journal = Journal(folder / "journal.jsonl")
    rows = [row(**values) for entry in journal.entries for values in entry]
    shards = utterances.info.splits[SPLIT].shard_lengths[len(journal.entries) :]
    done = sum(each.seconds for each in rows)
    large = GrowingArray(folder / f"{array}.npy", shape, rows=sum(map(length, rows)), dtype=dtype)
    with contextlib.closing(journal):
        for size in shards:
            new: list[Row] = []
            for values in compute(source, range(len(rows), len(rows) + size), new):
                large.append(values)
                done += len(values) * seconds_each
                report(done)
            large.flush()
            journal.append([each.as_dict() for each in new])
            rows += new
            done = sum(each.seconds for each in rows)
    large.finish()
    return rows
