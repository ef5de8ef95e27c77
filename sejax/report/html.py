"""report.html: one self-contained page for a run, from its results.json and example images."""

from pathlib import Path

import numpy as np

from sejax.report import figures, page, run_tables, tables
from sejax.report.comparison import ROW_FIELDS
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.results import is_finite, write_text

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
    drawings, missing = _drawings(results, images or {})
    sections = [
        Section("What was run", _what_was_run(results)),
        Section("Results", missing + tables.html(run_tables.headline(results)) + drawings["scores"]),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Training curves", drawings["curves"]),
        Section("Pseudo-labels", drawings["pseudo_labels"] + _pseudo_label_table(results)),
        Section("Members", tables.html(run_tables.member_table(results))),
        Section("Examples", drawings["examples"]),
        Section("Environment", page.definitions(results.get("environment", {}))),
        Section("Config", page.definitions(results["config"])),
    ]
    corpus = run_tables.setting(results, "corpus")
    title = f"{results['experiment']} on {corpus}" if corpus else results["experiment"]
    return page.document(title, _lead(results), sections)


def _drawings(results, images):
    """The figures by section, as HTML, and a warning in their place where matplotlib is missing."""
    makers = {
        "scores": _scores,
        "confusion": _confusion,
        "curves": _curves,
        "pseudo_labels": _pseudo_labels,
        "examples": lambda _: _gallery(results, images),
    }
    try:
        return {name: make(results) for name, make in makers.items()}, ""
    except ImportError as error:
        text = f"No figures here: {error}; then python launch/report.py --workdir=RUN."
        return dict.fromkeys(makers, ""), paragraph(text, "warning")


def _lead(results):
    """The result in a sentence: macro-F1 beside the paper's, UAR per utterance, the protocol, failures."""
    summary, paper = results["summary"], run_tables.paper_figures(results)
    steps = run_tables.iterations(results) or [None]
    parts = []
    if "test/macro_f1" in summary:
        theirs = run_tables.figures_at(paper, "test", "macro_f1", steps[-1], steps[-1])
        beside = f" (paper: {tables.number(theirs, 2)})" if is_finite(theirs) else ""
        parts.append(f"Macro-F1 {tables.mean_std(summary['test/macro_f1'])} per block{beside}")
    if "test_utterance/uar" in summary:
        parts.append(f"UAR {tables.mean_std(summary['test_utterance/uar'])} per utterance")
    protocol = run_tables.setting(results, "protocol", "not recorded")
    over = f"{run_tables.members_text(results)}, protocol {protocol}"
    text = f"{'; '.join(parts)}; mean ± standard deviation over {over}." if parts else f"{over}."
    return paragraph(text[0].upper() + text[1:]) + _failures(results)


def _failures(results):
    failed = [member for member in results["members"] if member.get("failed")]
    return "".join(
        paragraph(
            f"Fold {member.get('fold')}, seed {member.get('seed')} {run_tables.failure(member)}. "
            "It is left out of every mean and confusion matrix.",
            "warning",
        )
        for member in failed
    )


def _what_was_run(results):
    data, seconds = results.get("data") or {}, results.get("seconds")
    body = page.preformatted(results.get("command") or _equivalent_config(results))
    protocol = run_tables.setting(results, "protocol")
    if protocol in run_tables.PROTOCOLS:
        body += paragraph(f"Protocol {protocol}: {run_tables.PROTOCOLS[protocol]}.")
    facts = {name.replace("_", " "): f"{value:,}" if is_finite(value) else value for name, value in data.items()}
    if results.get("classes"):
        facts["classes"] = results["classes"]
    if is_finite(seconds):
        facts["training time"] = duration(seconds)
    return body + page.definitions(facts)


def _equivalent_config(results):
    """The config argument that names this run's setting, for a run that did not record its command."""
    fields = (*ROW_FIELDS, "folds", "seeds")
    named = [(field, run_tables.setting(results, field)) for field in fields]
    argument = ",".join(f"{field}={value}" for field, value in named if value is not None)
    return f"--config=configs/{results['experiment']}.py:{argument}"


def duration(seconds):
    """Seconds as text: `42 s`, `3 min 5 s`, `2 h 7 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _scores(results):
    if len(run_tables.iterations(results)) < 2:
        return ""
    return picture(figures.iteration_scores(results, format="inline"), "Scores on the test part by iteration")


def _confusion(results):
    """Counts after the last iteration, pooled over the members that did not fail, per block and utterance."""
    classes, pictures = results.get("classes"), []
    for part, level in run_tables.LEVELS.items():
        counts = pooled_confusion(results["members"], part)
        if classes and counts is not None and counts.shape == (len(classes), len(classes)):
            svg = figures.confusion_matrix(counts, classes, format="inline")
            pictures.append(picture(svg.replace("confusion-matrix-", f"confusion-{part}-"), f"Per {level}"))
    note = "Shares of the true class in %, counts below, over all test parts after the last iteration."
    return paragraph(note, "muted") + in_row(pictures) if pictures else ""


def pooled_confusion(members, part):
    """The confusion matrices of a part summed over the members that did not fail: float [C, C], or None."""
    found = [(member.get("confusion") or {}).get(part) for member in members if not member.get("failed")]
    found = [np.asarray(counts, dtype=float) for counts in found if counts is not None]
    return sum(found) if found else None


def _curves(results):
    members = results["members"]
    steps = sorted({entry.get("iteration", 1) for member in members for entry in member.get("history", ())})
    pictures = []
    for step in steps:
        svg = figures.training_curves(members, iteration=step, format="inline")
        caption = f"Iteration {step}" if len(steps) > 1 else "Loss, accuracy and learning rate"
        pictures.append(picture(svg.replace("training-curves-", f"curves-{step}-"), caption))
    note = "Faint: each member. Bold: the mean of the members still training, while at least half of them are."
    return paragraph(note, "muted") + in_row(pictures) if pictures else ""


def _pseudo_labels(results):
    if not figures.pseudo_label_counts(results["members"]):
        return ""
    threshold = run_tables.setting(results, "threshold", tables.MISSING)
    caption = f"Pseudo-labels after each iteration, confident at a posterior of {threshold} or more"
    return picture(figures.pseudo_labels(results["members"], format="inline"), caption)


def _pseudo_label_table(results):
    rows = []
    for row in figures.pseudo_label_counts(results["members"]):
        right, confident = row["confident_correct"], row["confident"]
        share = f"{100 * right / confident:.1f} %" if is_finite(right) and confident else tables.MISSING
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


def _gallery(results, images):
    ordered = [name for name in results.get("classes", ()) if name in images]
    ordered += [name for name in images if name not in ordered]
    if not ordered:
        return ""
    svg = figures.gallery({name: images[name] for name in ordered}, format="inline")
    return picture(svg, "One block of each class, as a spectrogram")
