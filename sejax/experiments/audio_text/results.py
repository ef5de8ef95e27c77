"""A member's entry in results.json, and what a run says of its speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sejax.audio.level import FULL_SCALE
from sejax.audio.samples import RATE
from sejax.core.results import BY_CORPUS
from sejax.data.buckets import Buckets, Pieces, epoch_batches, padding, shapes
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.labels import class_facts
from sejax.data.official_folds import described as described_folds
from sejax.data.store.joined import corpora_tested
from sejax.data.text import word_times
from sejax.data.waveforms.load import Waveforms
from sejax.data.word_vectors import coverage
from sejax.experiments.audio_text.explanation import STRETCHES
from sejax.experiments.audio_text.members import Split
from sejax.experiments.audio_text.words import word_counts
from sejax.experiments.classification import confusion_metrics
from sejax.experiments.corpora import corpus_figures, counted, named
from sejax.experiments.speech_encoders import described as described_encoder


def described_piece(
    batch: Mapping[str, np.ndarray], row: int, words: Sequence[str], explained: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """A piece of a recording as drawings have an example: of a truth and of word times nothing is known."""
    samples = batch["waveform"][row, 0, : batch["length"][row, 0]]
    return {"label": None, "start": None, "end": None} | described(samples, words, explained)


def about(
    config, speech: Waveforms, pieces: Pieces, buckets: Buckets, folds: Split, types, ids, vectors, encoder=None
) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    labelled = speech.label >= 0
    protocol = config.protocol
    if protocol == "speaker" and len({speech.sessions[number] for number in speech.session[labelled]} - {""}) > 1:
        protocol = "session"
    first = folds.part[0][pieces.utterance] == TRAIN
    bucket = np.where(first, buckets.of(pieces.length * first, pieces.word_count * first), 0)
    batches = int(-(-first.sum() // config.batch_size))
    epoch = epoch_batches(np.uint32(0), bucket, first, batch_size=config.batch_size, batches=batches)
    covered = None
    if vectors is not None:
        counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *ids]), minlength=len(types))
        covered = {"file": Path(config.vectors).name, **coverage(vectors.found, counts)}
    return {
        **named(config, speech, protocol),
        "classes": list(speech.classes),
        "unit": "utterance",
        "paper": {},
        "types": list(types),  # what prediction looks words up by
        "data": {
            "utterances": int(labelled.sum()),
            **class_facts(speech),
            **counted(speech),
            "speakers": len({*speech.speaker[labelled].tolist()}),
            "seconds": round(float(speech.seconds[labelled].sum()), 1),
            "parts": {
                name: (folds.part == kind).sum(1).tolist()
                for name, kind in (("train", TRAIN), ("valid", VALIDATION), ("test", TEST))
            },
            "pieces": int((speech.label[pieces.utterance] >= 0).sum()),
            "waveform_statistics": waveform_statistics(speech),
            "types": len(types),
            "words": int(sum(len(words) for words in ids)),
            "without_words": int(sum(not len(ids[number]) for number in np.flatnonzero(labelled))),
            "vocabulary": [one.size for one in folds.vocabularies],
            "vectors": covered,
            "shapes": [list(shape) for shape in shapes(pieces, buckets, *epoch)],
            "padding": padding(pieces, buckets, *epoch),
            **({"encoder": described_encoder(encoder)} if encoder else {}),
            "settings": speech.settings,
            "recordings": speech.counts.get("recordings", {}),
            **described_folds(folds.folds, speech),
        },
    }


def batches_in_words(data) -> str:
    """The numbers of batches, words and word vectors that decide how long a run takes and what it can know."""
    each = [f"{samples / RATE:.2f} s x {words} words ({batches})" for samples, words, batches in data["shapes"]]
    lines = [
        f"{len(each)} shapes of batches, each compiled once: {', '.join(each)}",
        f"padding: {data['padding']['samples']:.1%} of samples, {data['padding']['words']:.1%} of words",
        f"words: {data['words']} of {data['types']} types; vocabularies of {min(data['vocabulary'])} to "
        f"{max(data['vocabulary'])} rows; {data['without_words']} utterances without words",
    ]
    if data["vectors"]:
        found = data["vectors"]
        lines.append(f"vectors of {found['file']}: {found['types']:.1%} of types, {found['words']:.1%} of words")
    return "\n".join(lines)


ENVELOPE = 10  # entries of a drawn waveform to each stretch
_KEPT = ("loss", "accuracy", "uar")


@dataclass(frozen=True, eq=False)
class Summary:
    """What turns arrays into results: the speech that they are about.

    Attributes:
      speech, pieces: the prepared set and what its utterances were cut into.
      types, ids: word types, and those of each utterance.
      examples: i32[P] rows of pieces that some member explains; first: i32[E], those of the first fold, whose
        explanations are kept.
    """

    speech: Waveforms
    pieces: Pieces
    types: tuple[str, ...]
    ids: Sequence[np.ndarray]
    examples: np.ndarray
    first: np.ndarray

    def __call__(
        self, history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """A member's entry, from ``history`` and ``records`` as the engine gives them."""
        record = {name: np.asarray(value) for name, value in records[-1].items()}
        tested = np.flatnonzero(record["tested"])
        posterior = record["posterior"][tested]
        metrics = confusion_metrics(record["confusion/test"], "test/")
        if record["confusion/valid"].sum():
            metrics |= confusion_metrics(record["confusion/valid"], "valid/") | {"valid/loss": float(record["loss"])}
        figures, matrices = corpus_figures(self._by_corpus(tested, posterior), self.speech, ("test",))
        metrics |= figures
        attention = None
        if "attention" in record:
            attention = record["attention"][tested, 0]
            metrics["test/attention_audio"] = float(attention.mean())
            metrics["test/attention_text"] = float(record["attention"][tested, 1].mean())
            metrics["test/attention_deviation"] = float(attention.std())
        predicted, classes = posterior.argmax(1), len(self.speech.classes)
        entry = {
            "metrics": metrics,
            "confusion": {"test": record["confusion/test"].astype(int).tolist()} | matrices,
            "epochs": int(record["epochs"]),
            "best_epoch": int(record["best_epoch"]),
            "history": [_row(row) for row in history],
        }
        if not history:  # evaluated again: figures are all that is asked for
            return entry
        return entry | {
            "predictions": {
                "id": [self.speech.utterance_ids[number] for number in tested],
                "label": self.speech.label[tested].tolist(),
                "posterior": posterior.round(4).tolist(),
                "attention": None if attention is None else attention.round(4).tolist(),
            },
            "words": word_counts(self.types, [self.ids[number] for number in tested], predicted, classes),
            "utterances": len(tested),
            "predicted": np.bincount(predicted, minlength=classes).tolist(),
            "examples": self._examples(record),
        }

    def _by_corpus(self, tested: np.ndarray, posterior: np.ndarray) -> dict[str, np.ndarray]:
        """Confusions of each corpus that is tested, as `corpus_figures` takes them."""
        label, classes = self.speech.label[tested], len(self.speech.classes)
        counts = [np.zeros((classes, classes)) for _ in corpora_tested(self.speech)]
        for matrix, own in zip(counts, corpora_tested(self.speech).values(), strict=True):
            rows = own[tested] & (label >= 0)
            np.add.at(matrix, (label[rows], posterior[rows].argmax(1)), 1)
        return {f"{BY_CORPUS}test": np.array(counts)}

    def _examples(self, record: Mapping[str, np.ndarray]) -> list[dict[str, Any]] | None:
        if not np.array_equal(record["example"], self.first):
            return None
        explained = {name.removeprefix("explained/"): x for name, x in record.items() if name.startswith("explained/")}
        found = {}
        for place, example in enumerate(record["example"]):
            piece = self.examples[example]
            number = self.pieces.utterance[piece]
            start = self.pieces.start[piece]
            samples = self.speech.waveform[start : start + self.pieces.length[piece]]
            name = self.speech.utterance_ids[number]
            first = self.pieces.first_word[piece]
            words = [self.types[word] for word in self.pieces.words[first : first + self.pieces.word_count[piece]]]
            found[name] = {
                "id": name,
                "label": int(self.speech.label[number]),
                **described(samples, words, {name: values[place] for name, values in explained.items()}),
                **self._times(number, words),
            }
        return list(found.values())

    def _times(self, number: int, words: Sequence[str]) -> dict[str, list[float] | None]:
        """Start and end in seconds of an utterance's words, None where they were not aligned."""
        own = slice(*self.speech.word_offset[number : number + 2])
        aligned = (self.speech.word_text[own], self.speech.word_start[own], self.speech.word_end[own])
        found = word_times(words, *aligned, seconds=float(self.speech.seconds[number]))
        return dict(zip(("start", "end"), found or (None, None), strict=True))


