"""The sections of a run of audio and text: Tables 4 to 8, what each modality is worth, explained utterances."""

import html as markup

from sejax.report import tables
from sejax.report.audio_text import (
    LEADING,
    PAPERS,
    attention,
    chance,
    examples,
    find,
    fusions,
    informative,
    leading,
    pairs,
    run_title,
    verdict,
)
from sejax.report.audio_text_data_tables import (
    analysed,
    loudness_table,
    shape_table,
    vocabulary_table,
    word_table,
)
from sejax.report.audio_text_figures import (
    attention_by_class,
    fusion_scores,
    has_modalities,
    modality_gains,
    modality_scores,
)
from sejax.report.audio_text_tables import (
    difference_table,
    fold_table,
    fusion_table,
    informative_table,
    member_table,
    run_comparison,
    validation_table,
)
from sejax.report.confusion import confusion_with_shares, pooled_confusion
from sejax.report.curves import learning_curves
from sejax.report.page import Section, in_row, paragraph, picture
from sejax.report.paired import above, differences, score
from sejax.report.published import audio_text as paper
from sejax.report.results import spread
from sejax.report.tables import mean_std, number, signed
from sejax.report.terms import joined, setting, with_vectors
from sejax.report.utterance import explained
from sejax.report.views import View

CURVES_NOTE = "Faint: each member (fold and seed). Bold: the mean of those still training, while at least half are."
CONFUSION_NOTE = (
    "Counts of all folds and seeds, shaded by their share of the true class; recall and precision at the right."
)
EXAMPLES_NOTE = (
    "Test utterances of fold 0, seed 0. The waveform is shaded by how much the predicted class's probability falls "
    "when a stretch is silenced, a word by how much it falls when the word is left out (the number below it)."
)


def _title(results):
    return f"audio and text: {joined(setting(results, 'corpus', 'no corpus'))}"


def _lead(results):
    """What each modality and their best fusion reach beside chance and the paper, and what either adds to the other."""
    fused, told = leading(results), []
    for one in (find(results, "audio"), find(results, "text"), fused):
        if one is not None and score(one, "test/uar"):
            words = verdict(results, one)
            chosen = " (validated best)" if one is fused and any(score(one, metric) for metric in LEADING) else ""
            told.append(f"{one.label}{chosen} {mean_std(score(one, 'test/uar'))}" + f", {words}" * bool(words))
    base = chance(results, "uar")
    beside = f" (chance {number(base)})" if base else ""
    gains = [_gain_in_words(ours, base) for ours, base in pairs(results) if ours == fused]
    scores = f"UAR on the test part{beside}: {'; '.join(told)}." if told else ""
    parts = [f"{run_title(results)}.", informative(results), scores, *gains, _accuracy_in_words(results, fused)]
    return " ".join(filter(None, parts))


def _gain_in_words(ours, base):
    """`Text adds +0.010 ± 0.020 to audio alone, above it in 3 of 5 pairs.`"""
    found = list(differences(ours, base, "test/uar").values())
    other = {"audio": "Text", "text": "Audio"}[base.name]
    size = signed(mean_std(spread(found)))
    return f"{other} adds {size} to {base.label.lower()}, above it in {above(found)} pairs." if found else ""


def _accuracy_in_words(results, fused):
    if fused is None or not score(fused, "test/accuracy"):
        return ""
    theirs = paper.published(fused.name, vectors=with_vectors(results)).get("test/accuracy")
    beside = f" (paper, IEMOCAP: {number(theirs)})" if theirs else ""
    base = chance(results, "accuracy")
    most = f"; the most frequent class alone: {number(base)}" if base else ""
    return f"Accuracy of {fused.label}: {mean_std(score(fused, 'test/accuracy'))}{beside}{most}."


def _scored(results):
    return any(score(one, "test/uar") for one in fusions(results))


def _modalities(results):
    if not has_modalities(results):
        return ""
    return picture(
        modality_scores(results, format="inline"), f"Is it informative? UAR beside chance. {run_title(results)}"
    )


def _scores(results):
    if not _scored(results):
        return ""
    which = "Table 5" if with_vectors(results) else "Table 4"
    return picture(fusion_scores([results], format="inline"), f"Every fusion beside {which}. {run_title(results)}")


