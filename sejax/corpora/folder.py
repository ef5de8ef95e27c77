"""Finding and checking the audio files of a corpus that comes as a folder."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sejax.corpora.problems import BadRecording, Problems
from sejax.corpora.utterance import Recording
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