def described(samples: np.ndarray, words: Sequence[str], explained: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """An example utterance as results.json and drawings have it.

    Args:
      samples: int16[T] at 16 kHz.
      words: W of them.
      explained: of `sejax.experiments.audio_text.explanation.explain`, of one piece.
    """
    edges = np.arange(STRETCHES * ENVELOPE) * len(samples) // (STRETCHES * ENVELOPE)
    scaled = np.asarray(samples, np.float64) / FULL_SCALE
    attention, spoken = explained.get("attention"), explained.get("word_importance")
    heard = explained.get("audio_importance")
    return {
        "posterior": np.asarray(explained["posterior"], float).round(4).tolist(),
        "attention": None if attention is None else round(float(attention[0]), 4),
        "seconds": len(samples) / RATE,
        "envelope": {
            "low": np.minimum.reduceat(scaled, edges).round(4).tolist(),
            "high": np.maximum.reduceat(scaled, edges).round(4).tolist(),
        },
        "words": list(words),
        "word_importance": None if spoken is None else np.asarray(spoken[: len(words)], float).round(4).tolist(),
        "audio_importance": None if heard is None else np.repeat(heard, ENVELOPE).astype(float).round(4).tolist(),
    }


def _row(row: Mapping[str, float]) -> dict[str, float]:
    """An epoch's entry, without figures that nothing is read from."""
    return {name: value for name, value in row.items() if "/" not in name or name.partition("/")[2] in _KEPT}


def waveform_statistics(speech: Waveforms) -> dict[str, dict[str, float]]:
    """Table 8 by class: mean of the utterances' mean |x|, deviation of these, mean of the utterances' deviations."""
    found = {}
    for number, name in enumerate(speech.classes):
        own = speech.label == number
        averages, deviations = speech.mean_absolute[own].astype(float), speech.deviation[own].astype(float)
        found[name] = {
            "average": float(averages.mean()),
            "average_deviation": float(averages.std()),
            "deviation_average": float(deviations.mean()),
        }
    return found
