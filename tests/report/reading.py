"""What tables and figures of a report show, as tests ask for it, with the Report of a run's experiment."""

import numpy as np

from sejax.experiments import report_of
from sejax.report import curves, html, run, score_figures, score_tables


def figures(results, name):
    """The paper's figures for a run's variant of that name."""
    return report_of(results).published(results, name)


def note(results):
    """Where the paper's figures stand."""
    return report_of(results).note


def report(results, images=None):
    """The text of report.html."""
    return html.report_page(results, report_of(results), images)


def headline(results):
    """The table that a run prints."""
    return score_tables.headline(results, report_of(results))


def arranged(results):
    """The variants of a run in the order of tables."""
    return run.arranged(results, report_of(results))


def paper_figures(results):
    """The paper's figures for a run as a whole."""
    return run.paper_figures(results, report_of(results))


def comparison(runs, **options):
    """The tables of many runs of one experiment."""
    return score_tables.comparison(runs, report_of(runs[0]), **options)


def learning_curves(results, **options):
    """Curves of every variant."""
    return curves.learning_curves(results, report_of(results), **options)


def rated(results):
    """The variants of a run with enough learning rates for a curve."""
    return score_figures.rated(results, report_of(results))


def accuracy_over_rate(results, **options):
    """Accuracy of a run's variants over the learning rate."""
    return score_figures.accuracy_over_rate(results, report_of(results), **options)


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
