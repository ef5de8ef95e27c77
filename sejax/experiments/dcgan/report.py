"""The report of four models that rate valence: Tables 2 and 3, differences of models, curves, generated spectrograms.

A member is a model, a fold and a seed. Parts are named "test" and "valid" for valence, "test_activation" and
"valid_activation" for activation. Means and deviations are over members; the difference of two models pairs them by
fold and seed.
"""

import numpy as np

from sejax.core.results import field_value, is_finite, spread
from sejax.experiments.dcgan import figures
from sejax.experiments.dcgan import published as paper
from sejax.experiments.dcgan.figures import collapsed, nearest, never_diverse, over_training, read_gallery
from sejax.report import Metric, Report, score_tables, tables
from sejax.report.confusion import confusion_rates
from sejax.report.drawing import drawn
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.run import above, differences, grouped, mean_rates, paper_of, pooled_confusion, score, variants_by
from sejax.report.score_figures import difference_panels, score_panels
from sejax.report.score_tables import BEST_NOTE, OVER, Column, single, written
from sejax.report.tables import Table, percent, signed
from sejax.report.terms import MISSING, corpora, criterion, joined, protocol_notes, setting, shown, where, who

# What the five points of a rating are called, lowest first.
POINT_NAMES = {
    "valence": ("very negative", "negative", "neutral", "positive", "very positive"),
    "activation": ("very low", "low", "medium", "high", "very high"),
}
POOLS = ((0, 1), (2,), (3, 4))  # the classes that are one of three
CHANCE = {"uar": 0.2, "uar_3": 1 / 3, "pearson": 0.0}
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
CURVES_NOTE = "Faint: each member (fold and seed). Bold: the mean of those still training, while at least half are."
GALLERY_NOTE = "Bright: loud, black: 80 dB or more below an utterance's loudest cell."

# Unlabelled speech first, then the second task.
PAIRS = (
    ("basic_dcgan", "basic_cnn"),
    ("multitask_dcgan", "multitask_cnn"),
    ("multitask_cnn", "basic_cnn"),
    ("multitask_dcgan", "basic_dcgan"),
)


def models(results):
    """The models of a run in the paper's order."""
    return variants_by(results, REPORT)


def generates(model):
    """Whether a model has a generator, and so a use for unlabelled speech."""
    return model.name["model"].endswith("dcgan")


def pairs(results):
    """The pairs of PAIRS that a run has both models of: [(Variant, Variant)]."""
    found = {model.name["model"]: model for model in models(results)}
    return [(found[first], found[second]) for first, second in PAIRS if first in found and second in found]


def pooled(model, part="test"):
    """Unweighted accuracy with all members' predictions in one matrix: {"uar", "uar_3"}, {} without one.

    Of the classes that occur. Three classes add up POOLS, as the paper has it.
    """
    counts = pooled_confusion(model.members, part)
    if counts is None or counts.shape != (5, 5):
        return {}
    three = np.array([[counts[np.ix_(true, predicted)].sum() for predicted in POOLS] for true in POOLS])
    return {name: _unweighted(matrix) for name, matrix in (("uar", counts), ("uar_3", three))}


def _unweighted(counts):
    totals = counts.sum(1)
    present = totals > 0
    return float(np.mean(np.diag(counts)[present] / totals[present])) if present.any() else None


def derived(results):
    """Whether valence and activation were derived from emotions rather than rated."""
    return setting(results, "ratings") == "derived"


def ratings_text(results):
    """Where the ratings come from, in words."""
    return "ratings derived from emotions" if derived(results) else "rated by humans"


def unlabelled_text(results, model=None):
    """The unlabelled corpora in words, `none` for no such speech; a dash for a model without use for it."""
    if model is not None and not generates(model):
        return MISSING
    return joined(setting(results, "unlabelled", MISSING))


def run_title(results):
    """What was trained on what: `emodb (ratings derived from emotions), protocol speaker, unlabelled speech nemo`."""
    corpus = corpora(results, results["experiment"])
    protocol = f"protocol {setting(results, 'protocol', MISSING)}"
    return f"{corpus} ({ratings_text(results)}), {protocol}, unlabelled speech: {unlabelled_text(results)}"


# Tables.


def _columns(part, *, beside_paper):
    """For each metric its mean, what it is with all members' predictions together, the paper's."""
    columns = []
    for metric, kind in REPORT.metrics.items():
        columns.append(Column(kind.title, _mean_cell(part, metric), f"{part}/{metric}"))
        if metric != "pearson":
            columns.append(Column("pooled", _pooled_cell(part, metric)))
        if beside_paper:
            columns.append(Column("paper", _paper_cell(metric)))
    return columns


def _mean_cell(part, metric):
    return lambda results, model: written(score(model, f"{part}/{metric}"), metric, REPORT)


