"""The figures of a report as HTML, section by section; a run without what a figure shows goes without it."""

from sejax.report import figures, published, run_tables
from sejax.report.confusion import pooled_confusion
from sejax.report.page import in_row, paragraph, picture
from sejax.report.terms import MISSING, levels, protocol_notes, setting, title
from sejax.report.variant_figures import rated
from sejax.report.variants import arranged, columns, leading_metric, named
from sejax.report.views import view_of

FAINT = "Faint: each member. Bold: the mean of the members still training, while at least half of them are."


def pictures(results, images):
    """The figures by section {name: HTML}, and a warning in their place where matplotlib is missing.

    `results` as in results.json; `images` maps a class to an example as `figures.gallery` takes it.
    """
    view = view_of(results)
    makers = view.drawings if view else DRAWINGS
    makers = makers | {"examples": lambda run: _gallery(run, images)}
    try:
        return {name: make(results) for name, make in makers.items()}, ""
    except ImportError as error:
        text = f"No figures here: {error}; then python launch/report.py --workdir=RUN."
        return dict.fromkeys(makers, ""), paragraph(text, "warning")


def _iteration_scores(results):
    if len(run_tables.iterations(results)) < 2:
        return ""
    return picture(figures.iteration_scores(results, format="inline"), "Scores on the test part by iteration")


def _variant_scores(results):
    found = arranged(results)
    metric = leading_metric(found)
    if not named(results) or metric is None:
        return ""
    units = levels(results)
    classes = len(results.get("classes") or ())
    svg = figures.variant_scores(found, metric=metric, classes=classes, units=units, format="inline")
    name = title(metric, units)
    beside = " beside the paper's" if any(metric in variant.paper for variant in found) else ""
    return picture(svg, f"{name[0].upper()}{name[1:]}{beside}")


def _rates(results):
    if not rated(results):
        return ""
    return picture(figures.accuracy_over_rate(results, format="inline"), "Accuracy over the learning rate")


def _confusion(results):
    """Counts pooled over the members that did not fail, per block and utterance: of a run, or of its variants."""
    found, several, rows = arranged(results), named(results), []
    if several:
        found = [variant for cells in columns(found).values() for variant in cells.values()]
        found = [variant for variant in arranged(results) if variant in found]
    for part, unit in levels(results).items():
        row = [
            _matrix(results, variant.members, part, f"{part}-{place}", variant.label if several else f"Per {unit}")
            for place, variant in enumerate(found)
        ]
        row = [drawing for drawing in row if drawing]
        rows.append(paragraph(f"Per {unit}:") + in_row(row) if several and row else "".join(row))
    if not any(rows):
        return ""
    notes = ["Shares of the true class in %, counts below, over all test parts at the end of training."]
    notes += protocol_notes([results]) if several else ()
    notes += [published.protocol_note(results)]
    return paragraph(" ".join(filter(None, notes)), "muted") + ("".join(rows) if several else in_row(rows))


def _matrix(results, members, part, name, caption):
    """One confusion matrix as HTML, "" where the members have none for these classes; `name` keeps ids apart."""
    classes, counts = results.get("classes"), pooled_confusion(members, part)
    if not classes or counts is None or counts.shape != (len(classes), len(classes)):
        return ""
    return picture(figures.confusion_matrix(counts, classes, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results):
    members, several = results["members"], named(results)
    rows = [entry for member in members for entry in member.get("history", ())]
    if several and not any(name.endswith(("/accuracy", "/loss")) for entry in rows for name in entry):
        return ""
    steps, drawings = sorted({entry.get("iteration", 1) for entry in rows}), []
    for step in steps:
        options = {"iteration": step, "format": "inline", "ids": f"curves-{step}"}
        if several:
            svg, caption = figures.learning_curves(results, **options), "Accuracy and loss"
        else:
            svg = figures.training_curves(members, **options)
            caption = "Loss, accuracy and learning rate"
        drawings.append(picture(svg, f"Iteration {step}" if len(steps) > 1 else caption))
    return paragraph(FAINT, "muted") + in_row(drawings) if drawings else ""


def _pseudo_labels(results):
    if not figures.pseudo_label_counts(results["members"]):
        return ""
    threshold = setting(results, "threshold", MISSING)
    caption = f"Pseudo-labels after each iteration, confident at a posterior of {threshold} or more"
    return picture(figures.pseudo_labels(results["members"], format="inline"), caption)


def _gallery(results, images):
    ordered = [name for name in results.get("classes", ()) if name in images]
    ordered += [name for name in images if name not in ordered]
    if not ordered:
        return ""
    svg = figures.gallery({name: images[name] for name in ordered}, format="inline")
    return picture(svg, f"One {levels(results)['test']} of each class, as a spectrogram")


DRAWINGS = {
    "scores": lambda run: _iteration_scores(run) + _variant_scores(run) + _rates(run),
    "confusion": _confusion,
    "curves": _curves,
    "pseudo_labels": _pseudo_labels,
}
