"""Prepared sets of spectrograms: make one with `prepare`, read one with `load` (numpy alone is enough for that)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.data.prepare import prepare
from sejax.data.settings import Settings
from sejax.data.summary import describe
from sejax.data.voiced import VoicedBlocks, spectrograms, voiced_blocks
from sejax.errors import InputError

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
    folder = Path(folder)
    if not (folder / "settings.json").is_file() or folder.suffix == ".unfinished":
        raise InputError(
            f"{folder} is not a finished set of spectrograms; make one with launch/prepare.py{_hint(folder)}"
        )
    about = json.loads((folder / "settings.json").read_text())
    index = json.loads((folder / "index.json").read_text())
    columns = {name: np.load(folder / f"{name}.npy") for name in _COLUMNS}
    spectrogram = np.load(folder / "spectrogram.npy", mmap_mode="r")
    if len(spectrogram) != len(columns["label"]):
        raise InputError(
            f"{folder}: {len(spectrogram)} spectrograms and {len(columns['label'])} labels; delete the folder and"
            " prepare the set again"
        )
    return Spectrograms(
        spectrogram=spectrogram,
        **columns,
        **{name: tuple(index[name]) for name in _NAMES},
        utterance_label=np.array(index["utterance_label"], np.int32),
        utterance_speaker=np.array(index["utterance_speaker"], np.int32),
        corpus=about["corpus"],
        settings=about["settings"],
        counts=about["counts"],
        folder=str(folder),
    )


def _hint(folder: Path) -> str:
    """Name the sets below a folder that is not a set itself."""
    below = sorted(str(path.parent) for path in folder.glob("**/spectrograms-*/settings.json"))[:5]
    return f", or pass one of {', '.join(below)}" if below else ""