def _pooled_cell(part, metric):
    return lambda results, model: single(pooled(model, part).get(metric), metric, REPORT)


def _paper_cell(metric):
    return lambda results, model: single(paper_of(results, model, REPORT).get(f"test/{metric}"), metric, REPORT)


def valence_table(results):
    """Table 2: a row for each model, n the members behind the means, the paper's figures beside ours."""
    caption = f"Valence, test part. {run_title(results)}; {OVER}"
    columns, notes = _columns("test", beside_paper=True), (BEST_NOTE, *_notes([results]))
    return score_tables.score_table(results, REPORT, columns, caption=caption, notes=notes)


def activation_table(results):
    """The multitask models' activation on the test part, for which the paper has no figures."""
    part, columns = "test_activation", _columns("test_activation", beside_paper=False)
    rated = [model for model in models(results) if score(model, f"{part}/uar")]
    caption = f"Activation, test part (no figures in the paper). {run_title(results)}; {OVER}"
    return score_tables.score_table(results, REPORT, columns, caption=caption, variants=rated, part=part)


def _notes(runs):
    about = [DERIVED_NOTE] if any(map(derived, runs)) else []
    return POOLED_NOTE, paper.NOTE, *about, *protocol_notes(runs, REPORT)


def difference_table(results):
    """What unlabelled speech and a second task add: pairs of models by fold and seed, beside the paper's differences.

    "above" counts the pairs of members in which the first model is above the second.
    """

    def beside(first, second):
        gains = {metric: _paper_difference((first, second), metric) for metric in REPORT.metrics}
        return {metric: signed(single(gain, metric, REPORT)) for metric, gain in gains.items()}

    caption = f"Valence, test part: paired differences of models. {run_title(results)}; {OVER}"
    return score_tables.difference_table(
        results, REPORT, caption=caption, note=PAIR_NOTE, label=_difference_label, paper=beside
    )


def _difference_label(first, second):
    return f"{first.label} − {second.label}"


def _paper_difference(pair, metric):
    ours, base = (paper.published(model.name["model"]).get(f"test/{metric}") for model in pair)
    return None if ours is None or base is None else ours - base


def validation_table(results):
    """Every model on the validation part in the epoch whose weights were restored."""
    shown = {"accuracy": "accuracy"} | {metric: kind.title for metric, kind in REPORT.metrics.items()}
    parts = {"valid": "", "valid_activation": "activation, "}
    columns = {f"{part}/{metric}": f"{parts[part]}{name}" for part in parts for metric, name in shown.items()}
    note = f"The epoch was chosen by its {criterion(results)} on this part, so these figures are too good."
    caption = f"Validation part, restored epoch. {run_title(results)}; {OVER}"
    return score_tables.validation_table(results, REPORT, columns, caption=caption, notes=(note,))


def fold_table(results):
    """Valence on the test part of every fold: unweighted accuracy and ρ of each model, means over the seeds."""
    caption = (
        "Valence by fold, test part: unweighted accuracy of 5 classes in %, and ρ; mean ± sample standard deviation "
        f"over the seeds. {run_title(results)}"
    )
    return score_tables.fold_table(results, REPORT, {"uar": "", "pearson": "ρ "}, caption=caption)


