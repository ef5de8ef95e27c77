"""The variants of one run, or of many, beside the paper: one row for each."""

from itertools import groupby

from sejax.report import published
from sejax.report.results import field_value, is_finite
from sejax.report.tables import Table, against
from sejax.report.terms import MISSING, count_text, levels, members_text, protocol_notes, setting, title
from sejax.report.variants import RATE, TUNED, arranged

RUN_FIELDS = ("corpus", "protocol", "trainable")
TRAINING = ("train/accuracy", "valid/accuracy", "train/loss", "valid/loss")
TESTING = ("test/accuracy", "test/uar", "test_utterance/accuracy", "test_utterance/uar")
STRONG_NOTE = "Bold (* in plain text): at or above the paper's accuracy, at or below its loss."
NO_PAPER = "The paper has no figure for these settings."
TUNED_NOTE = (
    "Tuned: the rate with the best mean validation accuracy, the published one aside; the test part has no say in it."
)


def variant_table(results):
    """One row for each variant of a run: each of its metrics beside the paper's where the paper has one."""
    found = arranged(results)
    stubs = _name_columns(found)
    corpus = setting(results, "corpus", results["experiment"])
    start = f"{corpus}, protocol {setting(results, 'protocol', MISSING)}"
    return _table([results] * len(found), found, stubs, start)


def variant_comparison(runs, *, group_by=()):
    """Tables of the variants of many runs, one for each value of the fields `group_by`.

    A row is one variant of one run; corpus, protocol and trainable stand in columns where they differ within
    a table, in its caption otherwise. Rows that nothing else tells apart have the run's field "run".
    `group_by` names RUN_FIELDS or fields of the variants' names (model, learning_rate).
    """
    rows = [(run, variant) for run in runs for variant in arranged(run)]
    known = dict.fromkeys([*RUN_FIELDS, *(field for _, variant in rows for field in variant.name)])
    unknown = [field for field in group_by if field not in known]
    if unknown:
        raise ValueError(f"cannot group by {', '.join(unknown)}; known fields: {', '.join(known)}")

    def key(row):
        return tuple(_cell(*row, field) for field in group_by)

    return [_comparison_table(list(group), group_by) for _, group in groupby(sorted(rows, key=key), key)]


def _comparison_table(rows, group_by):
    runs, found = zip(*rows, strict=True)
    texts = {field: [_cell(*row, field) for row in rows] for field in RUN_FIELDS}
    told = {field: cells for field, cells in texts.items() if len(set(cells)) > 1 and field not in group_by}
    names = _name_columns(found)
    stubs = told | {name: cells for name, cells in names.items() if name.replace(" ", "_") not in group_by}
    if len(set(zip(*stubs.values(), strict=True))) < len(rows):
        stubs["run"] = [str(run.get("run", runs.index(run) + 1)) for run in runs]
    caption = [f"{field.replace('_', ' ')} {_cell(*rows[0], field)}" for field in group_by]
    caption += [
        cells[0] if field == "corpus" else f"{field} {cells[0]}"
        for field, cells in texts.items()
        if field not in (*told, *group_by) and cells[0] != MISSING
    ]
    return _table(runs, found, stubs, ", ".join(caption))


def _cell(run, variant, field):
    return field_value(variant.name.get(field, setting(run, field, MISSING)))


def _name_columns(found):
    """The fields of the variants' names as columns of text; the learning rate comes last, with its mark."""
    fields = list(dict.fromkeys(field for variant in found for field in variant.name))
    fields.sort(key=lambda field: field == RATE)
    columns = {}
    for field in fields:
        cells = [field_value(variant.name.get(field, MISSING)) for variant in found]
        if field == RATE:
            marks = [f" ({variant.mark})" if variant.mark else "" for variant in found]
            cells = [cell + mark for cell, mark in zip(cells, marks, strict=True)]
        columns[field.replace("_", " ")] = cells
    return columns


def _table(runs, found, stubs, start):
    members = [members_text(variant.members) for variant in found]
    stubs = dict(stubs)
    if len(set(members)) == 1:
        over = f"{members[0]} each"
    else:
        over = "the members of each row"
        stubs["members"] = [count_text(variant.members) for variant in found]
    scores = _score_columns(found, levels(runs[0]))
    rows = tuple(zip(*stubs.values(), *scores.values(), strict=True))
    caption = f"{start}: mean ± sample standard deviation over {over}"
    titles = (*stubs, *(name for name, _ in scores))
    return Table(caption, titles, rows, _notes(runs, found), stubs=len(stubs))


def _score_columns(found, units):
    """{(title, metric): cells}: the metrics with published figures beside these, then the others that are shown."""
    published_metrics = list(dict.fromkeys(metric for variant in found for metric in variant.paper))
    shown = dict.fromkeys((*published_metrics, *TRAINING, *TESTING))
    columns = {}
    for metric in (metric for metric in shown if any(metric in variant.summary for variant in found)):
        name = title(metric, units)
        lower = metric.endswith("loss")
        columns["test " + name if metric.partition("/")[0] in units else name, metric] = [
            against(variant.summary.get(metric), variant.paper.get(metric), lower=lower) for variant in found
        ]
        if metric in published_metrics:
            figures = [variant.paper.get(metric) for variant in found]
            columns["paper", metric] = [field_value(value) if is_finite(value) else MISSING for value in figures]
    return columns


def _notes(runs, found):
    beside = any(variant.paper for variant in found)
    notes = [STRONG_NOTE, *dict.fromkeys(filter(None, map(published.note, runs)))] if beside else [NO_PAPER]
    if any(variant.mark == TUNED for variant in found):
        notes.append(TUNED_NOTE)
    return (*notes, *protocol_notes(runs))
