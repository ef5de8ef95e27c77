"""A trained run applied to plain audio: posteriors of its blocks (or chunks) with their times, and the utterance's."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax.traverse_util import unflatten_dict
from ml_collections import ConfigDict

from sejax import experiments
from sejax.core.experiment import PyTree
from sejax.data.settings import Settings as FeatureSettings
from sejax.data.voiced import spectrograms, voiced_blocks
from sejax.engine.backend import run_settings
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.run import groups
from sejax.engine.variants import folder_of, read_finished
from sejax.engine.workdir import read_claim
from sejax.errors import InputError
from sejax.report.results import REPEATS, name_of, read_results


class Prediction(NamedTuple):
    """Posteriors of one recording, N blocks, C classes.

    Attributes:
      start, end: f64[N], seconds in the original recording.
      posteriors: f32[N, C], mean over the block's images and over the members asked for.
      utterance: f32[C], mean over blocks.
    """

    start: np.ndarray
    end: np.ndarray
    posteriors: np.ndarray
    utterance: np.ndarray


class Predictor:
    """Members of a finished run, ready for audio.

    Args:
      workdir: the run's folder.
      only: what the members are to be called, by name ({"fold": ("0",)}, {"model": ("resnet50",)}); their
        posteriors are averaged. A recording of the training corpus was seen by all folds but one: choose the
        fold that tests it. What is not said is chosen by validation accuracy where a run compared several things.

    Attributes:
      classes: C class names. settings: how spectrograms are made. members: the names of those that predict.

    Raises:
      InputError: no finished run, or no trained member of these names.
    """

    def __init__(self, workdir: Path, *, only: Mapping[str, tuple[str, ...]] | None = None):
        results = read_results(workdir)
        config = ConfigDict(read_claim(workdir)["config"])
        self.classes = tuple(results["classes"])
        self.settings = FeatureSettings.from_dict(results["data"]["settings"])
        wanted = best_variant(results, dict(only or {}))
        self.members, self._parts = [], []
        for name, variant in experiments.variants(config).items():
            folder = folder_of(Path(workdir), name)
            members = read_finished(folder)[0] if name else results["members"]
            rows = [row for row, member in enumerate(members) if not member["failed"] and _fits(member, wanted)]
            if rows:
                self.members += [_name(members[row]) for row in rows]
                self._parts.append(self._part(folder, variant, rows, len(members)))
        if not self._parts:
            known = "; ".join(", ".join(f"{k} {v}" for k, v in _name(m).items()) for m in results["members"])
            raise InputError(f"{workdir}: no trained member is {wanted}; its members are {known}")

    def _part(self, folder: Path, config, rows: list[int], count: int):
        subtrees, shared, apply = experiments.posteriors(config, len(self.classes))
        states = _states(folder, run_settings(config).members_at_once, rows, count, subtrees)
        return partial(jax.jit(jax.vmap(apply, in_axes=(0, None, None))), states, shared)

    def __call__(self, waveform: np.ndarray, rate: int) -> Prediction:
        """Posteriors of an int16 waveform [T] at 16 kHz.

        Raises:
          InputError: less voiced speech than one block.
        """
        blocks = voiced_blocks(waveform, rate, self.settings)
        if not len(blocks.samples):
            raise InputError(
                f"{blocks.seconds_kept:.2f} s of speech found in {len(waveform) / rate:.2f} s of audio, less than one "
                f"block of {self.settings.block_length} s: give a longer recording"
            )
        images = spectrograms(blocks.samples, self.settings)  # [N, fmax, bands, frames]
        count, levels = images.shape[:2]
        images = images.reshape(-1, *images.shape[2:])
        # Few shapes, few compilations: filled up to a power of two.
        padded = np.zeros((1 << (len(images) - 1).bit_length(), *images.shape[1:]), np.float32)
        padded[: len(images)] = images
        found = np.concatenate([np.asarray(part(padded)) for part in self._parts])  # [M, I, C]
        found = found[:, : len(images)].mean(0).reshape(count, levels, -1).mean(1)
        return Prediction(blocks.start, blocks.end, found, found.mean(0))


def best_variant(results: Mapping[str, Any], only: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """``only``, narrowed to one variant where a run has several that fit: the one that validates best."""
    fitting = [variant for variant in results.get("variants", ()) if _fits(variant["name"], only, partly=True)]
    scored = [variant for variant in fitting if "valid/accuracy" in variant["summary"]]
    if len(fitting) < 2 or not scored:
        return only
    best = max(scored, key=lambda variant: variant["summary"]["valid/accuracy"]["mean"])
    return {name: (str(value),) for name, value in best["name"].items()} | only


def _name(member: Mapping[str, Any]) -> dict[str, Any]:
    """What a member is called, its fold and seed included."""
    return name_of(member) | {field: member[field] for field in REPEATS if field in member}


def _fits(name: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], *, partly: bool = False) -> bool:
    """Whether a member or variant is called as wanted; ``partly`` lets it lack a name (a variant has no seed)."""
    return all((partly and key not in name) or str(name.get(key)) in values for key, values in wanted.items())


def _states(folder: Path, at_once: int, rows: list[int], count: int, subtrees: tuple[str, ...]) -> PyTree:
    """The subtrees of the states of members ``rows`` (of ``count``), stacked, from their checkpoints."""
    found = []
    for start, stop in groups(count, at_once):
        inside = [row - start for row in rows if start <= row < stop]
        if inside:
            checkpoints = Checkpoints(folder / "checkpoints" / f"members_{start}-{stop - 1}")
            arrays = checkpoints.read()
            checkpoints.close()
            kept = {k: v for k, v in arrays.items() if k.startswith(tuple(f"state/{name}/" for name in subtrees))}
            found += [{name: array[row] for name, array in kept.items()} for row in inside]
    stacked = {name.removeprefix("state/"): np.stack([row[name] for row in found]) for name in found[0]}
    return dict.fromkeys(subtrees, {}) | unflatten_dict(stacked, sep="/")
