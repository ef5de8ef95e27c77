"""A prepared set's large array, written one group of utterances after the other, each noted when it is on the disk."""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sejax.corpora import records
from sejax.corpora.builder import SPLIT
from sejax.corpora.utterance import Utterance
from sejax.corpora.waveform import RATE
from sejax.data.growing_array import GrowingArray
from sejax.data.journal import JOURNAL, Journal
from sejax.data.rows import Row
from sejax.errors import InputError

# (data source, numbers of a group's utterances, list to append their rows to) -> the group's part of the array.
Compute = Callable[[Any, range, list], Iterator[np.ndarray]]


def utterances_of(source, group: range) -> Iterator[Utterance]:
    """Read a group's utterances one at a time.

    Raises InputError for one that is not at 16 kHz, as sejax writes them.
    """
    for index in group:
        utterance = records.from_example(source[index])
        if utterance.rate != RATE:
            raise InputError(f"{utterance.id}: {utterance.rate} Hz; utterance sets hold {RATE} Hz, make this one again")
        yield utterance


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
      seconds_each: seconds of audio that a row of the array stands for, for `report(seconds done)`, which
        is told of infinitely many at the end.
    """
    source = utterances.as_data_source(split=SPLIT)
    journal = Journal(folder / JOURNAL)
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
    report(math.inf)
    return rows
