"""Tables of scores beside the paper's: of a run, its variants and members, and of many runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from sejax.core.results import REPEATS, field_value, is_finite, name_of, spread
from sejax.report import Report, anchors, by_corpus
from sejax.report.folds import interval_notes
from sejax.report.run import (
    KEY,
    RATE,
    TUNED,
    Variant,
    above,
    arranged,
    by_member,
    differences,
    figures_at,
    fold_score,
    grouped,
    iterations,
    named,
    paper_figures,
    score,
    variants_by,
)
from sejax.report.tables import Strong, Table, against, mean_std, number, percent, signed
from sejax.report.terms import (
    METRICS,
    MISSING,
    PARTS,
    PROTOCOLS,
    corpora,
    count_text,
    detector,
    failure,
    levels,
    members_text,
    protocol_notes,
    run_name,
    setting,
    shown,
    split_warnings,
    title,
    where,
)

OVER = "mean ± sample standard deviation over folds and seeds"
BEST_NOTE = "Bold (* in plain text): the best mean of a column."
STRONG_NOTE = "Bold (* in plain text): at or above the paper's figure, which has two decimals."
VARIANT_NOTE = "Bold (* in plain text): at or above the paper's accuracy, at or below its loss."
NO_PAPER = "The paper has no figure for these settings."
TUNED_NOTE = (
    "Tuned: the rate with the best mean validation accuracy, where that is not the published one; the test part has no "
    "say in it."
)
TRAINING = ("train/accuracy", "valid/accuracy", "train/loss", "valid/loss")
TESTING = ("test/accuracy", "test/uar", "test_utterance/accuracy", "test_utterance/uar")


# The variants of an experiment whose Report has metrics and labels for them.


@dataclass(frozen=True)
class Column:
    """A column of a table of variants: ``cell(results, Variant) -> text``.

    Where it shows the mean of a `metric` (as `test/uar`), the best one of a run is Strong.
    """

    title: str
    cell: Callable[[Mapping, Variant], str]
    metric: str = ""


def written(entry, metric, report: Report):
    """A summary's entry of a metric by its name: in %, or as it is."""
    return percent(entry) if _in_percent(metric, report) else mean_std(entry)


def single(value, metric, report: Report):
    """One value of a metric by its name, written alike."""
    if _in_percent(metric, report):
        return number(100 * value, 2) if is_finite(value) else MISSING
    return number(value, report.metrics[metric].digits if metric in report.metrics else 3)


def _in_percent(metric, report):
    return report.percent and (metric not in report.metrics or report.metrics[metric].share)


def count(variant, part="test"):
    """How many members a row's means stand on: `15`, or `14 of 15` where one failed or has no score."""
    kept = len(by_member(variant, f"{part}/uar"))
    return str(kept) if kept == len(variant.members) else f"{kept} of {len(variant.members)}"


def score_rows(results, report: Report, columns, *, variants=None, part="test", chance=False):
    """[(Variant, cells)] of a run, a row for each variant: its label, its members, the columns' cells.

    With `chance` a last row (None, cells) has what answering blindly reaches, where that is known.
    """
    variants = variants_by(results, report) if variants is None else variants
    best = {column.metric: _best(variants, column.metric) for column in columns if column.metric}
    rows = []
    for variant in variants:
        cells = [variant.label, count(variant, part)]
        for column in columns:
            text, entry = column.cell(results, variant), column.metric and score(variant, column.metric)
            cells.append(Strong(text) if entry and entry["mean"] == best[column.metric] else text)
        rows.append((variant, tuple(cells)))
    guesses = {metric: report.chance(results, metric.rpartition("/")[2]) for metric in best}
    if chance and rows and any(guess is not None for guess in guesses.values()):
        cells = (number(guesses[column.metric]) if column.metric else MISSING for column in columns)
        rows.append((None, ("chance", MISSING, *cells)))
    return rows


def _best(variants, metric):
    means = [entry["mean"] for entry in (score(variant, metric) for variant in variants) if entry]
    return max(means) if len(means) > 1 else None


