"""What may choose among trials: the validation figures of a run's members, and nothing of its test part."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sejax.core.results import REPEATS
from sejax.errors import InputError

PART = "valid/"


def check_metric(metric: str, known: Sequence[str] | None) -> None:
    """Refuses what is no validation figure, or is none of those that an experiment is known to have (None: not known).

    Raises:
      InputError: such a metric.
    """
    if not metric.startswith(PART) or metric == PART:
        raise InputError(
            f"--metric={metric} is not a validation figure; a sweep chooses by one of the validation part alone, "
            f"such as {', '.join(known or ('valid/accuracy',))}"
        )
    if known is not None and metric not in known:
        has = f"its validation figures are {', '.join(known)}" if known else "it has no validation figure"
        raise InputError(f"--metric={metric} is not measured by this experiment; {has}")


def lower_is_better(metric: str) -> bool:
    """Whether the best of a metric is its least: losses."""
    return "loss" in metric


def validation_part(member: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """A member of results.json without anything but its name, its failure and its validation figures.

    ``names`` are the fields, beside fold and seed, that tell members apart.
    """
    best = member.get("best_epoch") or (member.get("iterations") or [{}])[-1].get("best_epoch")
    history = [
        {name: value for name, value in row.items() if name in ("iteration", "epoch") or name.startswith(PART)}
        for row in member.get("history") or ()
    ]
    return {
        **{name: member[name] for name in (*REPEATS, *names) if name in member},
        "failed": member.get("failed"),
        "metrics": {k: value for k, value in (member.get("metrics") or {}).items() if k.startswith(PART)},
        "best_epoch": best or None,
        "history": history,
    }


def figure(member: Mapping[str, Any], metric: str) -> float | None:
    """A member's validation figure with the weights that it keeps; None where it has none that is finite.

    That is the one in its metrics, else the history's at the epoch that early stopping restored (``best_epoch``, of the
    last iteration), else that of the last epoch.
    """
    value = member["metrics"].get(metric)
    if value is None:
        rows = member["history"]
        last = max((row.get("iteration", 1) for row in rows), default=1)
        rows = [row for row in rows if row.get("iteration", 1) == last]
        best = [row for row in rows if row.get("epoch") == member["best_epoch"]]
        value = (best or rows[-1:] or [{}])[0].get(metric)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def scored(members: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """A trial's outcome: mean, sample deviation and number of its members' figures, and why it counts as failed.

    Members that failed, or have no finite figure, are left out of the mean; one of them makes the trial a failed one.
    """
    rows, values, failures = [], [], []
    for member in members:
        name = {field: member[field] for field in REPEATS if field in member}
        failed, value = member["failed"], None
        if failed:
            reason = failed.get("reason", failed) if isinstance(failed, Mapping) else failed
        else:
            value = figure(member, metric)
            reason = f"no finite {metric}"
        if value is None:
            failures.append(f"{' '.join(f'{k} {v}' for k, v in name.items()) or 'a member'}: {reason}")
        else:
            values.append(value)
        rows.append(name | {"score": value})
    counted = f"{len(failures)} of {len(members)} members failed; " if len(members) > 1 else ""
    return {
        "score": statistics.fmean(values) if values else None,
        "std": (statistics.stdev(values) if len(values) > 1 else 0.0) if values else None,
        "n": len(values),
        "failed": f"{counted}{failures[0]}" if failures else None,
        "members": rows,
    }


def ranking(outcomes: Iterable[Mapping[str, Any]], metric: str) -> list[int]:
    """Trials from the best to the worst: those in which something failed come last, of equal ones the earlier first."""
    sign = 1.0 if lower_is_better(metric) else -1.0

    def place(outcome):
        score = outcome["score"]
        return bool(outcome["failed"]), score is None, sign * (score or 0.0), outcome["trial"]

    return [outcome["trial"] for outcome in sorted(outcomes, key=place)]
