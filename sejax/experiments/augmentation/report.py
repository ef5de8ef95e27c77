"""The report of classifiers of real, synthetic and augmented vectors: Tables 2 and 3, gains, Fig. 3, curves, folds.

A member is a training set, a fold and a repeat (its seed), and where vectors are synthetic the weight of the
classification loss (lambda) of the GANs that made them. A repeat's UAR is the mean over its folds, as in Table 2 of
Bao, Neumann and Vu; mean and deviation are over the repeats.
"""

import numpy as np

from sejax.core.results import is_finite, spread
from sejax.experiments.augmentation import published as paper
from sejax.experiments.augmentation.published import uar
from sejax.report import Report, run, tables
from sejax.report.confusion import confusion_rates
from sejax.report.curves import SERIES, axes_in_common, draw_curves, heights, wide_axis
from sejax.report.drawing import INK, MUTED, ORANGE, drawn, repeated, subplots
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.run import (
    Variant,
    above,
    by_repeat,
    fold_score,
    grouped,
    histories,
    mean_rates,
    pooled_confusion,
    recorded_metrics,
    row_rates,
)
from sejax.report.tables import Strong, Table, number, percent, signed
from sejax.report.terms import MISSING, corpora, protocol_notes, run_name, setting

TRAININGS = {
    "real": "Real",
    "syn": "Syn.",
    "real+syn": "Real + Syn.",
    "real+noise": "Real + noise",
    "real+mixup": "Real + mixup",
}
ANCHOR = "Linear SVM"
UAR = "test/uar"
METRICS = {"test/uar": "UAR", "test/accuracy": "accuracy", "test/macro_f1": "macro-F1", "valid/uar": "UAR, development"}
STRONG_NOTE = "Bold (* in plain text): a mean above that of Real in the same row; the gains' deviations say how sure."
ROW_NOTE = "Real, noise, mixup and the SVM do not depend on λ."
SCORES_CAPTION = "UAR of every repeat, and its gain over real vectors"


def classifiers(results):
    """The variants of a run, training sets and weights, in the order of TRAININGS, weights ascending."""
    groups = {}
    for member in results["members"]:
        groups.setdefault((member.get("training"), member.get("lambda_cls")), []).append(member)
    order = list(TRAININGS)
    groups = sorted(
        groups.items(), key=lambda at: (order.index(at[0][0]) if at[0][0] in order else len(order), at[0][1] or 0.0)
    )
    return [_classifier(training, weight, members) for (training, weight), members in groups]


def _classifier(training, weight, members):
    name = TRAININGS.get(training, training)
    label = name if weight is None else f"{name} (λ {weight:g})"
    return Variant({"training": training, "lambda_cls": weight}, tuple(members), label)


def training_of(classifier):
    """The training set of a variant, a key of TRAININGS."""
    return classifier.name["training"]


def weight_of(classifier):
    """The weight of the GANs' classification loss behind a variant's vectors; None without synthetic ones."""
    return classifier.name["lambda_cls"]


def find(results, training, weight=None):
    """The classifier of a training set: the one of that weight, or the one that knows of none; None without."""
    fitting = (one for one in classifiers(results) if training_of(one) == training)
    return next((classifier for classifier in fitting if weight_of(classifier) in (None, weight)), None)


def weights(results):
    """The weights of the classification loss behind a run's synthetic vectors, ascending."""
    return sorted({weight_of(classifier) for classifier in classifiers(results)} - {None})


def score(classifier, metric=UAR):
    """Mean and deviation of a metric over the repeats; None without a complete one (or for no classifier)."""
    return run.score(classifier, metric, by_repeat)


def gains(results, classifier, metric=UAR):
    """{seed: difference to the classifier of real vectors in the same repeat}."""
    return run.differences(classifier, find(results, "real"), metric, by_repeat)


def anchor(results):
    """The linear SVM on the same vectors: {"uar", "per_fold", "confusion", ...}; {} where a run has none."""
    return results.get("anchor") or {}


def in_order(runs):
    """Runs within a corpus before those across corpora, as Tables 2 and 3 stand."""
    return sorted(runs, key=lambda results: evaluation(results) != "within")


def evaluation(results):
    """ "within" (a corpus, fold by fold) or "cross" (tested on another corpus)."""
    return setting(results, "evaluation", "within")


def run_title(results):
    """What was trained and tested on what: `emodb, within corpus`, `emodb to nemo, cross-corpus`."""
    kind = "within" if evaluation(results) == "within" else "cross"
    return f"{corpora(results, results['experiment'])}, {kind}-corpus"


def normalisation(results):
    """The protocol of GANs and normalisation: leak_free or as_published."""
    return setting(results, "normalisation", setting(results, "protocol"))


