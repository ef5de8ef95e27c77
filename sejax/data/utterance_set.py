"""What prepared sets share whose examples are whole utterances: who said what, and how their folders are read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepared_set import read_set

COLUMNS = ("label", "speaker", "session", "seconds")
NAMES = ("utterance_ids", "classes", "speakers", "sex", "sessions")


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceSet:
    """U utterances of a corpus. Fits the `Images` of `sejax.data.folds`.

    Attributes:
      label, utterance_label: i32[U], index into `classes`, -1 = unlabelled.
      speaker: i32[U], index into `speakers`; session: i32[U], index into `sessions`.
      utterance, block: i32[U], 0 .. U - 1: every utterance is one example.
      seconds: f64[U], duration of the recording.
      utterance_ids, classes, speakers, sessions: the names; sex: of each speaker, "male", "female" or "".
      corpus: its name; settings: what the set depends on beside the corpus; counts: what the preparation printed.
      folder: where the set lies.
    """

    label: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    utterance: np.ndarray
    block: np.ndarray
    utterance_label: np.ndarray
    seconds: np.ndarray
    utterance_ids: tuple[str, ...]
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    sex: tuple[str, ...]
    sessions: tuple[str, ...]
    corpus: str
    settings: dict
    counts: dict
    folder: str


def read_utterances(
    folder: str | Path,
    *,
    array: str,
    columns: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    kind: str,
    features: str,
) -> dict:
    """The fields of an `UtteranceSet` and of the kind of set that extends it.

    Args:
      folder: of the set.
      array: name of its large array, which stays on the disk.
      columns, names: the kind's own small arrays and lists of names.
      kind: what the set is one of; features: what launch/prepare.py calls it. Both for the error.

    Raises InputError when the folder is not a finished set with that array.
    """
    fields, _ = read_set(
        folder,
        array=array,
        columns=(*columns, *COLUMNS),
        names=(*names, *NAMES),
        kind=kind,
        how=f" --features={features}",
    )
    rows = np.arange(len(fields["label"]), dtype=np.int32)
    return fields | {"utterance": rows, "block": rows, "utterance_label": fields["label"]}
