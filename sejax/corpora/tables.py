"""From the rows of any table, one an utterance, to a corpus: what a cell means, and what can be wrong with it.

Manifests, audformat databases and EmoBox's lists come in through here: each reader makes cells of the columns below
of what it finds, says where each row stands, and `listed_corpus` does the rest.
"""

import functools
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sejax.corpora.corpus import NOT_RATED, About, Corpus, Recording
from sejax.corpora.names import on_disk
from sejax.corpora.problems import BadRecording, Problem, Problems, shortened
from sejax.corpora.published import PUBLISHED, QUADRANTS, quadrant
from sejax.corpora.splits import WANTED, read_split
from sejax.corpora.waveform import Header, inspect, refuse_too_long
from sejax.errors import InputError

COLUMNS = (
    *("path", "label", "id", "speaker", "session", "sex", "start", "end", "transcript"),
    *("valence", "activation", "dominance", "split"),
)
# What other tools call them: nkululeko and audformat, then MSP-Podcast.
ALSO = {
    **{"file": "path", "emotion": "label", "gender": "sex", "arousal": "activation", "transcription": "transcript"},
    **{"filename": "path", "emoact": "activation", "emoval": "valence", "emodom": "dominance"},
    **{"spkrid": "speaker", "split_set": "split"},
}
SEXES = {"": "", "male": "male", "female": "female", "m": "male", "f": "female", "unknown": ""}
Note = Callable[[str, str], None]  # what is wrong with a row, and the remedy

_SLACK = 0.05  # seconds that `end` may lie beyond the file: annotation tools round
_TIME = re.compile(r"(?:(\d+) days? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")  # as pandas writes a duration
_NO_TIME = ("nat", "nan")


@dataclass(frozen=True)
class Entry:
    """One row of a table.

    where: for errors, the file and the row; short: the same for who knows the file. cells: by column, of `COLUMNS` and
    others. seconds: how long the table says that the utterance is, 0 where it does not.
    """

    where: str
    short: str
    cells: Mapping[str, str]
    seconds: float = 0.0


def listed_corpus(
    entries: Sequence[Entry],
    folder: Path,
    problems: Problems,
    about: About,
    *,
    classes: tuple[str, ...] | None = None,
    labels: Sequence[str] = (),
    allow_partial: bool = False,
) -> Corpus:
    """The corpus that the rows of a table make up, under the name of `problems`.

    Every bad row is told at once with where it stands, unless `allow_partial`; columns that mean nothing are named in a
    note.

    Args:
      folder: what relative paths are relative to.
      classes: the class list; None: the published one for the names of the paper's corpora, otherwise the sorted labels
        that occur, in small letters. A label is matched as it is written, then in small letters. Where the classes are
        quadrants, a table without labels has those of its ratings.
      labels: other names for labels, as in ("happiness:joy", "xxx:"): these are joy, and unlabelled.
    """
    if classes is None and problems.corpus in PUBLISHED:
        classes = PUBLISHED[problems.corpus].classes
    _note_others(entries, problems)
    header = functools.cache(_header)
    renamed = Renamed(labels, problems.corpus)
    recordings = _check(entries, folder, classes, renamed, header, problems)
    renamed.check(problems)
    if classes is None:
        classes = sorted({item.emotion for item in recordings} - {""})
    # Sets made of compressed files when parts of them were decoded after a seek are not taken for new ones.
    compressed = any(header(item.path).compressed for item in recordings)
    options = {"compressed": "decoded from the beginning"} if compressed else {}
    return Corpus.checked(
        problems, recordings, about, classes=tuple(classes), options=options, allow_partial=allow_partial
    )


