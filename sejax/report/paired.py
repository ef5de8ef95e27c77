"""Scores of a run's variants by fold and seed, and differences of two variants that have fold and seed in common."""

from sejax.report.results import is_finite, spread


def by_member(variant, metric):
    """{(fold, seed): value} of the members that did not fail and have a finite one; `metric` as `test/uar`.

    `variant` is anything with the members of results.json in its field `members`.
    """
    return {
        (member.get("fold"), member.get("seed")): member["metrics"][metric]
        for member in variant.members
        if not member.get("failed") and is_finite(member["metrics"].get(metric))
    }


def score(variant, metric):
    """Mean and deviation of a metric over folds and seeds; None without a value."""
    return spread(by_member(variant, metric).values())


def differences(first, second, metric):
    """{(fold, seed): first - second} of two variants where both have a value; {} where one is None."""
    if first is None or second is None:
        return {}
    ours, base = by_member(first, metric), by_member(second, metric)
    return {place: value - base[place] for place, value in ours.items() if place in base}


def above(found):
    """In how many of some differences the first is above the second: `3 of 5`."""
    return f"{sum(value > 0 for value in found)} of {len(found)}"
