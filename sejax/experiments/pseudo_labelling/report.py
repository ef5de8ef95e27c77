"""What the report of a run of pseudo-labelling has beside any run's: what became of the unlabelled images."""

import numpy as np

from sejax.core.results import is_finite
from sejax.experiments.pseudo_labelling.paper_tables import paper_tables
from sejax.experiments.pseudo_labelling.published import published
from sejax.report import Report, tables
from sejax.report.drawing import BLUE, ORANGE, RULE, drawn, subplots
from sejax.report.html import DRAWINGS, sections_of
from sejax.report.page import Section, picture
from sejax.report.terms import MISSING, setting

COUNTS = {
    "labelled": "labelled",
    "unlabelled": "unlabelled",
    "confident": "confident",
    "confident_correct": "confident and right",
}


def _published(results, name):
    del name
    if results.get("test_corpus") or setting(results, "features", "image") != "image":
        return {}
    fields = ("corpus", ""), ("scale", None), ("voice_activity", "none"), ("labelled", 1.0)
    return published(*(setting(results, field, default) for field, default in fields))


def pseudo_label_counts(members):
    """Mean counts of each iteration over the members that did not fail; [] if nothing was unlabelled.

    Returns a list of {"iteration", "labelled", "unlabelled", "confident", "confident_correct"}; a count
    that no member knows is None.
    """
    entries = [entry for member in members if not member.get("failed") for entry in member.get("iterations", ())]
    rows = []
    for number in sorted({entry["iteration"] for entry in entries}):
        row = {"iteration": number}
        for name in COUNTS:
            values = [entry.get(name) for entry in entries if entry["iteration"] == number]
            values = [value for value in values if is_finite(value)]
            row[name] = float(np.mean(values)) if values else None
        rows.append(row)
    return [row for row in rows if row["unlabelled"] and row["confident"] is not None]


def _examples_of(results):
    """What is labelled anew: images, or utterances where a run learns from their vectors."""
    return "utterances" if setting(results, "unit", "block") == "utterance" else "images"


@drawn
def pseudo_labels(members, *, examples="images"):
    """What became of the unlabelled images (or utterances) after each iteration, as means over the members that did
    not fail.

    Bars: confident and right, confident and wrong, not confident; the text gives the share of confident
    labels that is right. Where the truth of the unlabelled images is not known, confident ones are drawn as
    such. `examples`: what they are called.
    """
    rows = pseudo_label_counts(members)
    known = all(is_finite(row["confident_correct"]) for row in rows)
    shown = ("confident and right", "confident and wrong") if known else ("confident", "")
    figure, axes = subplots(6.6, 0.95 + 0.45 * len(rows))
    for place, row in enumerate(rows):
        right = row["confident_correct"] if known else row["confident"]
        parts = (right, row["confident"] - right, row["unlabelled"] - row["confident"])
        start = 0.0
        for count, name, colour in zip(parts, (*shown, "not confident"), (BLUE, ORANGE, RULE), strict=True):
            if name:
                axes.barh(place, count, left=start, height=0.6, color=colour, label=None if place else name)
            start += count
        text = f"{row['confident']:.0f} of {row['unlabelled']:.0f} confident"
        if known and row["confident"]:
            text += f",\n{100 * right / row['confident']:.1f} % of these right"
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    axes.set_yticks(range(len(rows)), [f"iteration {row['iteration']}" for row in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, max(row["unlabelled"] for row in rows)))
    axes.set_xlabel(f"unlabelled {examples}, mean over members", loc="left")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _drawing(results, report):
    del report
    if not pseudo_label_counts(results["members"]):
        return ""
    threshold = setting(results, "threshold", MISSING)
    caption = f"Pseudo-labels after each iteration, confident at a posterior of {threshold} or more"
    return picture(pseudo_labels(results["members"], examples=_examples_of(results), format="inline"), caption)


def _table(results):
    rows = []
    for row in pseudo_label_counts(results["members"]):
        right, confident = row["confident_correct"], row["confident"]
        share = f"{100 * right / confident:.1f} %" if is_finite(right) and confident else MISSING
        rows.append((str(row["iteration"]), *(tables.number(row[name], 1) for name in COUNTS), share))
    columns = ("iteration", *COUNTS.values(), "right of confident")
    caption = f"{_examples_of(results).capitalize()}, mean over the members that did not fail"
    return tables.html(tables.Table(caption, columns, tuple(rows))) if rows else ""


def _sections(results, drawings):
    *others, members = sections_of(results, drawings, REPORT)
    return [*others, Section("Pseudo-labels", drawings["pseudo_labels"] + _table(results)), members]


REPORT = Report(
    published=_published,
    drawings=DRAWINGS | {"pseudo_labels": _drawing},
    sections=_sections,
    paper_tables=paper_tables,
    run_fields=("corpus", "protocol", "features", "trainable"),
)
