"""A run's folder: which config it belongs to, on what it was computed, and what in it is finished.

Variants and stages of a run have a folder each inside it: what is finished is kept, whatever happens next.
"""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from sejax.core.files import plain, write_text
from sejax.errors import InputError

CONFIG = "config.json"
# Of no influence on results: these may differ between a run and its continuation.
FREE = ("run.save_seconds", "run.keep", "run.tensorboard", "run.compilation_cache", "data_dir")
PACKAGES = ("sejax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def environment(backend: str, placement: Mapping[str, int]) -> dict[str, Any]:
    """Versions, platform and backend: what the last bits of a result depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "python": platform.python_version(),
        "platform": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "backend": backend,
        "placement": dict(placement),
    }


def claim(workdir: Path, config: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Makes the workdir this config's, or checks that it already is.

    Returns:
      True when an earlier run with this config was here.

    Raises:
      InputError: the workdir belongs to another config (the differing fields are listed), or its
        run was computed on another platform, backend or JAX.
    """
    path = Path(workdir) / CONFIG
    wanted = plain({"config": config, "environment": here})
    if not path.exists():
        try:
            write_text(path, json.dumps(wanted, indent=1) + "\n")
        except OSError as error:
            raise InputError(f"{workdir} cannot be written to ({error.strerror}); give another --workdir") from None
        return False
    found = read_claim(workdir)
    differing = [row for row in differences(found["config"], wanted["config"]) if not row.startswith(FREE)]
    if differing:
        raise InputError(
            f"{workdir} belongs to a run of another config; it differs in {'; '.join(differing)}. "
            "Give another --workdir, or the same config to go on"
        )
    differing = list(differences(_bits(found["environment"]), _bits(wanted["environment"])))
    if differing:
        raise InputError(
            f"{workdir} was computed elsewhere: {'; '.join(differing)}. Going on here would change the last bits of "
            "the result; use the same environment, or start again in another --workdir"
        )
    return True


def release(workdir: Path) -> None:
    """Takes back a claim under which nothing was computed; the folder stays."""
    (Path(workdir) / CONFIG).unlink(missing_ok=True)


def read_claim(workdir: Path) -> dict[str, Any]:
    """``{"config": ..., "environment": ...}`` of the run in a workdir."""
    path = Path(workdir) / CONFIG
    if not path.is_file():
        raise InputError(f"{workdir} holds no run ({CONFIG} is missing); give the --workdir of launch/train.py")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON ({error}); train again in another --workdir") from None


def _bits(environment: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: environment.get(name) for name in ("platform", "device", "backend", "placement")}
    return kept | {"jax": environment.get("versions", {}).get("jax")}


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Fields that differ, as ``name: old -> new``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield f"{path}: {old!r} -> {new!r}"


FINISHED = "finished.json"


def folder_of(workdir: Path, variant: str) -> Path:
    """Where a variant keeps its checkpoints and events; the workdir itself for a run of one, whose name is ""."""
    return Path(workdir) / "variants" / variant if variant else Path(workdir)


def stage_folder(folder: Path, stage: str) -> Path:
    """Where the stage ``stage`` of what is trained in ``folder`` keeps its checkpoints and events."""
    return Path(folder) / "stages" / stage


def write_finished(folder: Path, members: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Keeps the members of a finished variant (or stage) and what its assembly said about it."""
    text = json.dumps(plain({"members": members, "about": about}), allow_nan=False)
    write_text(Path(folder) / FINISHED, text + "\n")


def read_finished(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Members and about of a finished variant (or stage); None where it is not finished.

    Raises:
      InputError: the file is damaged.
    """
    path = Path(folder) / FINISHED
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
