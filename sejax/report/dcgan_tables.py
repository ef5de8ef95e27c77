"""Table 2 as this project has it: valence and activation of the four models, their differences, folds, many runs."""

from sejax.report import published
from sejax.report.dcgan import (
    METRICS,
    collapsed,
    derived,
    has,
    models,
    pairs,
    pooled,
    ratings_text,
    run_title,
    unlabelled_text,
)
from sejax.report.grouping import grouped
from sejax.report.paired import above, by_member, differences, score
from sejax.report.published.dcgan import NAMES
from sejax.report.published.dcgan import published as figures_of
from sejax.report.results import field_value, is_finite, spread
from sejax.report.tables import Strong, Table, mean_std, number, percent, signed
from sejax.report.terms import MISSING, failure, joined, protocol_notes, setting

RUN_FIELDS = ("corpus", "ratings", "protocol", "unlabelled")
OVER = "mean ± sample standard deviation over folds and seeds"
STRONG_NOTE = "Bold (* in plain text): the best mean of a column."
POOLED_NOTE = (
    "Accuracies are unweighted, in %, and accept both answers on a perfect split. Pooled: the predictions of all folds "
    "and seeds in one confusion matrix. ρ: Pearson's correlation of expected and true rating."
)
DERIVED_NOTE = (
    "Derived ratings: each emotion stands for one valence and one activation, so these figures are no test on ratings "
    "by humans; the paper's are."
)
PAIR_NOTE = (
    "Pairs have fold and seed in common; accuracies in points of %. A DCGAN minus its CNN is what adversarial training "
    "adds, on the unlabelled speech named above."
)
CONTROL_NOTE = "The same model with and without unlabelled speech, paired by fold and seed."


def valence_table(results):
    """Table 2: a row for each model, n the members behind the means, the paper's figures beside ours."""
    caption = f"Valence, test part. {run_title(results)}; {OVER}"
    notes = STRONG_NOTE, *_notes([results])
    columns = ("model", "n", *_metric_columns(paper=True))
    return Table(caption, columns, _score_rows(models(results), "test", paper=True), notes)


def activation_table(results):
    """The multitask models' activation on the test part, for which the paper has no figures."""
    found = [model for model in models(results) if score(model, "test_activation/uar")]
    caption = f"Activation, test part (no figures in the paper). {run_title(results)}; {OVER}"
    columns = ("model", "n", *_metric_columns(paper=False))
    return Table(caption, columns, _score_rows(found, "test_activation", paper=False))


def _notes(runs):
    told = [DERIVED_NOTE] if any(map(derived, runs)) else []
    return POOLED_NOTE, published.note(runs[0]), *told, *protocol_notes(runs)


def _metric_columns(*, paper):
    beside = ["paper"] if paper else []
    columns = []
    for metric, name in METRICS.items():
        columns += [name, *(["pooled"] if metric != "pearson" else []), *beside]
    return tuple(columns)


def _score_rows(found, part, *, paper):
    """A row of text for each Model: its name, its members and `_metric_columns`, the best mean of each Strong."""
    means = {}
    for metric in METRICS:
        entries = [score(model, f"{part}/{metric}") for model in found]
        means[metric] = [entry["mean"] for entry in entries if entry]
    best = {metric: max(values) for metric, values in means.items() if len(values) > 1}
    return tuple((model.label, _count(model, part), *_score_cells(model, part, best, paper=paper)) for model in found)


def _score_cells(model, part, best=None, *, paper):
    together, theirs = pooled(model, part), figures_of(model.name)
    cells = []
    for metric in METRICS:
        entry = score(model, f"{part}/{metric}")
        text = _text(entry, metric)
        cells.append(Strong(text) if entry and entry["mean"] == (best or {}).get(metric) else text)
        if metric != "pearson":
            cells.append(_single(together.get(metric), metric))
        if paper:
            cells.append(_single(theirs.get(f"test/{metric}"), metric))
    return cells


def _text(entry, metric):
    """Shares in %, a correlation as it is."""
    return mean_std(entry) if metric == "pearson" else percent(entry)


def _single(value, metric):
    if metric == "pearson":
        return number(value, 4)
    return number(100 * value, 2) if is_finite(value) else MISSING


def _count(model, part="test"):
    """How many members a row's means stand on: `15`, or `14 of 15` where one failed or had nothing rated."""
    kept = len(by_member(model, f"{part}/uar"))
    return str(kept) if kept == len(model.members) else f"{kept} of {len(model.members)}"


def difference_table(results):
    """What unlabelled speech and a second task add: pairs of models by fold and seed, beside the paper's differences.

    "above" counts the pairs of members in which the first model is above the second.
    """
    rows = []
    for first, second in pairs(results):
        paper = {metric: _paper_difference(first, second, metric) for metric in METRICS}
        rows.append((f"{first.label} − {second.label}", *_difference_cells(first, second, paper)))
    columns = ["difference"]
    for name in METRICS.values():
        columns += [name, "above", "paper"]
    caption = f"Valence, test part: paired differences of models. {run_title(results)}; {OVER}"
    return Table(caption, tuple(columns), tuple(rows), (PAIR_NOTE,))


def _paper_difference(first, second, metric):
    ours, base = (figures_of(model.name).get(f"test/{metric}") for model in (first, second))
    if ours is None or base is None:
        return MISSING
    return signed(_single(ours - base, metric))


