"""Many runs in groups, a table for each: what --group_by of launch/report.py asks for."""

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


def _text(run, field):
    return joined(setting(run, field, MISSING))
