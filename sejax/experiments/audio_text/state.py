"""What one member of the experiment is between two updates, and the method's numbers."""

from typing import Any, NamedTuple

import jax
from flax import struct

from sejax.core.experiment import Plan, State
from sejax.core.schedules import EarlyStopping

KEEP = ("best", "last")
CRITERIA = ("uar", "accuracy")


class Settings(NamedTuple):
    """The method's numbers (Lima and Bak, Table 1), for all members of a run.

    Attributes:
      decay: factor on the learning rate after every epoch.
      l2: times each weight is added to its gradient before Adam, as torch's ``weight_decay`` has it.
      epochs: of a training; patience: epochs without improvement that end it before, 0: none do.
      keep: "best", the weights of the epoch with the best `criterion` on the validation part, or "last", the paper's.
      criterion: "uar" or "accuracy".
      tuned: whether the words' vectors are trained.
      b1, b2, epsilon: Adam's.
    """

    decay: float = 0.988
    l2: float = 6e-3
    epochs: int = 150
    patience: int = 0
    keep: str = "best"
    criterion: str = "uar"
    tuned: bool = True
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8


@struct.dataclass
class AudioTextState(State):
    """One fusion, fold, seed and learning rate. N pieces of utterances, B of them to a batch, V rows of words.

    Attributes:
      params: the network's; statistics: ``{"running": of batch normalisation, "passes": f32[]}``.
      optimizer: Adam's moments.
      best: the params and statistics of the best epoch so far.
      learning_rate: f32[], of the first epoch.
      stopping: which epoch was best on the validation part.
      part: i8[N], 0 training, 1 validation, 2 test, -1 unused; bucket: i32[N]; both fixed.
      lookup: i32[types], the row of each word of the corpus, 0 for those that the training part lacks; fixed.
      drop: f32[types], probability that a word is left out of a sentence in training; fixed.
      order: this epoch's batches, a Plan of index i32[L, B] and valid bool[L, B].
      validation, held_out: batches of the validation part, and of it and the test part; fixed.
      example: i32[E], which example utterances of the data are explained in the end; fixed.
    """

    params: Any
    statistics: Any
    optimizer: Any
    best: Any
    learning_rate: jax.Array
    stopping: EarlyStopping
    part: jax.Array
    bucket: jax.Array
    lookup: jax.Array
    drop: jax.Array
    order: Plan
    validation: Plan
    held_out: Plan
    example: jax.Array
