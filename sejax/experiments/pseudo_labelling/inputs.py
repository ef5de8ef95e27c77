"""What pseudo-labelling learns from beside spectrogram images: vectors, one for each utterance, or recordings.

`features` = image | functionals | functionals:SET | encoder:NAME:LAYERS. Everything about images is in `assembly`.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from sejax.audio.opensmile import FEATURE_SETS
from sejax.audio.samples import RATE
from sejax.core.experiment import PyTree
from sejax.data.folds import TRAIN, Instead
from sejax.data.store.joined import find_corpora
from sejax.data.store.sets import UtteranceSet
from sejax.data.vectors.load import Vectors, find_vectors
from sejax.data.waveforms.heard import digest_of_places, heard, kept_beside
from sejax.data.waveforms.load import Waveforms, find_waveforms
from sejax.data.waveforms.pieces import LEAST
from sejax.errors import InputError
from sejax.experiments.feature_vectors import fit_z_norm, normalised_by
from sejax.experiments.methods import gain_limits
from sejax.experiments.speech_encoders import (
    Named,
    beginnings,
    described,
    find_encoder,
    frozen_states,
    is_encoder,
    load_encoder,
    padded,
)
from sejax.pretrained.encoders import parse_encoder

IMAGE, FUNCTIONALS, ENCODER = "image", "functionals", "encoder"
INSTEAD = Instead(unvalidated="validation=0")
FARTHEST = 5.0  # deviations, of features on their speaker's own scale
PROTOCOLS = ("speaker", "split")  # an utterance is one example: nothing of it could be in two parts


class Features(NamedTuple):
    """A value of the field `features`: what is learned from, and the name of openSMILE's set or of the encoder."""

    kind: str
    name: str = ""


def parse_features(value: str) -> Features:
    """The parts of a config's `features`.

    Raises:
      InputError: a value that is none.
    """
    kind, _, name = value.partition(":")
    if is_encoder(value):
        try:
            return Features(ENCODER, parse_encoder(value)[0])
        except InputError as error:
            raise InputError(f"config: features={value}: {error}") from None
    if value == IMAGE:
        return Features(IMAGE)
    if kind == FUNCTIONALS and (name or FEATURE_SETS[0]) in FEATURE_SETS and not value.endswith(":"):
        return Features(FUNCTIONALS, name or FEATURE_SETS[0])
    known = ", ".join((IMAGE, FUNCTIONALS, *(f"{FUNCTIONALS}:{name}" for name in FEATURE_SETS)))
    raise InputError(f"config: features={value}; give one of {known}, or encoder:NAME:LAYERS")


def on_encoder(config) -> bool:
    """Whether a config learns from what a speech encoder hears."""
    return parse_features(config.features).kind == ENCODER


def tunes_encoder(config) -> bool:
    """Whether a config trains a speech encoder, on recordings."""
    return on_encoder(config) and config.trainable == "all"


def on_utterances(config) -> bool:
    """Whether a config learns from utterances, their vectors or recordings, rather than from images of blocks."""
    return parse_features(config.features).kind != IMAGE


def check_inputs(config) -> None:
    """Raises InputError for fields that have no meaning with a config's features."""
    if config.labeller == "speaker" and (config.protocol != "speaker" or config.trainable != "head"):
        raise InputError(
            f"config: labeller=speaker with protocol={config.protocol} and trainable={config.trainable}: it takes all "
            "features of a speaker, who may be in no other part, and these must stand still; use protocol=speaker and "
            "trainable=head"
        )
    if config.labeller == "speaker" and on_encoder(config):
        raise InputError(f"config: labeller=speaker with features={config.features}; give image or functionals")
    if config.calibration != "none" and not config.validation:
        raise InputError(
            f"config: calibration={config.calibration} with validation=0: it is fitted to the validation part; give "
            "validation, such as 0.1, or leave calibration out"
        )
    if not on_utterances(config):
        if config.normalise_by != "training" or config.hidden:
            name = "hidden" if config.hidden else f"normalise_by={config.normalise_by}"
            raise InputError(f"config: {name} is for vectors, and features=image has none; leave it out")
        return
    said = f"with features={config.features}"
    if on_encoder(config) and config.trim != "none":
        raise InputError(f"config: trim={config.trim} {said}, which hears recordings whole; leave trim out")
    if config.protocol not in PROTOCOLS:
        raise InputError(
            f"config: protocol={config.protocol} {said}, of which an utterance has one; give protocol=speaker or split"
        )
    if config.trainable != "head" and not tunes_encoder(config):
        why, known = ("which stay as they are", "head") if not on_encoder(config) else ("an encoder", "head or all")
        raise InputError(f"config: trainable={config.trainable} {said}, {why}; give trainable={known}")
    if tunes_encoder(config) and config.normalise_by != "training":
        raise InputError(
            f"config: normalise_by={config.normalise_by} {said} and trainable=all, where what is heard changes with "
            "every update; leave normalise_by out"
        )
    if tunes_encoder(config) and config.run.input == "tfdata":
        raise InputError(f"config: run.input=tfdata {said}, whose recordings stay on the device; leave it out")
    if gain_limits(config):
        raise InputError(f"config: random_gain {said}, which are of recordings as they are; leave random_gain out")
    if config.strong_views:
        raise InputError(f"config: strong_views {said}, and spectrograms alone are altered; leave strong_views out")


