"""What a run's words and waveforms are like: Table 6's word analysis, Table 8's loudness, vocabulary and batches."""

from sejax.core.results import is_finite
from sejax.experiments.audio_text import published as paper
from sejax.experiments.audio_text.words import class_words
from sejax.report.run import pooled_confusion
from sejax.report.tables import Table, number
from sejax.report.terms import MISSING, setting

RATE = 16000  # samples a second of every prepared waveform
WORDS_NOTE = (
    "Present: test utterances with the word. Ratio: the share of these that is predicted as the class; all: the share "
    "of all test utterances that is. A ratio below it speaks against the class. Information: mutual information of "
    "the word's presence and the prediction as the class, in nats."
)
LOUDNESS_NOTE = (
    "Samples in [-1, 1]. WaveAvg: mean over the class's utterances of mean |x|; WaveAvgStd: deviation of these means; "
    "WaveStdAvg: mean of the utterances' deviations."
)
SHAPES_NOTE = "Every shape is compiled once. Padding: the share of all samples, or words, of the batches that is none."


def with_vectors(results):
    """Whether a run's word embeddings began as pretrained word vectors."""
    return bool((results.get("data") or {}).get("vectors") or setting(results, "vectors"))


def vectors_text(results):
    """How word embeddings began: `trained from nothing`, or the name of the file of word vectors."""
    if not with_vectors(results):
        return "trained from nothing"
    about = (results.get("data") or {}).get("vectors") or {}
    name = about.get("file") or setting(results, "vectors") or ""
    return str(name).replace("\\", "/").rpartition("/")[2] or "word vectors"


def with_words(fusion):
    """The members of a fusion that did not fail and recorded their words."""
    return [member for member in fusion.members if not member.get("failed") and member.get("words")]


def word_table(results, fusion, *, beside=True):
    """Table 6 for one fusion: the words of most mutual information with each predicted class, `beside` the paper's."""
    classes, members = results.get("classes") or (), with_words(fusion)
    if not members or not classes:
        return Table("", (), ())
    counts = pooled_confusion(members, "test")
    predicted = counts.sum(0) / counts.sum() if counts is not None and counts.sum() else [None] * len(classes)
    rows = []
    for name, words, share in zip(classes, class_words(members), predicted, strict=True):
        theirs = paper.WORDS.get(paper.class_of(name), ()) if beside else ()
        for place in range(max(len(words), len(theirs))):
            cells = _word_cells(words[place], share) if place < len(words) else [MISSING] * 5
            others = [theirs[place][0], number(theirs[place][1])] if place < len(theirs) else [MISSING] * 2
            rows.append((name if place == 0 else "", *cells, *(others if beside else ())))
    columns = ("predicted class", "word", "present", "ratio", "all", "information")
    columns += ("Table 6", "its ratio") if beside else ()
    caption = f"Words with the most mutual information with a prediction, {fusion.label}, all folds and seeds"
    return Table(caption, columns, tuple(rows), (WORDS_NOTE, paper.WORDS_NOTE) if beside else (WORDS_NOTE,), stubs=2)


def _word_cells(word, share):
    return [word.text, str(word.present), number(word.ratio), number(share), number(word.information, 4)]


def loudness_table(results):
    """Table 8: loudness by class, beside the paper's where it has the class."""
    statistics = (results.get("data") or {}).get("waveform_statistics") or {}
    rows = []
    for name in (name for name in results.get("classes") or () if name in statistics):
        fields = ("average", "average_deviation", "deviation_average")
        ours = [number(statistics[name].get(field), 4) for field in fields]
        theirs = paper.LOUDNESS.get(paper.class_of(name), (None,) * 3)
        rows.append((name, *(cell for pair in zip(ours, map(number, theirs), strict=True) for cell in pair)))
    columns = ["class"]
    for name in ("WaveAvg", "WaveAvgStd", "WaveStdAvg"):
        columns += [name, "Table 8"]
    return Table("Loudness of the waveforms by class", tuple(columns), tuple(rows), (LOUDNESS_NOTE,))


def vocabulary_table(results):
    """Word types, running words, the rows of every fold's vocabulary, and what of both has a pretrained vector."""
    data = results.get("data") or {}
    counts = {"types": "word types", "words": "running words", "without_words": "utterances without words"}
    rows = [(name, f"{data[field]:,}") for field, name in counts.items() if is_finite(data.get(field))]
    vocabulary = data.get("vocabulary")
    if vocabulary:
        entries = vocabulary if isinstance(vocabulary, list | tuple) else [vocabulary]
        rows.append(("rows of the vocabulary, by fold", ", ".join(f"{size:,}" for size in entries)))
    vectors = data.get("vectors")
    if with_vectors(results) and isinstance(vectors, dict):
        covered = {"types": "word types with a vector", "words": "running words with a vector"}
        rows.append(("word vectors", str(vectors.get("file", MISSING))))
        rows += [(name, _percent(vectors.get(field))) for field, name in covered.items()]
    note = "A vocabulary knows the words of its fold's training utterances; row 0 stands for every other word."
    return Table("Transcripts", ("", "number"), tuple(rows), (note,))


def _percent(share):
    return f"{100 * share:.1f} %" if is_finite(share) else MISSING


def shape_table(results):
    """The shapes of the batches of an epoch, and how much of them is padding."""
    data = results.get("data") or {}
    rows = [
        (f"{samples / RATE:.2f} s", f"{samples:,}", f"{words}", f"{batches}")
        for samples, words, batches in data.get("shapes") or ()
    ]
    padding = data.get("padding") or {}
    shares = [f"{name} {_percent(padding[name])}" for name in ("samples", "words") if is_finite(padding.get(name))]
    caption = "Shapes of the batches of an epoch, fold 0" + (f"; padding: {', '.join(shares)}" if shares else "")
    columns = ("up to", "samples", "words", "batches")
    return Table(caption, columns, tuple(rows), (SHAPES_NOTE,))
