"""The report of audio and text, each alone and fused: Tables 4 to 8, what each modality is worth, explained utterances.

A member is a fusion, a fold and a seed; its part is "test" or "valid". Means and deviations are over members, and the
difference of two fusions pairs them by fold and seed. Chance is 1 / C for the unweighted accuracy (UAR), and the share
of the most frequent class of the test utterances for accuracy.
"""

import html as markup
import math

from sejax.core.results import spread
from sejax.experiments.audio_text import figures
from sejax.experiments.audio_text import published as paper
from sejax.experiments.audio_text.figures import attention, examples
from sejax.experiments.audio_text.speech_tables import (
    loudness_table,
    shape_table,
    vectors_text,
    vocabulary_table,
    with_vectors,
    with_words,
    word_table,
)
from sejax.report import Metric, Report, score_tables, tables
from sejax.report.confusion import confusion_with_shares
from sejax.report.curves import learning_curves
from sejax.report.drawing import drawn
from sejax.report.folds import by_fold
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.run import above, by_member, differences, grouped, histories, pooled_confusion, score, variants_by
from sejax.report.score_figures import difference_panels, score_panels
from sejax.report.score_tables import BEST_NOTE, OVER, Column
from sejax.report.tables import Table, mean_std, number, signed
from sejax.report.terms import MISSING, corpora, criterion, protocol_notes, setting, validated_by
from sejax.report.utterance import explained

ALONE = ("audio", "text")
PAPERS = "att_d_1"  # the fusion of the paper's Tables 6 and 7
SHARE_NOTE = (
    "Attention: mean share of audio / of text over the test utterances (and dimensions, where each has a share of its "
    "own); deviation: that of audio's share over the test utterances. Chance: always the most frequent class for "
    "accuracy, 1 / C for UAR."
)
VERDICT_NOTE = (
    "Over chance: UAR minus 1 / C. Above chance: all of the mean's 95 % confidence interval (Student's t over folds, "
    "each the mean of its seeds; folds share training utterances: a rule of thumb). A modality not above chance is not "
    "shown to be informative on this corpus."
)
PAIR_NOTE = (
    "Pairs have fold and seed in common; 'above' counts those in which the fusion is above the modality alone. A "
    "modality adds nothing where the difference is around zero."
)
CURVES_NOTE = "Faint: each member (fold and seed). Bold: the mean of those still training, while at least half are."
CONFUSION_NOTE = (
    "Counts of all folds and seeds, shaded by their share of the true class; recall and precision at the right."
)
EXAMPLES_NOTE = (
    "Test utterances of fold 0, seed 0. The waveform is shaded by how much the predicted class's probability falls "
    "when a stretch is silenced, a word by how much it falls when the word is left out (the number below it)."
)


def fusions(results):
    """The fusions of a run in the paper's order, audio alone and text alone last."""
    return variants_by(results, REPORT)


def alone(fusion):
    """Whether a variant knows one modality only."""
    return fusion.name["fusion"] in ALONE


def find(results, name):
    """The fusion of a name; None where a run has none."""
    return next((fusion for fusion in fusions(results) if fusion.name["fusion"] == name), None)


def leading(results, *, modalities=False):
    """The fusion that validated best, the first one where none was validated; None without any.

    `modalities` lets audio alone and text alone be it. What the test part says chooses nothing.
    """
    candidates = [fusion for fusion in fusions(results) if modalities or not alone(fusion)]
    for metric in validated_by(results, REPORT):
        scored = [fusion for fusion in candidates if score(fusion, metric)]
        if scored:
            return max(scored, key=lambda fusion: score(fusion, metric)["mean"])
    return candidates[0] if candidates else None


def chance(results, metric):
    """What answering blindly reaches: 1 / C for `uar`, the largest class's share for `accuracy`; None if not known."""
    if metric == "uar":
        return 1 / len(results["classes"]) if results.get("classes") else None
    for fusion in fusions(results):
        counts = pooled_confusion(fusion.members, "test")
        if counts is not None and counts.sum():
            return float(counts.sum(1).max() / counts.sum())
    return None


def over_chance(results, fusion, metric="uar"):
    """{(fold, seed): metric on the test part minus chance} of a fusion; {} for None or where chance is not known."""
    base = chance(results, metric)
    if fusion is None or base is None:
        return {}
    return {place: value - base for place, value in by_member(fusion, f"test/{metric}").items()}


