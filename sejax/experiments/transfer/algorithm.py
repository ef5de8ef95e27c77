"""The comparison's training as pure functions (Kapoor and Kumar, sections 3 and 4).

Categorical cross-entropy and Adadelta over a fixed number of epochs, on class-balanced images. Members differ
in which images train, validate and test, in the head's first weights, and in the learning rate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.audio.augmentation import unchanged
from sejax.audio.image import ImageSettings, render
from sejax.core.experiment import HISTOGRAM, PyTree, State
from sejax.core.rng import permutation_order, root_key, stream
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.experiments.classification import confidences, evaluated, rows_of, scores, test_confusions
from sejax.experiments.methods import first_fields, where_trained
from sejax.models import freezing
from sejax.models.backbone import MaxPoolHead


class Network(NamedTuple):
    """Pure functions of a trainable network.

    Attributes:
      init: ``init(key, pretrained, inputs [I, ...]) -> (params, statistics)``: the pre-trained trunk, a fresh head;
        of the inputs only the shape matters.
      apply: ``apply(params, statistics, inputs [B, ...], train) -> (logits f32[B, C], statistics)``.
      trains: ``trains(params) -> pytree of bool``, False where a parameter stays as it is.
    """

    init: Callable[[jax.Array, PyTree, jax.Array], tuple[PyTree, PyTree]]
    apply: Callable[[PyTree, PyTree, jax.Array, bool], tuple[jax.Array, PyTree]]
    trains: Callable[[PyTree], PyTree]


def head_network(num_classes: int, *, hidden: int) -> Network:
    """The head alone, on pooled features [B, D] of a frozen trunk."""
    head = MaxPoolHead(num_classes, hidden=hidden)

    def init(key, pretrained, inputs):
        del pretrained
        return {"head": head.init(key, jnp.zeros((1, inputs.shape[1])))["params"]}, {}

    def apply(params, statistics, inputs, train):
        del train
        return head.apply({"params": params["head"]}, inputs), statistics

    return Network(init, apply, lambda params: jax.tree.map(lambda _: True, params))


def image_network(model: nn.Module, num_classes: int, *, hidden: int, image: ImageSettings) -> Network:
    """The whole network on spectrograms [B, bands, frames] in dB; images are rendered on the device.

    ``model.frozen`` names the layers of the trunk that stay as they are.
    """
    head = MaxPoolHead(num_classes, hidden=hidden)

    def features(trunk, images, train):
        return model.apply(trunk, images, train=train, method="features", mutable=["batch_stats"] if train else False)

    def init(key, pretrained, inputs):
        del inputs
        width = jax.eval_shape(lambda v: features(v, jnp.zeros((1, *image.size, 3)), False), pretrained).shape[-1]
        fresh = head.init(key, jnp.zeros((1, width)))["params"]
        return {"trunk": pretrained["params"], "head": fresh}, pretrained.get("batch_stats", {})

    def apply(params, statistics, inputs, train):
        trunk = {"params": params["trunk"], "batch_stats": statistics}
        found = features(trunk, render(inputs, image), train)
        if train:
            found, changed = found
            statistics = changed.get("batch_stats", statistics)
        return head.apply({"params": params["head"]}, found).astype(jnp.float32), statistics

    def trains(params) -> dict[str, Any]:
        trunk = freezing.trainable(params["trunk"], model.frozen)
        return {"trunk": trunk, "head": jax.tree.map(lambda _: True, params["head"])}

    return Network(init, apply, trains)


_CLIP = 1e-7  # Keras's epsilon: no loss above -log(1e-7) = 16.1


class Settings(NamedTuple):
    """The method's numbers; defaults are the paper's Table 1.

    Attributes:
      batch_size: images per update.
      rho, epsilon: Adadelta's.
      decay: the rate at update t is learning_rate / (1 + decay t), as Keras's optimizers of the time had it.
      loss: "logits": cross-entropy of the logits. "clipped": of probabilities clipped to [1e-7, 1 - 1e-7], as
        Keras computes it where it does not see the logits: an image whose true class has a probability outside
        has no gradient.
      seed: of the heads' first weights, which members of one draw share whatever their learning rate.
    """

    batch_size: int = 32
    rho: float = 0.95
    epsilon: float = 1e-8
    decay: float = 0.0
    loss: str = "logits"
    seed: int = 0


@struct.dataclass
class TransferState(State):
    """One network, draw and learning rate. I images, L places in an epoch's order, V validation places.

    Attributes:
      params, statistics: {"trunk", "head"} or {"head"}; running statistics of batch normalisation.
      optimizer: Adadelta's accumulators, of the parameters that train.
      learning_rate: f32[].
      part: i8[I], 0 training, 1 validation, 2 test, -1 unused; fixed.
      order, order_valid: i32[L], bool[L], this epoch's order of the training images.
      valid_index, valid_mask: i32[V], bool[V], the validation images.
    """

    params: Any
    statistics: Any
    optimizer: Any
    learning_rate: jax.Array
    part: jax.Array
    order: jax.Array
    order_valid: jax.Array
    valid_index: jax.Array
    valid_mask: jax.Array


@dataclass(frozen=True, eq=False)
class Method:
    """The method's functions with what they share.

    ``data`` is ``{"inputs": [I, ...], "label": i32[I], "utterance": i32[I], "utterance_label": i32[U],
    "pretrained": pytree}``.

    Attributes:
      network, settings: what is trained, and the numbers.
      order_length: L, the training images rounded up to whole batches.
      valid_length: V, at least the validation images.
      augment: ``augment(key, inputs) -> inputs`` of a batch to train on, see `sejax.audio.augmentation`.
    """

    network: Network
    settings: Settings
    order_length: int
    valid_length: int
    augment: Callable[[jax.Array, jax.Array], jax.Array] = unchanged

    @property
    def adadelta(self) -> optax.GradientTransformation:
        """Adadelta without its rate on the parameters that train, nothing on the others."""
        direction = optax.scale_by_adadelta(rho=self.settings.rho, eps=self.settings.epsilon)
        return where_trained(direction, self.network.trains)

    def init(self, key, member, data) -> TransferState:
        """Pre-trained trunk, fresh head, the member's part i8[I], draw i32[] (of the head) and learning_rate f32[]."""
        draw = stream(root_key(self.settings.seed), "head", member["draw"])
        params, statistics = self.network.init(draw, data["pretrained"], data["inputs"])
        valid_index, valid_mask = rows_of(member["part"] == VALIDATION, self.valid_length)
        state = TransferState(
            **first_fields(key, jnp.full((), self.order_length // self.settings.batch_size, jnp.int32)),
            params=params,
            statistics=statistics,
            optimizer=self.adadelta.init(params),
            learning_rate=member["learning_rate"],
            part=member["part"],
            order=jnp.zeros((self.order_length,), jnp.int32),
            order_valid=jnp.zeros((self.order_length,), bool),
            valid_index=valid_index,
            valid_mask=valid_mask,
        )
        return self._next_epoch(state)

    def _next_epoch(self, state: TransferState) -> TransferState:
        order, valid = permutation_order(
            stream(state.key, "order", state.step), state.part == TRAIN, self.order_length
        )
        return state.replace(order=order, order_valid=valid)

    def step(self, state: TransferState, batch):
        """One update by the mean cross-entropy of the batch."""
        inputs = self.augment(stream(state.key, "gain", state.step), batch["inputs"])

        def objective(params):
            logits, statistics = self.network.apply(params, state.statistics, inputs, True)
            losses = cross_entropy(logits, batch["label"], kind=self.settings.loss)
            weight = batch["valid"].astype(jnp.float32)
            return (losses * weight).sum() / jnp.maximum(weight.sum(), 1.0), (logits, losses, statistics)

        gradients, (logits, losses, statistics) = jax.grad(objective, has_aux=True)(state.params)
        directions, optimizer = self.adadelta.update(gradients, state.optimizer, state.params)
        rate = state.learning_rate / (1.0 + self.settings.decay * state.step)
        params = jax.tree.map(lambda p, d: p - rate * d, state.params, directions)
        state = state.replace(params=params, statistics=statistics, optimizer=optimizer, step=state.step + 1)
        return state, scores(logits, losses, batch["label"], batch["valid"])

    def evaluate(self, state: TransferState, batch):
        """Posteriors of a batch; loss and confusion of the validation images in it."""
        logits, _ = self.network.apply(state.params, state.statistics, batch["inputs"], False)
        losses = cross_entropy(logits, batch["label"], kind=self.settings.loss)
        return evaluated(state.part, batch, logits, losses)

    def refresh(self, state: TransferState, metrics) -> TransferState:
        """The next epoch's order; the number of epochs is fixed."""
        del metrics
        return self._next_epoch(state)

    def conclude(self, state: TransferState, metrics, data):
        """Scores the test part, and the validation part once more."""
        posterior = metrics["posterior"].compute()  # [I, C]
        record = test_confusions(posterior, state.part == TEST, data)
        record["confusion/valid"] = metrics["confusion"].counts
        record[f"{HISTOGRAM}posterior/test"] = confidences(posterior, state.part == TEST)
        return state, record


def cross_entropy(logits: jax.Array, label: jax.Array, *, kind: str = "logits") -> jax.Array:
    """Categorical cross-entropy [B] of logits [B, C] and labels i32[B]; ``kind`` as `Settings.loss`.

    "clipped" is ``keras.losses.categorical_crossentropy`` of the softmax, gradient included: zero where the
    probability was clipped.
    """
    if kind == "logits":
        return optax.softmax_cross_entropy_with_integer_labels(logits, label)
    probability = jnp.take_along_axis(jax.nn.softmax(logits), label[:, None], axis=-1)[:, 0]
    inside = (probability > _CLIP) & (probability < 1.0 - _CLIP)
    clipped = jnp.clip(probability, _CLIP, 1.0 - _CLIP)
    return -jnp.log(jnp.where(inside, probability, jax.lax.stop_gradient(clipped)))
