"""What tables and figures of a report show, as tests ask for it."""

import numpy as np


def column(table, name, occurrence=0):
    """The cells below the `occurrence`-th column of that name."""
    places = [place for place, title in enumerate(table.columns) if title == name]
    return [row[places[occurrence]] for row in table.rows]


def cell(table, row, name, occurrence=0):
    """The cell of a row below the `occurrence`-th column of that name."""
    return column(table, name, occurrence)[row]


def signed(text):
    """A number that was written without a sign, with one."""
    return text if text.startswith("-") else f"+{text}"


def points(axes):
    """The x values of every line of a figure's axes."""
    return {tuple(np.round(np.asarray(line.get_xdata(), dtype=float), 6)) for line in axes.lines}
