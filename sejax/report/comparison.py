"""Many pseudo-labelling runs in one table beside the paper."""

from sejax.report.grouping import grouped
from sejax.report.results import is_finite
from sejax.report.run_tables import STRONG_NOTE, figures_at, iterations, paper_figures
from sejax.report.tables import Table, against, mean_std, number
from sejax.report.terms import MISSING, PROTOCOLS, count_text, members_text, protocol_notes, setting

ROW_FIELDS = {
    "corpus": "corpus",
    "model": "model",
    "labelled": "labelled",
    "scale": "scale",
    "voice_activity": "voice activity",
    "protocol": "protocol",
    "trainable": "trainable",
}
CAPTION_FIELDS = ("corpus", "model")
SCORES = (
    "macro-F1, iteration 1",
    "paper",
    "macro-F1, last iteration",
    "paper",
    "UAR",
    "macro-F1, utterance",
    "UAR, utterance",
)


def comparison(runs, *, group_by=()):
    """Tables of pseudo-labelling runs next to the paper, one for each value of the fields `group_by`.

    `runs` are results as `read_results` gives them; `group_by` names fields of ROW_FIELDS that leave the rows for
    the captions. Corpus and model become columns only where they differ within a table, and runs of one setting are
    told apart by their field "run" (the launch script puts the workdir's name there). A row shows macro-F1 per block
    after the first iteration (where a run has several) and after the last, beside the paper's figure for the same
    setting, UAR per block, and both per utterance.
    """
    return [_comparison_table(group, group_by) for group in grouped(runs, group_by, ROW_FIELDS, order=_order)]


def _order(run, field):
    value = setting(run, field)
    if field == "labelled":
        return -float(value) if is_finite(value) else 0.0
    ranks = {
        "protocol": list(PROTOCOLS),
        "scale": ["log", "mel"],
        "trainable": ["head", "classifier", "all"],
    }.get(field, [])
    return (ranks.index(value) if value in ranks else len(ranks), str(value))


def row_order(run):
    """A run's place in a comparison: corpus, model, protocol, trainable, then as the paper's tables."""
    fields = ("corpus", "model", "protocol", "trainable", "labelled", "scale", "voice_activity")
    return tuple(_order(run, field) for field in fields)


def field_text(run, field):
    """A run's config field as a cell of a table: `30 %` of labels, voice activity as `mode 0` or `none`."""
    value = setting(run, field)
    if value is None:
        return MISSING
    if field == "labelled" and is_finite(value):
        return f"{100 * value:g} %"
    if field == "voice_activity" and str(value) != "none":
        return f"mode {value}"
    return str(value)


def _comparison_table(runs, group_by):
    runs = sorted(runs, key=row_order)
    texts = {field: [field_text(run, field) for run in runs] for field in ROW_FIELDS}
    in_caption = [field for field in CAPTION_FIELDS if field not in group_by and len(set(texts[field])) == 1]
    in_caption += group_by
    fields = [field for field in ROW_FIELDS if field not in in_caption]
    stubs = {ROW_FIELDS[field]: texts[field] for field in fields}
    if len(set(zip(*stubs.values(), strict=True))) < len(runs):
        stubs["run"] = [str(run.get("run", place)) for place, run in enumerate(runs, 1)]
    caption = [_caption_text(field, texts[field][0]) for field in in_caption]
    members = [members_text(run["members"]) for run in runs]
    if len(set(members)) == 1:
        caption.append(f"mean ± sample standard deviation over {members[0]} (folds x seeds)")
    else:
        caption.append("mean ± sample standard deviation over the members (folds x seeds) of each run")
        stubs["members"] = [count_text(run["members"]) for run in runs]
    rows = tuple((*cells, *_scores(run)) for *cells, run in zip(*stubs.values(), runs, strict=True))
    notes = (STRONG_NOTE, *protocol_notes(runs))
    return Table(", ".join(caption) + "; per block unless said", (*stubs, *SCORES), rows, notes, stubs=len(stubs))


def _caption_text(field, text):
    return text if field in CAPTION_FIELDS else f"{ROW_FIELDS[field]} {text}"


def run_scores(run):
    """Macro-F1 per block, first and last iteration: [(name, our entry or None, the paper's or None)]."""
    summary, paper, steps = run["summary"], paper_figures(run), iterations(run)
    last = steps[-1] if steps else None
    pair = ("test", "macro_f1")
    first = None, None
    if len(steps) > 1:
        first = tuple(figures_at(entries, *pair, steps[0], last) for entries in (summary, paper))
    final = summary.get("test/macro_f1"), figures_at(paper, *pair, last, last)
    return [("iteration 1", *first), ("last iteration", *final)]


def _scores(run):
    cells = []
    for _, ours, theirs in run_scores(run):
        cells += [against(ours, theirs), number(theirs, 2)]
    rest = ("test/uar", "test_utterance/macro_f1", "test_utterance/uar")
    return (*cells, *(mean_std(run["summary"].get(name)) for name in rest))


def run_names(runs):
    """A label for each run: its values of the fields in which the runs differ, or else its number."""
    texts = {field: [field_text(run, field) for run in runs] for field in ROW_FIELDS}
    modes = set(texts["voice_activity"]) - {"none"}
    words = {"none": "with pauses"} | {mode: f"voiced ({mode})" if len(modes) > 1 else "voiced" for mode in modes}
    texts["voice_activity"] = [words[text] for text in texts["voice_activity"]]
    told = [column for column in texts.values() if len(set(column)) > 1]
    return [", ".join(row) for row in zip(*told, strict=True)] or [f"run {place}" for place in range(1, len(runs) + 1)]
