"""What pseudo-labelling learns from beside spectrogram images: prepared feature vectors, one for each utterance.

`features` = image | functionals | functionals:SET. Everything about images is in `assembly`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sejax.audio.opensmile import FEATURE_SETS
from sejax.data.folds import TRAIN, Instead
from sejax.data.vectors.load import Vectors, find_vectors
from sejax.errors import InputError
from sejax.experiments.feature_vectors import fit_z_norm, normalised_by
from sejax.experiments.methods import gain_limits

IMAGE, FUNCTIONALS = "image", "functionals"
INSTEAD = Instead()
FARTHEST = 5.0  # deviations, of features on their speaker's own scale
PROTOCOLS = ("speaker", "split")  # an utterance is one example: nothing of it could be in two parts


class Features(NamedTuple):
    """A value of the field `features`: what is learned from, and of functionals the name of openSMILE's set."""

    kind: str
    name: str = ""


def parse_features(value: str) -> Features:
    """The parts of a config's `features`.

    Raises:
      InputError: a value that is none.
    """
    kind, _, name = value.partition(":")
    if value == IMAGE:
        return Features(IMAGE)
    if kind == FUNCTIONALS and (name or FEATURE_SETS[0]) in FEATURE_SETS and not value.endswith(":"):
        return Features(FUNCTIONALS, name or FEATURE_SETS[0])
    known = ", ".join((IMAGE, FUNCTIONALS, *(f"{FUNCTIONALS}:{name}" for name in FEATURE_SETS)))
    raise InputError(f"config: features={value}; give one of {known}")


def on_vectors(config) -> bool:
    """Whether a config learns from vectors of utterances rather than from images of blocks."""
    return parse_features(config.features).kind != IMAGE


def check_inputs(config) -> None:
    """Raises InputError for fields that have no meaning with a config's features."""
    if config.labeller == "speaker" and (config.protocol != "speaker" or config.trainable != "head"):
        raise InputError(
            f"config: labeller=speaker with protocol={config.protocol} and trainable={config.trainable}: it takes all "
            "features of a speaker, who may be in no other part, and these must stand still; use protocol=speaker and "
            "trainable=head"
        )
    if not on_vectors(config):
        if config.normalise_by != "training" or config.hidden:
            name = "hidden" if config.hidden else f"normalise_by={config.normalise_by}"
            raise InputError(f"config: {name} is for vectors, and features=image has none; leave it out")
        return
    said = f"with features={config.features}"
    if config.protocol not in PROTOCOLS:
        raise InputError(
            f"config: protocol={config.protocol} {said}, of which an utterance has one; give protocol=speaker or split"
        )
    if config.trainable != "head":
        raise InputError(f"config: trainable={config.trainable} {said}, which no network makes; give trainable=head")
    if gain_limits(config):
        raise InputError(f"config: random_gain {said}, which are of recordings as they are; leave random_gain out")
    if config.strong_views:
        raise InputError(f"config: strong_views {said}, and spectrograms alone are altered; leave strong_views out")


def find_utterance_vectors(config, data_dir: Path) -> Vectors:
    """The prepared vectors that a config asks for, normalised by corpus or speaker where it says so.

    Raises:
      InputError: no such set, or one that cannot be normalised so.
    """
    name = parse_features(config.features).name
    found = find_vectors(data_dir, config.corpus, name, level=config.level, trim=config.trim)
    return normalised_by(found, config.normalise_by)


def scalings(features: np.ndarray, part: np.ndarray) -> dict[str, np.ndarray]:
    """What z-normalises each member's vectors, fitted to its training part: shift and scale f32[M, F].

    Args:
      features: f32[U, F].
      part: i8[M, U]; unlabelled vectors that train count too.
    """
    fitted = {row.tobytes(): fit_z_norm(np.asarray(features[row == TRAIN])) for row in part}
    found = [fitted[row.tobytes()] for row in part]
    return {name: np.stack([getattr(one, name) for one in found]) for name in ("shift", "scale")}


def on_own_scale(features: np.ndarray, speaker: np.ndarray) -> np.ndarray:
    """Features f32[I, D] less their speaker's mean, over that speaker's deviation, cut off at `FARTHEST`.

    Of each row of ``speaker`` i32[I] only rows of the same speaker say what becomes of it: with a speaker in one part
    of a fold, nothing of the others enters.
    """
    scaled = np.zeros(features.shape, np.float32)
    for number in np.unique(speaker):
        rows = np.flatnonzero(speaker == number)
        own = np.asarray(features[rows], np.float64)
        deviation = np.maximum(own.std(0), 1e-6 * np.maximum(np.abs(own.mean(0)), 1.0))
        scaled[rows] = np.clip((own - own.mean(0)) / deviation, -FARTHEST, FARTHEST)
    return scaled


def facts(vectors: Vectors) -> dict[str, Any]:
    """What the results say of the data."""
    return {"vectors": len(vectors.label), "features": vectors.features.shape[1]}
