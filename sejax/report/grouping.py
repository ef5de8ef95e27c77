"""Many runs in groups, a table for each (--group_by of launch/report.py), and a run's members in groups."""

from itertools import groupby

from sejax.report.terms import MISSING, joined, setting


def grouped(runs, fields, known, *, order=None):
    """Runs with equal values of the settings `fields`: [[run, ...], ...], ordered by these values.

    `order` maps (run, field) to what sorts them, their text by default. Raises ValueError for a field that is not one
    of `known`.
    """
    unknown = [field for field in fields if field not in known]
    if unknown:
        raise ValueError(f"cannot group by {', '.join(unknown)}; known fields: {', '.join(known)}")
    order = order or _text

    def key(run):
        return tuple(order(run, field) for field in fields)

    return [list(found) for _, found in groupby(sorted(runs, key=key), key)]


def members_by(results, field, order):
    """The members of a run by a field of theirs: [(value, members), ...], in an order of values, unknown ones last."""
    groups = {}
    for member in results["members"]:
        groups.setdefault(member.get(field, MISSING), []).append(member)
    order = list(order)
    names = sorted(groups, key=lambda name: order.index(name) if name in order else len(order))
    return [(name, tuple(groups[name])) for name in names]


def _text(run, field):
    return joined(setting(run, field, MISSING))
