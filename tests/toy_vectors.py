"""Small corpora of feature vectors that can be learned at once: emotional ones, and one without labels.

Each emotion of the Berlin database has a centre of its own, each speaker a shift. There is a constant feature, as
openSMILE's sets have.
"""

import functools
import itertools
from pathlib import Path

import numpy as np
from finished_sets import write_finished_set

from sejax.data.labels import FOUR
from sejax.data.vectors import synthetic as synthetic_vectors
from sejax.data.vectors.load import Vectors
from sejax.data.vectors.synthetic import SyntheticVectors

LABELS = ("anger", "boredom", "disgust", "fear", "joy", "neutral", "sadness")
SPEAKERS, FEATURES = 10, 12
UNLABELLED = 40  # vectors


def vectors_of(features, label, speaker, *, corpus: str, names=(), settings=None) -> Vectors:
    """A set in memory of vectors f32[U, F] with their labels (-1: none) and speakers."""
    rows, speakers = np.arange(len(label), dtype=np.int32), int(np.max(speaker)) + 1
    labelled = np.max(label) >= 0
    return Vectors(
        features=np.asarray(features, np.float32),
        names=tuple(names) or tuple(f"feature_{number}" for number in range(features.shape[1])),
        utterance_ids=tuple(f"{corpus}{row:03}" for row in rows),
        label=np.asarray(label, np.int32),
        speaker=np.asarray(speaker, np.int32),
        session=np.zeros(len(rows), np.int32),
        utterance=rows,
        block=rows,
        utterance_label=np.asarray(label, np.int32),
        seconds=np.full(len(rows), 2.0),
        classes=LABELS if labelled else (),
        speakers=tuple(f"s{number}" for number in range(speakers)),
        sex=tuple(("male", "female")[number % 2] if labelled else "" for number in range(speakers)),
        sessions=("",),
        corpus=corpus,
        settings=settings or {"features": "emobase2010", "opensmile": "2.6.0"},
        counts={},
        folder="",
    )


def _values(label, speaker, random) -> np.ndarray:
    """f32[U, F]: a centre for each label (and for none), a shift for each speaker, noise, scales far apart."""
    centres = np.random.default_rng(1).normal(size=(len(LABELS) + 1, FEATURES))
    shifts = np.random.default_rng(2).normal(size=(SPEAKERS, FEATURES))
    rows = 2.0 * centres[label] + 0.3 * shifts[speaker] + 0.3 * random.normal(size=(len(label), FEATURES))
    rows = rows * np.logspace(-2, 3, FEATURES)
    rows[:, 5] = 4.0
    return rows.astype(np.float32)


@functools.cache
def emotional(corpus: str = "emodb", times: int = 2, seed: int = 0) -> Vectors:
    """Every speaker says every label ``times`` times."""
    of_speaker = len(LABELS) * times
    label = np.arange(SPEAKERS * of_speaker) % len(LABELS)
    speaker = np.arange(SPEAKERS * of_speaker) // of_speaker
    return vectors_of(_values(label, speaker, np.random.default_rng(seed)), label, speaker, corpus=corpus)


@functools.cache
def unlabelled(corpus: str = "unlabelled") -> Vectors:
    """Vectors without labels, which lie elsewhere."""
    label, speaker = np.full(UNLABELLED, -1), np.arange(UNLABELLED) % SPEAKERS
    return vectors_of(_values(label, speaker, np.random.default_rng(3)), label, speaker, corpus=corpus)


def synthetic(folder: Path, *, of_folds=(0, 1), seeds=1, lambdas=(2.0,), each=8, **about) -> SyntheticVectors:
    """A synthetic set as launch/synthesise.py leaves it: ``each`` vectors near a class's centre for each generator."""
    random = np.random.default_rng(4)
    names = itertools.product(lambdas, of_folds, range(seeds))
    generators = [{"fold": fold, "seed": seed, "lambda_cls": weight} for weight, fold, seed in names]
    of_class = [LABELS.index(name) for name in ("anger", "joy", "neutral", "sadness")]
    parts = (
        (number, label, np.arange(each), _values(np.full(each, of_class[label]), np.arange(each) % SPEAKERS, random))
        for number in range(len(generators))
        for label in range(len(FOUR))
    )
    usual = {"source": "unlabelled", "target": ["emodb"], "normalisation": "leak_free", "folds": 2, "seed": 0}
    synthetic_vectors.write(
        folder,
        parts,
        generators=generators,
        names=emotional().names,
        classes=FOUR,
        source_ids=unlabelled().utterance_ids[:each],
        about=usual | {"seeds": seeds, "features": "emobase2010"} | about,
    )
    return synthetic_vectors.load(folder)


def write_prepared_set(data_dir: Path, made: Vectors) -> Path:
    """The same as a prepared set under ``data_dir/corpus``, as ``Vectors.load`` reads it."""
    return write_finished_set(data_dir, made, made.settings["features"])


def write_both(data_dir: Path) -> None:
    """The emotional set and the unlabelled one under ``data_dir``."""
    write_prepared_set(data_dir, emotional())
    write_prepared_set(data_dir, unlabelled())
