"""report.html: one self-contained page for a run, from its results.json, its experiment's Report and example images."""


from sejax.core.files import read_npz, write_npz, write_text
from sejax.core.results import field_value, is_finite
from sejax.core.stores import path_of
from sejax.errors import typed
from sejax.report import Report, anchors, by_corpus, page, tables, terms
from sejax.report.confusion import confusion_matrix
from sejax.report.curves import learning_curves, training_curves
from sejax.report.folds import interval_notes
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.robustness import figure_of, read_robustness, section_of
from sejax.report.run import (
    MARKS,
    arranged,
    columns,
    figures_at,
    histories,
    iterations,
    leading_metric,
    named,
    paper_figures,
    pooled_confusion,
)
from sejax.report.score_figures import accuracy_over_rate, iteration_scores, rated, variant_scores
from sejax.report.score_tables import ROW_FIELDS, headline, member_table
from sejax.report.sound import gallery

FILE = "report.html"
EXAMPLES = "examples.npz"
LAST = ("examples", "robustness")  # drawings that no page begins with
MOST_WARNINGS = 2  # before the others fold away
MOST_EXAMPLES = 24  # in the page; the file has them all
FAINT = "Faint: each member. Bold: the mean of the members still training, while at least half of them are."


def write_report(workdir, results, report: Report):
    """Write workdir/report.html and return its path.

    `results` as in results.json, `report` of its experiment; examples are those of `write_examples`. Without
    matplotlib the page has its tables and says how to get the figures.
    """
    path = path_of(workdir) / FILE
    write_text(path, report_page(results, report, read_examples(workdir), read_robustness(workdir)))
    return path


def write_examples(workdir, images):
    """Keep example images for every report of a run: {class: what `sejax.report.sound.gallery` takes}."""
    if images:
        write_npz(path_of(workdir) / EXAMPLES, images)


def read_examples(workdir):
    """The example images that a run left in its workdir: {class: array}, {} where it left none."""
    path = path_of(workdir) / EXAMPLES
    if not path.is_file():
        return {}
    return read_npz(path, "delete it, and the page is made without examples")


def report_page(results, report: Report, images=None, robustness=None):
    """The page's text; see `write_report`. `robustness`: as `sejax.report.robustness.read_robustness` gives it."""
    drawings, missing = _drawn(results, report, images or {}, robustness)
    # The first screen is the result and one figure; how it came about is further down, folded away.
    first = next((name for name in drawings if drawings[name] and name not in LAST), "")
    lead = _lead(results, report, missing + drawings.get(first, ""))
    drawings |= {first: ""}
    sections = [
        *(report.sections(results, drawings) if report.sections else sections_of(results, drawings, report)),
        Section("By corpus", tables.html(apart) if (apart := by_corpus.table(results, report)) else ""),
        Section("Anchors", tables.html(anchors.table(results)) if any(anchors.anchors_of(results)) else ""),
        Section("Robustness", section_of(robustness, results, report, drawings["robustness"])),
        Section("Examples", drawings["examples"]),
        Section("What was run", _what_was_run(results, report)),
        Section("Environment", page.folded("versions, platform", page.definitions(results.get("environment", {})))),
        Section("Config", page.folded("every setting", page.definitions(results["config"]))),
    ]
    return page.document(report.title(results) if report.title else _title(results), lead, sections)


def _drawn(results, report, images, robustness):
    """The figures by section {name: HTML}, and a warning in their place where matplotlib is missing."""
    makers = dict(DRAWINGS if report.drawings is None else report.drawings)
    makers["examples"] = lambda results, report: _gallery(results, images)
    makers["robustness"] = lambda results, report: figure_of(robustness, results)
    try:
        return {name: make(results, report) for name, make in makers.items()}, ""
    except ImportError as error:
        text = f"No figures here: {error}; then {typed('report')} --workdir=RUN."
        return dict.fromkeys(makers, ""), paragraph(text, "warning")


def _title(results):
    corpus = terms.corpora(results, "")
    name = results["experiment"].replace("_", " ")
    return f"{name} on {corpus}" if corpus else name


def sections_of(results, drawings, report: Report):
    """The sections of any run, those of `DRAWINGS` and its tables."""
    return [
        Section(
            "Results", tables.html(headline(results, report, anchored=False)) + drawings["scores"] + drawings["rates"]
        ),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Members", tables.details(member_table(results))),
    ]


