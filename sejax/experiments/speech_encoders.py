"""Speech encoders in experiments: what a config's ``encoder:NAME:LAYERS`` names, its weights, what it hears."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sejax import pretrained
from sejax.core.experiment import PyTree
from sejax.core.rng import root_key
from sejax.errors import InputError, typed
from sejax.models import encoders
from sejax.models.encoder_branch import chosen_states, mean_states
from sejax.models.encoders import Architecture
from sejax.pretrained.encoders import FAMILIES, from_json, parse_encoder

PREFIX = "encoder:"


def is_encoder(text: str) -> bool:
    """Whether a config's text names a speech encoder."""
    return text.startswith(PREFIX)


class Named(NamedTuple):
    """An encoder that a config names.

    Attributes:
      name: of its file, or of a known architecture. layers: numbers of the hidden states that are heard.
      weights: "random", or the converted file. architecture: of it.
    """

    name: str
    layers: tuple[int, ...]
    weights: str
    architecture: Architecture


def find_encoder(text: str, given: str, *, field: str = "") -> Named:
    """The encoder that ``encoder:NAME:LAYERS`` names.

    Args:
      text: as in a config.
      field: of the config, which errors name.
      given: where weights are: "random" (NAME is of `sejax.models.encoders.names` then), a converted file, a folder of
        NAME.safetensors, or "auto", the folder ``weights``.

    Raises:
      InputError: another text, no such file (the message says how to make it), a file that holds no speech encoder, a
        layer that the encoder does not have.
    """
    name, layers = parse_encoder(text)
    text = f"config: {field}={text}" if field else text
    if given == "random":
        if name not in encoders.ARCHITECTURES:
            raise InputError(f"{text}: of random weights there are {', '.join(encoders.names())}; name one of these")
        weights, architecture = given, encoders.ARCHITECTURES[name]
    else:
        folder = Path("weights" if given == "auto" else given)
        file = folder if folder.is_file() else folder / f"{name}.safetensors"
        if not file.is_file():
            raise InputError(
                f"{text}: {file} is not there; make it with {typed('convert')} --source=transformers --input=ORIGINAL "
                f"--output={file}, or say that weights are random for an encoder that is not pre-trained"
            )
        about = pretrained.describe(file)
        if about["model"] not in FAMILIES:
            raise InputError(f"{text}: {file} holds {about['model']}, which is no speech encoder; give its own file")
        weights, architecture = str(file), from_json(about["architecture"])
    try:
        return Named(name, chosen_states(layers, architecture), weights, architecture)
    except InputError as error:
        raise InputError(f"{text}: {error}") from None


def load_encoder(found: Named, *, seed: int) -> PyTree:
    """The variables {"params": ...} of an encoder, those of its trunk alone.

    seed: of random weights.
    """
    if found.weights == "random":
        samples, length = jnp.zeros((1, encoders.least_samples(found.architecture))), jnp.ones((1,), jnp.int32)
        return jax.jit(encoders.create(found.architecture).init)(root_key(seed), samples, length)
    module, variables = pretrained.load_encoder(found.weights)
    return variables if isinstance(module, encoders.Encoder) else {"params": variables["params"]["encoder"]}


def frozen_states(found: Named, *, dtype=None) -> Callable[[PyTree, jax.Array, jax.Array], jax.Array]:
    """``heard(variables, waveform [B, T], length i32[B]) -> f32[B, states, width]``, what a frozen encoder hears.

    Means over frames of the chosen hidden states.
    """
    encoder = encoders.create(found.architecture, dtype=dtype)

    def heard(variables, waveform, length):
        return mean_states(encoder, variables, waveform, length, found.layers)

    return heard


def parameter_count(found: Named) -> int:
    """Numbers in an encoder's weights."""
    leaves = jax.tree.leaves(encoders.shapes(encoders.create(found.architecture)))
    return sum(int(leaf.size) for leaf in leaves)


def described(found: Named) -> dict[str, Any]:
    """What results say of an encoder."""
    about: Mapping[str, Any] = {} if found.weights == "random" else pretrained.describe(found.weights)
    return {
        "name": found.name,
        "layers": ", ".join(map(str, found.layers)),
        "weights": "random" if found.weights == "random" else f"{about['model']}, {about['source']}",
        "sha256": about.get("sha256"),
        "parameters": parameter_count(found),
        "standardised": found.architecture.normalise,
    }
