"""The original files of a corpus: found, read line by line, checked, and compared with the published counts.

What reads a name or a line of one corpus returns what it says or raises ValueError; `Problems.at` notes that.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sejax.corpora.corpus import Progress, Recording
from sejax.corpora.problems import BadRecording, Problems, shortened
from sejax.corpora.waveform import inspect, refuse_too_long
from sejax.errors import InputError


def unpacked(corpus: str, source: Path, inner: str = "") -> Path:
    """The folder `inner` of a source, or the source that has none or is it; InputError if it is missing or a file."""
    if not source.exists():
        raise InputError(f"corpora/{corpus}: there is no folder {source}; pass the unpacked corpus as --source")
    if not source.is_dir():
        raise InputError(f"corpora/{corpus}: {source} is a file; unpack it and pass the folder as --source")
    return source / inner if (source / inner).is_dir() else source


def files_in(folder: Path, pattern: str) -> list[Path]:
    """What matches a pattern, sorted, without the files that macOS puts beside real ones in archives (`._name`)."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("._"))


def wav_files(corpus: str, source: Path, subfolder: str = "", pattern: str = "*") -> list[Path]:
    """Every wav file in `source/subfolder` (or in `source`, if it is that folder itself), sorted by path.

    Raises InputError for a source that is missing, is a file, or holds no wav file.
    """
    folder = unpacked(corpus, source, subfolder)
    files = [path for path in files_in(folder, pattern) if path.suffix.lower() == ".wav"]
    if not files:
        where = source / subfolder / pattern
        raise InputError(
            f"corpora/{corpus}: 0 wav files found under {where}; pass the folder that holds the unpacked corpus"
            " as --source"
        )
    return files


def check_codes(**codes: tuple[str, Collection[str]]) -> None:
    """Raise ValueError for the first code that is not among the known ones: `emotion=(code, known)`."""
    for what, (code, known) in codes.items():
        if code not in known:
            raise ValueError(f"unknown {what} {code!r} (known: {', '.join(known)})")


def named(
    paths: Iterable[Path], recording: Callable[[Path], Recording], problems: Problems, remedy: str
) -> Iterator[Recording]:
    """What the files' names say; a name of which `recording` raises ValueError is noted with `remedy`."""
    for path in paths:
        with problems.at(path, remedy):
            yield recording(path)


def by_id(recordings: Iterable[Recording], problems: Problems, same: str = "id {}") -> dict[str, Recording]:
    """Recordings by their ids; a later file of an id is noted: it has the `same` (id or name) as the first."""
    by_name: dict[str, Recording] = {}
    for item in recordings:
        first = by_name.setdefault(item.id, item)
        if first is not item:
            problems.add(item.path, f"has the same {same.format(item.id)} as {first.path}", "remove one of the two")
    return by_name


@dataclass(frozen=True)
class Audio:
    """What the original files are: every one sampled at `rate` Hz, all `files` of them together `seconds` long.

    0 files where the corpus's length is not known.
    """

    rate: int
    files: int = 0
    seconds: float = 0.0


_ALTERED = "these are not the original files (resampled, cut or padded, say): get the distribution's own"
_SHARE = 1e-3  # of a corpus's length that mirrors may differ by


def inspect_all(
    recordings: Iterable[Recording],
    problems: Problems,
    published: Audio | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Recording, ...]:
    """Read every file's header; keep the readable recordings with their duration, note the others.

    Files that are not the `published` ones are noted in one problem for their rates and one for their length, which is
    compared where none is missing. `progress("headers", files, files in all)`.
    """
    recordings, kept, rates = list(recordings), [], Rates(published.rate if published else 0)
    for number, recording in enumerate(recordings, start=1):
        try:
            header = inspect(recording.path)
            refuse_too_long(recording.path, header.seconds)
            kept.append(replace(recording, seconds=header.seconds))
            rates.add(recording.path, header.rate)
        except BadRecording as error:
            problems.found.append(error.problem)
        if progress:
            progress("headers", number, len(recordings))
    rates.check(problems)
    if published and len(kept) == published.files:
        check_seconds(kept, published.seconds, problems)
    return tuple(kept)


class Rates:
    """Sampling rates of a corpus's files beside the published one in Hz, 0 where that is not known."""

    def __init__(self, published: int):
        self._published, self._files = published, 0
        self._others: list[str] = []

    def add(self, path: str, rate: int) -> None:
        """Remember a file's rate."""
        self._files += 1
        if self._published not in (0, rate):
            self._others.append(f"{Path(path).name} ({rate} Hz)")

    def check(self, problems: Problems) -> None:
        """Note the files that have another rate than the published one, in one problem."""
        where = f"{len(self._others)} of {self._files} files"
        problems.add_names(where, f"not sampled at {self._published} Hz as published:", self._others, _ALTERED)