def _lead(results, report, figure):
    """Result beside the paper's figures, protocol, anchors, a paragraph each; what went wrong; one figure."""
    text = report.lead(results) if report.lead else _result_in_words(results, report)
    warnings = (*report.warnings(results), *terms.split_warnings(results))
    wrong = _failures(results, report) + [paragraph(text, "warning") for text in warnings]
    told = "".join(wrong[:MOST_WARNINGS])
    told += page.folded(f"{len(wrong) - MOST_WARNINGS} more warnings", "".join(wrong[MOST_WARNINGS:]))
    first, _, more = text.partition("\n")
    first = " ".join([first, *interval_notes(results, report)])
    beside = [*_protocol_in_words(results, report), *terms.split_notes(results), anchors.in_words(results)]
    lines = paragraph(first) + "".join(paragraph(line, "muted") for line in beside if line)
    return lines + told + figure + (paragraph(more, "muted") if more else "")


def _protocol_in_words(results, report):
    notes = terms.protocol_notes([results], report)
    protocol = terms.setting(results, "protocol")
    return notes or ([f"Protocol {protocol}."] if protocol else [])


def _result_in_words(results, report):
    varied = named(results)
    parts = (_variants_in_words if varied else _scores_in_words)(results, report)
    over = terms.members_text(results["members"])
    mean = "mean ± standard deviation over" + " the folds and seeds of each:" * varied
    text = f"{parts[0]}; {mean} {over}." if parts else f"{over}."
    return "\n".join([text[0].upper() + text[1:], *(f"{part}." for part in parts[1:])])


def _scores_in_words(results, report):
    summary, paper = results["summary"], paper_figures(results, report)
    steps, units = iterations(results) or [None], terms.levels(results)
    parts = []
    if "test/macro_f1" in summary:
        theirs = figures_at(paper, "test", "macro_f1", steps[-1], steps[-1])
        beside = f" (paper: {tables.number(theirs, 2)})" if is_finite(theirs) else ""
        parts.append(f"Macro-F1 {tables.mean_std(summary['test/macro_f1'])} per {units['test']}{beside}")
    if "test_utterance/uar" in summary:
        parts.append(f"UAR {tables.mean_std(summary['test_utterance/uar'])} per utterance")
    return ["; ".join(parts)] if parts else []


def _variants_in_words(results, report):
    """`Validation accuracy at the published rate: resnet50 0.4 (paper: 0.998), ...`, and so for the tuned rate."""
    variants = arranged(results, report)
    metric, parts = leading_metric(variants), []
    for mark, which in MARKS.items():
        scores = []
        for variant in (variant for variant in variants if variant.mark == mark and metric in variant.summary):
            theirs = variant.paper.get(metric)
            beside = f" (paper: {field_value(theirs)})" if is_finite(theirs) else ""
            name = variant.group if mark else variant.label
            scores.append(f"{name} {tables.mean_std(variant.summary[metric])}{beside}")
        if scores and (mark or not parts):
            name = terms.title(metric, terms.levels(results))
            parts.append(f"{name[0].upper()}{name[1:]}{which}: {', '.join(scores)}")
    return parts


def _failures(results, report):
    return [
        paragraph(
            f"{terms.who(member, report.labels)} {terms.failure(member)}. It is left out of every mean and confusion "
            "matrix.",
            "warning",
        )
        for member in results["members"]
        if member.get("failed")
    ]


def _what_was_run(results, report):
    data, seconds = results.get("data") or {}, results.get("seconds")
    body = page.preformatted(results.get("command") or _equivalent_config(results))
    data = data | ({"voice_activity": terms.heard(data["voice_activity"])} if "voice_activity" in data else {})
    elsewhere = (*report.elsewhere, "levels_alone", "anchor", "anchors_by_corpus", "splits", "update_seconds")
    facts = {name: _fact(value) for name, value in data.items() if name not in (*elsewhere, "recordings")}
    facts |= {
        terms.RECORDINGS.get(name, name): " to ".join(f"{end:.3g}" for end in ends if is_finite(end))
        for name, ends in (data.get("recordings") or {}).items()
    }
    if results.get("classes"):
        facts["classes"] = results["classes"]
    if is_finite(seconds):
        facts["training time"] = duration(seconds)
    return body + page.folded("data and settings of the prepared set", page.definitions(facts, terms.fact))


