"""results.json: written in one piece, read back with its schema checked, summarised over members.

Members of one run that differ in more than fold and seed (a network, a learning rate, a fusion) are variants
of its experiment: each variant has a summary of its own. Images stand in it as compressed text.
"""

import base64
import binascii
import math
import statistics
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from sejax.core.files import read_json, write_json
from sejax.core.stores import path_of
from sejax.errors import InputError, typed

FILE = "results.json"
BY_CORPUS = "by_corpus/"  # before a test part's name: counts of each corpus, where a run tests several
REPEATS = ("fold", "seed")  # members that differ in these alone are repetitions of one variant, or of one trial
OUTCOMES = ("failed", "epochs", "best_epoch", "utterances")  # what became of a member, which names nothing


def name_of(member: Mapping[str, Any]) -> dict[str, Any]:
    """The variant that a member belongs to: its fields that hold text or a number, but for REPEATS and OUTCOMES."""
    named = {field: value for field, value in member.items() if field not in (*REPEATS, *OUTCOMES)}
    return {field: value for field, value in named.items() if isinstance(value, str | int | float | np.generic)}


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


def spread(values):
    """Mean and sample deviation of a few numbers: {"mean", "std", "n", ...} as in `summarise`, None for no numbers."""
    return summarise([{"metrics": {"value": value}} for value in values]).get("value")


def variants(members, *, paper=None):
    """The members grouped by name: [{"name": {field: value}, "summary": ..., "paper": ...}] in run order.

    `paper` gives the published figures of a name, {metric: value}; without it "paper" is {}. Members that
    carry no more than fold and seed make one variant with the name {}.
    """
    groups = {}
    for member in members:
        groups.setdefault(frozenset(name_of(member).items()), []).append(member)
    return [
        {"name": name, "summary": summarise(found), "paper": dict(paper(name)) if paper else {}}
        for name, found in ((name_of(found[0]), found) for found in groups.values())
    ]


def label(name):
    """A variant's name in a few words: `resnet50 at 0.0001`; text stands alone, a number behind its field."""
    words = [
        value if isinstance(value, str) else f"{field.replace('_', ' ')} {field_value(value)}"
        for field, value in name.items()
        if field != "learning_rate"
    ]
    rate = [f"at {field_value(name['learning_rate'])}"] if "learning_rate" in name else []
    return " ".join([", ".join(words)] * bool(words) + rate)


def field_value(value):
    """A field's value as text, numbers in their shortest form: 1e-05, 0.0001, 10."""
    return f"{value:g}" if is_finite(value) else str(value)


def summaries(members, *, paper=None):
    """The fields "variants" and "summary" of a run's results.

    With one variant, "summary" is that variant's; with several its keys are "<label>/<metric>", so that a
    reader who knows nothing of variants still finds every number.
    """
    found = variants(members, paper=paper)
    if len(found) == 1:
        return {"variants": found, "summary": found[0]["summary"]}
    flat = {
        f"{label(variant['name'])}/{metric}": entry for variant in found for metric, entry in variant["summary"].items()
    }
    return {"variants": found, "summary": flat}


def is_finite(value):
    """Whether `value` is a finite number (None, NaN, infinities, booleans and text are not)."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value)


def write_results(workdir, results):
    """Write `results` to workdir/results.json and return its path; the folder is made if missing.

    The file is strict JSON (NaN and infinities become null), and appears whole or not at all.
    """
    path = path_of(workdir) / FILE
    write_json(path, results, indent=1, ascii=False)
    return path


def read_results(path):
    """The results at `path`: a workdir, or a results.json itself.

    Raises InputError for a missing or broken file, or one without the fields that every run writes.
    """
    path = path_of(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the workdir of a run that has finished")
    results = read_json(path, f"delete it, and the run's command of {typed('train')} writes it again")
    _check(path, results)
    return results


def _check(path, results):
    for field, kind in (("experiment", str), ("config", dict), ("summary", dict), ("members", list)):
        if field not in results:
            raise InputError(f"{path} has no field {field!r}: it was not written by a sejax run of this version")
        if not isinstance(results[field], kind):
            found = type(results[field]).__name__
            raise InputError(f"{path}: field {field!r} is a {found}, not a {kind.__name__}; rewrite it by a run")
    for index, member in enumerate(results["members"]):
        if not isinstance(member, dict) or not isinstance(member.get("metrics", {}), dict):
            raise InputError(f"{path}: member {index} is not a record with metrics; rewrite the file by a run")
    _check_summary(path, results["summary"])
    for index, variant in enumerate(results.get("variants") or []):
        fields = variant if isinstance(variant, dict) else {}
        if not all(isinstance(fields.get(field), dict) for field in ("name", "summary")):
            raise InputError(f"{path}: variant {index} has no name or summary; rewrite the file by a run")
        _check_summary(path, fields["summary"])


def _check_summary(path, summary):
    for metric, entry in summary.items():
        if not isinstance(entry, dict) or "mean" not in entry:
            raise InputError(f"{path}: summary entry {metric!r} has no mean; rewrite the file by a run")


def pack(array):
    """An array of bytes as {"shape": [...], "zlib": base64 text}, for `unpack`.

    Raises ValueError for an array that is not uint8.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        raise ValueError(f"only uint8 arrays are packed; this one is {array.dtype}")
    stored = zlib.compress(np.ascontiguousarray(array).tobytes(), 9)
    return {"shape": list(array.shape), "zlib": base64.b64encode(stored).decode("ascii")}


def unpack(packed):
    """The u8 array of the shape that `pack` was given.

    Raises ValueError, saying what is wrong, for anything that `pack` did not make.
    """
    if not isinstance(packed, dict) or not {"shape", "zlib"} <= set(packed):
        raise ValueError("a packed array is a mapping with a shape and its data")
    shape = packed["shape"]
    if not isinstance(shape, list | tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"the shape of a packed array is {shape!r}, not a list of sizes")
    try:
        data = zlib.decompress(base64.b64decode(packed["zlib"], validate=True))
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise ValueError(f"the data of a packed array are broken: {error}") from None
    if len(data) != math.prod(shape):
        raise ValueError(f"a packed array has {len(data)} bytes for its shape {shape}")
    return np.frombuffer(data, np.uint8).reshape(shape)
