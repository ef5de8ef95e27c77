"""The paper's Tables 2 to 4 with the figures of our runs beside its own, empty where a corpus was not run."""

from itertools import groupby

from sejax.experiments.pseudo_labelling.published import CONDITIONS, FULL_SUPERVISION, SEMI_SUPERVISION, condition
from sejax.report.run import figures_at, iterations
from sejax.report.score_tables import STRONG_NOTE, field_text
from sejax.report.tables import Table, against, number
from sejax.report.terms import MISSING, PROTOCOLS, setting

FRACTIONS = {2: 1.0, 3: 0.3, 4: 0.2}  # the paper's number of each table: the share of labels in it
_APART = ("protocol", "model", "trainable", "level")  # what the paper's tables have no column for
_NOTE = (
    f"{MISSING}: not run. Several figures in a cell are of runs that differ in what the table does not show. baseline:"
    " the log scale with pauses; log and mel: voiced parts alone, by whatever detector."
)


def paper_tables(runs):
    """Tables 2, 3 and 4 for each protocol, network and trained part that occurs among runs of the paper's corpora.

    Runs on other features than the paper's images have no place in them.
    """
    runs = [run for run in runs if _corpus(run) in FULL_SUPERVISION and setting(run, "features", "image") == "image"]
    tables = []
    for _, group in groupby(sorted(runs, key=_place), key=_place):
        group = list(group)
        tables += [_table(number, group) for number in FRACTIONS]
    return tables


def _place(run):
    texts = [field_text(run, field) for field in _APART]
    known = list(PROTOCOLS)
    return known.index(texts[0]) if texts[0] in known else len(known), *texts


def _corpus(run):
    return str(setting(run, "corpus", "")).lower()


def _table(table, runs):
    fraction = FRACTIONS[table]
    published = FULL_SUPERVISION if fraction == 1 else SEMI_SUPERVISION[fraction]
    steps = (None,) if fraction == 1 else (1, 3)
    columns = ["corpus"]
    for name in CONDITIONS:
        for step in steps:
            columns += [f"{name}, iteration {step}" if step else name, "paper"]
    rows = []
    for corpus, figures in published.items():
        row = [corpus]
        for name, theirs in zip(CONDITIONS, figures, strict=True):
            here = [run for run in runs if _is_of(run, corpus, name, fraction)]
            for step, figure in zip(steps, (theirs,) if fraction == 1 else theirs, strict=True):
                row += [_cell(here, step, figure), number(figure, 2)]
        rows.append(tuple(row))
    what = "full supervision" if fraction == 1 else f"{100 * fraction:g} % of each class labelled"
    texts = {field: field_text(runs[0], field) for field in _APART}
    settings = (f"{field} {text}" for field, text in texts.items() if text != MISSING)
    caption = f"The paper's Table {table}, {what}: macro-F1 per block, ours with {', '.join(settings)}"
    return Table(caption, tuple(columns), tuple(rows), (STRONG_NOTE, _NOTE))


def _is_of(run, corpus, name, fraction):
    labelled = round(float(setting(run, "labelled", 1.0)), 6)
    setting_of = condition(setting(run, "scale"), setting(run, "voice_activity", "none"))
    return (_corpus(run), setting_of, labelled) == (corpus, name, fraction)


def _cell(runs, step, figure):
    """Our figures after an iteration, or at a run's end; the paper's third is no match for a run of one."""
    cells = []
    for run in runs:
        last = (iterations(run) or [None])[-1]
        entry = run["summary"].get("test/macro_f1")
        if step:
            entry = figures_at(run["summary"], "test", "macro_f1", step, last)
        cells.append(against(entry, figure))
    return cells[0] if len(cells) == 1 else " / ".join(cells) or MISSING
