"""What results.json says of one run, beside the paper: its settings, scores by iteration, and members."""

import re

from sejax.core.members import REPEATS, name_of
from sejax.report import published
from sejax.report.results import field_value, is_finite
from sejax.report.tables import Table, against, number
from sejax.report.terms import METRICS, MISSING, PARTS, failure, levels, members_text, setting, title
from sejax.report.variant_tables import variant_table
from sejax.report.variants import named
from sejax.report.views import view_of

STRONG_NOTE = "Bold (* in plain text): at or above the paper's figure, which has two decimals."
_KEY = re.compile(r"(?:iteration_(\d+)/)?([^/]+)/([^/]+)")


def paper_figures(results):
    """The paper's figures for a run: those it recorded, else those that `published` finds for its config."""
    return results.get("paper") or published.figures(results, {})


def iterations(results):
    """The numbers of the iterations that a run reports, in order; [] for an experiment without iterations."""
    found = {int(match[1]) for match in map(_KEY.fullmatch, results["summary"]) if match and match[1]}
    return sorted(found)


def figures_at(entries, part, metric, iteration, last):
    """The entry of `part/metric` after an iteration, in a summary or in the paper's figures; None if absent.

    A key without an iteration stands for the run's last one, unless the source tells this metric's
    iterations apart (the paper's third iteration is no match for a run that stops after its first).
    """
    name = f"{part}/{metric}"
    apart = any(key.startswith("iteration_") and key.endswith(f"/{name}") for key in entries)
    if apart or iteration != last:
        return entries.get(f"iteration_{iteration}/{name}")
    return entries.get(name)


def headline(results):
    """Every summarised metric of one run, by level and iteration, beside the paper's.

    Or the table of its variants, or what the `View` of its experiment has instead.
    """
    view = view_of(results)
    if view:
        return view.headline(results)
    if named(results):
        return variant_table(results)
    summary, paper, units = results["summary"], paper_figures(results), levels(results)
    steps = iterations(results) or [None]
    pairs = list(dict.fromkeys(match.groups()[1:] for match in map(_KEY.fullmatch, summary) if match))
    pairs.sort(key=lambda pair: (_place(units, pair[0]), _place(METRICS, pair[1])))
    columns, rows = (
        ["level", "metric"],
        [[units.get(part, part), METRICS.get(name, name)] for part, name in pairs],
    )
    for step in steps:
        ours = [figures_at(summary, *pair, step, steps[-1]) for pair in pairs]
        theirs = [figures_at(paper, *pair, step, steps[-1]) for pair in pairs]
        columns.append("result" if step is None else f"iteration {step}")
        for row, mine, other in zip(rows, ours, theirs, strict=True):
            row.append(against(mine, other))
        if any(map(is_finite, theirs)):
            columns.append("paper")
            for row, other in zip(rows, theirs, strict=True):
                row.append(number(other, 2))
    notes = (STRONG_NOTE,) if paper else ("The paper has no figure for this setting.",)
    return Table(_run_caption(results), tuple(columns), tuple(map(tuple, rows)), notes, stubs=2)


def _place(order, name):
    return list(order).index(name) if name in order else len(order)


def _run_caption(results):
    protocol = setting(results, "protocol", MISSING)
    corpus = setting(results, "corpus", results["experiment"])
    over = members_text(results["members"])
    return f"{corpus}, protocol {protocol}: mean ± sample standard deviation over {over}"


def member_table(results):
    """One row for each member: its name, fold and seed, whether it failed, its final metrics and its epochs."""
    members, units = results["members"], levels(results)
    fields = list(dict.fromkeys(field for member in members for field in name_of(member)))
    fields += [field for field in REPEATS if any(field in member for member in members)]
    metrics = dict.fromkeys(name for member in members for name in member["metrics"] if name.count("/") == 1)
    metrics = sorted(metrics, key=lambda metric: _metric_order(metric, units))
    several = any(member.get("iterations") for member in members)
    rows = []
    for member in members:
        cells = [field_value(member.get(field, MISSING)) for field in fields]
        cells += [failure(member) or "finished"]
        cells += [number(member["metrics"].get(name)) for name in metrics]
        if several:
            cells.append(" / ".join(str(entry.get("epochs", MISSING)) for entry in member.get("iterations") or ()))
        rows.append(tuple(cell or MISSING for cell in cells))
    stubs = (*(field.replace("_", " ") for field in fields), "status")
    columns = (*stubs, *(title(name, units) for name in metrics), *["epochs"] * several)
    after = "iteration" if several else "epoch"
    caption = f"Every member after its last {after}, protocol {setting(results, 'protocol', MISSING)}"
    return Table(caption, columns, tuple(rows), stubs=len(stubs))


def _metric_order(metric, units):
    part, _, name = metric.partition("/")
    return _place([*PARTS, *units], part), _place(METRICS, name)
