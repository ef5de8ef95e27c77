"""Prepared sets of feature vectors, one vector an utterance; `load` needs numpy alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepared_set import damaged, read_set


@dataclass(frozen=True, eq=False)
class Vectors:
    """A prepared set: U utterances of F features each. Fits the `Images` of `sejax.data.folds`.

    Attributes:
      features: f32[U, F], on the raw scale; memory-mapped.
      names: of the F features, in openSMILE's order.
      utterance_ids: of the utterances, in the corpus's order.
      label, utterance_label: i32[U], index into `classes`, -1 = unlabelled.
      speaker: i32[U], index into `speakers`; session: i32[U], index into `sessions`.
      utterance, block: i32[U], 0 .. U - 1: every utterance is one example.
      seconds: f64[U], duration of the recording.
      classes, speakers, sessions: the names; sex: of each speaker, "male", "female" or "".
      corpus: its name; settings: `features` (the set's name) and the openSMILE version; counts: what the preparation
        printed.
      folder: where the set lies.
    """

    features: np.ndarray
    names: tuple[str, ...]
    utterance_ids: tuple[str, ...]
    label: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    utterance: np.ndarray
    block: np.ndarray
    utterance_label: np.ndarray
    seconds: np.ndarray
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    sex: tuple[str, ...]
    sessions: tuple[str, ...]
    corpus: str
    settings: dict
    counts: dict
    folder: str


_COLUMNS = ("label", "speaker", "session", "seconds")
_NAMES = ("names", "utterance_ids", "classes", "speakers", "sex", "sessions")


def load(folder: str | Path) -> Vectors:
    """Read a prepared set of vectors; the features stay on the disk until they are asked for.

    Raises InputError when the folder is not a finished set of vectors, or its files do not fit together.
    """
    fields, _ = read_set(
        folder,
        array="features",
        columns=_COLUMNS,
        names=_NAMES,
        kind="feature vectors",
        how=" --features=emobase2010",
    )
    features, labels, names = fields["features"], fields["label"], fields["names"]
    if features.shape != (len(labels), len(names)):
        raise damaged(
            folder, f"features {list(features.shape)} and {len(labels)} labels, {len(names)} names of features"
        )
    rows = np.arange(len(features), dtype=np.int32)
    return Vectors(**fields, utterance=rows, block=rows, utterance_label=labels)
