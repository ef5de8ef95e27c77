"""Prepared sets of feature vectors, one vector an utterance; `load` needs numpy alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepared_set import damaged
from sejax.data.utterance_set import UtteranceSet, read_utterances


@dataclass(frozen=True, eq=False, kw_only=True)
class Vectors(UtteranceSet):
    """A prepared set: U utterances of F features each. `settings`: `features` (the set's name), the openSMILE version.

    Attributes:
      features: f32[U, F], on the raw scale; memory-mapped.
      names: of the F features, in openSMILE's order.
    """

    features: np.ndarray
    names: tuple[str, ...]


def load(folder: str | Path) -> Vectors:
    """Read a prepared set of vectors; the features stay on the disk until they are asked for.

    Raises InputError when the folder is not a finished set of vectors, or its files do not fit together.
    """
    fields = read_utterances(
        folder, array="features", names=("names",), kind="feature vectors", features="emobase2010"
    )
    features, labels, names = fields["features"], fields["label"], fields["names"]
    if features.shape != (len(labels), len(names)):
        raise damaged(
            folder, f"features {list(features.shape)} and {len(labels)} labels, {len(names)} names of features"
        )
    return Vectors(**fields)