def verdict(results, fusion):
    """`above chance`, `not above chance`, or "" where a fusion has a UAR in fewer than two folds.

    Above: all of the mean's 95 % confidence interval, by Student's t over the folds, lies above chance.
    """
    from scipy.special import stdtrit

    entry = spread(by_fold(results, over_chance(results, fusion)).values())
    if not entry or entry["n"] < 2:
        return ""
    margin = stdtrit(entry["n"] - 1, 0.975) * entry["std"] / math.sqrt(entry["n"])
    return "above chance" if entry["mean"] > margin else "not above chance"


def informative(results):
    """`Informative on this corpus: audio; not shown to be: text.` by the verdicts on each alone; "" without any."""
    verdicts = {name: verdict(results, find(results, name)) for name in ALONE}
    yes, no = ([name for name in ALONE if verdicts[name] == said] for said in ("above chance", "not above chance"))
    if not yes and not no:
        return ""
    rest = f"; not shown to be: {' and '.join(no)}" if no else ""
    return f"Informative on this corpus: {' and '.join(yes) or 'none'}{rest}."


def pairs(results):
    """What each modality adds: [(fused, one modality alone)], audio first, in the fusions' order."""
    both = [fusion for fusion in fusions(results) if not alone(fusion)]
    return [(fused, base) for base in map(lambda name: find(results, name), ALONE) if base for fused in both]


def run_title(results):
    """What was trained on what: `emodb, protocol speaker, embeddings trained from nothing`."""
    corpus = corpora(results, results["experiment"])
    kind = vectors_text(results)
    begun = "begun as" if setting(results, "tuned", False) else "kept as in"
    embeddings = f"embeddings {begun} {kind}" if with_vectors(results) else f"embeddings {kind}"
    return f"{corpus}, protocol {setting(results, 'protocol', MISSING)}, {embeddings}"


# Tables of scores.


def _columns(*, pretrained):
    """Scores, attention, and the paper's; `pretrained`: whether to show Table 5 too."""
    columns = [Column(kind.title, _mean_cell(metric), f"test/{metric}") for metric, kind in REPORT.metrics.items()]
    columns.append(Column("attention", lambda results, fusion: _two(*(_attention(fusion, at) for at in ALONE))))
    columns.append(Column("deviation", lambda results, fusion: number(_attention(fusion, "deviation"))))
    for table, vectors in (("Table 4", False), ("Table 5", True))[: 1 + pretrained]:
        columns.append(Column(table, _paper_cell(vectors)))
        columns.append(Column("its attention", _paper_attention_cell(vectors)))
    return columns


def _mean_cell(metric):
    return lambda results, fusion: mean_std(score(fusion, f"test/{metric}"))


def _attention(fusion, name):
    entry = score(fusion, f"test/attention_{name}")
    return entry and entry["mean"]


def _paper_cell(vectors):
    return lambda results, fusion: number(_paper(fusion, vectors).get("test/accuracy"))


def _paper_attention_cell(vectors):
    return lambda results, fusion: _two(*(_paper(fusion, vectors).get(f"test/attention_{name}") for name in ALONE))


def _paper(fusion, vectors):
    return {} if alone(fusion) and vectors else paper.published(fusion.name["fusion"], vectors=vectors)


def _two(audio, text):
    return MISSING if audio is None or text is None else f"{number(audio)} / {number(text)}"


def _notes(runs):
    return paper.NOTE, paper.CLASSES_NOTE, *protocol_notes(runs, REPORT)


def fusion_table(results):
    """Table 4: accuracy, UAR and attention of every fusion beside the paper's; n members are behind the means."""
    caption, notes = f"Test part. {run_title(results)}; {OVER}", (BEST_NOTE, SHARE_NOTE, *_notes([results]))
    columns = _columns(pretrained=with_vectors(results))
    return score_tables.score_table(results, REPORT, columns, caption=caption, notes=notes, chance=True)