def check_name(name: str) -> None:
    """Raises InputError for a name that no corpus, and no folder of its sets, can have."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"corpora: --name={name!r}; use small letters, digits and _, beginning with a letter")


class Renamed:
    """Other names for labels, by "old:new" each; an old name is looked for as it is written, then in small letters."""

    def __init__(self, labels: Sequence[str], corpus: str):
        self._new: dict[str, str] = {}
        self._seen: set[str] = set()
        self._others: set[str] = set()
        for pair in labels:
            old, colon, new = (word.strip() for word in pair.rpartition(":"))
            if not colon or not old or old in self._new:
                raise InputError(
                    f"corpora/{corpus}: --labels={','.join(labels)}; give each label once, as in happiness:joy,xxx:"
                )
            self._new[old] = new

    def __call__(self, label: str) -> str:
        """A label's other name, or itself."""
        old = label if label in self._new else label.lower()
        (self._seen if old in self._new else self._others).add(old)
        return self._new.get(old, label)

    def check(self, problems: Problems) -> None:
        """Raises InputError for a name that no row has."""
        unused = sorted(set(self._new) - self._seen)
        if unused and not problems.found:
            found = ", ".join(sorted(self._others - {""})) or "none"
            raise InputError(
                f"corpora/{problems.corpus}: --labels: no row is labelled {shortened(unused)}; the other labels are"
                f" {found}: leave it out, or mend it"
            )


def _note_others(entries: Sequence[Entry], problems: Problems) -> None:
    """A note that names the columns that mean nothing here."""
    others = dict.fromkeys(name for entry in entries[:1] for name in entry.cells if name and name not in COLUMNS)
    if others:
        problems.note(f"columns that mean nothing here were passed over: {', '.join(others)}")


def recording(cells: Mapping[str, str], folder: Path, note: Note) -> Recording:
    """Turn a row's cells into a recording; every cell that cannot be understood is noted."""
    if not cells["path"]:
        note("the path is empty", "name an audio file")
    start, end = _time(cells, "start", 0.0, note), _time(cells, "end", math.inf, note)
    if start < 0 or end <= start:
        note(f"start {start} s, end {end} s", "start must be at least 0 and before end")
    dimensions = {name: _number(cells, name, NOT_RATED, note) for name in ("valence", "activation", "dominance")}
    return Recording(
        id=cells.get("id") or default_id(cells),
        path=str(on_disk(folder / cells["path"])),
        start=start,
        end=end,
        sex=_sex(cells, note),
        emotion_original=cells.get("label", ""),
        emotion=cells.get("label", ""),
        split=_split(cells, note),
        **{name: cells.get(name, "") for name in ("speaker", "session", "transcript")},
        **dimensions,
    )


def default_id(cells: Mapping[str, str]) -> str:
    """The path without its extension, and the times where they select a part."""
    name = cells["path"].removesuffix(Path(cells["path"]).suffix)
    times = [_as_seconds(cells.get(column, "")) for column in ("start", "end")]
    return "_".join([name, *filter(None, times)])


def _as_seconds(cell: str) -> str:
    """A time as it is written, and one that pandas wrote in seconds."""
    if cell.lower() in _NO_TIME:
        return ""
    match = _TIME.fullmatch(cell)
    return f"{_seconds(match):.6f}".rstrip("0").rstrip(".") if match else cell


def _seconds(match: re.Match) -> float:
    days, hours, minutes, seconds = match.groups()
    return (int(days or 0) * 24 + int(hours)) * 3600 + int(minutes) * 60 + float(seconds)


def _time(cells: Mapping[str, str], column: str, default: float, note: Note) -> float:
    """Seconds: a number of them, or a duration such as 0 days 00:00:01.5; NaT is the default."""
    cell = cells.get(column, "")
    if cell.lower() in _NO_TIME:
        return default
    match = _TIME.fullmatch(cell)
    return _seconds(match) if match else _number(cells, column, default, note)


def _number(cells: Mapping[str, str], column: str, default: float, note: Note) -> float:
    cell = cells.get(column, "")
    if not cell:
        return default
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        note(f"{column} is {cell!r}, not a number", f"write {column} as in 1.25, or leave it empty")
        return default
    return value


def _sex(cells: Mapping[str, str], note: Note) -> str:
    cell = cells.get("sex", "")
    if cell.lower() not in SEXES:
        names = ", ".join(sorted(name for name in SEXES if name))
        note(f"sex is {cell!r}", f"use one of {names}, or leave it empty")
    return SEXES.get(cell.lower(), "")