def _in_paper(results, classifier):
    return uar(evaluation(results), training_of(classifier), weight_of(classifier))


# Tables.


def uar_table(results):
    """Table 2 or 3: UAR in % by training set, a row for each weight, the paper's and Sahu et al.'s rows below."""
    rows = [(f"λ {weight:g}", *_scores(results, weight)) for weight in weights(results)]
    rows = rows or [("no synthetic vectors", *_scores(results, None))]
    rows += _published_rows(evaluation(results))
    caption = f"{run_title(results)}: UAR in %, {_over([results])}"
    return Table(caption, ("", *TRAININGS.values(), ANCHOR), tuple(rows), _notes([results]))


def _scores(results, weight):
    entries = {training: score(find(results, training, weight)) for training in TRAININGS}
    real, cells = entries["real"], []
    for training, entry in entries.items():
        better = entry and real and training != "real" and entry["mean"] > real["mean"]
        cells.append(Strong(percent(entry)) if better else percent(entry))
    return (*cells, _in_percent(anchor(results).get("uar")))


def _in_percent(share):
    return number(100 * share, 2) if is_finite(share) else MISSING


def _published_rows(where):
    rows = []
    for weight in paper.LAMBDAS:
        entries = [uar(where, training, weight) for training in TRAININGS]
        cells = [f"{entry[0]:.2f} ± {entry[1]:.2f}" if entry else MISSING for entry in entries]
        rows.append((f"paper ({paper.CORPORA[where]}), λ {weight:g}", *cells, MISSING))
    cells = [number(paper.SAHU[where].get(training), 2) for training in TRAININGS]
    return [*rows, ("Sahu et al., from the paper", *cells, MISSING)]


def _over(runs):
    """How many repeats and folds a mean stands on."""
    repeats = {len({member.get("seed") for member in results["members"]}) for results in runs}
    folds = {len({member.get("fold") for member in results["members"]}) for results in runs}
    if len(repeats) > 1 or len(folds) > 1:
        return "mean ± sample standard deviation over each run's repeats of the mean over its folds"
    count, places = repeats.pop(), folds.pop()
    noun = "repeat" if count == 1 else "repeats"
    of = f" of the mean over {places} folds" if places > 1 else ""
    return f"mean ± sample standard deviation over {count} {noun}{of}"


def _notes(runs):
    return STRONG_NOTE, ROW_NOTE, paper.NOTE, *_repeat_notes(runs), *_protocol_notes(runs)


def _repeat_notes(runs):
    """A note where repeats are incomplete, because a fold of theirs failed."""
    notes = []
    for classifier in (classifier for results in runs for classifier in classifiers(results)):
        seeds, kept = {member.get("seed") for member in classifier.members}, by_repeat(classifier, UAR)
        if len(kept) < len(seeds):
            text = f"{classifier.label}: {len(kept)} of {len(seeds)} repeats; the others have a failed fold."
            notes.append(text)
    return notes


def _protocol_notes(runs):
    notes = protocol_notes([{**results, "protocol": normalisation(results)} for results in runs], REPORT)
    anchors = [anchor(results) for results in runs]
    about = dict.fromkeys(str(svm["protocol"]) for svm in anchors if svm.get("protocol"))
    costs = {svm["c"] for svm in anchors if is_finite(svm.get("c"))}
    cost = f", C = {costs.pop():g}" if len(costs) == 1 else ""
    return [*notes, *(f"{ANCHOR}{cost}: openSMILE vectors, {text}." for text in about)]


def gain_table(results):
    """Every classifier beside the one of real vectors: its metrics, and the paired gain in UAR over the repeats."""
    every = classifiers(results)
    metrics = [name for name in METRICS if any(score(classifier, name) for classifier in every)]
    rows = []
    for classifier in every:
        paired = list(gains(results, classifier).values()) if training_of(classifier) != "real" else []
        cells = [percent(score(classifier, name)) for name in metrics]
        rows.append((classifier.label, *cells, signed(percent(spread(paired))), above(paired) if paired else MISSING))
    columns = ("training set", *(METRICS[name] for name in metrics), "gain over Real", "repeats above Real")
    note = "Gain: the difference to Real in the same repeat, its mean ± sample standard deviation, points of UAR."
    return Table("Every training set, in %", columns, tuple(rows), (note,))


