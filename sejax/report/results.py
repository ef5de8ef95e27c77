"""results.json: written in one piece, read back with its schema checked, summarised over members."""

import dataclasses
import json
import math
import os
import statistics
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sejax.errors import InputError

FILE = "results.json"


def summarise(members):
    """Mean and sample standard deviation of every metric over the members that did not fail.

    `members` is results.json's list; a member whose "failed" is set is left out. Returns {metric: {"mean",
    "std", "n", "failed"}} in the order of first appearance: std with n - 1 in its denominator (0.0 for n =
    1), n the members with a finite value, failed the members left out. A metric without one finite value is
    absent.
    """
    kept = [member for member in members if not member.get("failed")]
    values = {}
    for member in kept:
        for metric, value in member.get("metrics", {}).items():
            if is_finite(value):
                values.setdefault(metric, []).append(float(value))
    return {
        metric: {
            "mean": statistics.fmean(found),
            "std": statistics.stdev(found) if len(found) > 1 else 0.0,
            "n": len(found),
            "failed": len(members) - len(kept),
        }
        for metric, found in values.items()
    }


def is_finite(value):
    """Whether `value` is a finite number (None, NaN, infinities, booleans and text are not)."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value)


def plain(value, where="results"):
    """`value` as JSON's own types, with null for NaN and infinities.

    Mappings (config objects with `to_dict` too), sequences, dataclasses, paths, numpy and JAX arrays and
    scalars are taken; anything else raises a TypeError that names its place, as in
    results['config']['model'].
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}[{str(key)!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return plain(_listed(np.asarray(value), where), where)
    raise TypeError(f"{where} is a {type(value).__name__}, which results.json cannot hold")


def _listed(array, where):
    if array.dtype.kind in "biufU":
        return array.tolist()
    if array.dtype.kind == "V" or "float" in array.dtype.name:  # bfloat16 and other small floats
        return array.astype(np.float32).tolist()
    raise TypeError(f"{where} is an array of {array.dtype}, which results.json cannot hold")


def write_results(workdir, results):
    """Write `results` to workdir/results.json and return its path; the folder is made if missing.

    A reader sees the old file or the new one, never half of one: the text is written beside it, flushed to
    the disk and moved over it. The file is strict JSON: NaN and infinities become null.
    """
    path = Path(workdir) / FILE
    text = json.dumps(plain(results), indent=1, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")
    return path


def write_text(path, text):
    """Replace the file at `path` by `text` (UTF-8) in one move; the folder is made if missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_results(path):
    """The results at `path`: a workdir, or a results.json itself.

    Raises InputError for a missing or broken file, or one without the fields that every run writes.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the workdir of a run that has finished")
    try:
        results = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); run the training again in its workdir to rewrite it") from None
    _check(path, results)
    return results


def _check(path, results):
    if not isinstance(results, dict):
        raise InputError(f"{path} holds a {type(results).__name__}, not a run's results; give a run's workdir")
    for field, kind in (("experiment", str), ("config", dict), ("summary", dict), ("members", list)):
        if field not in results:
            raise InputError(f"{path} has no field {field!r}: it was not written by a sejax run of this version")
        if not isinstance(results[field], kind):
            found = type(results[field]).__name__
            raise InputError(f"{path}: field {field!r} is a {found}, not a {kind.__name__}; rewrite it by a run")
    for index, member in enumerate(results["members"]):
        if not isinstance(member, dict) or not isinstance(member.get("metrics", {}), dict):
            raise InputError(f"{path}: member {index} is not a record with metrics; rewrite the file by a run")
    for metric, entry in results["summary"].items():
        if not isinstance(entry, dict) or "mean" not in entry:
            raise InputError(f"{path}: summary entry {metric!r} has no mean; rewrite the file by a run")
