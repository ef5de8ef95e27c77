"""A speech encoder as the sound branch: the one that a config names, and what it hears where it stays as it is."""

from typing import Any, NamedTuple

import numpy as np

from sejax.core.experiment import PyTree
from sejax.data.buckets import Pieces
from sejax.data.waveforms.heard import digest_of_places, heard, kept_beside
from sejax.data.waveforms.load import Waveforms
from sejax.errors import InputError
from sejax.experiments.audio_text.explanation import STRETCHES
from sejax.experiments.methods import dtype_of, gain_limits
from sejax.experiments.speech_encoders import Named, find_encoder, frozen_states
from sejax.models.encoder_branch import SoundEncoder
from sejax.models.encoders import Regularisation

CONVOLUTIONS = "convolutions"


class States(NamedTuple):
    """What a frozen encoder hears: f32[N, states, width] of all pieces, 0 of those without a class; and
    f32[P, STRETCHES, states, width] of examples without each stretch, 0 of those that no result shows."""

    pieces: np.ndarray
    quiet: np.ndarray


def named_encoder(config) -> Named | None:
    """The encoder of a config (one of `variants`); None where it has none, or hears nothing.

    Raises:
      InputError: see `find_encoder`; random gain or noise for a frozen encoder, which hears each recording once.
    """
    if config.sound == CONVOLUTIONS or config.fusion == "text":
        return None
    changed = "random_gain" if gain_limits(config) else "random_noise" if config.random_noise != "none" else ""
    if changed and not config.encoder.rate:
        raise InputError(
            f"config: {changed} with encoder_rate=0, where the encoder hears each recording once, as it is; leave it "
            "out, or give encoder_rate, such as 0.003"
        )
    return find_encoder(config.sound, config.encoder.weights, field="sound")


def sound_of(config) -> SoundEncoder | None:
    """What a config's network hears with; None for the convolutions."""
    found = named_encoder(config)
    if found is None:
        return None
    own, dropout = config.encoder, config.encoder.dropout
    rates = {"hidden": dropout, "attention": dropout, "activation": dropout, "projection": dropout}
    drawn = Regularisation(**rates, layer_drop=own.layer_drop, mask_share=own.masks)
    return SoundEncoder(found.architecture, found.layers, own.rate > 0, drawn)


def states_of(
    config,
    speech: Waveforms,
    pieces: Pieces,
    examples: np.ndarray,
    shown: np.ndarray,
    found: Named,
    variables: PyTree,
) -> States:
    """What a frozen encoder hears, computed once and cached beside the prepared set.

    Args:
      examples: i32[P], rows of the pieces that are explained; shown: i32[E], those of them that results show.
    """
    used, shown = np.flatnonzero(speech.label[pieces.utterance] >= 0), np.unique(shown)
    settings: dict[str, Any] = {"layers": found.layers, "architecture": found.architecture, "dtype": config.dtype}

    def piece(number: int) -> np.ndarray:
        return np.asarray(speech.waveform[pieces.start[number] : pieces.start[number] + pieces.length[number]])

    def without(place: int) -> np.ndarray:
        samples, stretch = piece(examples[shown[place // STRETCHES]]), place % STRETCHES
        # As `without_each_stretch` has it, without a program for each length.
        share = np.arange(len(samples), dtype=np.float32) / np.float32(len(samples))
        return np.where(np.floor(share * np.float32(STRETCHES)) == stretch, np.int16(0), samples)

    def ask(rows: np.ndarray, read, **more) -> np.ndarray:
        places = digest_of_places(pieces.start[rows], pieces.length[rows])
        length = np.repeat(pieces.length[rows], more.get("stretches", 1))
        apply = frozen_states(found, dtype=dtype_of(config))
        return heard(apply, variables, length, read, **kept_beside(speech, settings | more | {"places": places}))

    own = ask(used, lambda place: piece(used[place]))
    every = np.zeros((len(pieces.length), *own.shape[1:]), np.float32)
    every[used] = own
    quiet = np.zeros((len(examples), STRETCHES, *own.shape[1:]), np.float32)
    quiet[shown] = ask(examples[shown], without, stretches=STRETCHES).reshape(len(shown), *quiet.shape[1:])
    return States(every, quiet)
