"""A finished run as one file to carry, for `sejax.load`: weights, the network as StableHLO, what they need and mean.

The members are chosen as `sejax.experiments.prediction.Predictor` chooses them, and the file answers as it does.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal
from ml_collections import ConfigDict

import sejax
from sejax.audio.opensmile import FEATURE_SETS, size
from sejax.audio.samples import RATE
from sejax.core.files import plain
from sejax.core.results import read_results, summarise
from sejax.core.stores import path_of
from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.spectrograms import image_shape
from sejax.data.utterances.load import UtteranceSettings
from sejax.data.waveforms.pieces import LEAST
from sejax.engine.run import run_settings, trained_states
from sejax.engine.workdir import read_claim
from sejax.errors import InputError, typed
from sejax.experiments import Posteriors
from sejax.experiments.members import best_variant, full_name, is_wanted, no_member, predicting, trained_variants
from sejax.experiments.model_card import card, licence_notes
from sejax.export import archive
from sejax.export.tensors import packed

PLATFORMS = ("cpu", "cuda", "tpu")
ENDINGS = {"sejax": ".sejax", "onnx": ".onnx"}
Network = Callable[[dict[str, jax.Array], Any], jax.Array]  # (weights by name, inputs [I, ...]) -> f32[I, ...]


class Part(NamedTuple):
    """The members of one variant that are exported.

    Attributes:
      network: the mean of their posteriors, of the weights that it needs. weights: these, stacked where members differ.
      names: of the members. config: of the variant.
    """

    network: Network
    weights: dict[str, np.ndarray]
    names: list[dict[str, Any]]
    config: Any


class Ready(NamedTuple):
    """A run's chosen members: their parts, what audio becomes, the shapes of inputs, and the run's results."""

    parts: list[Part]
    settings: dict[str, Any]
    shapes: dict[str, tuple]
    results: Mapping[str, Any]
    chosen: list[Mapping[str, Any]]


class Exported(NamedTuple):
    """What was written: members, bytes, and the SHA-256 of the file."""

    members: list[dict[str, Any]]
    size: int
    sha256: str


def export(workdir: Path, output: Path, *, only: Mapping[str, tuple[str, ...]] | None = None) -> Exported:
    """Write the model of a finished run to a file that `sejax.load` reads, whole or not at all.

    The same run and versions give the same bytes.

    Args:
      workdir: the run's folder. output: the file, which ends in .sejax.
      only: what members are called, as `Predictor` takes it; the posteriors of several are averaged.

    Raises:
      InputError: no finished run, one that classifies nothing, no trained member of these names, members that cannot be
        averaged, or another ending.
    """
    check_output(output, "sejax")
    ready = gathered(workdir, only)
    entries, weights = {}, {}
    for number, part in enumerate(ready.parts):
        weights |= {f"{number}/{name}": array for name, array in part.weights.items()}
        entries[archive.NETWORK.format(number)] = stablehlo(part, ready.shapes)
    notes = licence_notes(ready.results, ready.settings, [part.config for part in ready.parts])
    entries |= {
        archive.WEIGHTS: packed(weights),
        archive.SETTINGS: archive.as_json(ready.settings),
        archive.FIGURES: archive.as_json(figures(ready)),
        archive.LICENCES: notes.encode(),
        archive.CARD: card(ready.results, ready.settings, ready.chosen, notes).encode(),
    }
    made_with = {"sejax": sejax.__version__, "jax": jax.__version__, "numpy": np.__version__}
    digest = archive.write(output, entries, made_with)
    return Exported([name for part in ready.parts for name in part.names], path_of(output).stat().st_size, digest)


def check_output(output: Path, kind: str) -> None:
    """Raises InputError unless the output's name is that of a file of a kind of `ENDINGS`, before any work."""
    if path_of(output).suffix != ENDINGS[kind]:
        raise InputError(f"--output={output}: give a file that ends in {ENDINGS[kind]}, such as model{ENDINGS[kind]}")
    if path_of(output).is_dir():
        raise InputError(f"--output={output} is a folder; name a file in it")


