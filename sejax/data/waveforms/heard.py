"""What a frozen speech encoder hears in recordings, computed once and cached beside the prepared set they come from."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from sejax.audio.samples import RATE
from sejax.core.experiment import PyTree
from sejax.core.files import read_npy, write_npy
from sejax.data.blocks.trunk_features import REMEDY, fingerprint
from sejax.data.buckets import choose_buckets
from sejax.data.store.sets import ExampleSet

SAMPLES = 1 << 20  # in one call, 65 s: an encoder of base size takes 1.6 GiB with them
ROWS = 32  # in one call at most
SHAPES = 8  # lengths that calls have at most, each compiled once: one for every ten minutes of sound
PART = 512  # recordings after which what is known is kept


def heard(
    apply: Callable[[PyTree, jax.Array, jax.Array], jax.Array],
    variables: PyTree,
    length: np.ndarray,
    read: Callable[[int], np.ndarray],
    *,
    cache: Path | None,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Asks a frozen encoder about recordings, or reads what an earlier run stored.

    Args:
      apply: ``apply(variables, int16[B, T], length i32[B]) -> f32[B, ...]``, traceable; what it gives for a row depends
        on the row's own samples alone.
      variables: the frozen weights, part of the cache's name.
      length: i[N], samples of the recordings, at least one each. read: ``read(number) -> int16[length[number]]``.
      cache: folder for the array (the prepared set's); None keeps nothing.
      settings: everything else that the answers depend on, JSON-serialisable; which recordings they are among it.

    Returns:
      f32[N, ...], memory-mapped when cached. An interrupted computation goes on where it was; where the folder cannot
      be written, the answers are for this run alone, and stderr says so.

    Raises:
      InputError: the stored array is damaged.
    """
    target = None if cache is None else Path(cache) / f"heard-{fingerprint(variables, settings)}.npy"
    if target is not None and target.exists():
        return read_npy(target, REMEDY, mapped=True)
    length = np.asarray(length)
    order = np.argsort(length, kind="stable")
    parts = [order[first : first + PART] for first in range(0, len(order), PART)]
    compiled, found, writable = jax.jit(apply), None, target is not None
    kept = [None if target is None else target.with_suffix(f".part{number}.npy") for number in range(len(parts))]
    shapes = 1 + min(SHAPES - 1, int(length.sum() // (600 * RATE)))
    buckets = choose_buckets(length, np.zeros_like(length), shapes=shapes)
    with tqdm(desc="speech encoder", total=round(length.sum() / RATE), unit=" s") as progress:
        for rows, file in zip(parts, kept, strict=True):
            if file is not None and file.exists():
                values = read_npy(file, REMEDY)
            else:
                values = _answers(compiled, variables, read, rows, buckets.samples, length)
                writable = writable and _written(file, values)
            found = np.empty((len(length), *values.shape[1:]), np.float32) if found is None else found
            found[rows] = values
            progress.update(round(length[rows].sum() / RATE))
    if not writable or not _written(target, found):
        return found
    for file in kept:
        file.unlink(missing_ok=True)
    return read_npy(target, REMEDY, mapped=True)


def kept_beside(speech: ExampleSet, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments ``cache`` and ``settings`` of `heard` for a prepared set; of several as one, beside the first."""
    if speech.joined_from:
        return kept_beside(speech.joined_from[0], {**settings, "corpora": speech.corpus})
    return {"cache": Path(speech.folder) if speech.folder else None, "settings": settings}


def _answers(compiled, variables, read, rows: np.ndarray, samples, length: np.ndarray) -> np.ndarray:
    """f32[R, ...] of some recordings, which are in the order of their lengths; calls have few shapes."""
    bucket, found = np.searchsorted(samples, length[rows]), []
    for number in np.unique(bucket):
        own, width = rows[bucket == number], samples[number]
        at_once = max(1, min(ROWS, SAMPLES // width))
        for first in range(0, len(own), at_once):
            some = own[first : first + at_once]
            waveform = np.zeros((at_once, width), np.int16)
            for row, place in zip(waveform, some, strict=False):
                row[: length[place]] = read(place)
            counts = np.zeros(at_once, np.int32)
            counts[: len(some)] = length[some]
            found.append(np.asarray(compiled(variables, waveform, counts))[: len(some)])
    return np.concatenate(found)


def _written(file: Path, values: np.ndarray) -> bool:
    try:
        write_npy(file, values)
    except OSError as error:
        print(f"what the encoder hears is not kept for other runs: {file}: {error.strerror}", file=sys.stderr)
        return False
    return True


def digest_of_places(*arrays: np.ndarray) -> str:
    """A few digits that change with which stretches of a prepared set are heard, for a cache's settings."""
    described = json.dumps([np.asarray(array).tolist() for array in arrays])
    return hashlib.sha256(described.encode()).hexdigest()[:16]
