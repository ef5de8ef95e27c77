"""Trained generators applied to vectors: in another project, and to make the synthetic set of a run.

    generators = load_generators("runs/cyclegan-emodb", fold=-1, lambda_cls=2.0)
    synthetic = transfer(generators, vectors)     # f32[4, B, 1582]: angry, happy, neutral, sad
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import struct
from ml_collections import ConfigDict

from sejax.core.experiment import PyTree
from sejax.core.results import read_results
from sejax.core.stores import path_of
from sejax.data.official_folds import SPLIT
from sejax.data.vectors import synthetic
from sejax.data.vectors.load import Vectors
from sejax.engine.run import run_settings, trained_states
from sejax.engine.workdir import read_claim
from sejax.errors import InputError
from sejax.experiments.cyclegan.results import FIGURES
from sejax.experiments.feature_vectors import Scaling, normalised_by
from sejax.experiments.methods import dtype_of
from sejax.models.feed_forward import generator

AT_ONCE = 4096  # source vectors


@struct.dataclass
class Generators:
    """The generators of one member, a pytree that jit and vmap take as it is. E emotions, F features.

    Attributes:
      params: of the generators that make target vectors, stacked [E, ...].
      scaling: the member's min-max scaling, f32[F] each.
      classes: the E emotions, in the order of the result's first axis.
      slope: of the leaky ReLU.
      dtype: of the factors of products, as in training, see `sejax.models.products`; None: float32.
    """

    params: PyTree
    scaling: Scaling
    classes: tuple[str, ...] = struct.field(pytree_node=False)
    slope: float = struct.field(pytree_node=False, default=0.2)
    dtype: Any = struct.field(pytree_node=False, default=None)


def transfer(generators: Generators, vectors) -> jax.Array:
    """Synthetic vectors f32[E, B, F] of source vectors f32[B, F], both in the features' own units. Pure.

    Of a run with another ``normalise_by`` than "training" both are as `sejax.experiments.feature_vectors.normalised_by`
    leaves them.

    The same source becomes one vector for each emotion; dropout is off, so the result is a function of its input.
    """
    widths = [generators.params[f"hidden_{number}"]["bias"].shape[-1] for number in range(len(generators.params) - 1)]
    network = generator(vectors.shape[-1], hidden=tuple(widths), slope=generators.slope, dtype=generators.dtype)
    x = generators.scaling.apply(vectors)
    made = jax.vmap(lambda params: network.apply({"params": params}, x))(generators.params)
    return generators.scaling.invert(made)


def load_generators(
    workdir: str | Path, *, fold: int, seed: int = 0, lambda_cls: float | None = None
) -> Generators:
    """The generators of one member of a finished run; needs the workdir alone, no data.

    Args:
      workdir: of a run of configs/cyclegan.py.
      fold: which part they did not see; -1: they saw all.
      seed, lambda_cls: which of the run's; the weight may be left out where there is one.

    Raises:
      InputError: no such run or member, or one that stopped because it was not finite.
    """
    results = read_results(workdir)
    members = results["members"]
    wanted = {"fold": fold, "seed": seed} | ({} if lambda_cls is None else {"lambda_cls": float(lambda_cls)})
    rows = [row for row, member in enumerate(members) if wanted.items() <= member.items()]
    if results["experiment"] != "cyclegan" or len(rows) != 1:
        known = "; ".join(", ".join(f"{k}={m[k]}" for k in ("fold", "seed", "lambda_cls")) for m in members[:12])
        raise InputError(f"{workdir}: {len(rows)} members are {wanted}; they are {known}")
    if members[rows[0]]["failed"]:
        raise InputError(f"{workdir}: the member {wanted} failed: {members[rows[0]]['failed']['reason']}")
    return _generators(path_of(workdir), rows, len(members), results["classes"])[0]


def _generators(workdir: Path, rows: Sequence[int], count: int, classes: Sequence[str]) -> list[Generators]:
    config = ConfigDict(read_claim(workdir)["config"])
    at_once = run_settings(config).members_at_once
    states = trained_states(workdir, at_once, rows, count, ("generators/target", "scaling"))
    params, scaling = states["generators"]["target"], Scaling(**states["scaling"])
    about = (tuple(classes), float(config.slope), dtype_of(config))
    return [
        Generators(*jax.tree.map(lambda x, row=row: x[row], (params, scaling)), *about) for row in range(len(rows))
    ]


def synthesise(workdir: Path, source: Vectors, folder: Path) -> list[dict[str, Any]]:
    """Write the synthetic set of a run: every source vector through every generator that is sound.

    Args:
      workdir: of the finished run. source: the vectors to transfer, not necessarily those it trained on.
      folder: of the set, see `sejax.data.vectors.synthetic`.

    Returns:
      The names of the generators, ``{"fold", "seed", "lambda_cls"}``.

    Raises:
      InputError: no finished CycleGAN run, other features than it was trained on, or a folder that exists.
    """
    results = read_results(workdir)
    if results["experiment"] != "cyclegan":
        raise InputError(f"{workdir} is a run of {results['experiment']}; give one of configs/cyclegan.py")
    members = [member for member in results["members"] if not member["failed"]]
    names = [{field: member[field] for field in ("fold", "seed", "lambda_cls")} for member in members]
    trained = results["data"]["features"]
    here, there = (
        (each.get("features"), each.get("level", "none"), each.get("trim", "none"))
        for each in (source.settings, results["config"])
    )
    if len(source.names) != trained or here != there:
        raise InputError(
            f"{source.folder}: {len(source.names)} features of {here[0]} at level {here[1]}, trimmed by {here[2]}, and "
            f"{workdir} was trained on {trained} of {there[0]} at level {there[1]}, trimmed by {there[2]}; prepare the "
            f"source with --features={there[0]} --level={there[1]} --trim={there[2]}"
        )
    group = results["config"].get("normalise_by", "training")
    source = normalised_by(source, group)
    # Folds of another protocol are named; runs of earlier versions have no such field.
    official = ("protocol", "split_folds") if results["config"].get("protocol") == SPLIT else ()
    synthetic.write(
        folder,
        _parts(workdir, results, source),
        generators=names,
        names=source.names,
        classes=results["classes"],
        source_ids=source.utterance_ids,
        about={
            "source": source.corpus,
            "target": list(results["config"]["target"]),
            "normalisation": results["protocol"],
            **{name: results["config"][name] for name in ("folds", "seed", "seeds", "features")},
            **{name: value for name, value in zip(("level", "trim"), there[1:], strict=True) if value != "none"},
            **({} if group == "training" else {"normalise_by": group}),
            **({"classes": list(classes)} if (classes := results["config"].get("classes")) else {}),
            **{name: results["config"][name] for name in official},
            **{f"distances/{name}": [m["metrics"].get(f"train/{name}_synthetic") for m in members] for name in FIGURES},
        },
    )
    return names


def _parts(workdir: Path, results, source: Vectors) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """The synthetic vectors of one generator, class and stretch of the source after the other."""
    make = jax.jit(transfer)
    rows = [row for row, member in enumerate(results["members"]) if not member["failed"]]
    loaded = _generators(workdir, rows, len(results["members"]), results["classes"])  # checkpoints are read once
    for number, (row, generators) in enumerate(zip(rows, loaded, strict=True)):
        sound = [results["members"][row]["gans"][name] is None for name in generators.classes]
        starts = range(0, len(source.features), AT_ONCE)
        made = [np.asarray(make(generators, np.asarray(source.features[i : i + AT_ONCE]))) for i in starts]
        for label in np.flatnonzero(sound):
            for start, vectors in zip(starts, made, strict=True):
                yield number, int(label), start + np.arange(vectors.shape[1], dtype=np.int32), vectors[label]