def score_table(results, report: Report, columns, *, caption, notes=(), variants=None, part="test", chance=False):
    """One row for each variant of a run; see `score_rows`."""
    rows = score_rows(results, report, columns, variants=variants, part=part, chance=chance)
    titles = (report.variant, "n", *(column.title for column in columns))
    return Table(caption, titles, tuple(cells for _, cells in rows), tuple(notes))


def run_table(runs, report: Report, stubs, columns, *, caption, notes, chance=False):
    """One row for each run and variant: `stubs` {title: (run, Variant or None) -> text} before `score_rows`."""
    rows = []
    for place, run in enumerate(runs, 1):
        for variant, cells in score_rows(run, report, columns, chance=chance):
            rows.append((run_name(run, place), *(text(run, variant) for text in stubs.values()), *cells))
    titles = ("run", *stubs, report.variant, "n", *(column.title for column in columns))
    return Table(caption, titles, tuple(rows), tuple(notes), stubs=len(stubs) + 2)


def fold_table(results, report: Report, names, *, caption):
    """Scores on the test part by fold, means over the seeds: `names` {metric: what stands before a variant's label}."""
    variants, rows = variants_by(results, report), []
    for fold in sorted({member.get("fold", 0) for member in results["members"]}):
        cells = [
            written(fold_score(variant, f"test/{metric}", fold), metric, report)
            for metric in names
            for variant in variants
        ]
        rows.append((f"fold {fold}", *cells))
    columns = ("", *(f"{start}{variant.label}" for start in names.values() for variant in variants))
    return Table(caption, columns, tuple(rows))


def validation_table(results, report: Report, columns, *, caption, notes):
    """Every variant on the validation part, `columns` {metric as `valid/uar`: title}, those that somebody has."""
    variants = variants_by(results, report)
    shown = {metric: name for metric, name in columns.items() if any(score(variant, metric) for variant in variants)}
    rows = [
        (variant.label, *(written(score(variant, at), at.rpartition("/")[2], report) for at in shown))
        for variant in variants
    ]
    return Table(caption, (report.variant, *shown.values()), tuple(rows) if shown else (), tuple(notes))


def difference_cells(first, second, report: Report, paper=None):
    """For each metric the paired difference of two variants on the test part, how often it is above 0, the paper's."""
    cells = []
    for metric in report.metrics:
        values = list(differences(first, second, f"test/{metric}").values())
        cells += [signed(written(spread(values), metric, report)), above(values) if values else MISSING]
        cells += [paper[metric]] if paper else []
    return cells


def difference_columns(report: Report, *after):
    """The titles of `difference_cells`."""
    return tuple(name for metric in report.metrics.values() for name in (metric.title, "above", *after))


def difference_table(results, report: Report, *, caption, note, label, paper=None):
    """The report's pairs of variants: `label` and `paper` are asked with both of them."""
    rows = [
        (label(first, second), *difference_cells(first, second, report, paper and paper(first, second)))
        for first, second in report.pairs(results)
    ]
    columns = ("difference", *difference_columns(report, *["paper"] * bool(paper)))
    return Table(caption, columns, tuple(rows), (note,))


def scored_members(results, report: Report, *, caption):
    """One row for each member: its variant, what became of it, its epochs, and the metrics `report.members`."""
    rows = []
    for member in results["members"]:
        value, metrics = member.get(report.variant, MISSING), member.get("metrics") or {}
        epochs = [number(member.get(name), 0) for name in ("epochs", "best_epoch")]
        cells = [single(metrics.get(metric), metric.rpartition("/")[2], report) for metric in report.members]
        status = failure(member) or report.status(member)
        rows.append((report.labels.get(value, str(value)), where(member), status, *epochs, *cells))
    columns = (report.variant, "fold and seed", "status", "epochs", report.kept, *report.members.values())
    return Table(caption, columns, tuple(rows), stubs=3)


# Any run.


def headline(results, report: Report, *, anchored=True):
    """The table that a run prints at its end.

    Its report's own, or that of its variants, or every summarised metric by level and iteration beside the paper's;
    and, unless `anchored` is False, the interval of its leading score over folds, what simple systems reach on the same
    folds and what is wrong with official ones.
    """
    made = report.headline or (partial(variant_table, report=report) if named(results) else None)
    table = made(results) if made else _summary_table(results, report)
    if not anchored:
        return table
    notes = (*by_corpus.notes(results, report), *interval_notes(results, report), *anchors.notes(results))
    notes += split_warnings(results)
    return replace(table, notes=(*table.notes, *notes))


