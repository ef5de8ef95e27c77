"""What the report of a run of pseudo-labelling has beside any run's: what became of the unlabelled images."""

import numpy as np

from sejax.core.results import is_finite
from sejax.experiments.pseudo_labelling.paper_tables import paper_tables
from sejax.experiments.pseudo_labelling.published import published
from sejax.report import Report, tables
from sejax.report.drawing import BLUE, ORANGE, RULE, drawn, subplots
from sejax.report.folds import by_fold
from sejax.report.html import DRAWINGS, sections_of
from sejax.report.inference import infer
from sejax.report.page import Section, picture
from sejax.report.paired import size_ratio
from sejax.report.terms import MISSING, setting

COUNTS = {
    "labelled": "labelled",
    "unlabelled": "unlabelled",
    "confident": "confident",
    "confident_correct": "confident and right",
}
BEFORE_AND_AFTER = ("before", "after")
GAINS = {
    "test/uar": "UAR, block",
    "test_utterance/uar": "UAR, utterance",
    "test/macro_f1": "macro-F1, block",
    "test_utterance/macro_f1": "macro-F1, utterance",
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


def _rule(results):
    """How pseudo-labels were kept, in words."""
    threshold = setting(results, "threshold", MISSING)
    shares = ", then ".join(map(str, setting(results, "shares", ())))
    rules = {
        "threshold": f"confident at a posterior of {threshold} or more",
        "adaptive": f"confident at a threshold for each class, {threshold} at most",
        "balanced": f"of each class the most confident, {shares} of them",
    }
    return rules[setting(results, "selection", "threshold")]


def diagnostics(members):
    """Calibration and counts by class of each iteration, over the members that did not fail; [] where none is recorded.

    Returns a list of {"iteration", "temperature", "before", "after": means, "unlabelled", "kept", "right": sums [C]}.
    """
    entries = [entry for member in members if not member.get("failed") for entry in member.get("iterations", ())]
    rows = []
    for number in sorted({entry["iteration"] for entry in entries}):
        own = [entry for entry in entries if entry["iteration"] == number and "by_class" in entry]
        if not own or not sum(sum(entry["by_class"]["unlabelled"]) for entry in own):
            continue
        row = {"iteration": number, "temperature": float(np.mean([entry["temperature"] for entry in own]))}
        row |= {name: float(np.mean([entry["calibration_error"][name] for entry in own])) for name in BEFORE_AND_AFTER}
        row |= {name: np.sum([entry["by_class"][name] for entry in own], axis=0) for name in own[0]["by_class"]}
        rows.append(row)
    return rows


def _class_table(results):
    rows = diagnostics(results["members"])
    if not rows:
        return ""
    columns = [f"{what}, iteration {row['iteration']}" for row in rows for what in ("kept", "right of kept")]
    body = []
    for place, name in enumerate(results.get("classes", ())):
        counts = [[row[what][place] for what in ("unlabelled", "kept", "right")] for row in rows]
        shares = [_share(part, whole) for all_, kept, right in counts for part, whole in ((kept, all_), (right, kept))]
        body.append((name, *shares))
    caption = "Pseudo-labels by the class that they say: share kept, and share of these that is right"
    return tables.html(tables.Table(caption, ("class", *columns), tuple(body)))


def _calibration_table(results):
    body = [
        (str(row["iteration"]), *(tables.number(row[name], 3) for name in ("temperature", *BEFORE_AND_AFTER)))
        for row in diagnostics(results["members"])
    ]
    used = setting(results, "calibration", "none") != "none"
    caption = "Expected calibration error of the unlabelled images before and after a temperature fitted to the "
    caption += f"validation part, mean over members ({'' if used else 'not '}applied before pseudo-labels were kept)"
    columns = ("iteration", "temperature", "before", "after")
    return tables.html(tables.Table(caption, columns, tuple(body))) if body else ""


def gains(results):
    """What the last iteration is better by than the first, as {metric: (fold's differences' inference, first, last)}.

    Seeds of a fold are averaged first; first and last are means over folds. {} for one iteration.
    """
    members = [member for member in results["members"] if not member.get("failed")]
    last = max((len(member.get("iterations", ())) for member in members), default=0)
    found = {}
    for metric in GAINS if last > 1 else ():
        ends = []
        for number in (1, last):
            cells = {
                (member.get("fold"), member.get("seed")): member["metrics"].get(f"iteration_{number}/{metric}")
                for member in members
            }
            ends.append(by_fold(results, {place: value for place, value in cells.items() if is_finite(value)}))
        first, final = ends
        differences = {place: final[place] - first[place] for place in first if place in final}
        if differences:
            inference = infer(list(differences.values()), size_ratio(results, differences))
            found[metric] = inference, *(float(np.mean(list(end.values()))) for end in ends)
    return found


def _gain_table(results):
    try:
        found = gains(results)
    except ImportError as error:
        return f"<p>No intervals of the last iteration's gain here: {error}.</p>"
    rows = []
    for metric, (inference, first, last) in found.items():
        gain = f"{tables.signed(tables.number(inference.mean))} ± {tables.number(inference.std)}"
        intervals = [_interval(x) for x in (inference.bootstrap, inference.corrected)]
        rows.append((GAINS[metric], tables.number(first), tables.number(last), gain, *intervals))
    columns = ("score", "iteration 1", "last", "gain ± sd", "bootstrap 95 %", "corrected 95 %")
    protocol = setting(results, "protocol", MISSING)
    caption = f"What pseudo-labels add, protocol {protocol}, paired over folds, seeds averaged (docs/comparing.md)"
    return tables.html(tables.Table(caption, columns, tuple(rows))) if rows else ""


def _interval(ends):
    return f"[{', '.join(tables.signed(tables.number(end)) for end in ends)}]" if ends else MISSING


def _share(part, whole):
    return f"{100 * part / whole:.0f} %" if whole else MISSING


def _drawing(results, report):
    del report
    if not pseudo_label_counts(results["members"]):
        return ""
    caption = f"Pseudo-labels after each iteration, {_rule(results)}"
    return picture(pseudo_labels(results["members"], examples=_examples_of(results), format="inline"), caption)


def _table(results):
    rows = []
    for row in pseudo_label_counts(results["members"]):
        right, confident = row["confident_correct"], row["confident"]
        share = f"{100 * right / confident:.1f} %" if is_finite(right) and confident else MISSING
        kept = f"{100 * confident / row['unlabelled']:.1f} %"
        rows.append((str(row["iteration"]), *(tables.number(row[name], 1) for name in COUNTS), kept, share))
    columns = ("iteration", *COUNTS.values(), "share kept", "right of confident")
    caption = f"{_examples_of(results).capitalize()}, mean over the members that did not fail"
    return tables.html(tables.Table(caption, columns, tuple(rows))) if rows else ""


def _sections(results, drawings):
    *others, members = sections_of(results, drawings, REPORT)
    made = (_gain_table, _table, _class_table, _calibration_table)
    return [*others, Section("Pseudo-labels", drawings["pseudo_labels"] + "".join(f(results) for f in made)), members]


REPORT = Report(
    published=_published,
    drawings=DRAWINGS | {"pseudo_labels": _drawing},
    sections=_sections,
    paper_tables=paper_tables,
    run_fields=("corpus", "protocol", "features", "trainable"),
)
