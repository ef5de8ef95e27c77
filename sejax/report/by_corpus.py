"""Figures of each corpus that a run tests, where it tests several: what the overall figures are made of."""

from sejax.core.results import label
from sejax.report import Report, Results, anchors
from sejax.report.folds import metric_name, written_as
from sejax.report.run import arranged
from sejax.report.tables import Table, mean_std
from sejax.report.terms import METRICS, MISSING, levels, members_text

MARK = ":"  # between a test part's name and a corpus's


def is_of_corpus(metric: str) -> bool:
    """Whether a metric's key is of one corpus among several: `test:emodb/uar`."""
    return MARK in metric.partition("/")[0]


def table(results: Results, report: Report) -> Table | None:
    """A row for each variant, test part and corpus, of all scores that are known by corpus; None where none is."""
    found = {metric: _parts(metric) for metric in results["summary"] if is_of_corpus(metric)}
    if not found:
        return None
    names = list(dict.fromkeys(name for _, _, name in found.values()))
    parts = list(dict.fromkeys(part for part, _, _ in found.values()))
    corpora = list(dict.fromkeys(corpus for _, corpus, _ in found.values()))
    variants, units, rows = arranged(results, report), levels(results), []
    for variant in variants:
        for part in parts:
            for corpus in (*corpora, ""):
                key = f"{part}{MARK}{corpus}" if corpus else part
                cells = [_cell(variant.summary.get(f"{key}/{name}"), f"{part}/{name}", report) for name in names]
                told = label({key: report.labels.get(value, value) for key, value in variant.name.items()})
                rows.append((told or "all", units.get(part, part), corpus or "together", *cells))
    single = all(row[0] == "all" for row in rows)
    titles = (_title(results, report, parts[0], name) for name in names)
    columns = (*[report.variant or "variant"] * (not single), "per", "tested on", *titles)
    rows = [row[single:] for row in rows]
    caption = f"By corpus, test part: mean ± sample standard deviation over {members_text(results['members'])}"
    note = "A corpus's figures are of its own tested speech, by the same members; UAR is over the classes in it."
    said = (note, *filter(None, [anchors.by_corpus(results)]))
    return Table(caption, columns, tuple(rows), said, stubs=3 - single)


def _parts(metric: str) -> tuple[str, str, str]:
    """`test`, `emodb` and `uar` of `test:emodb/uar`."""
    where, _, name = metric.partition("/")
    part, _, corpus = where.partition(MARK)
    return part, corpus, name


def _title(results: Results, report: Report, part: str, name: str) -> str:
    return metric_name(results, report, f"{part}/{name}") if name in report.metrics else METRICS.get(name, name)


def _cell(entry, metric: str, report: Report) -> str:
    scale, digits = written_as(metric, report)
    if not entry:
        return MISSING
    return mean_std({**entry, "mean": scale * entry["mean"], "std": scale * entry["std"]}, digits)


def notes(results: Results, report: Report) -> tuple[str, ...]:
    """The same as a note below the table that a run prints: the first score, UAR where there is one."""
    found = table(results, report)
    if found is None:
        return ()
    first = next((place for place, name in enumerate(found.columns) if "UAR" in name), found.stubs)
    rows = [row for row in found.rows if row[found.stubs - 1] != "together"]
    each = "; ".join(f"{', '.join(row[: found.stubs])} {row[first]}" for row in rows)
    return (f"By corpus, {found.columns[first]}: {each}.", *found.notes[1:])
