"""The variants and stages of one run, each in a folder of its own: what is finished is kept, whatever happens next."""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from sejax.core.files import plain, write_text
from sejax.errors import InputError

FILE = "finished.json"


def folder_of(workdir: Path, variant: str) -> Path:
    """Where a variant keeps its checkpoints and events; the workdir itself for a run of one, whose name is ""."""
    return Path(workdir) / "variants" / variant if variant else Path(workdir)


def stage_folder(folder: Path, stage: str) -> Path:
    """Where the stage ``stage`` of what is trained in ``folder`` keeps its checkpoints and events."""
    return Path(folder) / "stages" / stage


def write_finished(folder: Path, members: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Keeps the members of a finished variant (or stage) and what its assembly said about it."""
    text = json.dumps(plain({"members": members, "about": about}), allow_nan=False)
    write_text(Path(folder) / FILE, text + "\n")


def read_finished(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Members and about of a finished variant (or stage); None where it is not finished.

    Raises:
      InputError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["members"], found["about"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error!r}); delete it, and the same command writes it again") from None


def merged(abouts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all variants say: mappings are united, and the first that does not give an empty list has the last word."""

    def unite(first, second):
        both = dict(first) | {key: value for key, value in second.items() if key not in first}
        for key in first.keys() & second.keys():
            if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
                both[key] = unite(first[key], second[key])
            elif isinstance(first[key], list) and not first[key]:
                both[key] = second[key]
        return both

    return reduce(unite, abouts)
