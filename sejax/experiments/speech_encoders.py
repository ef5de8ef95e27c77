"""Speech encoders in experiments: what a config's ``encoder:NAME:LAYERS`` names, its weights, what it hears."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sejax import pretrained
from sejax.audio.samples import RATE
from sejax.core.experiment import Batch, Plan, PyTree
from sejax.core.rng import quickly_compiled, root_key
from sejax.data.waveforms.load import Waveforms
from sejax.errors import InputError, typed
from sejax.experiments import classification
from sejax.models import encoders
from sejax.models.encoder_branch import chosen_states, mean_states
from sejax.models.encoders import Architecture
from sejax.pretrained.encoders import FAMILIES, from_json, parse_encoder

PREFIX = "encoder:"
FROZEN = ("convolutions",)  # layers that stay where an encoder is trained, unless a config names others
RECORDINGS_AT_ONCE = 8  # recordings at once that a whole encoder is evaluated on


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
        return jax.jit(encoders.create(found.architecture).init)(quickly_compiled(root_key(seed)), samples, length)
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


def trained_states(
    found: Named, *, frozen: tuple[str, ...] = FROZEN, dtype=None
) -> Callable[[PyTree, Mapping[str, jax.Array]], jax.Array]:
    """``hear(params, {"waveform": int16[B, T], "length": i32[B]}) -> f32[B, states, width]`` of a trained encoder.

    As `frozen_states`, with no gradient of the layers ``frozen``. Nothing is dropped out or masked.
    """
    encoder = encoders.create(found.architecture, frozen=frozen, dtype=dtype)

    def hear(params, recordings):
        return mean_states(encoder, {"params": params}, recordings["waveform"], recordings["length"], found.layers)

    return hear


class Beginnings(NamedTuple):
    """The first seconds of R recordings: start i64[R] and length i32[R], samples, and ``read(number) -> int16[T]``."""

    start: np.ndarray
    length: np.ndarray
    read: Callable[[int], np.ndarray]


def beginnings(waveforms: Waveforms, rows: np.ndarray, *, longest: float) -> Beginnings:
    """Of the recordings ``rows`` i[R] of prepared waveforms the first ``longest`` seconds."""
    start = waveforms.offset[rows]
    length = np.minimum(waveforms.offset[rows + 1] - start, round(longest * RATE)).astype(np.int32)
    return Beginnings(
        start, length, lambda number: np.asarray(waveforms.waveform[start[number] : start[number] + length[number]])
    )


def padded(found: Named, speech: Beginnings) -> dict[str, np.ndarray]:
    """What an encoder that is trained hears, {"waveform": int16[R, T], "length": i32[R]}, with zeros to the longest."""
    longest = max(int(speech.length.max()), encoders.least_samples(found.architecture))
    waveform = np.zeros((len(speech.length), longest), np.int16)
    for number, row in enumerate(waveform):
        row[: speech.length[number]] = speech.read(number)
    return {"waveform": waveform, "length": speech.length}


def gather_recordings(data: PyTree, plan: Plan) -> Batch:
    """As `sejax.experiments.classification.gather`, where "inputs" i32[I] are places among "recordings" [R, ...].

    The batch's inputs are those recordings.
    """
    batch = classification.gather(data, plan)
    return batch | {"inputs": jax.tree.map(lambda each: each[batch["inputs"]], data["recordings"])}


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
