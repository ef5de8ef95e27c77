"""The small files of a prepared set: who said what, which image belongs to which utterance, and the counts."""

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sejax.core.files import write_text
from sejax.corpora.corpus import Corpus, class_index
from sejax.corpora.published import PUBLISHED
from sejax.data.rows import Row
from sejax.data.settings import Settings

COLUMNS = ("label", "utterance", "block", "fmax", "start", "end", "speaker", "session")


@dataclass(frozen=True)
class UtteranceRow(Row):
    """What a preparation remembers of an utterance: times in seconds, `start` and `end` of each of its blocks."""

    seconds_kept: float
    blocks: int
    start: list[float]
    end: list[float]


def write_index(folder: Path, corpus: Corpus, settings: Settings, rows: list[UtteranceRow], *, utterances: str) -> None:
    """Write index.json, utterances.csv, settings.json and one .npy per column of the images' table."""
    index, session = who_said_what(corpus, rows)
    columns = _image_columns(rows, settings)
    of = columns["utterance"]
    columns["label"] = np.array(index["utterance_label"], np.int32)[of]
    columns["speaker"] = np.array(index["utterance_speaker"], np.int32)[of]
    columns["session"] = session[of]
    for name in COLUMNS:
        np.save(folder / f"{name}.npy", columns[name])
    write_text(folder / "index.json", json.dumps(index))
    write_text(folder / "utterances.csv", _table(rows))
    about = {
        "corpus": corpus.name,
        "utterances": utterances,
        "settings": settings.as_dict(),
        "spectrogram": asdict(settings.spectrogram),
        "counts": _counts(corpus, settings, rows),
        "notes": corpus.notes,
    }
    write_text(folder / "settings.json", json.dumps(about, indent=2) + "\n")


def write_utterance_index(
    folder: Path,
    corpus: Corpus,
    settings: dict,
    rows: list,
    *,
    columns: dict[str, np.ndarray] | None = None,
    names: dict | None = None,
    counts: dict | None = None,
    about: dict | None = None,
    utterances: str,
) -> None:
    """Write index.json, settings.json and one .npy per column of a set whose examples are whole utterances.

    Args:
      rows: one an utterance, with id, speaker, sex, session, emotion and seconds.
      columns: beside label, speaker, session and seconds; names: beside what `who_said_what` puts into index.json;
        counts and about: beside what all such sets put into settings.json.
      utterances: name of the utterance set.
    """
    index, session = who_said_what(corpus, rows)
    usual = {
        "label": np.array(index["utterance_label"], np.int32),
        "speaker": np.array(index["utterance_speaker"], np.int32),
        "session": session,
        "seconds": np.array([row.seconds for row in rows], np.float64),
    }
    for name, column in (usual | (columns or {})).items():
        np.save(folder / f"{name}.npy", column)
    write_text(folder / "index.json", json.dumps(index | (names or {})))
    found = _of_utterances(corpus, rows) | (counts or {})
    values = {"corpus": corpus.name, "utterances": utterances, "settings": settings} | (about or {})
    write_text(folder / "settings.json", json.dumps(values | {"counts": found, "notes": corpus.notes}, indent=2) + "\n")


def who_said_what(corpus: Corpus, rows: list) -> tuple[dict, np.ndarray]:
    """index.json's entries and session i32[U] of utterances, from rows with id, speaker, sex, session and emotion.

    Names are numbered in their sorted order, so that the numbers do not depend on the order of the utterances.
    """
    speakers = {name: number for number, name in enumerate(sorted({row.speaker for row in rows}))}
    sessions = {name: number for number, name in enumerate(sorted({row.session for row in rows}))}
    sex = {row.speaker: row.sex for row in rows}
    index = {
        "classes": corpus.classes,
        "speakers": list(speakers),
        "sex": [sex[speaker] for speaker in speakers],
        "sessions": list(sessions),
        "utterance_ids": [row.id for row in rows],
        "utterance_label": [class_index(corpus.classes, row.emotion) for row in rows],
        "utterance_speaker": [speakers[row.speaker] for row in rows],
    }
    return index, np.array([sessions[row.session] for row in rows], np.int32)


def _image_columns(rows: list[UtteranceRow], settings: Settings) -> dict[str, np.ndarray]:
    """Columns over the images in their order: utterance, block, fmax."""
    levels = len(settings.fmax)
    of_block = np.repeat(np.arange(len(rows), dtype=np.int32), [row.blocks for row in rows])

    def spread(values, dtype):
        return np.repeat(np.array(values, dtype), levels)

    return {
        "utterance": spread(of_block, np.int32),
        "block": spread(np.arange(len(of_block)), np.int32),
        "fmax": np.tile(np.array(settings.fmax, np.float32), len(of_block)),
        "start": spread([start for row in rows for start in row.start], np.float64),
        "end": spread([end for row in rows for end in row.end], np.float64),
    }


def _counts(corpus: Corpus, settings: Settings, rows: list[UtteranceRow]) -> dict:
    blocks = sum(row.blocks for row in rows)
    known = PUBLISHED.get(corpus.name) if settings.block_length == Settings.block_length else None
    return _of_utterances(corpus, rows) | {
        "seconds_kept": sum(row.seconds_kept for row in rows),
        "blocks": blocks,
        "images": blocks * len(settings.fmax),
        "published_images": known.images if known else None,
        "without_block": [row.id for row in rows if not row.blocks],
    }


def _of_utterances(corpus: Corpus, rows: list) -> dict:
    """Counts that every kind of set has."""
    labels = Counter(row.emotion for row in rows)
    return {
        "utterances": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "labels": {name: labels[name] for name in corpus.classes},
        "unlabelled": labels[""],
        "seconds": sum(row.seconds for row in rows),
    }


def _table(rows: list[UtteranceRow]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "speaker", "sex", "session", "emotion", "seconds", "seconds_kept", "blocks"])
    for row in rows:
        times = [f"{row.seconds:.4f}", f"{row.seconds_kept:.4f}"]
        table.writerow([row.id, row.speaker, row.sex, row.session, row.emotion, *times, row.blocks])
    return text.getvalue()