def find_inputs(config, data_dir: Path) -> Vectors | Waveforms:
    """The recordings of a config's corpora where it trains an encoder, or else `find_utterance_vectors`."""
    if tunes_encoder(config):
        return find_corpora(partial(find_waveforms, data_dir, level=config.level), config.corpus, config.test)
    return find_utterance_vectors(config, data_dir)


def recordings(config, speech: Waveforms) -> dict[str, Any]:
    """What an encoder is trained on: {"inputs": i32[I], places among the I "recordings", see `padded`}."""
    rows = np.arange(len(speech.label))
    found = padded(named_encoder(config), beginnings(speech, rows, longest=config.longest))
    return {"inputs": rows.astype(np.int32), "recordings": found}


def find_utterance_vectors(config, data_dir: Path) -> Vectors:
    """The vectors of a config's corpora, each normalised by corpus or speaker where it says so.

    An encoder hears every recording of the prepared waveforms once; what it heard is kept beside them.

    Raises:
      InputError: no such set, or one that cannot be normalised so; no such encoder.
    """

    def find(corpus: str) -> Vectors:
        if on_encoder(config):
            found = heard_vectors(config, find_waveforms(data_dir, corpus, level=config.level))
        else:
            name = parse_features(config.features).name
            found = find_vectors(data_dir, corpus, name, level=config.level, trim=config.trim)
        return normalised_by(found, config.normalise_by)

    return find_corpora(find, config.corpus, config.test)


def named_encoder(config) -> Named:
    """The encoder of a config.

    Raises:
      InputError: there is none of that name, or it has no such layer.
    """
    return find_encoder(config.features, config.weights, field="features")


def heard_vectors(config, speech: Waveforms) -> Vectors:
    """What a frozen encoder hears of prepared waveforms: f32[U, S, D], means over frames of S hidden states.

    Of each recording it hears the first ``longest`` seconds.
    """
    named, spoken = named_encoder(config), beginnings(speech, np.arange(len(speech.label)), longest=config.longest)
    settings: dict[str, Any] = {"layers": named.layers, "architecture": named.architecture, "dtype": "float32"}
    states = heard(
        frozen_states(named),
        load_encoder(named, seed=config.seed),
        spoken.length,
        spoken.read,
        **kept_beside(speech, settings | {"places": digest_of_places(spoken.start, spoken.length)}),
    )
    own = {field.name: getattr(speech, field.name) for field in fields(UtteranceSet)}
    return Vectors(**own, features=states, names=())


def hearing(config) -> Callable[[PyTree, PyTree], jax.Array]:
    """``hear(variables, {"waveform": int16[I, T], "length": i32[I]}) -> f32[I, S, D]``, as `heard_vectors` does."""
    hear = frozen_states(named_encoder(config))
    return lambda variables, inputs: hear(variables, inputs["waveform"], inputs["length"])


def recording(waveform: np.ndarray, *, longest: float) -> dict[str, np.ndarray]:
    """What `hearing` takes of one recording int16[T] at 16 kHz, arrays [1, 1, ...]; lengths are powers of two."""
    waveform = waveform[: round(longest * RATE)]
    room = 1 << (max(len(waveform), LEAST["samples"]) - 1).bit_length()
    padded = np.pad(waveform, (0, room - len(waveform)))
    return {"waveform": padded[None, None], "length": np.array([[len(waveform)]], np.int32)}


def scalings(features: np.ndarray, part: np.ndarray) -> dict[str, np.ndarray]:
    """What z-normalises each member's vectors, fitted to its training part: shift and scale f32[M, ...].

    Args:
      features: f32[U, ...].
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


def facts(config, speech: Vectors | Waveforms) -> dict[str, Any]:
    """What the results say of the data."""
    if not on_encoder(config):
        return {"vectors": len(speech.label), "features": speech.features.shape[-1]}
    named = named_encoder(config)
    return {"vectors": len(speech.label), "features": named.architecture.width, "encoder": described(named)}
