"""Databases in audformat, the format of audb: header, tables of files or segments, schemes, splits.

`--table` names the tables that are read. Those with labels or ratings say what the utterances are, a row each; the
others say more of the same files. What a column means follows from its name, as in a manifest; a scheme's labels may
say more of a value: the text of a sentence's code, the sex of a speaker. Everything is read through the package
`audformat`.
"""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sejax.corpora.corpus import About, Corpus
from sejax.corpora.manifest import audio_folder
from sejax.corpora.problems import Problems
from sejax.corpora.splits import TEST, joined, read_split
from sejax.corpora.tables import ALSO, COLUMNS, Entry, check_name, default_id, listed_corpus
from sejax.errors import InputError, needs

HEADER = "db.yaml"
# Of these columns a table with any says what the utterances are.
SAYS = ("label", "valence", "activation", "dominance")
# What CSV storage does not keep: audformat 1.4.3 reads these cells as no value.
LOST = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL")


class Place(NamedTuple):
    """A file, or a part of one in seconds; None for its start, its end."""

    file: str
    start: float | None = None
    end: float | None = None


@dataclass
class Found:
    """What tables say of a place: cells by column, and which table and row said so first."""

    table: str
    row: int
    cells: dict[str, str] = field(default_factory=dict)


def open_corpus(
    source: Path,
    *,
    table: Sequence[str] = (),
    name: str = "",
    classes: tuple[str, ...] | None = None,
    labels: Sequence[str] = (),
    audio: str = "",
    download: bool | str = False,
    allow_partial: bool = False,
) -> Corpus:
    """Look through the database in the folder `source`, which holds db.yaml.

    `table` names the tables; `name` is the corpus's, the database's own where it is not given; `classes` and `labels`
    are those of `sejax.corpora.tables.listed_corpus`; `audio` is the folder of the files where it is not the
    database's; `download`, a database's name or NAME:VERSION, is fetched through audb where there is none yet.
    """
    if name:
        check_name(name)
    if download and not (source / HEADER).is_file():
        _download(source, download)
    database = _load(source)
    problems = Problems(name or _own_name(database.name))
    read = _tables(database, source, table)
    splits = _splits(database, read)
    rows: dict[Place, Found] = {}
    further: list[dict[Place, Found]] = []
    others: list[str] = []
    for one in read:
        cells = _cells(database, source, one, splits, others, problems)
        if _says(database[one]):
            for place, found in cells.items():
                _join(rows.setdefault(place, Found(found.table, found.row)), found, source, problems)
        else:
            further.append(cells)
    if not rows:  # nothing is labelled: an unlabelled pool
        for cells in further:
            rows |= {place: Found(found.table, found.row) for place, found in cells.items() if place not in rows}
    if others:
        problems.note(f"columns that mean nothing here were passed over: {', '.join(others)}")
    entries = list(_entries(rows, further, source, problems))
    about = About(
        description=f"{database.name}, an audformat database: {database.description or 'it says no more of itself'}",
        licence=str(database.license or ""),
    )
    how = {"classes": classes, "labels": labels, "allow_partial": allow_partial}
    return listed_corpus(entries, audio_folder(audio, source), problems, about, **how)


def _load(source: Path):
    with needs("tables"):
        import audformat

    if not (source / HEADER).is_file():
        raise InputError(
            f"corpora/audformat: there is no file {source / HEADER}; pass the database's folder as --source, or"
            " --download=NAME to fetch it through audb"
        )
    try:
        return audformat.Database.load(str(source), load_data=False)
    except Exception as error:  # YAML's and audformat's own, of many kinds
        raise InputError(
            f"corpora/audformat: {source / HEADER} cannot be read ({_said(error)}); mend it, or save the database again"
        ) from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _own_name(name: str) -> str:
    """The database's name as a corpus's, which no reader of ours may have already."""
    from sejax.corpora import names  # which lists this module among others

    own = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if own in names():
        raise InputError(
            f"corpora/audformat: the database is called {name!r}, as a corpus that sejax knows; give --name={own}_audb,"
            f" or --name={own} to take that one's place and class list"
        )
    try:
        check_name(own)
    except InputError:
        raise InputError(f"corpora/audformat: the database is called {name!r}; give the corpus a --name") from None
    return own


