"""Predictions as rows of a table: CSV and JSON lines, which grow, and Parquet and audformat, which are made of these.

Rows of one recording are written together. What a kill leaves half written is cut off when the same table is opened
again, so that whoever goes on knows which recordings are done.
"""

import csv
import fcntl
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sejax.audio.level import Traits
from sejax.core.files import damaged, naming, printable, written_whole
from sejax.data.ratings import expected
from sejax.errors import InputError
from sejax.experiments.bulk import Outcome

KINDS = ("utterance", "block", "member")
FORMATS = (".csv", ".jsonl", ".parquet", ".audformat")
_FLUSHED = 5.0  # seconds after which rows are surely on the disk
_MANY = 10_000  # rows of one group of a Parquet file

# Columns of every table, and what they hold; those of posteriors are put before the traits.
_FIRST = {"path": str, "row": str, "member": str, "start": float, "end": float, "blocks": int}
_LAST = {**dict.fromkeys(Traits._fields, float), "warnings": str, "error": str, "run": str}


class Rows:
    """How the outcome of a recording becomes rows.

    A row is of the utterance or of one block, of the mean over members (its column member is "") or of one of them; one
    whose column row is "failure" says why there are no others.

    Args:
      kinds: of `KINDS`; member: one for each member beside the mean.
      classes, rated, members, transcribed: as in `sejax.experiments.prediction.Predictor`.
      run: what the rows say that they were made by.

    Attributes:
      columns: what each row has, and the types.
      kinds: as given, in the order of `KINDS`, and "utterance" where only members were asked for.
      classes, run: as given.
    """

    def __init__(
        self,
        kinds: Iterable[str],
        *,
        classes: Sequence[str],
        rated: Mapping[str, Sequence[str]],
        members: Sequence[Mapping[str, Any]],
        transcribed: bool,
        run: str,
    ):
        kinds = set(kinds)
        self.kinds = tuple(kind for kind in KINDS if kind in (kinds | {"utterance"} if kinds <= {"member"} else kinds))
        self._members = ["; ".join(f"{name} {value}" for name, value in member.items()) for member in members]
        self.classes, self._rated, self.run = tuple(classes), {name: tuple(rated[name]) for name in rated}, run
        self.columns: dict[str, type] = dict(_FIRST)
        if transcribed:
            self.columns = {"path": str, "transcript": str} | self.columns
        for dimension in self._rated or ("",):
            before = f"{dimension}_" * bool(dimension)
            points = self._rated.get(dimension, self.classes)
            if len(points) == 1:  # the rating itself
                self.columns |= {f"{before}{points[0]}": float}
                continue
            self.columns |= {f"{before}expected": float} if dimension else {"predicted": str}
            self.columns |= {f"{before}entropy": float}
            self.columns |= {f"{before or 'posterior_'}{point}": float for point in points}
        self.columns |= _LAST

    def of(self, outcome: Outcome) -> list[dict[str, Any]]:
        """The rows of one recording, each with all columns; None where there is nothing to say."""
        shared = dict.fromkeys(self.columns) | {"run": self.run, "warnings": "; ".join(warnings_of(outcome))}
        shared |= self.key(outcome.recording.file, outcome.recording.text)
        if outcome.traits is not None:
            shared |= {name: _rounded(value, 6) for name, value in outcome.traits._asdict().items()}
        found = outcome.prediction
        if found is None:
            return [shared | {"row": "failure", "error": _one_line(outcome.error)}]
        units = []
        if "utterance" in self.kinds:
            span = (found.start[0], found.end[-1])
            units.append(("utterance", *span, found.utterance, found.members.mean(1)))
        if "block" in self.kinds:
            each = zip(found.start, found.end, found.posteriors, np.moveaxis(found.members, 1, 0), strict=True)
            units += [("block", *block) for block in each]
        rows = []
        for row, start, end, mean, members in units:
            times = {"row": row, "start": _rounded(start, 6), "end": _rounded(end, 6), "blocks": len(found.start)}
            own = [("", mean), *(zip(self._members, members, strict=True) if "member" in self.kinds else ())]
            rows += [shared | times | {"member": member} | self._figures(posterior) for member, posterior in own]
        return rows

    def count(self, row: Mapping[str, Any]) -> int:
        """How many rows a recording has that this one is of."""
        if row["row"] == "failure":
            return 1
        units = ("utterance" in self.kinds) + ("block" in self.kinds) * int(row["blocks"])
        return units * (1 + ("member" in self.kinds) * len(self._members))

    def key(self, file: Path, text: str) -> dict[str, str]:
        """What tells the rows of one recording from others'."""
        found = {"path": _one_line(file), "transcript": _one_line(text)}
        return {name: value for name, value in found.items() if name in self.columns}

    def _figures(self, posterior: np.ndarray) -> dict[str, Any]:
        if not self._rated:
            found = {"predicted": self.classes[int(posterior.argmax())], "entropy": entropy(posterior)}
            return found | {f"posterior_{name}": _single(p) for name, p in zip(self.classes, posterior, strict=True)}
        found = {}
        for (dimension, points), own in zip(self._rated.items(), posterior, strict=True):
            if len(points) == 1:
                found[f"{dimension}_{points[0]}"] = _single(own[0])
                continue
            found |= {f"{dimension}_expected": _single(expected(own)), f"{dimension}_entropy": entropy(own)}
            found |= {f"{dimension}_{point}": _single(p) for point, p in zip(points, own, strict=True)}
        return found