def gathered(
    workdir: Path, only: Mapping[str, tuple[str, ...]] | None = None, *, in_turn: bool = False
) -> Ready:
    """The chosen members of a run with all that their file says; arguments and errors are those of `export`.

    ``in_turn``: members are asked one after the other even where they share a network.
    """
    results = read_results(workdir)
    config = ConfigDict(read_claim(workdir)["config"])
    study, wanted = predicting(config.experiment), best_variant(results, dict(only or {}))
    classes, parts, kinds, chosen, shapes = tuple(results["classes"]), [], [], [], {}
    for variant, folder, members in trained_variants(workdir, results, config):
        rows = [row for row, member in enumerate(members) if is_wanted(member, wanted)]
        if not rows:
            continue
        found = study.posteriors(variant, len(classes))
        if found.together:
            raise InputError(
                f"{workdir}: the run saw features that were normalised by all recordings of a {found.together}, and an "
                f"exported model has one at a time; use {typed('predict')} --together, or normalise_by=training"
            )
        if found.recording:
            raise InputError(
                f"{workdir}: the run hears with a speech encoder, and exported models of such are not made yet; use "
                f"{typed('predict')}"
            )
        kinds.append(_heard(found, results))
        shapes = input_shapes(kinds[-1])
        states = trained_states(
            folder, run_settings(variant).members_at_once, rows, len(members), found.subtrees
        )
        chosen += [members[row] for row in rows]
        parts.append(_part(found, states, [full_name(members[row]) for row in rows], variant, shapes, in_turn))
    if not parts:
        raise no_member(workdir, results, wanted)
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(
            f"{workdir}: the members of {wanted} rate other things or look at crops of another width; name one of the "
            "run's models with --member"
        )
    settings = {
        "experiment": results["experiment"],
        **kinds[0],
        "rate": RATE,
        "classes": list(classes),
        "members": [part.names for part in parts],
        "ranges": results["data"].get("recordings", {}),
        "inputs": {name: [str(side) for side in shape] for name, (shape, _) in shapes.items()},
    }
    return Ready(parts, plain(settings), shapes, results, chosen)


def _heard(found: Posteriors, results: Mapping[str, Any]) -> dict[str, Any]:
    """What audio becomes for a variant, as settings.json has it, and what is said about it."""
    prepared = dict(results["data"]["settings"])
    kind = {"hears": "blocks", "level": prepared.get("level", "none"), "prepared": prepared}
    if found.transcribed:
        bounds = found.transcribed.pieces.keywords
        kind |= {"hears": "transcribed", "pieces": dict(bounds) | {"types": list(results["types"])}}
    elif found.crops:
        kind |= {"hears": "crops", "crops": dict(found.crops)}
    elif prepared.get("features") in FEATURE_SETS:
        kind["hears"] = "functionals"
    return kind | {"rated": {name: list(points) for name, points in found.rated.items()}}


def input_shapes(heard: Mapping[str, Any]) -> dict[str, tuple]:
    """Shape and type of the inputs by name, {"": one array}; the sides "I", "T" and "W" are any number.

    T is a multiple of 8192 samples, W of 8 words.
    """
    prepared = heard["prepared"]
    if heard["hears"] == "transcribed":
        return {
            "waveform": (("I", "T"), np.int16),
            "length": (("I",), np.int32),
            "words": (("I", "W"), np.int32),
            "word_count": (("I",), np.int32),
        }
    if heard["hears"] == "crops":
        sides = (UtteranceSettings(**prepared).bands, heard["crops"]["width"])
    elif heard["hears"] == "functionals":
        sides = (size(prepared["features"]),)
    else:
        sides = image_shape(BlockSettings.from_dict(prepared))
    return {"": (("I", *sides), np.float32)}


def inputs_like(shapes: Mapping[str, tuple], sides: Mapping[str, Any]):
    """Inputs of these shapes as `jax.ShapeDtypeStruct`, with what takes the place of "I", "T" and "W"."""
    made = {
        name: jax.ShapeDtypeStruct(tuple(sides.get(side, side) for side in shape), dtype)
        for name, (shape, dtype) in shapes.items()
    }
    return made.get("", made)