def member_table(results):
    """One row for each member: what became of it, its epochs, and valence on its test and validation parts."""
    caption = f"Every member: valence on the test part unless said, accuracies in %. {run_title(results)}"
    return score_tables.scored_members(results, REPORT, caption=caption)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by`: a row for each run and model.

    Where runs differ in no more than having unlabelled speech or none, a table of the paired differences follows.
    """
    stubs = {
        "corpus": lambda run, model: corpora(run),
        "ratings": lambda run, model: ratings_text(run).removeprefix("ratings "),
        "protocol": lambda run, model: str(setting(run, "protocol", MISSING)),
        "unlabelled": unlabelled_text,
    }
    compared = []
    for group in grouped(runs, group_by, REPORT.run_fields):
        notes, columns = (
            (BEST_NOTE.replace("a column", "a run's column"), *_notes(group)),
            _columns("test", beside_paper=True),
        )
        caption = f"Valence, test part; {OVER} of each run"
        compared.append(score_tables.run_table(group, REPORT, stubs, columns, caption=caption, notes=notes))
        control = control_table(group)
        compared += [control] if control.rows else []
    return compared


def control_table(runs):
    """The gain from unlabelled speech itself: every run with such speech beside every run without, else alike."""
    rows = []
    for bare in (run for run in runs if unlabelled_text(run) == "none"):
        base = {model.label: model for model in models(bare) if generates(model)}
        for run in (run for run in runs if _alike(run, bare)):
            for model in (model for model in models(run) if model.label in base):
                start = model.label, unlabelled_text(run), str(run.get("run", MISSING)), str(bare.get("run", MISSING))
                rows.append((*start, *score_tables.difference_cells(model, base[model.label], REPORT)))
    columns = ("model", "unlabelled", "run", "run without", *score_tables.difference_columns(REPORT))
    caption = f"Valence, test part: with minus without unlabelled speech; {OVER}"
    return Table(caption, columns, tuple(rows), (CONTROL_NOTE,), stubs=4)


def _alike(run, bare):
    fields = ("corpus", "ratings", "protocol")
    same = all(joined(shown(run, field, MISSING)) == joined(shown(bare, field, MISSING)) for field in fields)
    return same and unlabelled_text(run) not in ("none", MISSING)


# Words and figures.


def _title(results):
    rated = ", derived ratings" if derived(results) else ""
    return f"dcgan: {corpora(results, 'no corpus')}{rated}"


def _lead(results):
    """Unweighted accuracy of every model beside the paper's, and what DCGANs add to their CNNs."""
    scores = []
    for model in models(results):
        theirs = paper_of(results, model, REPORT).get("test/uar")
        beside = f" (paper: {100 * theirs:.2f})" if theirs else ""
        scores.append(f"{model.label} {percent(score(model, 'test/uar'))}{beside}")
    gains = [_gain_in_words(*pair) for pair in pairs(results)[:2] if generates(pair[0]) and not generates(pair[1])]
    text = f"Unweighted accuracy of valence in 5 classes, in %: {'; '.join(scores)}."
    gains = "; ".join(filter(None, gains))
    what = "adversarial training alone" if unlabelled_text(results) == "none" else "with unlabelled speech"
    return f"{text}\n{run_title(results)}." + (f" What DCGANs add, {what}: {gains}." if gains else "")


def _gain_in_words(first, second):
    """`BasicDCGAN − BasicCNN +1.20 ± 2.00, above in 3 of 5 pairs (paper: +5.36)`."""
    gains = list(differences(first, second, "test/uar").values())
    if not gains:
        return ""
    theirs = _paper_difference((first, second), "uar")
    beside = "" if theirs is None else f" (paper: {100 * theirs:+.2f})"
    return f"{_difference_label(first, second)} {signed(percent(spread(gains)))}, above in {above(gains)} pairs{beside}"


def _warnings(results):
    """A text for each member whose generated spectrograms collapsed, and one for those that were never diverse."""
    texts = [
        f"{who(member, paper.NAMES)}: spectral collapse at epoch {field_value(collapsed(member))}: its generated "
        "spectrograms were all alike. It stays in the means."
        for member in results["members"]
        if collapsed(member) is not None
    ]
    alike = {who(member, paper.NAMES): never_diverse(member) for member in results["members"]}
    alike = {name: f"{share:.2f}" for name, share in alike.items() if share is not None}
    if alike:
        listed = "; ".join(f"{name}: {share}" for name, share in alike.items())
        texts.append(
            "Generated spectrograms that never became diverse, with the most that they had of real ones' diversity: "
            f"{listed}. No collapse: these generators have learned little yet. They stay in the means."
        )
    return texts


@drawn
def model_scores(runs, names=None):
    """Valence of every model on the test part beside the paper's, see `sejax.report.score_figures.score_panels`."""
    return score_panels(runs, REPORT, names)


@drawn
def model_differences(results):
    """Differences of pairs of models by fold and seed, mean and deviation, the paper's as a diamond."""
    rows = [(f"{first.label} −\n{second.label}", 0, (first, second)) for first, second in pairs(results)]
    return difference_panels(rows, REPORT, paper=_paper_difference)


def _scores(results, report):
    if not any(score(model, "test/uar") for model in models(results)):
        return ""
    return picture(model_scores([results], format="inline"), f"Valence on the test part. {run_title(results)}")


def _differences(results, report):
    if not any(differences(*pair, "test/uar") for pair in pairs(results)):
        return ""
    return picture(model_differences(results, format="inline"), "Differences of models, paired by fold and seed")


def _confusion(results, report):
    """Table 3 beside every model's matrix, and the matrices of activation."""
    classes = results.get("classes") or ()
    valence = _matrices(results, "test", classes)
    if valence and len(classes) == len(paper.CONFUSION):
        valence.append(_matrix(paper.CONFUSION, classes, "paper", "BasicDCGAN, paper (Table 3)"))
    activation = _matrices(results, "test_activation", POINT_NAMES["activation"])
    if not valence and not activation:
        return ""
    note = (
        "Shares of the true class in %, the mean over the folds and seeds that have it; an empty row has no example. "
        "Counts below: of all folds and seeds together."
    )
    body = paragraph(note, "muted") + paragraph(paper.CONFUSION_NOTE, "muted")
    body += (paragraph(f"Valence, test part. {run_title(results)}:") + in_row(valence)) if valence else ""
    heading = paragraph(f"Activation, test part. {run_title(results)}:")
    return body + (heading + in_row(activation) if activation else "")


def _matrices(results, part, classes):
    """The pictures of the models that have a matrix of a part."""
    rates = [(model, mean_rates(model.members, classes, part)) for model in models(results)]
    return [
        _matrix(
            *(shares, classes, f"{part.replace('_', '-')}-{model.name['model']}", model.label),
            counts=pooled_confusion(model.members, part),
        )
        for model, shares in rates
        if shares is not None
    ]


def _matrix(rates, classes, name, caption, counts=None):
    return picture(confusion_rates(rates, classes, counts, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results, report):
    if not any(member.get("history") for member in results["members"]):
        return ""
    svg = figures.training_curves(models(results), criterion=setting(results, "criterion", "accuracy"), format="inline")
    return paragraph(CURVES_NOTE, "muted") + picture(svg, "Training by epoch")


def _gallery(results, report):
    """Both galleries of every member that has one; one that cannot be read is a warning."""
    parts = []
    for place, member in enumerate(results["members"]):
        model = member.get("model", "")
        name = f"{REPORT.labels.get(model, model)}, {where(member)}"
        try:
            gallery = read_gallery(results, member)
        except ValueError as error:
            parts.append(paragraph(f"{name}: no generated spectrograms, {error}.", "warning"))
            continue
        if gallery is not None:
            svg = over_training(gallery, format="inline", ids=f"generated-{place}")
            parts.append(picture(svg, f"{name}: generated over training, a column for each latent vector"))
            svg = nearest(gallery, format="inline", ids=f"nearest-{place}")
            parts.append(picture(svg, f"{name}: generated in the end, and the nearest real crops below"))
            parts.append(paragraph(_distance_note(gallery), "muted"))
    return paragraph(GALLERY_NOTE, "muted") + "".join(parts) if parts else ""


def _distance_note(gallery):
    text = "Numbers: distance to the nearest real crop, the root mean square over pixels in [-1, 1]"
    if is_finite(gallery.distance_real):
        text += f"; its median for held-out real crops is {gallery.distance_real:.3f}"
    return f"{text}."


def _sections(results, drawings):
    def shown(table):
        return tables.html(table) if table.rows else ""

    return [
        Section("Results", tables.html(valence_table(results)) + drawings["scores"]),
        Section("Differences", shown(difference_table(results)) + drawings["differences"]),
        Section("Activation", shown(activation_table(results))),
        Section("Validation", shown(validation_table(results))),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Generated spectrograms", drawings["gallery"]),
        Section("Folds", shown(fold_table(results))),
        Section("Members", tables.details(member_table(results))),
    ]


def _status(member):
    epoch = collapsed(member)
    return "finished" if epoch is None else f"collapsed at epoch {field_value(epoch)}"


METRICS = {
    "uar": Metric(
        "5 classes",
        "5 classes:\nunweighted accuracy (%)",
        "5 classes: difference of\nunweighted accuracy (points of %)",
    ),
    "uar_3": Metric(
        "3 classes",
        "3 classes:\nunweighted accuracy (%)",
        "3 classes: difference of\nunweighted accuracy (points of %)",
    ),
    "pearson": Metric("ρ", "ρ of the expected rating", "difference of ρ", share=False, digits=4),
}


def _instead(results):
    """Ratings that are numbers have a report of their own."""
    if setting(results, "target") != "regression":
        return None
    from sejax.experiments.dcgan.regression_report import REGRESSION  # which takes much of this module

    return REGRESSION


REPORT = Report(
    instead=_instead,
    published=lambda results, name: paper.published(name.get("model", setting(results, "model"))),
    note=paper.NOTE,
    variant="model",
    labels=paper.NAMES,
    metrics=METRICS,
    percent=True,
    pairs=pairs,
    chance=lambda results, metric: CHANCE[metric],
    members={f"test/{metric}": kind.title for metric, kind in METRICS.items()}
    | {"test/accuracy": "accuracy", "valid/uar": "validation, 5 classes", "valid/accuracy": "validation accuracy"},
    kept="restored",
    status=_status,
    run_fields=("corpus", "ratings", "protocol", "unlabelled"),
    title=_title,
    lead=_lead,
    headline=valence_table,
    warnings=_warnings,
    drawings={
        "scores": _scores,
        "differences": _differences,
        "confusion": _confusion,
        "curves": _curves,
        "gallery": _gallery,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=lambda runs, names, *, format: (model_scores(runs, names, format=format), "Valence on the test part"),
)
