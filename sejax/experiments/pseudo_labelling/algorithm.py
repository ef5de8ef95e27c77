"""Pseudo-labelling as pure functions (Venkateswaran et al., sections 4.2 to 4.4).

One iteration trains a network on the labelled images and on the pseudo-labels that the previous
iteration was confident of; at its end every unlabelled image is labelled anew by the network, and
the next iteration starts again from the pre-trained weights. Training is class-weighted
cross-entropy with Adam, a learning rate that falls on a plateau of validation accuracy, and early
stopping on the same figure.

An epoch is one pass over the examples that have a label or a confident pseudo-label, so its number
of updates differs between iterations; shapes do not.

That is the paper. `Settings` has other rules beside its own, those of `pseudo_labels`, and an averaged teacher; its
defaults are the paper's.
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
from sejax.core.experiment import DIAGNOSTIC, HISTOGRAM, Batch, State
from sejax.core.metrics import Mean, Scatter
from sejax.core.rng import permutation_order, stream
from sejax.core.schedules import EarlyStopping, Plateau
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.labels import balanced_weights
from sejax.experiments.classification import confidences, evaluated, rows_of, scores, test_confusions
from sejax.experiments.methods import first_fields, stop_early
from sejax.experiments.pseudo_labelling import pseudo_labels
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
      l2: of half the sum of the head's squared kernels, in the loss (0 in the paper).
      vote: whose mean posterior a pseudo-label is of, "image" (each its own, the paper) or "utterance" (of its
        utterance's unlabelled images).
      calibration: "none" (the paper), or "temperature", which is fitted to the validation part.
      selection: which pseudo-labels are kept: "threshold" (the paper), "adaptive" (a threshold for each class) or
        "balanced" (of each class the most confident).
      shares: with "balanced" the share kept after the first iteration, the second ...; the last one for all others.
      targets: what is learned of a pseudo-label, "hard" (the class alone, the paper) or "soft" (the posterior).
      pseudo_weight: of a pseudo-labelled image's loss beside a labelled one's.
      ema: decay of the teacher, an average of the weights over updates that judges in the network's place; 0: none.
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
    l2: float = 0.0
    vote: str = "image"
    calibration: str = "none"
    selection: str = "threshold"
    shares: tuple[float, ...] = (0.5, 1.0)
    targets: str = "hard"
    pseudo_weight: float = 1.0
    ema: float = 0.0


@struct.dataclass
class PseudoLabelState(State):
    """One fold and seed. I images, C classes, L places in an epoch's order, V validation places.

    Attributes:
      params, best: the network's weights and those of the best validation accuracy in this iteration.
      teacher: average of the params over updates; None where ``ema`` is 0.
      optimizer: Adam's moments.
      constants: what the network fitted to the training part without labels (feature scaling).
      plateau, stopping: schedule states.
      iteration: i32[], iterations restarted so far.
      part: i8[I], 0 training, 1 validation, 2 test; fixed.
      labelled: bool[I], training images whose true label may be used; fixed.
      label: i32[I], the label trained on: the true one or the latest pseudo-label.
      target: f32[I, C], what is trained on instead with soft targets, None otherwise.
      active: bool[I], images that take part in training in this iteration.
      class_weight: f32[C], balanced over the active images.
      order, order_valid: i32[L], bool[L], this epoch's order of the active images.
      valid_index, valid_mask: i32[V], bool[V], the validation images.
      posterior: f32[I, C], of every image after the latest iteration.
    """

    params: Any
    best: Any
    teacher: Any
    optimizer: Any
    constants: Any
    plateau: Plateau
    stopping: EarlyStopping
    iteration: jax.Array
    part: jax.Array
    labelled: jax.Array
    label: jax.Array
    target: jax.Array | None
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
    "pretrained": pytree}``, and where a head of its own labels "own_scale" f32[I, D], see `Network.label`.

    Attributes:
      network, settings: what is trained, and the numbers.
      order_length: L, a multiple of the batch size, at least the largest member's training images.
      valid_length: V, at least the largest member's validation images; 0: nothing validates.
      augment: ``augment(key, inputs) -> inputs`` of a batch to train on, see `sejax.audio.augmentation`.
      strengthen: ``strengthen(key, batch) -> inputs`` to train on where a label is a pseudo-label; None: the others'.
    """

    network: Network
    settings: Settings
    order_length: int
    valid_length: int
    augment: Callable[[jax.Array, jax.Array], jax.Array] = unchanged
    strengthen: Callable[[jax.Array, Batch], jax.Array] | None = None

    def _begin(self, state: PseudoLabelState, data) -> PseudoLabelState:
        """Pre-trained weights, fresh head, optimizer and schedules, for the labels the state now holds."""
        params = self.network.init(stream(state.key, "init", state.iteration), data["pretrained"], data["inputs"])
        state = state.replace(
            params=params,
            best=params,
            teacher=params if self.settings.ema else None,
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

        What else the member holds is for the network. It brings the network's "constants" where the inputs, on all of
        whose rows they depend, are not resident.
        """
        images, constants = data["label"].shape[0], member.get("constants")
        if constants is None:
            constants = self.network.fit(data["inputs"], member)
        valid_index, valid_mask = rows_of(member["part"] == VALIDATION, max(self.valid_length, 1))
        state = PseudoLabelState(
            **first_fields(key, jnp.zeros((), jnp.int32)),
            params=None,
            best=None,
            teacher=None,
            optimizer=None,
            constants=constants,
            plateau=Plateau.init(self.settings.learning_rate),
            stopping=EarlyStopping.init(),
            iteration=jnp.zeros((), jnp.int32),
            part=member["part"],
            labelled=member["labelled"],
            label=jnp.where(member["labelled"], data["label"], 0),
            target=self._first_target(jnp.where(member["labelled"], data["label"], 0)),
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
        weight = batch["valid"] * self._weights(state, batch["index"])  # [B]
        inputs = self._trained_on(state, batch)
        key = stream(state.key, "dropout", state.step)

        def objective(params):
            logits = self.network.apply(params, state.constants, inputs, key=key)
            if state.target is None:
                losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
            else:
                losses = optax.softmax_cross_entropy(logits, state.target[batch["index"]])
            loss = (losses * weight).sum() / jnp.maximum(weight.sum(), 1e-12)
            loss += self._penalty(params["head"])
            if self.network.label is not None:
                loss += self._labellers_loss(params, state, batch, weight)
            return loss, (logits, losses)

        gradients, (logits, losses) = jax.grad(objective, has_aux=True)(state.params)
        rate = state.plateau.learning_rate
        directions, optimizer = ADAM.update(gradients, state.optimizer, state.params)
        params = self.network.descend(state.params, directions, rate=rate, weight_decay=self.settings.weight_decay)
        metrics = scores(logits, losses, label, batch["valid"])
        metrics |= {"loss": Mean.from_values(losses, weight), "learning_rate": Mean.from_values(rate)}
        state = state.replace(teacher=self._averaged(state.teacher, params, optimizer.count))
        return state.replace(params=params, optimizer=optimizer, step=state.step + 1), metrics

    def _penalty(self, head) -> jax.Array | float:
        if not self.settings.l2:
            return 0.0
        return self.settings.l2 / 2 * sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(head) if leaf.ndim > 1)

    def _labellers_loss(self, params, state: PseudoLabelState, batch, weight):
        """The same loss of the head that labels, which shares no weight with the network."""
        key = stream(state.key, "labeller", state.step)
        logits = self.network.label(params, batch["own_scale"], key=key)
        target = self._one_hot(state.label) if state.target is None else state.target
        losses = optax.softmax_cross_entropy(logits, target[batch["index"]])
        return (losses * weight).sum() / jnp.maximum(weight.sum(), 1e-12)

    def _weights(self, state: PseudoLabelState, index):
        """f32[B], what the loss of each image counts: by its class, and less without a true label where asked."""
        if state.target is None:
            weight = state.class_weight[state.label[index]]
        else:
            weight = state.target[index] @ state.class_weight
        if self.settings.pseudo_weight == 1.0:
            return weight
        return weight * jnp.where(state.labelled[index], 1.0, self.settings.pseudo_weight)

    def _trained_on(self, state: PseudoLabelState, batch):
        """The inputs [B, ...] of an update.

        With strong views, an image without a true label is trained on one that is drawn anew at every update, and was
        labelled as it is: Sohn et al., "FixMatch: simplifying semi-supervised learning with consistency and
        confidence", NeurIPS 2020.
        """
        inputs = self.augment(stream(state.key, "gain", state.step), batch["inputs"])
        if self.strengthen is None:
            return inputs
        strong = self.strengthen(stream(state.key, "strong", state.step), batch)
        known = state.labelled[batch["index"]]
        return jnp.where(known.reshape(known.shape + (1,) * (inputs.ndim - 1)), inputs, strong)

    def _averaged(self, teacher, params, count):
        """The teacher after the update number ``count`` i32[] of an iteration, from 1 on.

        Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017, equation 1 and section 3.1: at
        first the plain mean of all weights so far, until the decay is reached.
        """
        if not self.settings.ema:
            return None
        decay = jnp.minimum(1.0 - 1.0 / (count + 1.0), self.settings.ema)
        return jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, teacher, params)

    def evaluate(self, state: PseudoLabelState, batch):
        """Posteriors of a batch; loss and confusion of the validation images in it."""
        params = state.teacher if self.settings.ema else state.params
        logits = self.network.apply(params, state.constants, batch["inputs"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(batch["label"], 0))
        metrics = evaluated(state.part, batch, logits, losses)
        if self.network.label is not None:
            labels = jax.nn.softmax(self.network.label(params, batch["own_scale"]))
            metrics["labelling"] = Scatter.from_outputs(
                batch["index"], labels, size=len(state.part), weights=batch["valid"]
            )
        return metrics

    def refresh(self, state: PseudoLabelState, metrics) -> PseudoLabelState:
        """Plateau, early stopping, best weights, the next epoch's order.

        Where nothing validates each epoch counts as better than the one before: the rate stays, and the last epoch's
        weights are kept.
        """
        accuracy = state.stopping.epochs.astype(jnp.float32)
        if self.valid_length:
            accuracy = metrics_lib.compute({"confusion": metrics["valid"]["confusion"]})["accuracy"]
        plateau = state.plateau.update(
            accuracy,
            mode="max",
            factor=self.settings.factor,
            patience=self.settings.plateau_patience,
            minimum=self.settings.minimum_rate,
        )
        rule = {"epochs": self.settings.epochs, "patience": self.settings.stop_patience}
        if not self.settings.ema:
            fields, params = stop_early(state.stopping, accuracy, state.params, state.best, **rule)
            return self._next_epoch(state.replace(params=params, plateau=plateau, **fields))
        fields, teacher = stop_early(state.stopping, accuracy, state.teacher, state.best, **rule)
        # What is kept and predicts is the teacher.
        params = jax.tree.map(lambda top, new: jnp.where(fields["stopped"], top, new), teacher, state.params)
        return self._next_epoch(state.replace(params=params, teacher=teacher, plateau=plateau, **fields))

    def conclude(self, state: PseudoLabelState, metrics, data):
        """Scores the test part and labels every unlabelled image anew."""
        posterior = metrics["posterior"].compute()  # [I, C]
        unlabelled = (state.part == TRAIN) & ~state.labelled
        labelling = posterior if self.network.label is None else metrics["labelling"].compute()
        judged, diagnostics = self._judged(state, labelling, unlabelled, data)
        predicted, confident = judged.argmax(-1), self._kept(state, judged, unlabelled)
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
        counts = pseudo_labels.by_class(
            predicted, data["label"], unlabelled, confident, num_classes=self.settings.num_classes
        )
        record |= diagnostics | {f"{DIAGNOSTIC}by_class": counts}
        label = jnp.where(state.labelled, data["label"], predicted).astype(jnp.int32)
        target = None if state.target is None else jnp.where(state.labelled[:, None], self._one_hot(label), judged)
        active = state.labelled | confident
        return state.replace(posterior=posterior, label=label, target=target, active=active), record

    def _judged(self, state: PseudoLabelState, posterior, unlabelled, data):
        """The posteriors that pseudo-labels are made of, and what the record says of their calibration."""
        validates = state.part == VALIDATION
        judged = posterior
        if self.settings.vote == "utterance":
            for rows in (unlabelled, validates):
                judged = pseudo_labels.by_utterance(
                    judged, data["utterance"], rows, num_utterances=data["utterance_label"].shape[0]
                )
        before = pseudo_labels.calibration_error(judged, data["label"], unlabelled)
        temperature = pseudo_labels.fit_temperature(judged, data["label"], validates)
        scaled = pseudo_labels.tempered(judged, temperature)
        after = pseudo_labels.calibration_error(scaled, data["label"], unlabelled)
        diagnostics = {f"{DIAGNOSTIC}calibration": jnp.stack([temperature, before, after])}
        return scaled if self.settings.calibration == "temperature" else judged, diagnostics

    def _kept(self, state: PseudoLabelState, judged, unlabelled):
        """bool[I], the unlabelled images whose pseudo-labels are trained on."""
        if self.settings.selection == "balanced":
            shares = jnp.asarray(self.settings.shares, jnp.float32)
            share = shares[jnp.minimum(state.iteration, len(shares) - 1)]
            return pseudo_labels.most_confident(judged, unlabelled, share=share)
        rules = {"threshold": pseudo_labels.at_least, "adaptive": pseudo_labels.at_least_by_class}
        return rules[self.settings.selection](judged, unlabelled, threshold=self.settings.threshold)

    def _one_hot(self, label):
        """f32[I, C] of labels i32[I]."""
        return jax.nn.one_hot(label, self.settings.num_classes)

    def _first_target(self, label):
        """What is trained on before there is a pseudo-label, None where targets are hard."""
        return self._one_hot(label) if self.settings.targets == "soft" else None

    def restart(self, state: PseudoLabelState, data) -> PseudoLabelState:
        """From the pre-trained weights again, with the labels of the last iteration."""
        return self._begin(state.replace(iteration=state.iteration + 1), data)