def _gains(results):
    if not any(differences(*pair, "test/uar") for pair in pairs(results)):
        return ""
    return picture(modality_gains(results, format="inline"), "What text adds to audio, and audio to text")


def _confusion(results):
    """Every fusion's matrix, Table 7 beside that of the paper's fusion."""
    classes, drawings = results.get("classes") or (), []
    for one in fusions(results):
        counts = pooled_confusion(one.members, "test")
        if classes and counts is not None and counts.shape == (len(classes),) * 2:
            drawings.append(_matrix(counts, classes, one.name, one.label))
        if one.name == PAPERS and drawings:
            caption = "Att_d^1, paper (Table 7)"
            drawings.append(_matrix(paper.CONFUSION, paper.CLASSES, "paper", caption))
    if not drawings:
        return ""
    return paragraph(CONFUSION_NOTE, "muted") + in_row(drawings) + paragraph(paper.CONFUSION_NOTE, "muted")


def _matrix(counts, classes, name, caption):
    return picture(confusion_with_shares(counts, classes, format="inline", ids=f"confusion-{name}"), caption)


def _attention(results):
    if not any(attention(one, results) for one in fusions(results)):
        return ""
    return picture(attention_by_class(results, format="inline"), "Attention over the test utterances, by true class")


def _curves(results):
    rows = [row for member in results["members"] for row in member.get("history") or ()]
    if not any(name.endswith(("/loss", "/accuracy")) for row in rows for name in row):
        return ""
    svg = learning_curves(results, iteration=None, names=paper.NAMES, format="inline")
    return paragraph(CURVES_NOTE, "muted") + picture(svg, "Accuracy and loss by epoch")


def _examples(results):
    """The explained utterances of the fusion that validated best, those of the others folded away."""
    found = [one for one in fusions(results) if examples(one)]
    if not found or not results.get("classes"):
        return ""
    first = leading(results) if leading(results) in found else found[0]
    parts = [paragraph(EXAMPLES_NOTE, "muted"), paragraph(f"{first.label}:"), _explained(results, first)]
    for one in found:
        if one != first:
            summary = f"<summary>{markup.escape(one.label)}: the same utterances</summary>"
            parts.append(f"<details>{summary}{_explained(results, one)}</details>")
    return "".join(parts)


def _explained(results, one):
    drawings = []
    for place, example in enumerate(examples(one)):
        ids = f"explained-{one.name}-{place}"
        drawings.append(picture(explained(example, results["classes"], format="inline", ids=ids)))
    return "".join(drawings)


def _words(results):
    main, text = analysed(results), find(results, "text")
    shown = [word_table(results, main)] if main is not None else []
    shown += [word_table(results, text, beside=False)] if text is not None and text != main else []
    return "".join(tables.html(table) for table in shown if table.rows)


def _sections(results, drawings):
    def shown(*made):
        return "".join(tables.html(table) for table in made if table.rows)

    return [
        Section("Results", drawings["modalities"] + shown(fusion_table(results)) + drawings["scores"]),
        Section(
            "What each modality adds", shown(informative_table(results), difference_table(results)) + drawings["gains"]
        ),
        Section("Confusion matrices", drawings["confusion"]),
        Section("Attention", drawings["attention"]),
        Section("Words", _words(results)),
        Section("Explained utterances", drawings["explained"]),
        Section("Waveforms", shown(loudness_table(results))),
        Section("Transcripts and batches", shown(vocabulary_table(results), shape_table(results))),
        Section("Training curves", drawings["curves"]),
        Section("Validation", shown(validation_table(results))),
        Section("Folds", shown(fold_table(results))),
        Section("Members", shown(member_table(results))),
    ]


def _picture(runs, names, *, format):
    return fusion_scores(runs, names, format=format), "Every fusion on the test part"


VIEW = View(
    title=_title,
    headline=fusion_table,
    lead=_lead,
    warnings=lambda results: [],
    drawings={
        "modalities": _modalities,
        "scores": _scores,
        "gains": _gains,
        "confusion": _confusion,
        "attention": _attention,
        "explained": _examples,
        "curves": _curves,
    },
    sections=_sections,
    comparison=run_comparison,
    picture=_picture,
    elsewhere=("waveform_statistics", "types", "words", "without_words", "vocabulary", "vectors", "shapes", "padding"),
)