def _part(
    found: Posteriors, states, names: list[dict[str, Any]], config, shapes: Mapping[str, tuple], alone: bool
) -> Part:
    """The mean of members as a function of the weights that it needs.

    Where members share a network (a frozen trunk), it is asked once for all; where each has its own they are asked one
    after the other, so that memory does not grow with their number.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path((states, found.shared))
    weights = {_name(path): np.asarray(leaf) for path, leaf in leaves}
    like = inputs_like(shapes, {"I": 2, "T": LEAST["samples"], "W": LEAST["words"]})

    def rebuilt(given):
        # What the network does not need is not in the file; its shape is all that tracing asks for.
        whole = [given[name] if name in given else jnp.zeros(x.shape, x.dtype) for name, x in weights.items()]
        return jax.tree_util.tree_unflatten(structure, whole)

    def side_by_side(given, inputs):
        states, shared = rebuilt(given)
        return jax.vmap(found.apply, in_axes=(0, None, None))(states, shared, inputs).mean(0)

    def in_turn(given, inputs):
        states, shared = rebuilt(given)
        one = jax.eval_shape(lambda states: found.apply(jax.tree.map(lambda x: x[0], states), shared, inputs), states)

        def add(total, state):
            return total + found.apply(state, shared, inputs), None

        return jax.lax.scan(add, jnp.zeros(one.shape, one.dtype), states)[0] / len(names)

    network, needed = side_by_side, _needed(side_by_side, weights, like)
    if alone or not any(name.startswith("1/") for name in needed):
        network, needed = in_turn, _needed(in_turn, weights, like)
    return Part(network, {name: weights[name] for name in needed}, names, config)


def _name(path) -> str:
    """A leaf's path as a name: "0/params/head/kernel" of a state, "1/params/..." of what members share."""
    return "/".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)


def _needed(network: Network, weights: Mapping[str, np.ndarray], like) -> list[str]:
    """The weights that the outputs depend on."""
    names = sorted(weights)
    jaxpr = jax.make_jaxpr(network)({name: weights[name] for name in names}, like).jaxpr
    live = {id(x) for x in jaxpr.outvars if not isinstance(x, Literal)}
    for equation in reversed(jaxpr.eqns):
        if equation.effects or any(id(x) in live for x in equation.outvars):
            live |= {id(x) for x in equation.invars if not isinstance(x, Literal)}
    return [name for name, x in zip(names, jaxpr.invars, strict=False) if id(x) in live]


def stablehlo(part: Part, shapes: Mapping[str, tuple]) -> bytes:
    """A part's network, for any number of inputs and every platform, as jax.export serialises it."""
    like = inputs_like(shapes, _symbolic())
    weights = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in part.weights.items()}

    def network(weights, inputs):
        return part.network(weights, inputs)

    with _without_locations():
        return bytes(jax.export.export(jax.jit(network), platforms=PLATFORMS)(weights, like).serialize())


def _symbolic() -> dict[str, Any]:
    inputs, samples, words = jax.export.symbolic_shape("I, T, W")
    return {"I": inputs, "T": LEAST["samples"] * samples, "W": LEAST["words"] * words}


@contextlib.contextmanager
def _without_locations() -> Iterator[None]:
    """Programs say nothing of where in which file, of whose machine, each operation comes from."""
    limit = jax.config.jax_traceback_in_locations_limit
    jax.config.update("jax_traceback_in_locations_limit", 0)
    jax.clear_caches()  # of what was traced with them
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", limit)


def figures(ready: Ready) -> dict[str, Any]:
    """What figures.json holds: the run's protocol and figures, and those of the exported members alone."""
    results = ready.results
    kept = ("experiment", "corpus", "test_corpus", "unlabelled", "protocol", "ratings", "unit", "paper", "variants")
    found = {name: results[name] for name in kept if name in results}
    names = [name for part in ready.parts for name in part.names]
    members = [
        name | {key: member.get(key) for key in ("metrics", "confusion") if key in member}
        for name, member in zip(names, ready.chosen, strict=True)
    ]
    data = {name: value for name, value in results["data"].items() if name != "settings"}
    return found | {"exported": summarise(ready.chosen), "members": members, "data": data}


def export_onnx(workdir: Path, output: Path, *, only=None) -> tuple[Exported, float]:
    """Write the network of a finished run's members as ONNX, and compare it with JAX.

    The file is the network alone: what audio becomes is in the .sejax file. Arguments are those of `export`.

    Returns:
      What was written, and the largest difference of a posterior between onnxruntime and JAX.

    Raises:
      InputError: as `export`; a package is missing; a network of several variants; or one that ONNX gets wrong.
    """
    from sejax.experiments.onnx import write_onnx

    check_output(output, "onnx")
    # In a loop: of a graph without one onnxruntime may lose rows, findings/onnxruntime_einsum_ellipsis_loses_rows.sh.
    return write_onnx(gathered(workdir, only, in_turn=True), Path(output))