def informative_table(results):
    """What each modality is worth alone, and the fusions: UAR over chance, in how many members, and a verdict."""
    rows = []
    for fusion in sorted(fusions(results), key=lambda fusion: not alone(fusion)):
        gains = list(over_chance(results, fusion).values())
        if gains:
            cells = signed(mean_std(spread(gains))), above(gains), verdict(results, fusion) or "one fold only"
            rows.append((fusion.label, mean_std(score(fusion, "test/uar")), *cells))
    caption = f"What audio and text are worth: UAR on the test part beside chance. {run_title(results)}; {OVER}"
    columns = ("", "UAR", "over chance", "above chance in", "so it is")
    return Table(caption, columns, tuple(rows), (VERDICT_NOTE,))


def _difference_label(fused, base):
    return f"{fused.label} − {base.label.lower()}"


def difference_table(results):
    """What text adds to audio and audio to text: fusions minus one modality, by fold and seed."""
    caption = f"Test part: paired differences of a fusion and one modality. {run_title(results)}; {OVER}"
    return score_tables.difference_table(results, REPORT, caption=caption, note=PAIR_NOTE, label=_difference_label)


def validation_table(results):
    """Every fusion on the validation part in the epoch whose weights it keeps."""
    note = f"The epoch was chosen by its {criterion(results)} on this part, so these figures are too good."
    columns = {f"valid/{metric}": kind.title for metric, kind in REPORT.metrics.items()}
    caption = f"Validation part. {run_title(results)}; {OVER}"
    notes = [note] if setting(results, "keep", "best") == "best" else []
    return score_tables.validation_table(results, REPORT, columns, caption=caption, notes=notes)


def fold_table(results):
    """UAR on the test part of every fold and fusion, means over the seeds."""
    caption = f"UAR by fold, test part; mean ± sample standard deviation over the seeds. {run_title(results)}"
    return score_tables.fold_table(results, REPORT, {"uar": ""}, caption=caption)


def member_table(results):
    """One row for each member: what became of it, its epochs, and its scores."""
    caption = f"Every member, test part unless said. {run_title(results)}"
    return score_tables.scored_members(results, REPORT, caption=caption)


def run_comparison(runs, *, group_by=()):
    """Tables of many runs, one for each value of the fields `group_by`: a row for each run and fusion."""
    stubs = {
        "corpus": lambda run, fusion: corpora(run),
        "protocol": lambda run, fusion: str(setting(run, "protocol", MISSING)),
        "embeddings": lambda run, fusion: vectors_text(run),
    }
    runs = [{**run, "vectors": vectors_text(run) if with_vectors(run) else None} for run in runs]
    compared = []
    for group in grouped(runs, group_by, REPORT.run_fields):
        columns = _columns(pretrained=any(map(with_vectors, group)))
        columns.append(Column("UAR is", lambda run, fusion: verdict(run, fusion) or MISSING))
        notes = BEST_NOTE.replace("a column", "a run's column"), SHARE_NOTE, VERDICT_NOTE, *_notes(group)
        caption = f"Test part; {OVER} of each run"
        table = score_tables.run_table(group, REPORT, stubs, columns, caption=caption, notes=notes, chance=True)
        compared.append(table)
    return compared


def analysed(results):
    """The fusion whose words are analysed: the paper's Att_d^1 where it was run, else the one that validated best.

    None where no member of it recorded its words.
    """
    candidates = find(results, PAPERS), leading(results), find(results, "text")
    return next((fusion for fusion in candidates if fusion is not None and with_words(fusion)), None)


# Words and figures.


def _title(results):
    return f"audio and text: {corpora(results, 'no corpus')}"


def _lead(results):
    """What each modality and their best fusion reach beside chance and the paper, and what either adds to the other."""
    fused, scores = leading(results), []
    for fusion in (find(results, "audio"), find(results, "text"), fused):
        if fusion is not None and score(fusion, "test/uar"):
            words = verdict(results, fusion)
            validated = fusion is fused and any(score(fusion, at) for at in validated_by(results, REPORT))
            chosen = " (validated best)" if validated else ""
            scores.append(f"{fusion.label}{chosen} {mean_std(score(fusion, 'test/uar'))}" + f", {words}" * bool(words))
    base = chance(results, "uar")
    beside = f" (chance {number(base)})" if base else ""
    gains = [_gain_in_words(*pair) for pair in pairs(results) if pair[0] == fused]
    reached = f"UAR on the test part{beside}: {'; '.join(scores)}." if scores else ""
    parts = [f"{run_title(results)}.", informative(results), *gains, _accuracy_in_words(results, fused)]
    return "\n".join(filter(None, [reached, " ".join(filter(None, parts))]))


