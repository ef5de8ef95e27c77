"""The training of audio and text as pure functions (Lima and Bak, sections 3 and 4.1).

Cross-entropy, Adam with L2 on every weight, a learning rate that decays from epoch to epoch, frequent words left out
at random. Members differ in fold, seed and learning rate; the ways of fusing are variants, which train in turn.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from sejax.audio.augmentation import waveforms_at_random_gain, waveforms_in_noise
from sejax.core import metrics as metrics_lib
from sejax.core.experiment import HISTOGRAM, Batch, Plan, PyTree, Source, State
from sejax.core.metrics import Mean, Scatter
from sejax.core.rng import root_key, seed_of, stream
from sejax.core.schedules import EarlyStopping
from sejax.data.buckets import Buckets, epoch_batches
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.text import subsampled
from sejax.experiments.audio_text.explanation import explain
from sejax.experiments.audio_text.networks import Network
from sejax.experiments.classification import confidences, evaluated, scores, test_confusions
from sejax.experiments.methods import first_fields, stop_early, where_trained


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
      random_gain: dB between which every training waveform gets a gain of its own; None: it stays as it is.
      random_noise: what is added to every training waveform, of `sejax.audio.augmentation.NOISES`; "none": nothing.
      noise_snr: dB between which the signal-to-noise ratio of each lies.
      encoder_rate: factor on the learning rate of a speech encoder that is trained, 0 where none is; it has no L2
        either, which would draw its weights to 0 and not to where they began.
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
    random_gain: tuple[float, float] | None = None
    random_noise: str = "none"
    noise_snr: tuple[float, float] = (0.0, 30.0)
    encoder_rate: float = 0.0


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


def planned_source(
    field: str, buckets: Buckets, *, batches: int | None = None, stream: Callable[[Iterator], Iterator] | None = None
) -> Source:
    """The batches that a field of the state plans (`order`, say), in their order.

    Args:
      field: of `sejax.experiments.audio_text.algorithm.AudioTextState`.
      buckets: shapes of batches.
      batches: of an evaluation; None for training.
      stream: reads plans' batches from the disk, see `sejax.data.streams.stream_utterances`.
    """

    def plan_at(state, position):
        return jax.tree.map(
            lambda rows: jax.lax.dynamic_index_in_dim(rows, position, keepdims=False), getattr(state, field)
        )

    return Source(plan_at, lambda data, plan: gather(data, plan, buckets), batches=batches, stream=stream)


def gather(data: PyTree, plan: Plan, buckets: Buckets) -> Batch:
    """The batch of a plan (index i32[B], valid bool[B]) from resident data, as `sejax.data.streams` reads it.

    It has the shape of the largest bucket among its rows; while the plan is traced, that of the largest there is.
    """
    length, count = (jnp.where(plan.valid, data[name][plan.index], 0) for name in ("length", "word_count"))
    bucket = len(buckets.samples) - 1
    if not isinstance(length, jax.core.Tracer):
        bucket = int(buckets.of(np.asarray(length), np.asarray(count)).max())
    if "states" in data:  # while plans are traced there is one row of them
        rows = jnp.minimum(plan.index, len(data["states"]) - 1)
        heard = {"states": jnp.where(plan.valid[..., None, None], data["states"][rows], 0.0)}
    else:
        heard = {"waveform": _rows(data["waveform"], data["start"][plan.index], length, buckets.samples[bucket])}
    return heard | {
        "length": length,
        "words": _rows(data["words"], data["first_word"][plan.index], count, buckets.words[bucket]),
        "word_count": count,
        "label": data["label"][plan.index],
        "index": plan.index,
        "valid": plan.valid,
    }


def _rows(array: jax.Array, start: jax.Array, length: jax.Array, width: int) -> jax.Array:
    """[B, width]: ``length`` entries of an array from ``start`` on, zeros after them."""
    place = jnp.arange(width, dtype=jnp.int32)
    inside = place < length[:, None]
    return jnp.where(inside, jnp.asarray(array)[jnp.where(inside, start[:, None] + place, 0)], 0)


@dataclass(frozen=True, eq=False)
class Method:
    """The functions of one way of fusing audio and text, with what they share.

    ``lengths``: batches of the largest member's training part, validation part (0: nothing validates), and validation
    and test part.
    """

    network: Network
    settings: Settings
    batch_size: int
    lengths: tuple[int, int, int]

    def init(self, key, member, data) -> AudioTextState:
        """First weights, and the member's part i8[N], lookup i32[types], drop f32[types], example i32[E] and rate."""
        vectors = None
        if "vectors" in data:  # rows of words that the training part lacks stay 0, as does the unknown word's
            known = member["lookup"] > 0
            rows = jnp.zeros((self.network.model.vocabulary, data["vectors"].shape[-1]))
            vectors = rows.at[member["lookup"]].add(data["vectors"] * known[:, None])
        encoder = {"encoder": data["encoder"]} if "encoder" in data else {}
        params, statistics = self.network.init(key, vectors, **encoder)
        part, bucket = member["part"], data["bucket"]
        trains = (part == TRAIN).sum(dtype=jnp.int32)
        return AudioTextState(
            **first_fields(key, -(-trains // self.batch_size)),
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
        """Adam's direction with the L2 term in the gradient, without the rate; words' vectors may be left as they are,
        and so are the layers of an encoder that are frozen.

        Adam evens out the size of gradients, the L2 term's too: vectors of words that never occur are drawn to 0.
        """
        settings = self.settings
        tunes = settings.encoder_rate > 0
        direction = optax.chain(
            optax.add_decayed_weights(settings.l2, mask=self.network.own if tunes else None),
            optax.scale_by_adam(b1=settings.b1, b2=settings.b2, eps=settings.epsilon),
        )
        if settings.tuned and not tunes:
            return direction
        return where_trained(direction, partial(self.network.trains, tuned=settings.tuned))

    def rates(self, params, rate: jax.Array) -> PyTree:
        """The learning rate of each weight, where the usual one is ``rate`` f32[]."""
        factor = self.settings.encoder_rate
        if not factor:
            return jax.tree.map(lambda _: rate, params)
        return jax.tree.map(lambda own: rate if own else rate * factor, self.network.own(params))

    def step(self, state: AudioTextState, batch):
        """One update by the mean cross-entropy of the batch's real rows."""
        words, count = subsampled(
            stream(state.key, "words", state.step), batch["words"], batch["word_count"], state.drop
        )
        seed = stream(state.key, "dropout", state.step)
        if self.settings.random_gain:
            gain = partial(waveforms_at_random_gain, limits=self.settings.random_gain)
            batch = batch | {"waveform": gain(stream(state.key, "gain", state.step), batch["waveform"])}
        if self.settings.random_noise != "none":
            how = {"kind": self.settings.random_noise, "limits": self.settings.noise_snr}
            key = stream(state.key, "noise", state.step)
            batch = batch | {"waveform": waveforms_in_noise(key, batch["waveform"], batch["length"], **how)}

        def objective(params):
            found, statistics = self.network.train(
                params, state.statistics, batch, state.lookup[words], count, seed
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(found["logits"], batch["label"])
            loss = Mean.from_values(losses, batch["valid"]).compute()
            return loss, (losses, found["logits"], statistics)

        gradients, (losses, logits, statistics) = jax.grad(objective, has_aux=True)(state.params)
        updates, optimizer = self.adam.update(gradients, state.optimizer, state.params)
        rate = state.learning_rate * self.settings.decay**state.stopping.epochs.astype(jnp.float32)
        state = state.replace(
            step=state.step + 1,
            params=jax.tree.map(
                lambda weight, update, rate: weight - rate * update,
                *(state.params, updates, self.rates(state.params, rate)),
            ),
            statistics=statistics,
            optimizer=optimizer,
        )
        return state, scores(logits, losses, batch["label"], batch["valid"])

    def evaluate(self, state: AudioTextState, batch):
        """Posteriors and attention scores of pieces; loss and confusion of the validation part among them."""
        found = self.network.infer(state.params, state.statistics, batch, state.lookup)
        losses = optax.softmax_cross_entropy_with_integer_labels(found["logits"], batch["label"])
        metrics = evaluated(state.part, batch, found["logits"], losses)
        if self.network.attends:
            metrics["attention"] = Scatter.from_outputs(
                batch["index"], found["attention"], size=len(state.part), weights=batch["valid"]
            )
        return metrics

    def refresh(self, state: AudioTextState, metrics) -> AudioTextState:
        """The epoch's end: best weights, perhaps an early stop, the next epoch's order."""
        settings = self.settings
        figure = metrics_lib.compute({"confusion": metrics["valid"]["confusion"]})[settings.criterion]
        patience = settings.patience - 1 if settings.patience else settings.epochs
        rule = {"epochs": settings.epochs, "patience": patience, "threshold": 0.0}
        latest = {"params": state.params, "statistics": state.statistics}
        fields, kept = stop_early(state.stopping, figure, latest, state.best, **rule)
        if settings.keep == "last":
            fields["best"] = kept = latest
        order = self._batches(state.key, state.step, state.part == TRAIN, state.bucket, self.lengths[0])
        return state.replace(**kept, **fields, order=order)

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
        record[f"{HISTOGRAM}posterior/test"] = confidences(tested.posteriors, tested.count > 0)
        if self.network.attends:
            attention = metrics["attention"].compute()
            record["attention"] = metrics_lib.utterance_posteriors(attention, utterance, **shapes).posteriors
        examples = jax.tree.map(lambda rows: rows[state.example], data["examples"])
        explained = explain(self.network, state.params, state.statistics, examples, state.lookup)
        record |= {f"explained/{name}": values for name, values in explained.items()} | {"example": state.example}
        return state, record
