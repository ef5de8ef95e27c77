"""One table of predictions that several processes fill: each judges its share of the recordings into a part beside it.

When all are done the first process puts the parts' rows into the table, in the order of the recordings. What a kill
leaves are parts, with which as many processes as there are then go on, one alone too.
"""

import glob
import json
from collections.abc import Sequence
from pathlib import Path

from sejax.engine import hosts
from sejax.experiments.bulk import Outcome, Recording
from sejax.experiments.prediction_table import Rows, Table


def in_parts(path: Path) -> bool:
    """Whether a table is to be filled in parts: there are several processes, or were when it was begun."""
    return hosts.by_first(lambda: not hosts.alone() or bool(_parts(path)))


class TableInParts:
    """A table on the disk that all processes add recordings to; each of them calls the same methods in the same order.

    Args:
      path, rows: as of `Table`.
      recordings: all that are to be judged, the same in every process.

    Attributes:
      left: those that this process is to judge: every n-th of what neither the table nor a part holds.
      done: how many of all were there.

    Raises:
      InputError: see `Table`.
    """

    def __init__(self, path: Path, rows: Rows, recordings: Sequence[Recording]):
        self._path, self._rows, self._recordings = Path(path), rows, recordings
        self._table: Table | None = None
        number, count = hosts.place()
        hosts.by_first(self._open)
        self._part = hosts.by_all(lambda: Table(_part(self._path, number), rows))
        missing = hosts.by_first(self._missing)
        self.left = [recordings[place] for place in missing[number::count]]
        self.done = len(recordings) - len(missing)

    def add(self, outcome: Outcome) -> None:
        """Write the rows of a recording of `left`."""
        self._part.add(outcome)

    def failure(self, file: Path, text: str) -> str | None:
        """As of `Table`; in the first process, which alone has it, of the whole table."""
        return (self._table or self._part).failure(file, text)

    def close(self) -> None:
        """Wait for the others and put the parts' rows into the table."""
        self._part.close()
        hosts.by_all(lambda: None)
        hosts.by_first(self._put_together)

    def _open(self) -> None:
        self._table = Table(self._path, self._rows)
        for part in _parts(self._path):
            Table(part, self._rows).close()  # cuts off what a kill left half written

    def _missing(self) -> list[int]:
        """Places of the recordings that are neither in the table nor in a part."""
        there = {*self._table.done, *self._places()}
        return [place for place, given in enumerate(self._recordings) if self._key(given) not in there]

    def _put_together(self) -> None:
        places = self._places()
        for key in map(self._key, self._recordings):
            if key in places and key not in self._table.done:
                part, start, stop = places[key]
                with open(part, "rb") as file:
                    file.seek(start)
                    self._table.put([json.loads(line) for line in file.read(stop - start).splitlines()])
        self._table.close()
        for part in _parts(self._path):
            part.unlink()

    def _key(self, recording: Recording) -> tuple[str, ...]:
        return tuple(self._rows.key(*recording).values())

    def _places(self) -> dict[tuple[str, ...], tuple[Path, int, int]]:
        """Where the rows of each recording are: which part, from which byte to which."""
        found, names = {}, list(self._rows.key(Path(), ""))
        for part in _parts(self._path):
            start = 0
            with open(part, "rb") as file:
                for line in file:
                    row, stop = json.loads(line), start + len(line)
                    key = tuple(row[name] for name in names)
                    # A recording's rows follow each other, and no other part has any.
                    found[key] = (part, found[key][1] if key in found else start, stop)
                    start = stop
        return found


def _part(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.part-{number}.jsonl")


def _parts(path: Path) -> list[Path]:
    return sorted(Path(path).parent.glob(f"{glob.escape(Path(path).name)}.part-*.jsonl"))