def fold_table(results):
    """UAR in % by fold, the mean over the repeats of each training set; no rows for a run of one fold."""
    every, svm, rows = classifiers(results), anchor(results).get("per_fold") or [], []
    folds = sorted({member.get("fold") for member in results["members"]})
    for place, fold in enumerate(folds if len(folds) > 1 else ()):
        cells = [percent(fold_score(classifier, UAR, fold)) for classifier in every]
        rows.append((f"fold {fold}", *cells, _in_percent(svm[place] if place < len(svm) else None)))
    columns = ("", *(classifier.label for classifier in every), ANCHOR)
    return Table("UAR in % by fold: mean ± sample standard deviation over the repeats", columns, tuple(rows))


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by`: a row for each run and weight."""
    return [_comparison_table(in_order(group)) for group in grouped(runs, group_by, REPORT.run_fields)]


def _comparison_table(runs):
    rows = []
    for place, results in enumerate(runs, 1):
        stubs = run_name(results, place), run_title(results), str(normalisation(results))
        for weight in weights(results) or [None]:
            text = MISSING if weight is None else f"λ {weight:g}"
            rows.append((*stubs, text, *_scores(results, weight)))
    for where in dict.fromkeys(map(evaluation, runs)):
        for name, *cells in _published_rows(where):
            source, _, weight = name.partition(", λ ")
            tested = f"{paper.CORPORA[where]}, {where}-corpus"
            rows.append((source.partition(" (")[0], tested, MISSING, f"λ {weight}" if weight else MISSING, *cells))
    columns = ("run", "evaluation", "protocol", "weight", *TRAININGS.values(), ANCHOR)
    return Table(f"UAR in %, {_over(runs)}", columns, tuple(rows), _notes(runs), stubs=4)


# Words and figures.


def _lead(results):
    """UAR with real vectors alone and with synthetic ones beside them, the paper's figures, and how sure a gain is."""
    parts = [_uar_in_words(results, find(results, "real"))]
    if anchor(results).get("uar"):
        parts.append(f"{ANCHOR} {100 * anchor(results)['uar']:.2f}")
    parts += [_uar_in_words(results, find(results, "real+syn", weight)) for weight in weights(results)]
    start = f"{run_title(results)}, protocol {normalisation(results)}"
    return f"{start}: UAR in %: {'; '.join(filter(None, parts))}."


def _uar_in_words(results, classifier):
    """`Real + Syn. (λ 2) 60.37 ± 0.70 (paper: 60.37), 0.89 ± 0.40 over Real, above it in 5 of 5 repeats`."""
    if classifier is None:
        return ""
    theirs = _in_paper(results, classifier)
    text = f"{classifier.label} {percent(score(classifier))}" + (f" (paper: {theirs[0]:.2f})" if theirs else "")
    paired = list(gains(results, classifier).values()) if training_of(classifier) != "real" else []
    if not paired:
        return text
    gain = spread(paired)
    side = "over" if gain["mean"] >= 0 else "under"
    size = percent({**gain, "mean": abs(gain["mean"])})
    return f"{text}, {size} {side} Real, above it in {above(paired)} repeats"


@drawn
def uar_scores(runs, names=None):
    """UAR of every training set, and beside it the gain over real vectors: repeats faint, mean and deviation bold.

    `runs` are results; `names` their labels, which stand before those of the training sets where there are several
    runs. A diamond is the paper's figure for the same training set, a dashed line guessing. A gain pairs repeats.
    """
    rows = [(results, place, one) for place, results in enumerate(runs) for one in (*classifiers(results), None)]
    rows = [row for row in rows if row[2] or is_finite(anchor(row[0]).get("uar"))]
    places = np.cumsum([1.5 * (row[1] != before[1]) or 1.0 for row, before in zip(rows, rows[:1] + rows, strict=False)])
    figure, (scores, paired) = subplots(8.4, 1.05 + 0.3 * places[-1], columns=2, sharey=True, width_ratios=(3, 2))
    figure.get_layout_engine().set(wspace=0.08)
    handles = {}
    for place, (results, _, classifier) in zip(places, rows, strict=True):
        if classifier is None:
            style = {"marker": "s", "color": INK, "markersize": 5.5, "linestyle": "none"}
            handles["linear SVM"] = scores.plot(100 * anchor(results)["uar"], place, **style)[0]
            continue
        handles |= repeated(scores, _percents(by_repeat(classifier, UAR)), place, name="repeat")
        theirs = _in_paper(results, classifier)
        if theirs:
            style = {"color": ORANGE, "marker": "D", "markersize": 5, "linestyle": "none"}
            handles["paper"] = scores.plot(theirs[0], place, **style)[0]
        if training_of(classifier) != "real":
            repeated(paired, _percents(gains(results, classifier)), place, name="repeat")
    chance = {1 / len(results["classes"]) for results in runs if results.get("classes")}
    if len(chance) == 1:
        handles["chance"] = scores.axvline(100 * chance.pop(), color=MUTED, linestyle="--", linewidth=1)
    paired.axvline(0, color=MUTED, linewidth=1)
    labels = [classifier.label if classifier else ANCHOR for *_, classifier in rows]
    if len(runs) > 1:
        names = names or list(map(run_title, runs))
        labels = [f"{names[place]}: {label}" for (_, place, _), label in zip(rows, labels, strict=True)]
    scores.set_yticks(places, labels)
    scores.set(ylim=(places[-1] + 0.6, places[0] - 0.6), xlabel="UAR (%)")
    paired.set(xlabel="gain over Real, same repeat (points of UAR)")
    for axes in (scores, paired):
        axes.grid(axis="y", visible=False)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _percents(by_seed):
    return [100 * share for share in by_seed.values()]


@drawn
def classifier_curves(results):
    """Loss and accuracy of every training set over its epochs: members faint, their mean bold.

    `results` as in results.json. A column is a training set with epochs of its own; a row's panels share their
    axis where they do not differ by orders.
    Raises ValueError where no member recorded a loss or an accuracy.
    """
    every, recorded = classifiers(results), recorded_metrics(results["members"])
    quantities = [name for name in ("loss", "accuracy") if recorded & {f"{part}/{name}" for part, *_ in SERIES}]
    if not quantities:
        raise ValueError("no history of losses or accuracies in these results")
    size = 0.7 + 1.55 * len(every), 0.9 + 1.5 * len(quantities)
    figure, grid = subplots(*size, len(quantities), len(every), squeeze=False, sharex="col")
    handles = {}
    for (row, column), axes in np.ndenumerate(grid):
        for part, label, colour in SERIES:
            name = f"{part}/{quantities[row]}"
            if name in recorded:
                handles[label] = draw_curves(axes, every[column].members, name, None, colour=colour, label=label)
    for axes, classifier in zip(grid[0], every, strict=True):
        axes.set_title(classifier.label, fontsize=8.5)
    for row, quantity in zip(grid, quantities, strict=True):
        row[0].set_ylabel(quantity, color=INK, fontweight="bold", fontsize=8.5)
        for group in axes_in_common(row):
            wide_axis(group[0], [value for axes in group for value in heights(axes)])
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True, nbins=4)
    if len(handles) > 1:
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=len(handles))
    return figure


def _confusion(results, report):
    """Fig. 3: a row of matrices that know no weight, and a row for each weight."""
    classes = results.get("classes") or ()
    rows = {}
    for place, classifier in enumerate(classifiers(results)):
        rates = mean_rates(classifier.members, classes)
        if rates is not None:
            pooled = pooled_confusion(classifier.members, "test")
            matrix = _matrix(rates, classes, place, classifier.label, pooled)
            rows.setdefault(weight_of(classifier), []).append(matrix)
    counts = anchor(results).get("confusion")
    rates = row_rates(counts, classes) if counts else None
    if rates is not None:
        rows.setdefault(None, []).append(_matrix(rates, classes, "anchor", ANCHOR, counts))
    note = (
        "Shares of the true class in %, the mean over folds and repeats, and the counts of all of them; the SVM's over "
        "all its test vectors."
    )
    order = sorted(rows, key=lambda weight: -1.0 if weight is None else weight)
    return paragraph(note, "muted") + "".join(in_row(rows[weight]) for weight in order) if rows else ""


def _matrix(rates, classes, name, caption, counts):
    return picture(confusion_rates(rates, classes, counts, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results, report):
    if not any(name.endswith(("/loss", "/accuracy")) for row in histories(results) for name in row):
        return ""
    note = "Faint: each member (fold and repeat). Bold: their mean. Each training set has epochs of its own."
    return paragraph(note, "muted") + picture(classifier_curves(results, format="inline"), "Loss and accuracy")


def _sections(results, drawings):
    folds = fold_table(results)
    scores = tables.html(uar_table(results)) + tables.html(gain_table(results))
    return [
        Section("Results", scores + drawings["scores"]),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Folds", tables.html(folds) if folds.rows else ""),
    ]


def _picture(runs, names, *, format):
    named = dict(zip(map(id, runs), names, strict=True))
    runs = in_order(runs)
    return uar_scores(runs, [named[id(results)] for results in runs], format=format), SCORES_CAPTION


def _published(results, name):
    training = name.get("training", setting(results, "training"))
    return paper.recognition(setting(results, "evaluation"), training, name.get("lambda_cls"))


REPORT = Report(
    published=_published,
    note=paper.NOTE,
    run_fields=("corpus", "test_corpus", "evaluation", "normalisation"),
    criterion="uar",
    title=lambda results: f"augmentation: {run_title(results)}",
    lead=_lead,
    headline=uar_table,
    drawings={
        "scores": lambda results, report: picture(uar_scores([results], format="inline"), SCORES_CAPTION),
        "confusion": _confusion,
        "curves": _curves,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=_picture,
)
