"""Prepared sets of spectrograms: make one with `prepare`, read one with `load` (numpy alone is enough for that)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepare import prepare
from sejax.data.prepared_set import damaged, read_set
from sejax.data.settings import Settings
from sejax.data.summary import describe
from sejax.data.voiced import VoicedBlocks, spectrograms, voiced_blocks

__all__ = [
    "Settings",
    "Spectrograms",
    "VoicedBlocks",
    "describe",
    "load",
    "prepare",
    "spectrograms",
    "voiced_blocks",
]


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """A prepared set: I images of U utterances, in the order utterance, block, maximum frequency.

    Attributes:
      spectrogram: f32[I, bands, frames] in dB, low bands first; memory-mapped.
      label: i32[I], index into `classes`, -1 = unlabelled.
      utterance: i32[I], index into `utterance_ids`.
      block: i32[I], number of the block in the whole set: the images of one block share it.
      fmax: f32[I], Hz.
      start, end: f64[I], seconds of the block in the original recording; where voice activity detection cut frames out
        inside a block, they lie further apart than the block is long.
      speaker: i32[I], index into `speakers`; session: i32[I], index into `sessions`.
      classes, utterance_ids, speakers, sessions: the names; sex: of each speaker, "male", "female" or "".
      utterance_label, utterance_speaker: i32[U].
      corpus: its name; settings: as `Settings.as_dict`; counts: what the preparation printed.
      folder: where the set lies.
    """

    spectrogram: np.ndarray
    label: np.ndarray
    utterance: np.ndarray
    block: np.ndarray
    fmax: np.ndarray
    start: np.ndarray
    end: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    classes: tuple[str, ...]
    utterance_ids: tuple[str, ...]
    utterance_label: np.ndarray
    utterance_speaker: np.ndarray
    speakers: tuple[str, ...]
    sex: tuple[str, ...]
    sessions: tuple[str, ...]
    corpus: str
    settings: dict
    counts: dict
    folder: str


_COLUMNS = ("label", "utterance", "block", "fmax", "start", "end", "speaker", "session")
_NAMES = ("classes", "utterance_ids", "speakers", "sex", "sessions")


def load(folder: str | Path) -> Spectrograms:
    """Read a prepared set; the spectrograms stay on the disk until they are asked for.

    Raises InputError when the folder is not a finished set.
    """
    fields, index = read_set(
        folder,
        array="spectrogram",
        columns=_COLUMNS,
        names=_NAMES,
        kind="spectrograms",
        how=_hint(Path(folder)),
    )
    if len(fields["spectrogram"]) != len(fields["label"]):
        raise damaged(folder, f"{len(fields['spectrogram'])} spectrograms and {len(fields['label'])} labels")
    return Spectrograms(
        **fields,
        utterance_label=np.array(index["utterance_label"], np.int32),
        utterance_speaker=np.array(index["utterance_speaker"], np.int32),
    )


def _hint(folder: Path) -> str:
    """Name the sets below a folder that is not a set itself."""
    below = sorted(str(path.parent) for path in folder.glob("**/spectrograms-*/settings.json"))[:5]
    return f", or pass one of {', '.join(below)}" if below else ""