def check_seconds(recordings: Sequence[Recording], published: float, problems: Problems) -> None:
    """Note recordings that are not as long together as the published ones, seconds."""
    found = sum(recording.seconds for recording in recordings)
    if abs(found - published) > _SHARE * published:
        what = f"last {found:.2f} s together instead of {published:.2f} s as published"
        problems.add(f"{len(recordings)} recordings", what, _ALTERED)


_SAVE = "copy it again from the original distribution, or save it as UTF-8"


def read_lines(path: Path, problems: Problems, *, or_latin_1: bool = False) -> list[tuple[str, str]]:
    """Lines of a UTF-8 file, each behind where it stands; [] and a problem for a file that is missing or no such text.

    `or_latin_1` reads other bytes as Latin-1, for corpora whose annotation tools wrote that.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.add(path, "no such file", "unpack the whole distribution")
        return []
    except OSError as error:
        problems.add(path, f"cannot be opened ({error.strerror})", "check its permissions")
        return []
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        problems.add(f"{path}, line {line}", "holds a NUL byte (UTF-16, or not a text)", _SAVE)
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not or_latin_1:
            line = data[: error.start].count(b"\n") + 1
            problems.add(f"{path}, line {line}", f"byte 0x{data[error.start]:02x} is not UTF-8", _SAVE)
            return []
        text = data.decode("latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1)]


def check_files(
    names: Sequence[str], there: Collection[str], where: str, problems: Problems, *, remedy: str, suffix: str = ""
) -> None:
    """Note in one problem how many of `names` are `there`, and the names (with `suffix`) of the others."""
    missing = [f"{name}{suffix}" for name in names if name not in there]
    problems.add_names(f"{len(names) - len(missing)} of {len(names)} {where}", "missing", missing, remedy)


def check_counts(
    where: Path, found: Mapping[str, int], published: Mapping[str, int], problems: Problems, *, remedy: str
) -> None:
    """Note in one problem every count that is not the published one; `found` may lack what was not found."""
    wrong = [
        f"{found.get(name, 0)} of {number} {name}" for name, number in published.items() if found.get(name, 0) != number
    ]
    if wrong:
        problems.add(f"found under {where}", ", ".join(wrong), remedy)


_SLACK = 1.0  # seconds that a segment may end after its file's last sample: the times come from alignment and by hand


def within_files(
    recordings: list[Recording],
    problems: Problems,
    *,
    whole: str,
    remedy: str,
    rate: int = 0,
    beyond: int = 0,
) -> list[Recording]:
    """Recordings with their durations; a file that cannot be decoded is named once, a missing one not at all.

    `whole` is what the corpus calls a file (talk, say); segments that end a little after it are cut and counted in a
    note. Those that lie outside are problems with `remedy`; up to `beyond` of a file are slips of the corpus, passed
    over with a note, since a file that was cut lacks more. Files of another `rate` (Hz) are a problem.
    """
    seconds = _lengths(recordings, problems, rate)
    kept: list[Recording] = []
    outside: dict[str, list[Recording]] = {}
    for item in recordings:
        length = seconds[item.path]
        if length == 0.0:
            continue
        if item.start >= length or item.end > length + _SLACK:
            outside.setdefault(item.path, []).append(item)
            continue
        problems.note(f"segments end after their {whole}'s last sample and were cut there", item.end > length)
        kept.append(replace(item, seconds=min(item.end, length) - item.start))
    slips = [item.id for items in outside.values() if len(items) <= beyond for item in items]
    problems.note(f"segments end beyond their {whole}'s recording and were passed over: {shortened(slips)}", len(slips))
    for item in (item for items in outside.values() if len(items) > beyond for item in items):
        what = f"{item.start} s to {item.end} s lie outside the {whole} ({seconds[item.path]:.2f} s)"
        problems.add(f"{item.path}, segment {item.id}", what, remedy)
    return kept


def _lengths(recordings: list[Recording], problems: Problems, rate: int) -> dict[str, float]:
    """Seconds of every file, 0 for one that is missing or, which is a problem, cannot be decoded."""
    seconds: dict[str, float] = {}
    rates = Rates(rate)
    for path in dict.fromkeys(item.path for item in recordings):
        seconds[path] = 0.0
        try:
            if Path(path).exists():
                header = inspect(path)
                seconds[path] = header.seconds
                rates.add(path, header.rate)
        except BadRecording as error:
            problems.found.append(error.problem)
    rates.check(problems)
    return seconds
