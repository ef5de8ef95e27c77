"""A trained run applied to plain audio: block posteriors with their times, and the utterance's."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from flax.traverse_util import unflatten_dict
from ml_collections import ConfigDict

from sejax.core.experiment import PyTree
from sejax.data.settings import Settings as FeatureSettings
from sejax.data.voiced import spectrograms, voiced_blocks
from sejax.engine.backend import run_settings
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.run import groups
from sejax.engine.workdir import read_claim
from sejax.errors import InputError
from sejax.experiments.pseudo_labelling.assembly import frozen_trunk, load_weights, trained_network
from sejax.report.results import read_results


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
    """The members of a finished run, ready for audio.

    Args:
      workdir: the run's folder.
      folds: which folds' networks to average; None for all. A recording of the training corpus was
        seen by all folds but one: choose the fold that tests it.

    Attributes:
      classes: C class names. settings: how spectrograms are made.
    """

    def __init__(self, workdir: Path, *, folds: tuple[int, ...] | None = None):
        results = read_results(workdir)
        self.config = ConfigDict(read_claim(workdir)["config"])
        self.classes = tuple(results["classes"])
        self.settings = FeatureSettings.from_dict(results["data"]["settings"])
        params, constants = _member_weights(Path(workdir), self.config, results["members"], folds)
        self._posteriors = partial(jax.jit(self._network()), params, constants, load_weights(self.config))

    def _network(self):
        config, classes = self.config, len(self.classes)
        network = trained_network(config, classes)

        def posteriors(params, constants, variables, images):
            inputs = images if config.trainable == "all" else frozen_trunk(config)(variables, images)
            logits = jax.vmap(lambda p, c: network.apply(p, c, inputs))(params, constants)  # [M, I, C]
            return jax.nn.softmax(logits).mean(0)

        return posteriors

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
        found = np.asarray(self._posteriors(padded))[: len(images)].reshape(count, levels, -1).mean(1)
        return Prediction(blocks.start, blocks.end, found, found.mean(0))


def _member_weights(workdir: Path, config, members, folds) -> tuple[PyTree, PyTree]:
    """Stacked params and constants of the healthy members of the folds asked for."""
    rows = []
    for start, stop in groups(len(members), run_settings(config).members_at_once):
        checkpoints = Checkpoints(workdir / "checkpoints" / f"members_{start}-{stop - 1}")
        arrays = checkpoints.read()
        checkpoints.close()
        for i in range(start, stop):
            if members[i]["failed"] is None and (folds is None or members[i]["fold"] in folds):
                rows.append({name: array[i - start] for name, array in arrays.items() if name.startswith("state/")})
    if not rows:
        known = sorted({member["fold"] for member in members})
        raise InputError(f"{workdir}: no trained member of folds {folds}; its folds are {known}")
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def subtree(prefix):
        return unflatten_dict(
            {name.removeprefix(prefix): array for name, array in stacked.items() if name.startswith(prefix)}, sep="/"
        )

    return subtree("state/params/"), subtree("state/constants/")