def _gain_in_words(fused, base):
    """`Text adds +0.010 ± 0.020 to audio alone, above it in 3 of 5 pairs.`"""
    gains = list(differences(fused, base, "test/uar").values())
    other = {"audio": "Text", "text": "Audio"}[base.name["fusion"]]
    size = signed(mean_std(spread(gains)))
    return f"{other} adds {size} to {base.label.lower()}, above it in {above(gains)} pairs." if gains else ""


def _accuracy_in_words(results, fused):
    if fused is None or not score(fused, "test/accuracy"):
        return ""
    theirs = REPORT.published(results, fused.name).get("test/accuracy")
    beside = f" (paper, IEMOCAP: {number(theirs)})" if theirs else ""
    base = chance(results, "accuracy")
    most = f"; the most frequent class alone: {number(base)}" if base else ""
    return f"Accuracy of {fused.label}: {mean_std(score(fused, 'test/accuracy'))}{beside}{most}."


@drawn
def modality_scores(results):
    """UAR of text alone, audio alone and both (the fusion that validated best) as bars that begin at chance.

    A bar to the right of the dashed line is what a modality tells of emotions; dots are members (fold and seed). Raises
    ValueError where chance is not known or neither modality was trained alone.
    """
    fused = leading(results)
    rows = [(f"{name} alone", find(results, name), colour) for name, colour in figures.COLOURS.items()]
    rows += [(f"both: {fused.label}", fused, figures.BOTH)] if fused else []
    rows = [row for row in rows if row[1] and score(row[1], "test/uar")]
    base = chance(results, "uar")
    if base is None or not any(alone(fusion) for _, fusion, _ in rows):
        raise ValueError("no UAR of audio alone or text alone in these results")
    bars = [(name, fusion, colour, verdict(results, fusion)) for name, fusion, colour in rows]
    return figures.bars_from_chance(bars, base)


@drawn
def fusion_scores(runs, names=None):
    """Accuracy and UAR of every fusion beside the paper's, see `sejax.report.score_figures.score_panels`.

    The paper's figure is Table 4's, or Table 5's for a run with word vectors.
    """
    return score_panels(runs, REPORT, names, width=8.4)


@drawn
def modality_gains(results):
    """What text adds to audio alone, and audio to text alone: paired differences of every fusion."""
    # Nothing of the paper's: what it quotes for one modality is of other networks than its own.
    rows = [(_difference_label(fused, base), base.label, (fused, base)) for fused, base in pairs(results)]
    return difference_panels(rows, REPORT, width=8.4)


def _modalities(results, report):
    if not any(over_chance(results, find(results, name)) for name in ALONE):
        return ""
    caption = f"Is it informative? UAR beside chance. {run_title(results)}"
    return picture(modality_scores(results, format="inline"), caption)


def _scores(results, report):
    if not any(score(fusion, "test/uar") for fusion in fusions(results)):
        return ""
    which = "Table 5" if with_vectors(results) else "Table 4"
    return picture(fusion_scores([results], format="inline"), f"Every fusion beside {which}. {run_title(results)}")


def _gains(results, report):
    if not any(differences(*pair, "test/uar") for pair in pairs(results)):
        return ""
    return picture(modality_gains(results, format="inline"), "What text adds to audio, and audio to text")


def _confusion(results, report):
    """Every fusion's matrix, Table 7 beside that of the paper's fusion."""
    classes, drawings = results.get("classes") or (), []
    for fusion in fusions(results):
        name, counts = fusion.name["fusion"], pooled_confusion(fusion.members, "test")
        if classes and counts is not None and counts.shape == (len(classes),) * 2:
            drawings.append(_matrix(counts, classes, name, fusion.label))
        if name == PAPERS and drawings:
            drawings.append(_matrix(paper.CONFUSION, paper.CLASSES, "paper", "Att_d^1, paper (Table 7)"))
    if not drawings:
        return ""
    return paragraph(CONFUSION_NOTE, "muted") + in_row(drawings) + paragraph(paper.CONFUSION_NOTE, "muted")


def _matrix(counts, classes, name, caption):
    return picture(confusion_with_shares(counts, classes, format="inline", ids=f"confusion-{name}"), caption)


