"""Pseudo-labelling as pure functions (Venkateswaran et al., sections 4.2 to 4.4).

One iteration trains a network on the labelled images and on the pseudo-labels that the previous
iteration was confident of; at its end every unlabelled image is labelled anew by the network, and
the next iteration starts again from the pre-trained weights. Training is class-weighted
cross-entropy with Adam, a learning rate that falls on a plateau of validation accuracy, and early
stopping on the same figure.

An epoch is one pass over the examples that have a label or a confident pseudo-label, so its number
of updates differs between iterations; shapes do not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.audio.augmentation import unchanged
from sejax.core import metrics as metrics_lib
from sejax.core.experiment import HISTOGRAM, State
from sejax.core.metrics import Mean
from sejax.core.rng import permutation_order, stream
from sejax.core.schedules import EarlyStopping, Plateau
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.labels import balanced_weights
from sejax.experiments.classification import confidences, evaluated, rows_of, scores, test_confusions
from sejax.experiments.methods import first_fields, stop_early
from sejax.experiments.pseudo_labelling.networks import Network


class Settings(NamedTuple):
    """The method's numbers; defaults are the paper's where it states them.

    Attributes:
      num_classes: C.
      batch_size: images per update (not stated in the paper).
      epochs: at most this many passes per iteration (not stated; early stopping usually ends first).
      learning_rate, minimum_rate, factor: Adam's first rate, its floor, and the step down.
      plateau_patience, stop_patience: epochs without a better validation accuracy.
      threshold: least posterior of a confident pseudo-label.
      weight_decay: decoupled, times the learning rate (0 in the paper).
    """

    num_classes: int
    batch_size: int = 32
    epochs: int = 100
    learning_rate: float = 1e-2
    minimum_rate: float = 1e-5
    factor: float = 0.1
    plateau_patience: int = 5
    stop_patience: int = 10
    threshold: float = 0.99
    weight_decay: float = 0.0


@struct.dataclass
class PseudoLabelState(State):
    """One fold and seed. I images, C classes, L places in an epoch's order, V validation places.

    Attributes:
      params, best: the network's weights and those of the best validation accuracy in this iteration.
      optimizer: Adam's moments.
      constants: what the network fitted to the training part without labels (feature scaling).
      plateau, stopping: schedule states.
      iteration: i32[], iterations restarted so far.
      part: i8[I], 0 training, 1 validation, 2 test; fixed.
      labelled: bool[I], training images whose true label may be used; fixed.
      label: i32[I], the label trained on: the true one or the latest pseudo-label.
      active: bool[I], images that take part in training in this iteration.
      class_weight: f32[C], balanced over the active images.
      order, order_valid: i32[L], bool[L], this epoch's order of the active images.
      valid_index, valid_mask: i32[V], bool[V], the validation images.
      posterior: f32[I, C], of every image after the latest iteration.
    """

    params: Any
    best: Any
    optimizer: Any
    constants: Any
    plateau: Plateau
    stopping: EarlyStopping
    iteration: jax.Array
    part: jax.Array
    labelled: jax.Array
    label: jax.Array
    active: jax.Array
    class_weight: jax.Array
    order: jax.Array
    order_valid: jax.Array
    valid_index: jax.Array
    valid_mask: jax.Array
    posterior: jax.Array


ADAM = optax.scale_by_adam()


@dataclass(frozen=True, eq=False)
class Method:
    """The method's functions with what they share.

    ``data`` is ``{"inputs": [I, ...], "label": i32[I] (-1 unknown), "utterance": i32[I], "utterance_label": i32[U],
    "pretrained": pytree}``.

    Attributes:
      network, settings: what is trained, and the numbers.
      order_length: L, a multiple of the batch size, at least the largest member's training images.
      valid_length: V, at least the largest member's validation images.
      augment: ``augment(key, inputs) -> inputs`` of a batch to train on, see `sejax.audio.augmentation`.
    """

    network: Network
    settings: Settings
    order_length: int
    valid_length: int
    augment: Callable[[jax.Array, jax.Array], jax.Array] = unchanged

    def _begin(self, state: PseudoLabelState, data) -> PseudoLabelState:
        """Pre-trained weights, fresh head, optimizer and schedules, for the labels the state now holds."""
        params = self.network.init(stream(state.key, "init", state.iteration), data["pretrained"], data["inputs"])
        state = state.replace(
            params=params,
            best=params,
            optimizer=ADAM.init(params),
            plateau=Plateau.init(self.settings.learning_rate),
            stopping=EarlyStopping.init(),
            class_weight=balanced_weights(state.label, state.active, num_classes=self.settings.num_classes),
            stopped=jnp.zeros((), bool),
        )
        return self._next_epoch(state)

    def _next_epoch(self, state: PseudoLabelState) -> PseudoLabelState:
        """The order of the epoch that starts at the state's step."""
        order, valid = permutation_order(stream(state.key, "order", state.step), state.active, self.order_length)
        steps = -(-valid.sum(dtype=jnp.int32) // self.settings.batch_size)
        return state.replace(order=order, order_valid=valid, epoch_steps=steps)

    def init(self, key, member, data) -> PseudoLabelState:
        """Fold, seed and labels as the member ``{"part": i8[I], "labelled": bool[I]}`` says, weights as pre-trained.

        A member brings the "constants" along where the inputs are not resident, all of whose rows they depend on.
        """
        images, constants = data["label"].shape[0], member.get("constants")
        if constants is None:
            constants = self.network.fit(data["inputs"], member["part"] == TRAIN)
        valid_index, valid_mask = rows_of(member["part"] == VALIDATION, self.valid_length)
        state = PseudoLabelState(
            **first_fields(key, jnp.zeros((), jnp.int32)),
            params=None,
            best=None,
            optimizer=None,
            constants=constants,
            plateau=Plateau.init(self.settings.learning_rate),
            stopping=EarlyStopping.init(),
            iteration=jnp.zeros((), jnp.int32),
            part=member["part"],
            labelled=member["labelled"],
            label=jnp.where(member["labelled"], data["label"], 0),
            active=member["labelled"],
            class_weight=jnp.zeros((self.settings.num_classes,), jnp.float32),
            order=jnp.zeros((self.order_length,), jnp.int32),
            order_valid=jnp.zeros((self.order_length,), bool),
            valid_index=valid_index,
            valid_mask=valid_mask,
            posterior=jnp.zeros((images, self.settings.num_classes), jnp.float32),
        )
        return self._begin(state, data)

    def step(self, state: PseudoLabelState, batch):
        """One update by the class-weighted cross-entropy of the batch."""
        label = state.label[batch["index"]]
        weight = batch["valid"] * state.class_weight[label]  # [B]
        inputs = self.augment(stream(state.key, "gain", state.step), batch["inputs"])
        key = stream(state.key, "dropout", state.step)

        def objective(params):
            logits = self.network.apply(params, state.constants, inputs, key=key)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
            return (losses * weight).sum() / jnp.maximum(weight.sum(), 1e-12), (logits, losses)

        gradients, (logits, losses) = jax.grad(objective, has_aux=True)(state.params)
        rate = state.plateau.learning_rate
        directions, optimizer = ADAM.update(gradients, state.optimizer, state.params)
        params = self.network.descend(state.params, directions, rate=rate, weight_decay=self.settings.weight_decay)
        metrics = scores(logits, losses, label, batch["valid"])
        metrics |= {"loss": Mean.from_values(losses, weight), "learning_rate": Mean.from_values(rate)}
        return state.replace(params=params, optimizer=optimizer, step=state.step + 1), metrics

    def evaluate(self, state: PseudoLabelState, batch):
        """Posteriors of a batch; loss and confusion of the validation images in it."""
        logits = self.network.apply(state.params, state.constants, batch["inputs"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(batch["label"], 0))
        return evaluated(state.part, batch, logits, losses)

    def refresh(self, state: PseudoLabelState, metrics) -> PseudoLabelState:
        """Plateau, early stopping, best weights, the next epoch's order."""
        accuracy = metrics_lib.compute({"confusion": metrics["valid"]["confusion"]})["accuracy"]
        plateau = state.plateau.update(
            accuracy,
            mode="max",
            factor=self.settings.factor,
            patience=self.settings.plateau_patience,
            minimum=self.settings.minimum_rate,
        )
        rule = {"epochs": self.settings.epochs, "patience": self.settings.stop_patience}
        fields, params = stop_early(state.stopping, accuracy, state.params, state.best, **rule)
        return self._next_epoch(state.replace(params=params, plateau=plateau, **fields))

    def conclude(self, state: PseudoLabelState, metrics, data):
        """Scores the test part and labels every unlabelled image anew."""
        posterior = metrics["posterior"].compute()  # [I, C]
        predicted, confidence = posterior.argmax(-1), posterior.max(-1)
        unlabelled = (state.part == TRAIN) & ~state.labelled
        confident = unlabelled & (confidence >= self.settings.threshold)
        record = test_confusions(posterior, state.part == TEST, data)
        for name, rows in (("test", state.part == TEST), ("unlabelled", unlabelled)):
            record[f"{HISTOGRAM}posterior/{name}"] = confidences(posterior, rows)
        record |= {
            "labelled": state.labelled.sum(),
            "unlabelled": unlabelled.sum(),
            "confident": confident.sum(),
            "confident_correct": (confident & (predicted == data["label"])).sum(),
            "unlabelled_correct": (unlabelled & (predicted == data["label"])).sum(),
            "epochs": state.stopping.epochs,
            "best_epoch": state.stopping.best_epoch + 1,
        }
        label = jnp.where(state.labelled, data["label"], predicted).astype(jnp.int32)
        return state.replace(posterior=posterior, label=label, active=state.labelled | confident), record

    def restart(self, state: PseudoLabelState, data) -> PseudoLabelState:
        """From the pre-trained weights again, with the labels of the last iteration."""
        return self._begin(state.replace(iteration=state.iteration + 1), data)
