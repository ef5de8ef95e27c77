"""Paired differences of runs of any experiments, as text, as a section of a page, as LaTeX and as CSV."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sejax.core.files import write_text
from sejax.errors import InputError
from sejax.report import Report, Results, page, tables
from sejax.report.folds import capitalised, metric_name
from sejax.report.forest import MOST_ROWS, forest, of_metric
from sejax.report.paired import (
    MEMBER_COLUMNS,
    PAIR_COLUMNS,
    Comparison,
    compared,
    member_rows,
    pair_rows,
    paired_table,
    score_table,
)


class Group(NamedTuple):
    """Runs of one experiment, its report and their differences; `missing`: why there are none, "" otherwise."""

    runs: list[Results]
    report: Report
    comparison: Comparison
    missing: str = ""


def compared_runs(
    runs: Sequence[Results], report_of: Callable[[Results], Report], *, baseline: str | None = None
) -> list[Group]:
    """The runs of each experiment, in the order given, with their paired differences.

    Raises InputError for a baseline that is among none of them.
    """
    groups, wrong = [], []
    for name in dict.fromkeys(run["experiment"] for run in runs):
        own = [run for run in runs if run["experiment"] == name]
        report = report_of(own[0])
        try:
            groups.append(Group(own, report, compared(own, report, baseline=baseline)))
        except ImportError as error:
            groups.append(Group(own, report, Comparison(), f"No paired differences here: {error}."))
        except InputError as error:  # the baseline may be of another experiment
            wrong.append(error)
            groups.append(Group(own, report, compared(own, report)))
    if len(wrong) == len(groups):
        raise wrong[0]
    return groups


def paired_text(groups: Sequence[Group], write: Callable[[tables.Table], str] = tables.plain_text) -> str:
    """The tables of differences as `write` gives them, then a line for each pair that was refused."""
    texts = []
    for group in groups:
        table = paired_table(group.comparison, group.report)
        texts += [write(table)] if table else []
        texts += ["\n".join(lines) + "\n" for lines in [_lines(group)] if lines]
    return "\n".join(texts)


def _lines(group):
    return [*group.comparison.refused, *[group.missing] * bool(group.missing)]


def paired_section(groups: Sequence[Group]) -> str:
    """The same as HTML, with a figure for each metric that has intervals; "" where there is nothing to say."""
    parts = []
    for group in groups:
        table = paired_table(group.comparison, group.report)
        if table:
            parts += [_figures(group), tables.html(table)]
        parts += [page.paragraph(line, "muted") for line in _lines(group)]
    return "\n".join(parts)


def _figures(group):
    pictures = []
    for metric in group.comparison.metrics:
        rows = of_metric(group.comparison, metric)
        if not any(row.inference.corrected for row in rows):
            continue
        name = f"paired-{group.runs[0]['experiment']}-{metric.replace('/', '-')}"
        try:
            svg = forest(rows, group.report, format="inline", ids=name)
        except ImportError as error:
            return page.paragraph(f"No figure here: {error}.", "warning")
        more = f", the first {MOST_ROWS} of {len(rows)}" if len(rows) > MOST_ROWS else ""
        pictures.append(page.picture(svg, capitalised(metric_name(group.runs[0], group.report, metric)) + more))
    return page.in_row(pictures)


def check_names(latex: str | None, csv: str | None) -> None:
    """Raises InputError for names that `write_latex` and `write_csv` do not take; None: neither is asked for."""
    for name, suffix, flag in ((latex, ".tex", "--latex"), (csv, ".csv", "--csv")):
        if name is not None and Path(name).suffix != suffix:
            raise InputError(f"{flag}={name}: the name must end in {suffix}")


def write_latex(path: Path, groups: Sequence[Group]) -> None:
    """Write the tables of scores and of differences for `\\input` in a paper that uses the package booktabs.

    Raises InputError for another suffix than .tex, or where scipy is missing.
    """
    check_names(str(path), None)
    texts = ["% Needs \\usepackage{booktabs}. Made by sejax report.\n"]
    for group in groups:
        if group.missing:
            raise InputError(f"--latex={path}: {group.missing}")
        name = group.runs[0]["experiment"].replace("_", "-")
        texts.append(tables.latex(score_table(group.runs, group.report), f"tab:{name}-scores"))
        table = paired_table(group.comparison, group.report)
        texts += [tables.latex(table, f"tab:{name}-differences")] if table else []
        texts += ["".join(f"% {tables.latex_text(line)}\n" for line in _lines(group))]
    write_text(path, "\n".join(filter(None, texts)))


def write_csv(path: Path, groups: Sequence[Group]) -> tuple[Path, Path]:
    """Write every member's metrics, a row for each, and the differences beside it as NAME-paired.csv; both paths.

    Raises InputError for another suffix than .csv.
    """
    check_names(None, str(path))
    members = [row for group in groups for row in member_rows(group.runs, group.report)]
    pairs = [row for group in groups for row in pair_rows(group.comparison, group.runs[0]["experiment"])]
    beside = path.with_name(f"{path.stem}-paired.csv")
    for file, columns, rows in ((path, MEMBER_COLUMNS, members), (beside, PAIR_COLUMNS, pairs)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        write_text(file, text.getvalue())
    return path, beside