def _summary_table(results, report: Report):
    summary, paper, units = results["summary"], paper_figures(results, report), levels(results)
    steps = iterations(results) or [None]
    named_keys = [match for match in map(KEY.fullmatch, summary) if match and not by_corpus.is_of_corpus(match[0])]
    pairs = list(dict.fromkeys(match.groups()[1:] for match in named_keys))
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
    caption = f"{_start(results)}: mean ± sample standard deviation over {members_text(results['members'])}"
    return Table(caption, tuple(columns), tuple(map(tuple, rows)), notes, stubs=2)


def _start(results):
    return f"{corpora(results, results['experiment'])}, protocol {setting(results, 'protocol', MISSING)}"


def _place(order, name):
    return list(order).index(name) if name in order else len(order)


def member_table(results):
    """One row for each member: its name, fold and seed, whether it failed, its final metrics and its epochs."""
    members, units = results["members"], levels(results)
    fields = list(dict.fromkeys(field for member in members for field in name_of(member)))
    fields += [field for field in REPEATS if any(field in member for member in members)]
    metrics = dict.fromkeys(name for member in members for name in member["metrics"] if name.count("/") == 1)
    metrics = [name for name in metrics if not by_corpus.is_of_corpus(name)]
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


def recomputed_table(entries, caption):
    """Members as `sejax.engine.run.evaluate` gives them, by all that tells them apart, with the keys of results.json.

    What only some members have (the weight of the GANs behind their vectors, say) has a column too, a dash for the
    others: rows of different members are never alike.
    """
    fields = list(dict.fromkeys(name for entry in entries for name in entry if name != "metrics"))
    metrics = list(dict.fromkeys(name for entry in entries for name in entry["metrics"]))
    rows = tuple(
        (
            *(str(entry.get(field, MISSING)) for field in fields),
            *(number(entry["metrics"].get(name), 4) for name in metrics),
        )
        for entry in entries
    )
    return Table(caption, (*fields, *metrics), rows, stubs=len(fields))


def _metric_order(metric, units):
    part, _, name = metric.partition("/")
    return _place([*PARTS, *units], part), _place(METRICS, name)


def variant_table(results, report: Report):
    """One row for each variant of a run: each of its metrics beside the paper's where the paper has one."""
    variants = arranged(results, report)
    return _variant_table([results] * len(variants), variants, _name_columns(variants), _start(results), report)


def comparison(runs, report: Report, *, group_by=()):
    """Tables of many runs of an experiment, one for each value of the fields `group_by`; ValueError for an unknown one.

    Its report's own, or those of the runs' variants, or those of whole runs; at the end what simple systems reach on
    their folds, where runs say so.
    """
    compare = partial(variant_comparison if any(map(named, runs)) else run_comparison, report=report)
    tables = list((report.comparison or compare)(runs, group_by=group_by))
    return [*tables, *filter(None, [anchors.of_runs(runs)])]


def variant_comparison(runs, report: Report, *, group_by=()):
    """Tables of the variants of many runs, one for each value of the fields `group_by`.

    A row is one variant of one run; the report's `run_fields` stand in columns where they differ within a table, in its
    caption otherwise. Rows that nothing else tells apart have the run's field "run". `group_by` names these fields or
    those of the variants' names (model, learning_rate).
    """
    rows = [(run, variant) for run in runs for variant in arranged(run, report)]
    known = dict.fromkeys([*report.run_fields, *(field for _, variant in rows for field in variant.name)])
    unknown = [field for field in group_by if field not in known]
    if unknown:
        raise ValueError(f"cannot group by {', '.join(unknown)}; known fields: {', '.join(known)}")

    def key(row):
        return tuple(_cell(*row, field) for field in group_by)

    return [_compared_variants(list(group), group_by, report) for _, group in groupby(sorted(rows, key=key), key)]


