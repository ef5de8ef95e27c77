"""A run's folder: which config it belongs to, on what it was computed, whether it is finished."""

import json
import platform
from collections.abc import Iterator, Mapping
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
        write_text(path, json.dumps(wanted, indent=1) + "\n")
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