def _tables(database, source: Path, asked: Sequence[str]) -> list[str]:
    """The tables to read; InputError for none, an unknown one, and one that is no table of files."""
    known = ", ".join(database.tables) or "none"
    if not asked:
        raise InputError(
            f"corpora/audformat: {source / HEADER} has the tables {known}; give those to read, as in --table=emotion"
        )
    for one in asked:
        if one in database.misc_tables:
            raise InputError(
                f"corpora/audformat: {one!r} in {source / HEADER} is a misc table, which lists no files; it is read"
                f" where a scheme names it: give --table of {known}"
            )
        if one not in database.tables or list(asked).count(one) > 1:
            what = "is there twice" if one in database.tables else "is no table"
            raise InputError(
                f"corpora/audformat: --table={','.join(asked)}: {one!r} {what} of {source / HEADER}; give some of"
                f" {known}"
            )
    return list(asked)


def _meaning(column: str) -> str:
    """What a column means, "" for nothing."""
    meant = ALSO.get(column.lower(), column.lower())
    return meant if meant in COLUMNS and meant not in ("path", "start", "end") else ""


def _says(table) -> bool:
    """Whether a table says what the utterances are."""
    return any(_meaning(column) in SAYS for column in table.columns)


def _splits(database, tables: Sequence[str]) -> dict[str, str]:
    """The split of each table that has one; several test sets are each named."""
    types = {one: database[one].split_id for one in tables if database[one].split_id}
    tests = {name for name in types.values() if database.splits[name].type == TEST}
    found = {}
    for one, name in types.items():
        kind = database.splits[name].type
        try:
            part = read_split(kind)
        except ValueError:  # "undefined", and types of its own
            continue
        found[one] = joined({re.sub(r"[^A-Za-z0-9_.-]+", "_", name) if part == TEST and len(tests) > 1 else "": part})
    return found


def _cells(
    database, source: Path, name: str, splits: Mapping[str, str], others: list[str], problems: Problems
) -> dict[Place, Found]:
    """A table's rows: by place the cells of the columns that mean something; to `others` the others' names."""
    table = database[name]
    try:
        frame = table.df
    except Exception as error:  # of pandas, pyarrow and audformat
        raise InputError(
            f"corpora/audformat: table {name!r} of {source / HEADER} cannot be read ({_said(error)}); save the"
            " database again, with all of its tables"
        ) from error
    meant: dict[str, str] = {}
    for column in table.columns:
        meaning = _meaning(column)
        if not meaning:
            others.append(f"{name}.{column}")
        elif meaning in meant.values():
            raise InputError(
                f"corpora/audformat: table {name!r} of {source / HEADER} says {meaning} twice, in"
                f" {' and '.join(other for other in (*meant, column) if _meaning(other) == meaning)}; remove one column"
            )
        else:
            meant[column] = meaning
    _note_lost(source / f"db.{name}.csv", name, meant, problems)
    texts = {column: _texts(database, table.columns[column], meaning) for column, meaning in meant.items()}
    found: dict[Place, Found] = {}
    for row, (index, values) in enumerate(zip(frame.index, frame[list(meant)].itertuples(index=False), strict=True), 1):
        place = Place(*_times(index)) if isinstance(index, tuple) else Place(index)
        cells = {"split": splits[name]} if name in splits else {}
        for column, value in zip(meant, values, strict=True):
            if not _missing(value):
                cells |= texts[column](value)
        found[place] = Found(name, row, cells)
    return found


def _times(index: tuple) -> tuple[str, float | None, float | None]:
    """A segment's file, start and end; NaT is None."""
    file, start, end = index
    return file, *(None if _missing(time) else time.total_seconds() for time in (start, end))


