"""One report of everything that separates the arrays found from the arrays wanted."""

_SHOWN = 12


def report(wanted, found):
    """Compare shapes by name: {} when equal names have equal shapes, else the lines of a +/- list.

    wanted, found: dicts of name to shape. A line starts with "-" for a name that is missing, "+" for one
    that is unexpected and "!" for one whose shape is wrong; long lists end in a count. Returns list of str.
    """
    missing = [f"- {name} {shape}: missing" for name, shape in wanted.items() if name not in found]
    unexpected = [f"+ {name} {shape}: unexpected" for name, shape in found.items() if name not in wanted]
    wrong = [
        f"! {name} {tuple(found[name])}: wrong shape, wanted {tuple(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    return [line for lines in (missing, unexpected, wrong) for line in _shorten(lines)]


def _shorten(lines):
    if len(lines) <= _SHOWN:
        return lines
    left = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"{lines[0][0]} ... and {left} more {lines[0].rsplit(': ', 1)[1].split(',')[0]}"]