def warnings_of(outcome: Outcome) -> list[str]:
    """What is to be known of a recording before its posteriors are believed, in words."""
    said = [f"{one} than the recordings of the training corpus" for one in outcome.unlike]
    if outcome.clipped:
        said.append(f"clipped: {outcome.clipped:.2%} of its samples are beyond full scale")
    if outcome.prediction is not None and outcome.prediction.filled:
        said.append(f"short: {outcome.prediction.filled:.2f} s of its only block are zeros")
    return said


def entropy(posterior: np.ndarray) -> float:
    """Entropy in nats of a posterior [C]: 0 where one class has all, log(C) where all are alike."""
    p = np.asarray(posterior, np.float64)
    return _rounded(-float(np.sum(p * np.log(np.where(p > 0, p, 1.0)))) + 0.0, 7)


def _single(value) -> float:
    """A float32 as the shortest number that is read as the same float32."""
    return float(str(np.float32(value)))


def _rounded(value, digits: int) -> float:
    return round(float(value), digits)


def _one_line(text: object) -> str:
    r"""Text in which the end of a line is written as \n, and a byte that is no UTF-8 as \xe9."""
    return printable(text).replace("\r", "\\r").replace("\n", "\\n")


class Table:
    """A table on the disk that recordings are added to.

    Args:
      path: ends with one of `FORMATS`; a .audformat is the folder of a database. Rows of the last two gather in a file
        of JSON lines beside (or in) it, and `close` makes them of it.
      rows: how its rows are made.

    Attributes:
      done: what it holds: of each recording, by `Rows.key`, why it failed, "" where it did not.

    Raises:
      InputError: another format, a missing package, a table of other columns or of another run, one that another
        process writes, or a damaged one.
    """

    def __init__(self, path: Path, rows: Rows):
        self._path, self._rows = Path(path), rows
        kind = self._path.suffix
        if kind not in FORMATS:
            raise InputError(f"--output_table={path}: give a name that ends with {', '.join(FORMATS)}")
        self._make = _MADE.get(kind)
        _import_for(kind)
        growing = self._path
        if kind == ".parquet":
            growing = self._path.with_name(f"{self._path.name}.rows.jsonl")
        elif kind == ".audformat":
            growing = self._path / "rows.jsonl"
        self._form = _Csv(rows.columns) if kind == ".csv" else _JsonLines(rows.columns)
        growing.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".parquet" and self._path.exists() and not growing.exists():
            _parquet_to_lines(self._path, growing, self._form)
        self._file = open(growing, "a+b")  # noqa: SIM115
        self._growing, self._flushed = growing, time.monotonic()
        try:
            self._lock()
            self.done = self._resumed()
        except BaseException:
            self._file.close()
            raise

    def failure(self, file: Path, text: str) -> str | None:
        """Why a recording failed, "" where it did not; None where there are no rows of it."""
        return self.done.get(tuple(self._rows.key(file, text).values()))

    def add(self, outcome: Outcome) -> None:
        """Write the rows of a recording, all in one go."""
        self.put(self._rows.of(outcome))

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows of one recording, in one go."""
        self.done[tuple(rows[0][name] for name in self._rows.key(Path(), ""))] = rows[0]["error"] or ""
        with naming(self._growing):
            self._file.write("".join(map(self._form.line, rows)).encode())
            self._file.flush()
            if time.monotonic() - self._flushed > _FLUSHED:
                os.fsync(self._file.fileno())
                self._flushed = time.monotonic()

    def close(self, *, complete: bool = True) -> None:
        """Flush the rows to the disk; `complete`: make the table of them where it is made of them."""
        with self._file, naming(self._growing):
            os.fsync(self._file.fileno())
            if complete and self._make is not None:
                self._make(self._path, self._rows, lambda: self._stored())
        if complete and self._path.suffix == ".parquet":
            self._growing.unlink()

    def _stored(self) -> Iterator[dict[str, Any]]:
        with open(self._growing, "rb") as file:
            for line in file:
                yield self._form.row(line.decode())

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{self._path} is being written by another process; wait for it") from None
        except OSError:  # some file systems have no locks
            return

    def _resumed(self) -> dict[tuple[str, ...], str]:
        """`done`, of the recordings that are complete; what follows them is cut off."""
        done, columns = {}, list(self._rows.key(Path(), ""))
        end = place = 0  # of what is complete, of what was read
        last, here, wanted = None, 0, 0
        self._file.seek(0)
        header = self._form.header()
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            place += len(line)
            if header and number == 0:
                if line != header:
                    raise self._another("other columns")
                end = place
                continue
            try:
                row = self._form.row(line.decode())
                count = self._rows.count(row)
            except (ValueError, TypeError):
                if self._file.read(1):
                    why = f"line {number + 1} is no row"
                    raise damaged(self._growing, why, "delete it, or give another --output_table") from None
                break
            self._compare(row)
            key = tuple(row[name] for name in columns)
            if key != last or here == wanted:
                if here != wanted:  # not the last recording of the table
                    raise self._another(f"other rows than {' and '.join(self._rows.kinds)}")
                last, here, wanted = key, 0, count
            here += 1
            if here == wanted:
                done[key] = row["error"] or ""
                end = place
        self._file.truncate(end)
        if header and not end:
            self._file.write(header)
            self._file.flush()
        return done

    def _compare(self, row: Mapping[str, Any]) -> None:
        if set(row) != set(self._rows.columns):
            raise self._another("other columns")
        if row["run"] != self._rows.run:
            raise self._another(f"rows of {row['run']}, and these are of {self._rows.run}")
        kind = {"failure"} if row["row"] == "failure" else {row["row"]} | ({"member"} if row["member"] else set())
        if kind != {"failure"} and not kind <= set(self._rows.kinds):
            raise self._another(f"rows of each {' and '.join(sorted(kind))}")

    def _another(self, what: str) -> InputError:
        return InputError(f"{self._path} holds {what}; give another --output_table, or the flags that it was made with")


class _Csv:
    """Rows as lines of a CSV in UTF-8; None is an empty cell."""

    def __init__(self, columns: Mapping[str, type]):
        self._columns = dict(columns)

    def header(self) -> bytes:
        return self._line(self._columns).encode()

    def line(self, row: Mapping[str, Any]) -> str:
        return self._line("" if row[name] is None else row[name] for name in self._columns)

    def row(self, line: str) -> dict[str, Any]:
        (cells,) = csv.reader([line], strict=True)
        found = {}
        for (name, kind), cell in zip(self._columns.items(), cells, strict=True):
            found[name] = cell if kind is str else kind(cell) if cell else None
        return found

    @staticmethod
    def _line(cells: Iterable[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue()


class _JsonLines:
    """Rows as JSON objects, one a line."""

    def __init__(self, columns: Mapping[str, type]):
        self._columns = dict(columns)

    def header(self) -> bytes:
        return b""

    def line(self, row: Mapping[str, Any]) -> str:
        row = {name: "" if row[name] is None and kind is str else row[name] for name, kind in self._columns.items()}
        return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"

    def row(self, line: str) -> dict[str, Any]:
        found = json.loads(line)
        if not isinstance(found, dict) or not {"path", "row", "member", "run", "blocks"} <= found.keys():
            raise ValueError("no row")
        return found


def _import_for(kind: str) -> Any:
    """The package that a format needs, None where it needs none."""
    if kind == ".parquet":
        try:
            import pyarrow.parquet
        except ImportError:
            raise InputError("a table in Parquet needs the package pyarrow; pip install 'sejax[tables]'") from None
        return pyarrow
    if kind == ".audformat":
        try:
            import audformat
        except ImportError:
            raise InputError("an audformat database needs the package audformat; pip install 'sejax[tables]'") from None
        return audformat
    return None


def _to_parquet(path: Path, rows: Rows, stored: Callable[[], Iterator[dict[str, Any]]]) -> None:
    pyarrow = _import_for(".parquet")
    types = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in rows.columns.items()])
    with written_whole(path) as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(stored(), _MANY):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def _groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    group: list[Any] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _parquet_to_lines(path: Path, growing: Path, form: _JsonLines) -> None:
    """The rows of a finished table, for what is to be added to them."""
    pyarrow = _import_for(".parquet")
    try:
        with written_whole(growing) as file:
            for batch in pyarrow.parquet.ParquetFile(path).iter_batches(_MANY):
                file.write("".join(map(form.line, batch.to_pylist())).encode())
    except KeyError:
        raise InputError(f"{path} holds other columns; give another --output_table") from None
    except pyarrow.ArrowException as error:
        why = " ".join(str(error).split())[:100]
        raise damaged(path, why, "delete it, or give another --output_table") from None


def _to_audformat(path: Path, rows: Rows, stored: Callable[[], Iterator[dict[str, Any]]]) -> None:
    """The database of a folder: a table for each kind of row and each member, and one of failures."""
    audformat = _import_for(".audformat")
    names = {str: "str", float: "float", int: "int"}
    placed = ("path", "row", "member", "start", "end")
    columns = {name: kind for name, kind in rows.columns.items() if name not in placed}
    database = audformat.Database("predictions", description="Posteriors of recordings, by sejax predict")
    for name, kind in columns.items():
        labels = {"labels": list(rows.classes)} if name == "predicted" else {}
        database.schemes[name] = audformat.Scheme(names[kind], **labels)
    parts: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in stored():
        parts.setdefault((row["row"], row["member"]), []).append(row)
    members: dict[str, int] = {}
    for (row, member), found in parts.items():
        number = members.setdefault(member, len(members)) if member else 0
        index = audformat.filewise_index([one["path"] for one in found])
        if row == "block":
            times = [[f"{one[edge]:.6f}s" for one in found] for edge in ("start", "end")]
            index = audformat.segmented_index([one["path"] for one in found], *times)
        table = audformat.Table(index, description=member or "mean over members")
        database[f"{row}.member-{number}" if member else row] = table
        for name in ("error", "run") if row == "failure" else [name for name in columns if name != "error"]:
            table[name] = audformat.Column(scheme_id=name)
            table[name].set([one[name] for one in found])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        database.save(folder, storage_format="csv")
        for file in sorted(Path(folder).iterdir(), key=lambda file: file.suffix == ".yaml"):  # the header last
            os.replace(file, path / file.name)


_MADE = {".parquet": _to_parquet, ".audformat": _to_audformat}
