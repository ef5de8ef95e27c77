"""Prepared sets of utterances written as launch/prepare.py leaves them, from sets in memory."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from sejax.data.store.sets import UtteranceSet

_DERIVED = ("utterance", "block", "utterance_label")


def write_finished_set(data_dir: Path, made: UtteranceSet, kind: str) -> Path:
    """A finished set DATA_DIR/<corpus>/<kind>-<hash> as the ``load`` of its kind reads it; returns its folder."""
    folder = Path(data_dir, made.corpus, f"{kind}-0123456789")
    folder.mkdir(parents=True)
    values = {field.name: getattr(made, field.name) for field in fields(made) if field.name not in _DERIVED}
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value)
    names = {name: value for name, value in values.items() if isinstance(value, tuple)}
    (folder / "index.json").write_text(json.dumps(names))
    about = {name: values[name] for name in ("corpus", "settings", "counts")}
    (folder / "settings.json").write_text(json.dumps(about))
    return folder