def _compared_variants(rows, group_by, report):
    runs, variants = zip(*rows, strict=True)
    texts = {field: [_cell(*row, field) for row in rows] for field in report.run_fields}
    differing = {field: cells for field, cells in texts.items() if len(set(cells)) > 1 and field not in group_by}
    names = _name_columns(variants)
    stubs = differing | {name: cells for name, cells in names.items() if name.replace(" ", "_") not in group_by}
    if len(set(zip(*stubs.values(), strict=True))) < len(rows):
        stubs["run"] = [run_name(run, runs.index(run) + 1) for run in runs]
    caption = [f"{field.replace('_', ' ')} {_cell(*rows[0], field)}" for field in group_by]
    caption += [
        cells[0] if field == "corpus" else f"{field} {cells[0]}"
        for field, cells in texts.items()
        if field not in (*differing, *group_by) and cells[0] != MISSING
    ]
    return _variant_table(runs, variants, stubs, ", ".join(caption), report)


def _cell(run, variant, field):
    return field_value(variant.name.get(field, shown(run, field, MISSING)))


def _name_columns(variants):
    """The fields of the variants' names as columns of text; the learning rate comes last, with its mark."""
    fields = list(dict.fromkeys(field for variant in variants for field in variant.name))
    fields.sort(key=lambda field: field == RATE)
    columns = {}
    for field in fields:
        cells = [field_value(variant.name.get(field, MISSING)) for variant in variants]
        if field == RATE:
            marks = [f" ({variant.mark})" if variant.mark else "" for variant in variants]
            cells = [cell + mark for cell, mark in zip(cells, marks, strict=True)]
        columns[field.replace("_", " ")] = cells
    return columns


def _variant_table(runs, variants, stubs, start, report):
    members = [members_text(variant.members) for variant in variants]
    stubs = dict(stubs)
    if len(set(members)) == 1:
        over = f"{members[0]} each"
    else:
        over = "the members of each row"
        stubs["members"] = [count_text(variant.members) for variant in variants]
    scores = _score_columns(variants, levels(runs[0]))
    rows = tuple(zip(*stubs.values(), *scores.values(), strict=True))
    caption = f"{start}: mean ± sample standard deviation over {over}"
    notes = [VARIANT_NOTE, *filter(None, [report.note])] if any(variant.paper for variant in variants) else [NO_PAPER]
    notes += [TUNED_NOTE] * any(variant.mark == TUNED for variant in variants)
    columns = (*stubs, *(name for name, _ in scores))
    return Table(caption, columns, rows, (*notes, *protocol_notes(runs, report)), stubs=len(stubs))


def _score_columns(variants, units):
    """{(title, metric): cells}: the metrics with published figures beside these, then the others that are shown."""
    published_metrics = list(dict.fromkeys(metric for variant in variants for metric in variant.paper))
    shown = dict.fromkeys((*published_metrics, *TRAINING, *TESTING))
    columns = {}
    for metric in (metric for metric in shown if any(metric in variant.summary for variant in variants)):
        name = title(metric, units)
        lower = metric.endswith("loss")
        columns["test " + name if metric.partition("/")[0] in units else name, metric] = [
            against(variant.summary.get(metric), variant.paper.get(metric), lower=lower) for variant in variants
        ]
        if metric in published_metrics:
            figures = [variant.paper.get(metric) for variant in variants]
            columns["paper", metric] = [field_value(value) if is_finite(value) else MISSING for value in figures]
    return columns


# Many runs that are one thing each.

ROW_FIELDS = {
    "corpus": "corpus",
    "model": "model",
    "labelled": "labelled",
    "scale": "scale",
    "voice_activity": "voice activity",
    "protocol": "protocol",
    "trainable": "trainable",
}
CAPTION_FIELDS = ("corpus", "model")
SCORES = (
    "macro-F1, iteration 1",
    "paper",
    "macro-F1, last iteration",
    "paper",
    "UAR",
    "macro-F1, utterance",
    "UAR, utterance",
)


def run_comparison(runs, report: Report, *, group_by=()):
    """Tables of runs next to the paper, one for each value of the fields `group_by`.

    `runs` are results as `read_results` gives them; `group_by` names fields of ROW_FIELDS that leave the rows for
    the captions. Corpus and model become columns only where they differ within a table, and runs of one setting are
    told apart by their field "run" (`sejax report` puts the workdir's name there). A row shows macro-F1 per block
    after the first iteration (where a run has several) and after the last, beside the paper's figure for the same
    setting, UAR per block, and both per utterance.
    """
    return [_compared_runs(group, group_by, report) for group in grouped(runs, group_by, ROW_FIELDS, order=_order)]


