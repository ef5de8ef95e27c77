"""The sections of an augmentation run's report: Table 2 or 3, gains, confusion matrices as Fig. 3, curves, folds."""

from sejax.report import augmentation, tables
from sejax.report.augmentation import ANCHOR, anchor, classifiers, find, gains, run_title, score
from sejax.report.augmentation_figures import classifier_curves, uar_scores
from sejax.report.augmentation_tables import fold_table, gain_table, run_comparison, uar_table
from sejax.report.confusion import confusion_rates, mean_rates, row_rates
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.published.cyclegan import uar
from sejax.report.results import spread
from sejax.report.tables import percent
from sejax.report.views import View


def _title(results):
    return f"augmentation: {run_title(results)}"


def _lead(results):
    """UAR with real vectors alone and with synthetic ones beside them, the paper's figures, and how sure a gain is."""
    told = [_uar_in_words(results, find(results, "real"))]
    if anchor(results).get("uar"):
        told.append(f"{ANCHOR} {100 * anchor(results)['uar']:.2f}")
    told += [_uar_in_words(results, find(results, "real+syn", weight)) for weight in augmentation.weights(results)]
    setting = f"{run_title(results)}, protocol {augmentation.normalisation(results)}"
    return f"{setting}: UAR in %: {'; '.join(filter(None, told))}."


def _uar_in_words(results, classifier):
    """`Real + Syn. (λ 2) 60.37 ± 0.70 (paper: 60.37), 0.89 ± 0.40 over Real, above it in 5 of 5 repeats`."""
    if classifier is None:
        return ""
    theirs = uar(augmentation.evaluation(results), classifier.training, classifier.weight)
    text = f"{classifier.label} {percent(score(classifier))}" + (f" (paper: {theirs[0]:.2f})" if theirs else "")
    paired = list(gains(results, classifier).values()) if classifier.training != "real" else []
    if not paired:
        return text
    gain, better = spread(paired), sum(gain > 0 for gain in paired)
    side = "over" if gain["mean"] >= 0 else "under"
    size = percent({**gain, "mean": abs(gain["mean"])})
    return f"{text}, {size} {side} Real, above it in {better} of {len(paired)} repeats"


def _scores(results):
    return picture(uar_scores([results], format="inline"), "UAR of every repeat, and its gain over real vectors")


def _confusion(results):
    """Fig. 3: a row of matrices that know no weight, and a row for each weight."""
    classes = results.get("classes") or ()
    rows = {}
    for place, one in enumerate(classifiers(results)):
        rates = mean_rates(one.members, classes)
        if rates is not None:
            rows.setdefault(one.weight, []).append(_matrix(rates, classes, place, one.label))
    counts = anchor(results).get("confusion")
    rates = row_rates(counts, classes) if counts else None
    if rates is not None:
        rows.setdefault(None, []).append(_matrix(rates, classes, "anchor", ANCHOR))
    note = "Shares of the true class in %, the mean over folds and repeats; the SVM's over all its test vectors."
    order = sorted(rows, key=lambda weight: -1.0 if weight is None else weight)
    return paragraph(note, "muted") + "".join(in_row(rows[weight]) for weight in order) if rows else ""


def _matrix(rates, classes, name, caption):
    return picture(confusion_rates(rates, classes, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results):
    rows = [row for member in results["members"] for row in member.get("history") or ()]
    if not any(name.endswith(("/loss", "/accuracy")) for row in rows for name in row):
        return ""
    note = "Faint: each member (fold and repeat). Bold: their mean. Each training set has epochs of its own."
    return paragraph(note, "muted") + picture(classifier_curves(results, format="inline"), "Loss and accuracy")


def _sections(results, drawings):
    folds = fold_table(results)
    return [
        Section("Results", "".join(map(tables.html, (uar_table(results), gain_table(results)))) + drawings["scores"]),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Folds", tables.html(folds) if folds.rows else ""),
    ]


def _picture(runs, names, *, format):
    named = dict(zip(map(id, runs), names, strict=True))
    runs = augmentation.in_order(runs)
    return uar_scores(
        runs, [named[id(run)] for run in runs], format=format
    ), "UAR of every repeat, and its gain over real vectors"


VIEW = View(
    title=_title,
    headline=uar_table,
    lead=_lead,
    warnings=lambda results: [],
    drawings={"scores": _scores, "confusion": _confusion, "curves": _curves},
    sections=_sections,
    comparison=run_comparison,
    picture=_picture,
)
