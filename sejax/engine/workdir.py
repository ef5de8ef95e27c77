"""A run's folder: which config it belongs to, on what it was computed, and what in it is finished.

Variants and stages of a run have a folder each inside it: what is finished is kept, whatever happens next.
"""

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from sejax.core.files import damaged, locked, plain, read_json, write_json
from sejax.core.stores import exists, path_of
from sejax.errors import InputError, typed

CONFIG, LOCK = "config.json", "lock"
# Of no influence on results: these may differ between a run and its continuation.
FREE = ("run.save_seconds", "run.keep", "run.tensorboard", "run.compilation_cache", "data_dir")
# Fields that configs of earlier versions have not, and what they meant; some say something of these corpora alone.
ADDED = {
    **{"level": "none", "trim": "none", "random_gain": [0.0, 0.0], "word_times": "frame", "classes": []},
    **{"normalise_by": "training", "random_noise": "none", "noise_snr": [0.0, 30.0]},
    **{"target": "points", "regression_loss": "ccc", "protocol": "speaker", "split_folds": [], "test": ""},
    **{"features": "image", "hidden": [], "longest": 20.0, "l2": 0.0},
    **{"labeller": "network", "vote": "image", "calibration": "none", "selection": "threshold", "shares": [0.5, 1.0]},
    **{"targets": "hard", "pseudo_weight": 1.0, "ema": 0.0, "strong_views": 0},
    "alteration": {"shift": 8, "bands": 10, "frames": 16, "gain": 6.0},
    **{"sound": "convolutions", "dtype": "float32"},
    "encoder": {"weights": "auto", "rate": 0.0, "dropout": 0.1, "layer_drop": 0.1, "masks": 0.05},
}
# Fields that were a text and are a list now.
LISTED = ("classes",)
OF_CORPORA = {"word_times": ("iemocap",)}
PACKAGES = ("sejax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def environment(backend: str, placement: Mapping[str, int]) -> dict[str, Any]:
    """Versions, platform, backend and XLA's flags: what the last bits of a result depend on."""
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
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def only_run(workdir: Path) -> contextlib.AbstractContextManager[None]:
    """`sejax.core.files.locked`, for what is trained, or judged, in a workdir."""
    refusal = f"{workdir} is in use by another process that trains or judges in it; wait, or give another --workdir"
    return locked(path_of(workdir) / LOCK, refusal)


def claim(workdir: Path, config: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Makes the workdir this config's, or checks that it already is.

    Returns:
      True when an earlier run with this config was here.

    Raises:
      InputError: the workdir belongs to another config (the differing fields are listed), or its
        run was computed on another platform, backend or JAX.
    """
    path = path_of(workdir) / CONFIG
    wanted = plain({"config": config, "environment": here})
    if not exists(path):
        write_json(path, wanted, indent=1)
        return False
    found = read_claim(workdir)
    differing = differences(_meant(found["config"]), _meant(wanted["config"]))
    differing = [row for row in differing if not row.startswith(FREE)]
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


def moved(workdir: Path, here: Mapping[str, Any]) -> str:
    """How the run in a workdir was spread over devices and compiled before, where not as here; "" where as here.

    It goes on nevertheless: a job that a scheduler starts again may get other devices. Only sums that are cut in other
    places, or computed in another order, differ, in their last bits.
    """
    before = read_claim(workdir)["environment"]
    spread = differences(before["placement"], plain(here["placement"])) if before.get("placement") else ()
    flags = differences(before.get("xla_flags", ""), here["xla_flags"], "XLA_FLAGS")
    return "; ".join([*spread, *flags])


def release(workdir: Path) -> None:
    """Takes back a claim under which nothing was computed; the folder stays."""
    (path_of(workdir) / CONFIG).unlink(missing_ok=True)


@contextlib.contextmanager
def claimed(workdir: Path, config: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[bool]:
    """`claim`, and `release` where the body fails and nothing was kept: a corrected command may have the folder."""
    known = claim(workdir, config, here)
    try:
        yield known
    except BaseException:
        if not any(any(path_of(workdir).glob(kept)) for kept in ("**/checkpoints/*/[0-9]*", f"**/{FINISHED}")):
            release(workdir)
        raise


def read_claim(workdir: Path) -> dict[str, Any]:
    """``{"config": ..., "environment": ...}`` of the run in a workdir."""
    path = path_of(workdir) / CONFIG
    if not exists(path):
        raise InputError(f"{workdir} holds no run ({CONFIG} is missing); give the --workdir of {typed('train')}")
    remedy = "put back a copy of it, or train again in another --workdir"
    found = read_json(path, remedy)
    if not all(isinstance(found.get(name), dict) for name in ("config", "environment")):
        raise damaged(path, "it has no config or environment", remedy)
    return found | {"config": _of_today(found["config"])}


def _meant(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with what earlier versions meant where it lacks a field, without what says nothing of its corpora."""
    own = {*str(config.get("corpus")).split("+"), *str(config.get("test")).split("+"), *config.get("unlabelled", ())}
    idle = [name for name, corpora in OF_CORPORA.items() if not own & {*corpora}]
    return {name: value for name, value in _of_today(config).items() if name not in idle}


def _of_today(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of an earlier version with the fields that it has not, as it meant them."""
    listed = {name: [config[name]] for name in LISTED if isinstance(config.get(name), str)}
    return ADDED | dict(config) | listed


def _bits(environment: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: environment.get(name) for name in ("platform", "device", "backend")}
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
    return path_of(workdir) / "variants" / variant if variant else path_of(workdir)


def stage_folder(folder: Path, stage: str) -> Path:
    """Where the stage ``stage`` of what is trained in ``folder`` keeps its checkpoints and events."""
    return path_of(folder) / "stages" / stage


def write_finished(folder: Path, members: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Keeps the members of a finished variant (or stage) and what its assembly said about it."""
    write_json(path_of(folder) / FINISHED, {"members": members, "about": about})


def read_finished(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Members and about of a finished variant (or stage); None where it is not finished.

    Raises:
      InputError: the file is damaged.
    """
    path = path_of(folder) / FINISHED
    if not exists(path):
        return None
    remedy = f"delete it, and the same command of {typed('train')} writes it again"
    found = read_json(path, remedy)
    if not isinstance(found.get("members"), list) or not isinstance(found.get("about"), dict):
        raise damaged(path, "it has no members", remedy)
    return found["members"], found["about"]


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