def _fact(value):
    """Numbers with commas; a mapping to numbers or texts on one line, as in `stress: fear`."""
    if isinstance(value, dict) and not any(isinstance(entry, dict | list) for entry in value.values()):
        return ", ".join(f"{terms.fact(name)}: {_fact(entry)}" for name, entry in value.items()) or "none"
    return f"{value:,}" if is_finite(value) else value


def _equivalent_config(results):
    """The config argument that names this run's setting, for a run that did not record its command."""
    given = {field: terms.setting(results, field) for field in (*ROW_FIELDS, "folds", "seeds")}
    argument = ",".join(f"{field}={value}" for field, value in given.items() if value is not None)
    return f"--config=configs/{results['experiment']}.py:{argument}"


def duration(seconds):
    """Seconds as text: `42 s`, `3 min 5 s`, `2 h 7 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


# The figures of any run; one without what a figure shows goes without it.


def _scores(results, report):
    drawings = []
    if len(iterations(results)) >= 2:
        svg = iteration_scores(results, report, format="inline")
        drawings.append(picture(svg, "Scores on the test part by iteration"))
    variants = arranged(results, report)
    metric = leading_metric(variants)
    if named(results) and metric is not None:
        units, classes = terms.levels(results), len(results.get("classes") or ())
        svg = variant_scores(variants, metric=metric, classes=classes, units=units, format="inline")
        name = terms.title(metric, units)
        beside = " beside the paper's" if any(metric in variant.paper for variant in variants) else ""
        drawings.append(picture(svg, f"{name[0].upper()}{name[1:]}{beside}"))
    return "".join(drawings)


def _rates(results, report):
    if not rated(results, report):
        return ""
    return picture(accuracy_over_rate(results, report, format="inline"), "Accuracy over the learning rate")


def _confusion(results, report):
    """Counts pooled over the members that did not fail, per block and utterance: of a run, or of its variants."""
    variants, several, rows = arranged(results, report), named(results), []
    if several:
        shown = [variant for cells in columns(variants).values() for variant in cells.values()]
        variants = [variant for variant in variants if variant in shown]
    for part, unit in terms.levels(results).items():
        row = [
            _matrix(results, variant.members, part, f"{part}-{place}", variant.label if several else f"Per {unit}")
            for place, variant in enumerate(variants)
        ]
        row = [drawing for drawing in row if drawing]
        rows.append(paragraph(f"Per {unit}:") + in_row(row) if several and row else "".join(row))
    if not any(rows):
        return ""
    notes = ["Shares of the true class in %, counts below, over all test parts at the end of training."]
    notes += terms.protocol_notes([results], report) if several else ()
    notes += filter(None, [report.protocol_note])
    return paragraph(" ".join(notes), "muted") + ("".join(rows) if several else in_row(rows))


def _matrix(results, members, part, name, caption):
    """One confusion matrix as HTML, "" where the members have none for these classes; `name` keeps ids apart."""
    classes, counts = results.get("classes"), pooled_confusion(members, part)
    if not classes or counts is None or counts.shape != (len(classes), len(classes)):
        return ""
    return picture(confusion_matrix(counts, classes, format="inline", ids=f"confusion-{name}"), caption)


def _curves(results, report):
    rows, several = histories(results), named(results)
    if several and not any(name.endswith(("/accuracy", "/loss")) for row in rows for name in row):
        return ""
    steps, drawings = sorted({row.get("iteration", 1) for row in rows}), []
    for step in steps:
        options = {"iteration": step, "format": "inline", "ids": f"curves-{step}"}
        if several:
            svg, caption = learning_curves(results, report, **options), "Accuracy and loss"
        else:
            svg = training_curves(results["members"], **options)
            caption = "Loss, accuracy and learning rate"
        drawings.append(picture(svg, f"Iteration {step}" if len(steps) > 1 else caption))
    return paragraph(FAINT, "muted") + in_row(drawings) if drawings else ""


def _gallery(results, images):
    ordered = [name for name in results.get("classes", ()) if name in images]
    ordered += [name for name in images if name not in ordered]
    if not ordered:
        return ""
    svg = gallery({name: images[name] for name in ordered[:MOST_EXAMPLES]}, format="inline")
    of = "each class" if len(ordered) <= MOST_EXAMPLES else f"each of {MOST_EXAMPLES} of the {len(ordered)} classes"
    return picture(svg, f"One {terms.levels(results)['test']} of {of}, as a spectrogram")


DRAWINGS = {"scores": _scores, "rates": _rates, "confusion": _confusion, "curves": _curves}