def _split(cells: Mapping[str, str], note: Note) -> str:
    cell = cells.get("split", "")
    try:
        return read_split(cell)
    except ValueError:
        note(f"split is {cell!r}", f"use {WANTED}, or leave it empty")
        return ""


def _check(
    entries: Iterable[Entry],
    folder: Path,
    classes: Collection[str] | None,
    renamed: Renamed,
    header: Callable[[str], Header | Problem],
    problems: Problems,
) -> list[Recording]:
    """Turn rows into recordings; a row with any problem is noted and left out."""
    kept: list[Recording] = []
    ids: dict[str, Entry] = {}
    sexes: dict[str, tuple[str, str]] = {}
    for entry in entries:
        before = len(problems.found)
        note = functools.partial(problems.add, entry.where)
        item = recording(entry.cells, folder, note)
        item = replace(item, emotion=_class_of(renamed(item.emotion), classes, note))
        if classes == QUADRANTS and "label" not in entry.cells:
            item = replace(item, emotion=_quadrant_of(item, note))
        if entry.cells["path"]:
            item = _check_file(entry, item, header(item.path), note)
        if (first := ids.setdefault(item.id, entry)) is not entry:
            note(f"id {item.id!r} is also that of {first.short}", "give every row its own id")
        sex, there = sexes.setdefault(item.speaker, (item.sex, entry.short)) if item.speaker else (item.sex, "")
        if sex != item.sex:
            here, other = item.sex or "of no sex", sex or "of no sex"
            note(f"speaker {item.speaker!r} is {here} here and {other} in {there}", "give the speaker one sex")
        if len(problems.found) == before:
            kept.append(item)
    return kept


def _class_of(label: str, classes: Collection[str] | None, note: Note) -> str:
    """The class of a label: as it is written or in small letters, whichever is among the classes."""
    small = label.lower()
    if not label or classes is None:
        return small
    if label in classes or small in classes:
        return label if label in classes else small
    alike = [name for name in classes if name.lower() == small]
    but = f" ({', '.join(alike)} differs in capital letters alone)" if alike else ""
    note(f"unknown label {label!r}{but}", f"use one of the classes {', '.join(classes)}")
    return ""


def _quadrant_of(item: Recording, note: Note) -> str:
    """The quadrant of a row's ratings, "" where one of them is missing."""
    ratings = item.valence, item.activation
    if not all(map(math.isfinite, ratings)):
        return ""
    if max(map(abs, ratings)) > 1:
        what = f"valence {item.valence:g} and activation {item.activation:g} lie outside -1 to 1"
        note(what, "give ratings whose middle is 0, or a label column with q1 to q4")
    return quadrant(*ratings)


def _header(path: str) -> Header | Problem:
    try:
        return inspect(path)
    except BadRecording as error:
        return error.problem


def _check_file(entry: Entry, item: Recording, header: Header | Problem, note: Note) -> Recording:
    """Check that the row's audio file can be read and that start and end lie in it; returns it with its duration."""
    if isinstance(header, Problem):
        note(f"{header.where}: {header.what}", header.remedy)
        return item
    if item.start >= header.seconds or (item.end != math.inf and item.end > header.seconds + _SLACK):
        where = f"lie outside {entry.cells['path']} ({header.seconds:.3f} s)"
        note(f"start {item.start} s, end {item.end} s {where}", "mend start and end (seconds)")
        return item
    seconds = min(item.end, header.seconds) - item.start
    if entry.seconds and abs(seconds - entry.seconds) > _SLACK:
        what = f"{item.path} lasts {seconds:.3f} s instead of {entry.seconds:.3f} s"
        note(what, "it is not the file that was listed: get the corpus from its own distribution")
    try:
        refuse_too_long(item.path, seconds)
    except BadRecording as error:
        note(f"{error.problem.where}: {error.problem.what}", error.problem.remedy)
    return replace(item, seconds=seconds)
