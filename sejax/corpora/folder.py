"""The original files of a corpus: found, read line by line, checked, and compared with the published counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sejax.corpora.corpus import Recording
from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.waveform import inspect, refuse_too_long
from sejax.errors import InputError


def require_folder(corpus: str, source: Path) -> None:
    """Raise InputError for a source that is missing or a file."""
    if not source.exists():
        raise InputError(f"corpora/{corpus}: there is no folder {source}; pass the unpacked corpus as --source")
    if not source.is_dir():
        raise InputError(f"corpora/{corpus}: {source} is a file; unpack it and pass the folder as --source")


def is_shadow(path: Path) -> bool:
    """Whether a file is one of those that macOS puts beside the real ones in archives (`._name`)."""
    return path.name.startswith("._")


def wav_files(corpus: str, source: Path, subfolder: str = "", pattern: str = "*") -> list[Path]:
    """Every wav file in `source/subfolder` (or in `source`, if it is that folder itself), sorted by path.

    Raises InputError for a source that is missing, is a file, or holds no wav file.
    """
    require_folder(corpus, source)
    folder = source / subfolder if (source / subfolder).is_dir() else source
    files = sorted(path for path in folder.glob(pattern) if path.suffix.lower() == ".wav" and not is_shadow(path))
    if not files:
        where = source / subfolder / pattern
        raise InputError(
            f"corpora/{corpus}: 0 wav files found under {where}; pass the folder that holds the unpacked corpus"
            " as --source"
        )
    return files


def inspect_all(recordings: Iterable[Recording], problems: Problems) -> tuple[Recording, ...]:
    """Read every file's header; keep the readable recordings with their duration, note the others."""
    kept = []
    for recording in recordings:
        try:
            seconds = inspect(recording.path).seconds
            refuse_too_long(recording.path, seconds)
            kept.append(replace(recording, seconds=seconds))
        except BadRecording as error:
            problems.found.append(error.problem)
    return tuple(kept)


_COPY = "copy it again from the original distribution"


def read_lines(path: Path, problems: Problems, *, or_latin_1: bool = False) -> list[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, from 1; [] and a problem for a file that is missing or no such text.

    `or_latin_1` reads other bytes as Latin-1, for corpora whose annotation tools wrote that.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.add(str(path), "no such file", "unpack the whole distribution")
        return []
    except OSError as error:
        problems.add(str(path), f"cannot be opened ({error.strerror})", "check its permissions")
        return []
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        problems.add(
            f"{path}, line {line}", "holds a NUL byte (UTF-16, or not a text)", f"{_COPY}, or save it as UTF-8"
        )
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not or_latin_1:
            line = data[: error.start].count(b"\n") + 1
            problems.add(
                f"{path}, line {line}", f"byte 0x{data[error.start]:02x} is not UTF-8", f"{_COPY}, or save it as UTF-8"
            )
            return []
        text = data.decode("latin-1")
    return list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1))


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
    recordings: list[Recording], notes: Counter, problems: Problems, *, whole: str, remedy: str
) -> list[Recording]:
    """Recordings with their durations; a file that cannot be decoded is named once, a missing one not at all.

    `whole` is what the corpus calls a file (talk, say); segments that end a little after it are cut and counted in
    `notes`, those that lie outside are noted as problems with `remedy`.
    """
    seconds: dict[str, float] = {}
    kept: list[Recording] = []
    for item in recordings:
        if item.path not in seconds:
            seconds[item.path] = _duration(item.path, problems)
        length = seconds[item.path]
        if length == 0.0:
            continue
        if item.start >= length or item.end > length + _SLACK:
            what = f"{item.start} s to {item.end} s lie outside the {whole} ({length:.2f} s)"
            problems.add(f"{item.path}, segment {item.id}", what, remedy)
            continue
        notes[f"segments end after their {whole}'s last sample and were cut there"] += item.end > length
        kept.append(replace(item, seconds=min(item.end, length) - item.start))
    return kept


def _duration(path: str, problems: Problems) -> float:
    """Seconds of a file, 0 for one that cannot be read (noted, unless it is missing: its corpus notes that)."""
    if not Path(path).exists():
        return 0.0
    try:
        return inspect(path).seconds
    except BadRecording as error:
        problems.found.append(error.problem)
        return 0.0
