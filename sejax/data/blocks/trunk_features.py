"""Features of a frozen trunk, computed once and cached beside the prepared set they come from.

They are computed, written and read in pieces, so that memory does not depend on how many there are.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from tqdm import tqdm

from sejax.core.experiment import PyTree
from sejax.core.files import locked, naming, read_npy
from sejax.data.store.writing import JOURNAL, GrowingArray, Journal
from sejax.errors import InputError

BATCH = 64
PIECE = 16 * BATCH  # rows that are written and noted at once: a kill loses no more work than that
REMEDY = "delete it, and the same command computes it again"


def fingerprint(variables: PyTree, settings: Any) -> str:
    """12 hex digits that change with any weight or setting."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, leaf in sorted(flatten_dict(variables, sep="/").items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()[:12]


def trunk_features(
    apply: Callable[[PyTree, jax.Array], jax.Array],
    variables: PyTree,
    spectrogram: np.ndarray,
    *,
    cache: Path | None,
    settings: Mapping[str, Any],
    gain: float = 0.0,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Runs a frozen network over spectrograms, or reads what an earlier run stored.

    Args:
      apply: ``apply(variables, f32[B, bands, frames] in dB) -> features [B, ...]``, traceable.
      variables: the frozen weights, part of the cache's name.
      spectrogram: f32[N, bands, frames]; may be memory-mapped, a batch is read at a time.
      cache: folder for the cached array (the prepared set's); None keeps nothing.
      settings: everything else that the features depend on, JSON-serialisable; the rows among it.
      gain: dB that are added to the spectrograms.
      rows: i[I], the spectrograms whose features are wanted; None: all.

    Returns:
      f32[I, ...], memory-mapped when cached. An interrupted computation leaves no file of that name, and the next one
      goes on where it was; one that another process is at is waited for. Where the folder cannot be written, the
      features are for this run alone, in memory, and stderr says so.

    Raises:
      InputError: the stored array is damaged.
    """
    settings = dict(settings) | ({"gain": gain} if gain else {})
    pieces = _Pieces(apply, variables, spectrogram, gain, rows)
    if cache is None:
        return pieces.in_memory()
    target = Path(cache) / f"trunk-{fingerprint(variables, settings)}.npy"
    if not target.exists():
        try:
            _write(target, pieces)
        except OSError as error:
            print(f"features of the trunk are not kept for other runs: {target}: {error.strerror}", file=sys.stderr)
            return pieces.in_memory()
    return read_npy(target, REMEDY, mapped=True)


def moments(features: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, both f64[M, D], of the rows of features [I, D] that each mask of bool[M, I] chooses.

    Read a piece at a time; sums are of double precision. A mask that chooses nothing has zeros.
    """
    sums = np.zeros((2, len(chosen), features.shape[1]))
    starts = range(0, len(features), PIECE)
    for start in tqdm(starts, desc="statistics of features", unit=" pieces", disable=len(starts) < 100):
        values = np.asarray(features[start : start + PIECE], np.float64)
        weights = chosen[:, start : start + PIECE].astype(np.float64)
        sums += weights @ values, weights @ np.square(values)
    mean, square = sums / np.maximum(chosen.sum(1), 1)[:, None]
    return mean, np.maximum(square - np.square(mean), 0.0)


def _write(target: Path, pieces: "_Pieces") -> None:
    """Write the features, from where a killed computation left them; the file is there when all of it is.

    What cannot be written is deleted again.
    """
    unfinished = target.with_suffix(".unfinished")
    try:
        with naming(target), locked(unfinished / "lock", None):
            if target.exists():  # another process finished it meanwhile
                shutil.rmtree(unfinished, ignore_errors=True)
                return
            path = unfinished / target.name
            try:
                journal, array = _opened(path, pieces.shape)
            except InputError:  # damaged: as if there were nothing
                (unfinished / JOURNAL).unlink()
                journal, array = _opened(path, pieces.shape)
            with contextlib.closing(journal):
                for values in pieces.after(array.rows):
                    array.append(values)
                    array.flush()
                    journal.append(array.rows, array.digest())
            array.finish()
            os.replace(path, target)
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _opened(path: Path, shape: tuple[int, ...]) -> tuple[Journal, GrowingArray]:
    """The journal and the array beside it, after what they hold. Raises InputError where they are damaged."""
    journal = Journal(path.parent / JOURNAL)
    rows = max(journal, default=0)
    return journal, GrowingArray(path, shape, rows=rows, digest=journal.rows)


class _Pieces:
    """What a frozen network gives of spectrograms, as `trunk_features` takes them, `PIECE` rows at a time."""

    def __init__(self, apply, variables, spectrogram: np.ndarray, gain: float, rows: np.ndarray | None):
        self._apply, self._variables, self._spectrogram, self._gain = apply, variables, spectrogram, gain
        self._rows = np.arange(len(spectrogram)) if rows is None else np.asarray(rows)

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Of a row."""
        batch = jax.ShapeDtypeStruct((BATCH, *self._spectrogram.shape[1:]), np.float32)
        return jax.eval_shape(self._apply, self._variables, batch).shape[1:]

    def in_memory(self) -> np.ndarray:
        """All of them."""
        features = np.empty((len(self._rows), *self.shape), np.float32)
        for start, values in zip(range(0, len(features), PIECE), self.after(0), strict=True):
            features[start : start + PIECE] = values
        return features

    def after(self, done: int) -> Iterator[np.ndarray]:
        """f32[n, ...] of the rows after the first so many, a multiple of `PIECE` unless they are all."""
        compiled, total = jax.jit(self._apply), len(self._rows)
        with tqdm(desc="trunk features", total=total, initial=done, unit=" images") as progress:
            for start in range(done, total, PIECE):
                stop = min(start + PIECE, total)
                batches = [slice(first, min(first + BATCH, stop)) for first in range(start, stop, BATCH)]
                yield np.concatenate([self._batch(compiled, self._rows[batch]) for batch in batches])
                progress.update(stop - start)

    def _batch(self, compiled, rows: np.ndarray) -> np.ndarray:
        values = np.asarray(self._spectrogram[rows], np.float32) + np.float32(self._gain)
        # One compiled shape: the last batch is filled up with its own first row.
        values = np.concatenate([values, np.repeat(values[:1], BATCH - len(rows), axis=0)])
        return np.asarray(compiled(self._variables, values))[: len(rows)]
