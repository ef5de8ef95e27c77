"""Which audio files somebody means: files, folders, patterns, and lists of names from another program."""

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from sejax.corpora.names import on_disk
from sejax.errors import InputError

# What libsndfile reads by the ends of its names; a file that is named itself may have any.
SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64"),
    *(".rf64", ".sph", ".nist"),
)


def audio_files(names: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The files that names stand for, each once, in the names' order.

    A folder stands for the audio files in it and below it (`SUFFIXES`; none whose name begins with a dot), a pattern
    with `*`, `?`, `[...]` or `**` for the files that it fits, both sorted by name.

    Raises:
      InputError: a name that stands for nothing.
    """
    found: dict[Path, None] = {}
    for name in names:
        files = _files_of(Path(name))
        if not files:
            what = "holds no audio file" if os.path.isdir(name) else "there is no such file"
            raise InputError(f"{os.fspath(name)}: {what}; give audio files, folders of them or patterns")
        found |= dict.fromkeys(files)
    return list(found)


def _files_of(path: Path) -> Sequence[Path]:
    path = on_disk(path)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(_below(path))
    if glob.has_magic(str(path)):
        return [Path(file) for file in sorted(glob.glob(str(path), recursive=True)) if os.path.isfile(file)]
    return []


def _below(folder: Path) -> Iterable[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            Path(here, name) for name in files if not name.startswith(".") and name.lower().endswith(SUFFIXES)
        )


def listed_files(file: BinaryIO) -> list[Path]:
    """The files that another program names, one a line, as `find` does; empty lines are passed over."""
    names = [os.fsdecode(line.rstrip(b"\r")) for line in file.read().split(b"\n")]
    return [Path(name) for name in dict.fromkeys(names) if name]
