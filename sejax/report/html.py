"""report.html: one self-contained page for a run, from its results.json and example images."""

from pathlib import Path

import numpy as np

from sejax.core.files import write_text
from sejax.report import figures, page, run_tables, tables, terms
from sejax.report.comparison import ROW_FIELDS
from sejax.report.page import Section, paragraph
from sejax.report.pictures import pictures
from sejax.report.results import field_value, is_finite
from sejax.report.variants import MARKS, arranged, leading_metric, named
from sejax.report.views import view_of

FILE = "report.html"
EXAMPLES = "examples.npz"


def write_report(workdir, results, images=None):
    """Write workdir/report.html and return its path.

    `results` as in results.json. `images` maps a class to an example as `figures.gallery` takes it; they
    are kept in workdir/examples.npz, from where a later call without `images` takes them. Without
    matplotlib the page has its tables and says how to get the figures.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    if images:
        np.savez_compressed(workdir / EXAMPLES, **{name: np.asarray(image) for name, image in images.items()})
    else:
        images = read_examples(workdir)
    path = workdir / FILE
    write_text(path, report(results, images))
    return path


def read_examples(workdir):
    """The example images that a run left in its workdir: {class: array}, {} where it left none."""
    path = Path(workdir) / EXAMPLES
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored.items())


def report(results, images=None):
    """The report's text; see `write_report`."""
    drawings, missing = pictures(results, images or {})
    view = view_of(results)
    sections = [
        Section("What was run", missing + _what_was_run(results)),
        *(view.sections if view else _sections)(results, drawings),
        Section("Examples", drawings["examples"]),
        Section("Environment", page.definitions(results.get("environment", {}))),
        Section("Config", page.definitions(results["config"])),
    ]
    return page.document(view.title(results) if view else _title(results), _lead(results), sections)


def _title(results):
    corpus = terms.setting(results, "corpus")
    return f"{results['experiment']} on {corpus}" if corpus else results["experiment"]


def _sections(results, drawings):
    return [
        Section("Results", tables.html(run_tables.headline(results)) + drawings["scores"]),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Pseudo-labels", drawings["pseudo_labels"] + _pseudo_label_table(results)),
        Section("Members", tables.html(run_tables.member_table(results))),
    ]


def _lead(results):
    """The result in a sentence: our figures beside the paper's, the protocol, and the members that failed."""
    view = view_of(results)
    if view:
        warnings = "".join(paragraph(text, "warning") for text in view.warnings(results))
        return paragraph(view.lead(results)) + _failures(results) + warnings
    varied = named(results)
    parts = _variants_in_words(results) if varied else _scores_in_words(results)
    protocol = terms.setting(results, "protocol", "not recorded")
    over = f"{terms.members_text(results['members'])}, protocol {protocol}"
    mean = "mean ± standard deviation over" + " the folds and seeds of each:" * varied
    text = f"{'; '.join(parts)}; {mean} {over}." if parts else f"{over}."
    return paragraph(text[0].upper() + text[1:]) + _failures(results)


def _scores_in_words(results):
    summary, paper = results["summary"], run_tables.paper_figures(results)
    steps, units = run_tables.iterations(results) or [None], terms.levels(results)
    parts = []
    if "test/macro_f1" in summary:
        theirs = run_tables.figures_at(paper, "test", "macro_f1", steps[-1], steps[-1])
        beside = f" (paper: {tables.number(theirs, 2)})" if is_finite(theirs) else ""
        parts.append(f"Macro-F1 {tables.mean_std(summary['test/macro_f1'])} per {units['test']}{beside}")
    if "test_utterance/uar" in summary:
        parts.append(f"UAR {tables.mean_std(summary['test_utterance/uar'])} per utterance")
    return parts


def _variants_in_words(results):
    """`Validation accuracy at the published rate: resnet50 0.4 (paper: 0.998), ...`, and so for the tuned rate."""
    found = arranged(results)
    metric, parts = leading_metric(found), []
    for mark, which in MARKS.items():
        scores = []
        for variant in (variant for variant in found if variant.mark == mark and metric in variant.summary):
            theirs = variant.paper.get(metric)
            beside = f" (paper: {field_value(theirs)})" if is_finite(theirs) else ""
            name = variant.group if mark else variant.label
            scores.append(f"{name} {tables.mean_std(variant.summary[metric])}{beside}")
        if scores and (mark or not parts):
            parts.append(f"{terms.title(metric, terms.levels(results))}{which}: {', '.join(scores)}")
    return parts


def _failures(results):
    failed = [member for member in results["members"] if member.get("failed")]
    return "".join(
        paragraph(
            f"{terms.who(member)} {terms.failure(member)}. It is left out of every mean and confusion matrix.",
            "warning",
        )
        for member in failed
    )


def _what_was_run(results):
    data, seconds = results.get("data") or {}, results.get("seconds")
    body = page.preformatted(results.get("command") or _equivalent_config(results))
    body += "".join(map(paragraph, terms.protocol_notes([results])))
    view = view_of(results)
    elsewhere = view.elsewhere if view else ()
    facts = {name.replace("_", " "): _fact(value) for name, value in data.items() if name not in elsewhere}
    if results.get("classes"):
        facts["classes"] = results["classes"]
    if is_finite(seconds):
        facts["training time"] = duration(seconds)
    return body + page.definitions(facts)


def _fact(value):
    """Numbers with commas; a mapping to numbers or texts on one line, as in `stress: fear`."""
    if isinstance(value, dict) and not any(isinstance(entry, dict | list) for entry in value.values()):
        return ", ".join(f"{name}: {_fact(entry)}" for name, entry in value.items()) or "none"
    return f"{value:,}" if is_finite(value) else value


def _equivalent_config(results):
    """The config argument that names this run's setting, for a run that did not record its command."""
    fields = (*ROW_FIELDS, "folds", "seeds")
    named = [(field, terms.setting(results, field)) for field in fields]
    argument = ",".join(f"{field}={value}" for field, value in named if value is not None)
    return f"--config=configs/{results['experiment']}.py:{argument}"


def duration(seconds):
    """Seconds as text: `42 s`, `3 min 5 s`, `2 h 7 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _pseudo_label_table(results):
    rows = []
    for row in figures.pseudo_label_counts(results["members"]):
        right, confident = row["confident_correct"], row["confident"]
        share = f"{100 * right / confident:.1f} %" if is_finite(right) and confident else terms.MISSING
        counts = [tables.number(row[name], 1) for name in ("labelled", "unlabelled", "confident", "confident_correct")]
        rows.append((str(row["iteration"]), *counts, share))
    if not rows:
        return ""
    columns = (
        "iteration",
        "labelled",
        "unlabelled",
        "confident",
        "confident and right",
        "right of confident",
    )
    return tables.html(tables.Table("Images, mean over the members that did not fail", columns, tuple(rows)))
