"""What the multitask DCGAN's training is told, and what it carries from update to update."""

from typing import Any, NamedTuple

import jax
from flax import struct

from sejax.core.experiment import State
from sejax.core.schedules import EarlyStopping

UPDATES = ("alternating", "joint")
CRITERIA = ("uar", "accuracy")


class Settings(NamedTuple):
    """The method's numbers; defaults are the paper's where it states them.

    Attributes:
      epochs: at most this many passes over the labelled crops.
      patience: epochs without a better validation figure that end the training.
      criterion: that figure, "uar" (the paper's unweighted accuracy) or "accuracy".
      updates: "alternating" (the paper's) or "joint".
      weights: of the losses of valence and activation in a joint update.
      b1, b2, epsilon: Adam's; b1 as in DCGAN.
      samples: N, crops generated for the gallery. snapshots: K, rows of the gallery.
      seed: of all members; what tells them apart is their ``draw``.
    """

    epochs: int
    patience: int = 5
    criterion: str = "uar"
    updates: str = "alternating"
    weights: tuple[float, float] = (1.0, 1.0)
    b1: float = 0.5
    b2: float = 0.999
    epsilon: float = 1e-8
    samples: int = 8
    snapshots: int = 8
    seed: int = 0


@struct.dataclass
class DcganState(State):
    """One fold and seed. U labelled utterances, D rated dimensions, L places in an epoch, V validation places.

    Attributes:
      params: of every network by its name. statistics: of the batches of trunk and generator.
      optimizer: Adam's moments, by loss (alternating) or "generator" and "rest" (joint).
      best: the classifier's params and statistics at the best validation figure.
      learning_rate: f32[]. stopping: the schedule's state.
      part: i8[U]. draw: i32[], number of its fold and seed.
      seeds, rows, count, epoch_start, valid_index, valid_mask: see `sejax.experiments.dcgan.batches.CroppedState`.
      gallery: u8[K, N, bands, width], crops generated from the same draws after epochs 1, 2, 4 and so on, the last row
        after the latest epoch; K or N is 0 without a generator.
      collapsed_at: i32[], the epoch after which generated crops were all alike for the first time; -1: never.
    """

    params: Any
    statistics: Any
    optimizer: Any
    best: Any
    learning_rate: jax.Array
    stopping: EarlyStopping
    part: jax.Array
    draw: jax.Array
    seeds: dict[str, jax.Array]
    rows: jax.Array
    count: jax.Array
    epoch_start: jax.Array
    valid_index: jax.Array
    valid_mask: jax.Array
    gallery: jax.Array
    collapsed_at: jax.Array
