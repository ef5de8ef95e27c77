"""File names as disks hold them: with accents composed in another way than in a table, say."""

import functools
import os
import unicodedata
from pathlib import Path


def on_disk(path: str | os.PathLike[str]) -> Path:
    """The path under which a file lies whose accents a table or a command line writes in another form.

    "é" is one character (NFC) or a letter and an accent (NFD, as macOS writes many names): two names for a disk that
    look alike. A path that exists, and one that does not in either form, stay as they are.
    """
    path = Path(path)
    if os.path.exists(path) or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        if not os.path.exists(found / part):
            part = _in_folder(found).get(_composed(part), part)
        found /= part
    return found if os.path.exists(found) else path


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _in_folder(folder: Path) -> dict[str, str]:
    """The names in a folder by their composed form."""
    try:
        return _names(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return {}


@functools.lru_cache(maxsize=16)  # a table of ten thousand files lists their folder once
def _names(folder: Path, _changed: int) -> dict[str, str]:
    return {_composed(name): name for name in sorted(os.listdir(folder))}
