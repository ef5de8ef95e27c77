"""Features of a frozen trunk, computed once and cached beside the prepared set they come from."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from tqdm import tqdm

from sejax.core.experiment import PyTree
from sejax.core.files import read_npy, write_npy

BATCH = 64
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
) -> np.ndarray:
    """Runs a frozen network over all spectrograms, or reads what an earlier run stored.

    Args:
      apply: ``apply(variables, f32[B, bands, frames] in dB) -> features [B, ...]``, traceable.
      variables: the frozen weights, part of the cache's name.
      spectrogram: f32[I, bands, frames].
      cache: folder for the cached array (the prepared set's); None keeps nothing.
      settings: everything else that the features depend on, JSON-serialisable.
      gain: dB that are added to the spectrograms.

    Returns:
      f32[I, ...], memory-mapped when cached. An interrupted computation leaves no file behind; where the folder
      cannot be written, the features are for this run alone, and stderr says so.

    Raises:
      InputError: the stored array is damaged.
    """
    settings = dict(settings) | ({"gain": gain} if gain else {})
    target = None if cache is None else Path(cache) / f"trunk-{fingerprint(variables, settings)}.npy"
    if target is not None and target.exists():
        return read_npy(target, REMEDY, mapped=True)
    features = _compute(apply, variables, spectrogram, gain)
    if target is None:
        return features
    try:
        write_npy(target, features)
    except OSError as error:
        print(f"features of the trunk are not kept for other runs: {target}: {error.strerror}", file=sys.stderr)
        return features
    return read_npy(target, REMEDY, mapped=True)


def _compute(apply, variables, spectrogram: np.ndarray, gain: float) -> np.ndarray:
    compiled = jax.jit(apply)
    images = len(spectrogram)
    shape = jax.eval_shape(apply, variables, jax.ShapeDtypeStruct((BATCH, *spectrogram.shape[1:]), np.float32)).shape
    features = np.empty((images, *shape[1:]), np.float32)
    with tqdm(desc="trunk features", total=images, unit=" images") as progress:
        for start in range(0, images, BATCH):
            rows = np.asarray(spectrogram[start : start + BATCH], np.float32) + np.float32(gain)
            count = len(rows)
            # One compiled shape: the last batch is filled up with its own first row.
            rows = np.concatenate([rows, np.repeat(rows[:1], BATCH - count, axis=0)])
            features[start : start + count] = np.asarray(compiled(variables, rows))[:count]
            progress.update(count)
    return features
