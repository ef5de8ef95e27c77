"""The training of audio and text as pure functions (Lima and Bak, sections 3 and 4.1).

Cross-entropy, Adam with L2 on every weight, a learning rate that decays from epoch to epoch, frequent words left out
at random. Members differ in fold, seed and learning rate; the ways of fusing are variants, which train in turn.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import Experiment, Plan
from sejax.core.metrics import Confusion, Mean, Scatter
from sejax.core.rng import root_key, stream
from sejax.core.schedules import EarlyStopping
from sejax.core.shuffle import seed_of
from sejax.data.buckets import epoch_batches
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.text import subsampled
from sejax.experiments.audio_text.explanation import explain
from sejax.experiments.audio_text.networks import Network
from sejax.experiments.audio_text.state import AudioTextState, Settings
from sejax.experiments.classification import test_confusions


@dataclass(frozen=True, eq=False)
class Method:
    """The method's functions with what they share; `make_experiment` hands them to the engine.

    ``lengths``: batches of the largest member's training part, validation part, and validation and test part.
    """

    network: Network
    settings: Settings
    num_classes: int
    batch_size: int
    lengths: tuple[int, int, int]

    def init(self, key, member, data) -> AudioTextState:
        """First weights, the member's utterances and words."""
        vectors = None
        if "vectors" in data:  # rows of words that the training part lacks stay 0, as does the unknown word's
            known = member["lookup"] > 0
            rows = jnp.zeros((self.network.model.vocabulary, data["vectors"].shape[-1]))
            vectors = rows.at[member["lookup"]].add(data["vectors"] * known[:, None])
        params, statistics = self.network.init(key, vectors)
        part, bucket = member["part"], data["bucket"]
        trains = (part == TRAIN).sum(dtype=jnp.int32)
        return AudioTextState(
            key=key,
            step=jnp.zeros((), jnp.int32),
            epoch_steps=-(-trains // self.batch_size),
            stopped=jnp.zeros((), bool),
            params=params,
            statistics=statistics,
            optimizer=self.adam.init(params),
            best={"params": params, "statistics": statistics},
            learning_rate=member["learning_rate"],
            stopping=EarlyStopping.init(),
            part=part,
            bucket=bucket,
            lookup=member["lookup"],
            drop=member["drop"],
            order=self._batches(key, 0, part == TRAIN, bucket, self.lengths[0]),
            validation=self._batches(key, 0, part == VALIDATION, bucket, self.lengths[1], shuffle=False),
            held_out=self._batches(key, 0, part >= VALIDATION, bucket, self.lengths[2], shuffle=False),
            example=member["example"],
        )

    def _batches(self, key, step, active, bucket, batches, *, shuffle=True) -> Plan:
        """An epoch's batches, those of all members of about the same lengths at the same time.

        Of a part without batches an empty one stands for their shape.
        """
        seed, shared = (seed_of(stream(root, "order", step)) for root in (key, root_key(0)))
        sizes = {"batch_size": self.batch_size, "batches": max(batches, 1)}
        return Plan(*epoch_batches(seed, bucket, active, **sizes, shuffle=shuffle, batch_seed=shared))

    @property
    def adam(self) -> optax.GradientTransformation:
        """Adam's direction with the L2 term in the gradient, without the rate; words' vectors may be left as they are.

        Adam evens out the size of gradients, the L2 term's too: vectors of words that never occur are drawn to 0.
        """
        settings = self.settings
        direction = optax.chain(
            optax.add_decayed_weights(settings.l2),
            optax.scale_by_adam(b1=settings.b1, b2=settings.b2, eps=settings.epsilon),
        )
        if settings.tuned:
            return direction

        def trains(params):
            return self.network.trains(params, tuned=False)

        def fixed(params):
            return jax.tree.map(lambda train: not train, trains(params))

        return optax.chain(optax.masked(direction, trains), optax.masked(optax.set_to_zero(), fixed))

    def step(self, state: AudioTextState, batch):
        """One update by the mean cross-entropy of the batch's real rows."""
        words, count = subsampled(
            stream(state.key, "words", state.step), batch["words"], batch["word_count"], state.drop
        )
        seed = stream(state.key, "dropout", state.step)

        def objective(params):
            found, statistics = self.network.train(
                params, state.statistics, batch, state.lookup[words], count, seed
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(found["logits"], batch["label"])
            loss = Mean.from_values(losses, batch["valid"])
            return loss.compute(), (loss, found["logits"], statistics)

        gradients, (loss, logits, statistics) = jax.grad(objective, has_aux=True)(state.params)
        updates, optimizer = self.adam.update(gradients, state.optimizer, state.params)
        rate = state.learning_rate * self.settings.decay**state.stopping.epochs.astype(jnp.float32)
        state = state.replace(
            step=state.step + 1,
            params=jax.tree.map(lambda weight, update: weight - rate * update, state.params, updates),
            statistics=statistics,
            optimizer=optimizer,
        )
        return state, {"loss": loss, "confusion": self._confusion(logits, batch, batch["valid"])}

    def _confusion(self, logits, batch, weights) -> Confusion:
        return Confusion.from_predictions(
            batch["label"], logits.argmax(-1), num_classes=self.num_classes, weights=weights
        )

    def evaluate(self, state: AudioTextState, batch):
        """Posteriors and attention scores of pieces; loss and confusion of the validation part among them."""
        found = self.network.infer(state.params, state.statistics, batch, state.lookup)
        validates = batch["valid"] & (state.part[batch["index"]] == VALIDATION)
        losses = optax.softmax_cross_entropy_with_integer_labels(found["logits"], batch["label"])
        outputs = {"posterior": jax.nn.softmax(found["logits"])}
        if self.network.attends:
            outputs["attention"] = found["attention"]
        kept = {
            name: Scatter.from_outputs(batch["index"], values, size=len(state.part), weights=batch["valid"])
            for name, values in outputs.items()
        }
        confusion = self._confusion(found["logits"], batch, validates)
        return {"loss": Mean.from_values(losses, validates), "confusion": confusion} | kept

    def refresh(self, state: AudioTextState, metrics) -> AudioTextState:
        """The epoch's end: best weights, perhaps an early stop, the next epoch's order."""
        settings = self.settings
        figure = metrics_lib.compute({"confusion": metrics["valid"]["confusion"]})[settings.criterion]
        patience = settings.patience - 1 if settings.patience else settings.epochs
        stopping = state.stopping.update(figure, mode="max", patience=patience, threshold=0.0)
        stopped = stopping.stopped | (stopping.epochs >= settings.epochs)
        latest = {"params": state.params, "statistics": state.statistics}
        if settings.keep == "best":
            best = jax.tree.map(lambda new, old: jnp.where(stopping.improved, new, old), latest, state.best)
            latest = jax.tree.map(lambda top, new: jnp.where(stopped, top, new), best, latest)
        else:
            best = latest
        order = self._batches(state.key, state.step, state.part == TRAIN, state.bucket, self.lengths[0])
        return state.replace(**latest, best=best, stopping=stopping, stopped=stopped, order=order)

    def conclude(self, state: AudioTextState, metrics, data):
        """Posteriors of the held-out utterances, each the mean over its pieces, and what some of them rest on."""
        posterior, utterance = metrics["posterior"].compute(), data["utterance"]
        epochs, best = state.stopping.epochs, state.stopping.best_epoch + 1
        record = {"epochs": epochs, "best_epoch": best if self.settings.keep == "best" else epochs}
        for name, part in (("test", TEST), ("valid", VALIDATION)):
            found = test_confusions(posterior, state.part == part, data)
            record[f"confusion/{name}"] = found["confusion/test_utterance"]
        shapes = {"num_utterances": len(data["utterance_label"]), "mask": state.part == TEST}
        tested = metrics_lib.utterance_posteriors(posterior, utterance, **shapes)
        record |= {"posterior": tested.posteriors, "tested": tested.count > 0, "loss": metrics["loss"].compute()}
        if self.network.attends:
            attention = metrics["attention"].compute()
            record["attention"] = metrics_lib.utterance_posteriors(attention, utterance, **shapes).posteriors
        examples = jax.tree.map(lambda rows: rows[state.example], data["examples"])
        explained = explain(self.network, state.params, state.statistics, examples, state.lookup)
        record |= {f"explained/{name}": values for name, values in explained.items()} | {"example": state.example}
        return state, record


def make_experiment(
    network: Network, settings: Settings, *, num_classes: int, batch_size: int, lengths: tuple[int, int, int]
) -> Experiment:
    """One way of fusing audio and text.

    Args:
      network: see `sejax.experiments.audio_text.networks`.
      settings: the method's numbers.
      num_classes: C. batch_size: B.
      lengths: batches of an epoch, of a validation (0: nothing validates), and of a test, the most that a member has.

    Returns:
      An Experiment. ``init``'s member is ``{"part": i8[N], "lookup": i32[types], "drop": f32[types],
      "example": i32[E], "learning_rate": f32[]}``; ``data`` is as `sejax.experiments.audio_text.batches` says.
    """
    method = Method(network, settings, num_classes, batch_size, lengths)
    return Experiment(method.init, method.step, method.evaluate, method.conclude, method.refresh)