def attention_shares(results):
    """Audio's share of attention in every test utterance by true class: [(a fusion's label, {class: f64[n]})]."""
    classes = list(results.get("classes") or ())
    return [(fusion.label, attention(fusion, classes)) for fusion in fusions(results)]


def _attention_drawing(results, report):
    shares = attention_shares(results)
    if not any(by_class for _, by_class in shares):
        return ""
    svg = figures.attention_by_class(shares, list(results["classes"]), format="inline")
    return picture(svg, "Attention over the test utterances, by true class")


def _curves(results, report):
    if not any(name.endswith(("/loss", "/accuracy")) for row in histories(results) for name in row):
        return ""
    svg = learning_curves(results, report, iteration=None, names=paper.NAMES, format="inline")
    return paragraph(CURVES_NOTE, "muted") + picture(svg, "Accuracy and loss by epoch")


def _examples(results, report):
    """The explained utterances of the fusion that validated best, those of the others folded away."""
    shown = [fusion for fusion in fusions(results) if examples(fusion)]
    if not shown or not results.get("classes"):
        return ""
    first = leading(results) if leading(results) in shown else shown[0]
    parts = [paragraph(EXAMPLES_NOTE, "muted"), paragraph(f"{first.label}:"), _explained(results, first)]
    for fusion in shown:
        if fusion != first:
            summary = f"<summary>{markup.escape(fusion.label)}: the same utterances</summary>"
            parts.append(f"<details>{summary}{_explained(results, fusion)}</details>")
    return "".join(parts)


def _explained(results, fusion):
    drawings = []
    for place, example in enumerate(examples(fusion)):
        ids = f"explained-{fusion.name['fusion']}-{place}"
        drawings.append(picture(explained(example, results["classes"], format="inline", ids=ids)))
    return "".join(drawings)


def _words(results):
    main, text = analysed(results), find(results, "text")
    shown = [word_table(results, main)] if main is not None else []
    shown += [word_table(results, text, beside=False)] if text is not None and text != main else []
    return _shown(*shown)


def _shown(*made):
    return "".join(tables.html(table) for table in made if table.rows)


def _sections(results, drawings):
    gains = _shown(informative_table(results), difference_table(results)) + drawings["gains"]
    return [
        Section("Results", drawings["modalities"] + _shown(fusion_table(results)) + drawings["scores"]),
        Section("What each modality adds", gains),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Attention", drawings["attention"]),
        Section("Words", _words(results)),
        Section("Explained utterances", drawings["explained"]),
        Section("Waveforms", _shown(loudness_table(results))),
        Section("Transcripts and batches", _shown(vocabulary_table(results), shape_table(results))),
        Section("Training curves", drawings["curves"]),
        Section("Validation", _shown(validation_table(results))),
        Section("Folds", _shown(fold_table(results))),
        Section("Members", tables.details(member_table(results))),
    ]


REPORT = Report(
    published=lambda results, name: paper.published(
        name.get("fusion", setting(results, "fusion")), vectors=with_vectors(results)
    ),
    note=paper.NOTE,
    protocols={
        "session": "a session, with both of its speakers, is left out at a time",
        "utterance": "utterances are split at random, so the speakers of the test part occur in training",
    },
    variant="fusion",
    labels=paper.NAMES,
    metrics={
        "accuracy": Metric("accuracy", "accuracy (%)", "difference of accuracy\n(points of %)"),
        "uar": Metric("UAR", "UAR (%)", "difference of UAR\n(points of %)"),
    },
    pairs=pairs,
    chance=chance,
    apart=alone,
    members={
        "test/accuracy": "accuracy",
        "test/uar": "UAR",
        "test/macro_f1": "macro-F1",
        "test/attention_audio": "attention to audio",
        "test/attention_deviation": "deviation",
        "valid/accuracy": "validation accuracy",
        "valid/uar": "validation UAR",
    },
    run_fields=("corpus", "protocol", "vectors"),
    title=_title,
    lead=_lead,
    headline=fusion_table,
    drawings={
        "modalities": _modalities,
        "scores": _scores,
        "gains": _gains,
        "confusion": _confusion,
        "attention": _attention_drawing,
        "explained": _examples,
        "curves": _curves,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=lambda runs, names, *, format: (fusion_scores(runs, names, format=format), "Every fusion on the test part"),
    elsewhere=("waveform_statistics", "types", "words", "without_words", "vocabulary", "vectors", "shapes", "padding"),
)
