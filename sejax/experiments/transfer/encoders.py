"""Speech encoders beside the networks of images: each chunk's place is taken by the recording that it was cut from.

An encoder needs more than the 30 ms of a chunk, whose convolutions see 25 ms. So that all else is the same (which
examples train, validate and test, how many updates of which batches, balanced classes, what is scored), examples stay
the drawn chunks; what an encoder hears of one is its recording, pauses included. The chunks of a recording then have
one answer, and figures by utterance are those to compare.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.experiment import PyTree
from sejax.data.blocks.load import Spectrograms
from sejax.data.waveforms.heard import digest_of_places, heard, kept_beside
from sejax.data.waveforms.load import Waveforms
from sejax.errors import InputError
from sejax.experiments.methods import dtype_of, gain_limits
from sejax.experiments.speech_encoders import (
    FROZEN,
    Named,
    beginnings,
    described,
    find_encoder,
    frozen_states,
    padded,
    trained_states,
)
from sejax.experiments.transfer.algorithm import Network
from sejax.models import freezing
from sejax.models.backbone import MaxPoolHead
from sejax.models.encoders import WeightedSum


class Recordings(NamedTuple):
    """What an encoder hears: place i32[I] of each chunk's recording among R, and by name {"states": f32[R, states,
    width]} of a frozen one, or {"waveform": int16[R, T], "length": i32[R]}."""

    place: np.ndarray
    heard: dict[str, np.ndarray]


def checked(config, weights: str) -> Named:
    """The encoder that a variant's config names as its model, with weights as given for it.

    Raises:
      InputError: see `find_encoder`; chunks of a recording in several parts; a gain for spectrograms.
    """
    if config.protocol == "chunk":
        raise InputError(
            f"config: protocol=chunk with models={config.model}: an encoder hears a chunk's whole recording, and would "
            "be tested on recordings it was trained on; use protocol=utterance, speaker or split"
        )
    if gain_limits(config):
        raise InputError(f"config: random_gain is one of images, and models={config.model} hears none; leave it out")
    return find_encoder(config.model, weights, field="models")


def recordings(
    config, chunks: Spectrograms, rows: np.ndarray, waveforms: Waveforms, found: Named, variables: PyTree
) -> Recordings:
    """What an encoder hears of the chunks ``rows`` i[I], of each recording its first ``longest`` seconds.

    Raises:
      InputError: waveforms that lack a recording.
    """
    numbers, place = np.unique(chunks.utterance[rows], return_inverse=True)
    known = {name: number for number, name in enumerate(waveforms.utterance_ids)}
    lacking = [chunks.utterance_ids[number] for number in numbers if chunks.utterance_ids[number] not in known]
    if lacking:
        raise InputError(
            f"{waveforms.folder or waveforms.corpus}: lacks {len(lacking)} recordings of the prepared chunks, such as "
            f"{lacking[0]}; prepare both from the same files"
        )
    own = np.array([known[chunks.utterance_ids[number]] for number in numbers])
    speech = beginnings(waveforms, own, longest=config.longest)
    place = place.reshape(-1).astype(np.int32)
    if config.trainable == "all":
        return Recordings(place, padded(found, speech))
    settings: dict[str, Any] = {"layers": found.layers, "architecture": found.architecture, "dtype": config.dtype}
    states = heard(
        frozen_states(found, dtype=dtype_of(config)),
        variables,
        speech.length,
        speech.read,
        **kept_beside(waveforms, settings | {"places": digest_of_places(speech.start, speech.length)}),
    )
    return Recordings(place, {"states": np.asarray(states)})


def about(found: Named) -> dict[str, Any]:
    """What results say of an encoder as they do of a network of images, by the name of what is said."""
    own = described(found)
    return {"weights": own["weights"], "input": "recording", "parameters": own["parameters"]}


def refuse(model: str, state, shared, inputs):
    """What stands in for an encoder's posteriors of blocks."""
    del state, shared, inputs
    raise InputError(
        f"{model} heard whole recordings, and runs of transfer answer about chunks: name another --member=model=NAME, "
        "or train configs/audio_text.py with fusions=audio and sound=encoder:NAME:LAYERS, whose runs predict"
    )


def encoder_network(found: Named, config, num_classes: int) -> Network:
    """The head of the images' networks on an encoder's mean states, summed with learned weights.

    With trainable="head" on states as they are; with "all" the encoder is trained too, but for the layers that the
    config names as frozen, its convolutions where it names none. Nothing is dropped out or masked, as in the others.
    """
    trained = config.trainable == "all"
    frozen = tuple(config.frozen) or FROZEN
    hear = trained_states(found, frozen=frozen if trained else (), dtype=dtype_of(config))
    head, weighted = MaxPoolHead(num_classes, hidden=config.hidden), WeightedSum()
    count, width = len(found.layers), found.architecture.width

    def init(key, pretrained, inputs):
        del inputs
        params = {"head": head.init(key, jnp.zeros((1, width)))["params"]}
        params["layer_weights"] = weighted.init(key, (jnp.zeros((1, width)),) * count)["params"]
        return params | ({"trunk": pretrained["params"]} if trained else {}), {}

    def apply(params, statistics, inputs, train):
        del train
        states = hear(params["trunk"], inputs) if trained else inputs["states"]
        x = weighted.apply({"params": params["layer_weights"]}, tuple(states[:, place] for place in range(count)))
        return head.apply({"params": params["head"]}, x).astype(jnp.float32), statistics

    def trains(params):
        every = jax.tree.map(lambda _: True, params)
        return every | ({"trunk": freezing.trainable(params["trunk"], frozen)} if trained else {})

    return Network(init, apply, trains)