def _missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, NA."""
    with needs("tables"):
        import pandas

    return bool(pandas.isna(value))


def _texts(database, column, meaning: str):
    """`texts(value) -> cells`: what a value of a column says, by its scheme too."""
    scheme = database.schemes[column.scheme_id] if column.scheme_id else None
    labels: Mapping[Any, Any] = {}
    if scheme is not None and scheme.labels is not None:
        if scheme.uses_table:
            labels = database[scheme.labels].df.to_dict("index")
        elif isinstance(scheme.labels, dict):
            labels = scheme.labels
    numbers = [label for label in labels if isinstance(label, int)]
    width = max((len(str(number)) for number in numbers), default=0) if len(numbers) == len(labels) else 0

    def texts(value) -> dict[str, str]:
        more = labels.get(value)
        if meaning in ("label", "transcript") and isinstance(more, str):
            return {meaning: more}  # a code, and what it stands for
        # Numbers of equal length sort as numbers do, wherever speakers are sorted by name.
        written = f"{value:0{width}}" if width and meaning == "speaker" else _written(value)
        cells = {meaning: written}
        if meaning == "speaker" and isinstance(more, Mapping):
            sex = next((said for key, said in more.items() if _meaning(str(key)) == "sex"), None)
            cells |= {} if _missing(sex) else {"sex": str(sex)}
        return cells

    return texts


def _written(value: Any) -> str:
    """A value as a table in text would hold it; whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _note_lost(path: Path, table: str, columns: Mapping[str, str], problems: Problems) -> None:
    """A note on cells that CSV storage does not keep."""
    if not path.is_file() or path.with_suffix(".parquet").is_file():
        return
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column in columns:
                if row.get(column) in LOST:
                    text = f"cells of {table}.{column} say {row[column]}, which audformat takes for no value in CSV"
                    problems.note(f"{text} (store the database as parquet)", 1)


def _join(row: Found, other: Found, source: Path, problems: Problems) -> None:
    """Add to a row what another table says of its place; what contradicts it is a problem."""
    for column, value in other.cells.items():
        said = row.cells.setdefault(column, value)
        if said != value:
            problems.add(
                f"{source / HEADER}, table {other.table}, row {other.row}",
                f"{column} is {value!r} and {said!r} in table {row.table}",
                "let the tables say the same, or read one of them",
            )


def _entries(
    rows: Mapping[Place, Found], further: Sequence[Mapping[Place, Found]], source: Path, problems: Problems
) -> Iterator[Entry]:
    """The rows with what the further tables say of their part, or else of their file."""
    folder = os.path.commonpath([os.path.dirname(place.file) for place in rows]) if rows else ""
    for place, row in rows.items():
        for cells in further:
            other = cells.get(place) or cells.get(Place(place.file))
            if other is not None:
                _join(row, other, source, problems)
        times = {"start": place.start, "end": place.end}
        own = {"path": place.file} | {name: repr(time) for name, time in times.items() if time is not None}
        short = f"row {row.row} of table {row.table}"
        named = default_id(own | {"path": os.path.relpath(place.file, folder) if folder else place.file})
        where = f"{source / HEADER}, table {row.table}, row {row.row} ({place.file})"
        yield Entry(where, short, row.cells | own | {"id": row.cells.get("id", named)})


def _download(source: Path, database: bool | str) -> None:
    """Fetch a database through audb; InputError where audb or the network is missing."""
    name, _, version = ("", "", "") if isinstance(database, bool) else database.partition(":")
    if not name:
        raise InputError(
            "corpora/audformat: --download needs the name of a database, as in --download=emodb or"
            " --download=emodb:1.4.1"
        )
    try:
        import audb
    except ImportError as error:
        raise InputError(
            "corpora/audformat: --download needs the audb package; install it with `pip install 'sejax[download]'`, or"
            " pass a folder with a database as --source"
        ) from error
    try:
        audb.load_to(str(source), name, version=version or None)
    except Exception as error:  # audb's back ends raise whatever their HTTP library raises
        raise InputError(
            f"corpora/audformat: audb could not fetch {database} into {source} ({_said(error)}); check the name and"
            " the network, or pass a folder with a database as --source"
        ) from error