def _order(run, field):
    value = setting(run, field)
    if field == "labelled":
        return -float(value) if is_finite(value) else 0.0
    ranks = {
        "protocol": list(PROTOCOLS),
        "scale": ["log", "mel"],
        "trainable": ["head", "classifier", "all"],
    }.get(field, [])
    return (ranks.index(value) if value in ranks else len(ranks), str(value))


def row_order(run):
    """A run's place in a comparison: corpus, model, protocol, trainable, then as the paper's tables."""
    fields = ("corpus", "model", "protocol", "trainable", "labelled", "scale", "voice_activity")
    return tuple(_order(run, field) for field in fields)


def field_text(run, field):
    """A run's config field as a cell of a table: `30 %` of labels, voice activity as `mode 0` or `none`."""
    value = shown(run, field)
    if value is None:
        return MISSING
    if field == "labelled" and is_finite(value):
        return f"{100 * value:g} %"
    if field == "voice_activity":
        return detector(value)
    return str(value)


def _compared_runs(runs, group_by, report):
    runs = sorted(runs, key=row_order)
    texts = {field: [field_text(run, field) for run in runs] for field in ROW_FIELDS}
    in_caption = [field for field in CAPTION_FIELDS if field not in group_by and len(set(texts[field])) == 1]
    in_caption += group_by
    stubs = {ROW_FIELDS[field]: texts[field] for field in ROW_FIELDS if field not in in_caption}
    if len(set(zip(*stubs.values(), strict=True))) < len(runs):
        stubs["run"] = [run_name(run, place) for place, run in enumerate(runs, 1)]
    caption = [
        texts[field][0] if field in CAPTION_FIELDS else f"{ROW_FIELDS[field]} {texts[field][0]}" for field in in_caption
    ]
    members = [members_text(run["members"]) for run in runs]
    if len(set(members)) == 1:
        caption.append(f"mean ± sample standard deviation over {members[0]} (folds x seeds)")
    else:
        caption.append("mean ± sample standard deviation over the members (folds x seeds) of each run")
        stubs["members"] = [count_text(run["members"]) for run in runs]
    rows = tuple((*cells, *_scores(run, report)) for *cells, run in zip(*stubs.values(), runs, strict=True))
    notes = (STRONG_NOTE, *protocol_notes(runs, report))
    return Table(", ".join(caption) + "; per block unless said", (*stubs, *SCORES), rows, notes, stubs=len(stubs))


def run_scores(run, report: Report):
    """Macro-F1 per block, first and last iteration: [(name, our entry or None, the paper's or None)]."""
    summary, paper, steps = run["summary"], paper_figures(run, report), iterations(run)
    last = steps[-1] if steps else None
    pair = ("test", "macro_f1")
    first = None, None
    if len(steps) > 1:
        first = tuple(figures_at(entries, *pair, steps[0], last) for entries in (summary, paper))
    final = summary.get("test/macro_f1"), figures_at(paper, *pair, last, last)
    return [("iteration 1", *first), ("last iteration", *final)]


def _scores(run, report):
    cells = []
    for _, ours, theirs in run_scores(run, report):
        cells += [against(ours, theirs), number(theirs, 2)]
    rest = ("test/uar", "test_utterance/macro_f1", "test_utterance/uar")
    return (*cells, *(mean_std(run["summary"].get(name)) for name in rest))


def run_names(runs):
    """A label for each run: its values of the fields in which the runs differ, or else its number."""
    texts = {field: [field_text(run, field) for run in runs] for field in ROW_FIELDS}
    modes = set(texts["voice_activity"]) - {"none"}
    words = {"none": "with pauses"} | {mode: f"voiced ({mode})" if len(modes) > 1 else "voiced" for mode in modes}
    texts["voice_activity"] = [words[text] for text in texts["voice_activity"]]
    differing = [column for column in texts.values() if len(set(column)) > 1]
    names = [", ".join(row) for row in zip(*differing, strict=True)]
    return names or [f"run {place}" for place in range(1, len(runs) + 1)]
