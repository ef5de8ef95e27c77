"""Small made-up sets of feature vectors with four emotions, and the config that trains on them."""

import importlib.util
from pathlib import Path

import numpy as np

from sejax.data.labels import FOUR
from sejax.data.vectors.load import Vectors

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "cyclegan.py"


def make_vectors(counts, *, corpus="toy", features=12, people=4, sessions=(), seed=0, values=None) -> Vectors:
    """`counts` utterances of each class, spoken in turn by `people`; counts=40: as many without a label.

    `sessions` is the session of each speaker; `values` f32[U, F] instead of clusters around a class's centre.
    """
    label = np.full(counts, -1) if isinstance(counts, int) else np.repeat(np.arange(len(counts)), counts)
    random = np.random.default_rng(seed)
    centre = np.random.default_rng(7).normal(size=(len(FOUR) + 1, features))
    rows, speaker = np.arange(len(label), dtype=np.int32), np.arange(len(label)) % people
    of_speaker = np.array(sessions or [0] * people)
    if values is None:
        values = 3.0 * centre[label] + random.normal(size=(len(label), features))
    return Vectors(
        features=np.asarray(values, np.float32),
        names=tuple(f"f{number}" for number in range(features)),
        utterance_ids=tuple(f"u{number}" for number in rows),
        label=label.astype(np.int32),
        speaker=speaker.astype(np.int32),
        session=of_speaker[speaker].astype(np.int32),
        utterance=rows,
        block=rows,
        utterance_label=label.astype(np.int32),
        seconds=np.ones(len(label)),
        classes=FOUR,
        speakers=tuple(f"s{number}" for number in range(people)),
        sex=("male", "female") * (people // 2),
        sessions=tuple(f"Ses{number}" for number in range(max(sessions) + 1)) if sessions else ("",),
        corpus=corpus,
        settings={"features": "emobase2010"},
        counts={},
        folder="",
    )


def make_config(argument: str = "", **changes):
    """The experiment's config shrunk, without the first stage."""
    spec = importlib.util.spec_from_file_location("cyclegan_config", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(f"runlocal=True,target=toy,source=unlabelled,{argument}".rstrip(","))
    config.pretraining.epochs = 0
    config.update(changes)
    return config


def hard_features(rows=50):
    """f32[rows, 8] by name: what features of real recordings, or broken ones, come to."""
    random = np.random.default_rng(0)
    uniform, tail = random.uniform(1.0, 2.0, rows), np.r_[1e12, random.uniform(0.0, 1e-3, rows - 1)]
    columns = {
        "plain": uniform,
        "constant": np.full(rows, 3.7),
        "zero": np.zeros(rows),
        "near-constant": 1e4 + 1e-3 * (np.arange(rows) == 3),
        "heavy-tailed": tail,
        "huge constant": np.full(rows, -1e12),
        "subnormal": 1e-40 * uniform,
        "tiny": 1e-30 * uniform,
    }
    return np.stack(list(columns.values()), axis=1).astype(np.float32), list(columns)