def _difference_cells(first, second, paper=None):
    cells = []
    for metric in METRICS:
        found = list(differences(first, second, f"test/{metric}").values())
        cells += [signed(_text(spread(found), metric)), above(found) if found else MISSING]
        cells += [paper[metric]] if paper else []
    return cells


def validation_table(results):
    """Every model on the validation part in the epoch whose weights were restored."""
    shown = {"accuracy": "accuracy", **METRICS}
    parts = {"valid": "", "valid_activation": "activation, "}
    found = [(part, metric) for part in parts for metric in shown if has(results, f"{part}/{metric}")]
    found = [(part, metric) for part, metric in found if any(score(one, f"{part}/{metric}") for one in models(results))]
    rows = tuple(
        (model.label, *(_text(score(model, f"{part}/{metric}"), metric) for part, metric in found))
        for model in models(results)
    )
    columns = ("model", *(f"{parts[part]}{shown[metric]}" for part, metric in found))
    note = "The epoch was chosen by its validation accuracy, so these figures are too good."
    caption = f"Validation part, restored epoch. {run_title(results)}; {OVER}"
    return Table(caption, columns, rows if found else (), (note,))


def fold_table(results):
    """Valence on the test part of every fold: unweighted accuracy and ρ of each model, means over the seeds."""
    found, rows = models(results), []
    for fold in sorted({member.get("fold") for member in results["members"]}):
        cells = []
        for metric in ("uar", "pearson"):
            for model in found:
                values = [value for (at, _), value in by_member(model, f"test/{metric}").items() if at == fold]
                cells.append(_text(spread(values), metric))
        rows.append((f"fold {fold}", *cells))
    names = [model.label for model in found]
    columns = ("", *names, *(f"ρ {name}" for name in names))
    caption = (
        "Valence by fold, test part: unweighted accuracy of 5 classes in %, and ρ; mean ± sample standard deviation "
        f"over the seeds. {run_title(results)}"
    )
    return Table(caption, columns, tuple(rows))


def member_table(results):
    """One row for each member: what became of it, its epochs, and valence on its test and validation parts."""
    rows = []
    for member in results["members"]:
        epoch = collapsed(member)
        status = failure(member) or (f"collapsed at epoch {field_value(epoch)}" if epoch is not None else "finished")
        epochs = [number(member.get(name), 0) for name in ("epochs", "best_epoch")]
        metrics = member.get("metrics", {})
        cells = [_single(metrics.get(f"test/{metric}"), metric) for metric in (*METRICS, "accuracy")]
        cells += [_single(metrics.get(f"valid/{metric}"), metric) for metric in ("uar", "accuracy")]
        name = NAMES.get(member.get("model"), str(member.get("model", MISSING)))
        where = f"fold {member.get('fold')}, seed {member.get('seed')}"
        rows.append((name, where, status, *epochs, *cells))
    columns = ("model", "fold and seed", "status", "epochs", "restored", *METRICS.values(), "accuracy")
    columns += ("validation, 5 classes", "validation accuracy")
    caption = f"Every member: valence on the test part unless said, accuracies in %. {run_title(results)}"
    return Table(caption, columns, tuple(rows), stubs=3)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by` (RUN_FIELDS): a row for each run and model.

    Where runs differ in no more than having unlabelled speech or none, a table of the paired differences follows.
    """
    tables = []
    for group in grouped(runs, group_by, RUN_FIELDS):
        control = control_table(group)
        tables += [_comparison_table(group), *([control] if control.rows else [])]
    return tables


def _comparison_table(runs):
    rows = []
    for place, run in enumerate(runs, 1):
        start = str(run.get("run", place)), joined(setting(run, "corpus", MISSING))
        told = ratings_text(run).removeprefix("ratings "), str(setting(run, "protocol", MISSING))
        for model, row in zip(models(run), _score_rows(models(run), "test", paper=True), strict=True):
            rows.append((*start, *told, unlabelled_text(run, model), *row))
    columns = ("run", "corpus", "ratings", "protocol", "unlabelled", "model", "n", *_metric_columns(paper=True))
    notes = (STRONG_NOTE.replace("a column", "a run's column"), *_notes(runs))
    return Table(f"Valence, test part; {OVER} of each run", columns, tuple(rows), notes, stubs=6)


def control_table(runs):
    """The gain from unlabelled speech itself: every run with such speech beside every run without, else alike."""
    rows = []
    for bare in (run for run in runs if unlabelled_text(run) == "none"):
        base = {model.name: model for model in models(bare) if model.generates}
        for run in (run for run in runs if _alike(run, bare)):
            for model in (model for model in models(run) if model.name in base):
                cells = _difference_cells(model, base[model.name])
                start = model.label, unlabelled_text(run), str(run.get("run", MISSING)), str(bare.get("run", MISSING))
                rows.append((*start, *cells))
    columns = ["model", "unlabelled", "run", "run without"]
    for name in METRICS.values():
        columns += [name, "above"]
    caption = f"Valence, test part: with minus without unlabelled speech; {OVER}"
    return Table(caption, tuple(columns), tuple(rows), (CONTROL_NOTE,), stubs=4)


def _alike(run, bare):
    fields = ("corpus", "ratings", "protocol")
    same = all(joined(setting(run, field, MISSING)) == joined(setting(bare, field, MISSING)) for field in fields)
    return same and unlabelled_text(run) not in ("none", MISSING)
