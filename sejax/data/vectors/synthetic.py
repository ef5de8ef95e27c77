"""The artefact of a CycleGAN run: synthetic vectors with their label, their source and the generator that made them."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sejax.core.files import read_json, read_npy, write_json, write_npy
from sejax.errors import InputError, typed

_COLUMNS = ("label", "source", "generator")
REMEDY = f"delete the folder and run {typed('synthesise')} again"


@dataclass(frozen=True, eq=False)
class SyntheticVectors:
    """R synthetic vectors, generator after generator, in each class after class, in each source after source.

    Attributes:
      features: f32[R, F] in the features' own units; memory-mapped.
      label: i32[R], index into `classes`: the emotion that was asked for.
      source: i32[R], index into `source_ids`: the utterance that a vector was made from.
      generator: i32[R], index into `generators`.
      generators: what each was trained on, ``{"fold", "seed", "lambda_cls"}``; fold -1: all labelled vectors.
      names: of the F features. classes, source_ids: as above.
      about: source corpus, target corpora, normalisation and folds of the run that trained the generators.
      folder: where the set lies.
    """

    features: np.ndarray
    label: np.ndarray
    source: np.ndarray
    generator: np.ndarray
    generators: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    source_ids: tuple[str, ...]
    about: dict[str, Any]
    folder: str

    def rows_of(self, **wanted) -> tuple[int, int]:
        """Start and stop of the rows of the generator that is called so: ``rows_of(fold=0, seed=0, lambda_cls=2.0)``.

        Raises:
          InputError: no generator, or several, have these names.
        """
        fits = [
            number
            for number, name in enumerate(self.generators)
            if all(name.get(key) == value for key, value in wanted.items())
        ]
        if len(fits) != 1:
            known = "; ".join(", ".join(f"{k}={v}" for k, v in name.items()) for name in self.generators)
            asked = ", ".join(f"{k}={v}" for k, v in wanted.items())
            raise InputError(f"{self.folder}: {len(fits)} generators with {asked}; there are {known}")
        rows = np.flatnonzero(self.generator == fits[0])
        if not len(rows):
            raise InputError(f"{self.folder}: the generator {self.generators[fits[0]]} made nothing; it had stopped")
        return int(rows[0]), int(rows[-1]) + 1


def load(folder: str | Path) -> SyntheticVectors:
    """Read a synthetic set; the features stay on the disk until they are asked for.

    Raises:
      InputError: the folder is not a finished set, or its files do not fit together.
    """
    folder = Path(folder)
    if not (folder / "index.json").is_file():
        raise InputError(f"{folder} is not a set of synthetic vectors; make one with {typed('synthesise')}")
    index = read_json(folder / "index.json", REMEDY)
    columns = {name: read_npy(folder / f"{name}.npy", REMEDY) for name in _COLUMNS}
    features = read_npy(folder / "features.npy", REMEDY, mapped=True)
    if features.shape != (len(columns["label"]), len(index["names"])):
        raise InputError(
            f"{folder}: features {list(features.shape)}, {len(columns['label'])} labels and {len(index['names'])} "
            f"names do not fit together; {REMEDY}"
        )
    return SyntheticVectors(
        features=features,
        **columns,
        generators=tuple(index["generators"]),
        **{name: tuple(index[name]) for name in ("names", "classes", "source_ids")},
        about=index["about"],
        folder=str(folder),
    )


def write(
    folder: Path,
    batches: Iterable[tuple[int, int, np.ndarray, np.ndarray]],
    *,
    generators: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    classes: Sequence[str],
    source_ids: Sequence[str],
    about: Mapping[str, Any],
) -> None:
    """Write a set batch by batch; the folder appears when it is complete.

    Args:
      folder: must not exist yet.
      batches: (generator, label, source rows i32[n], vectors f32[n, F]) in the set's order.
      generators, names, classes, source_ids, about: see `SyntheticVectors`.

    Raises:
      InputError: the folder exists.
    """
    from sejax.data.store.writing import GrowingArray  # imports the corpora's side, which reading does without

    if folder.exists():
        raise InputError(f"{folder} exists already; delete it, or give another folder")
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    features = GrowingArray(unfinished / "features.npy", (len(names),))
    for generator, label, source, vectors in batches:
        features.append(vectors)
        for name, values in zip(_COLUMNS, (label, source, generator), strict=True):
            columns[name].append(np.broadcast_to(np.asarray(values, np.int32), (len(vectors),)))
    features.finish()
    for name, values in columns.items():
        write_npy(unfinished / f"{name}.npy", np.concatenate(values) if values else np.zeros(0, np.int32))
    lists = {"names": names, "classes": classes, "source_ids": source_ids, "generators": generators}
    index = {name: list(value) for name, value in lists.items()} | {"about": dict(about)}
    write_json(unfinished / "index.json", index)
    os.replace(unfinished, folder)
