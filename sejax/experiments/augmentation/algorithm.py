"""A feed-forward classifier of feature vectors, trained on real and made vectors (Bao et al. 2019, section 4.3).

Softmax cross-entropy and Adam over a fixed number of updates. Members differ in fold, repeat (first weights, order,
dropout) and in the generator whose vectors they train on.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core.experiment import Plan, Source, State
from sejax.core.metrics import Confusion
from sejax.core.results import BY_CORPUS
from sejax.core.rng import hashed_bits, seed_of, shuffled, stream
from sejax.data.folds import TEST, VALIDATION
from sejax.errors import InputError
from sejax.experiments.classification import MASKS, scores
from sejax.experiments.feature_vectors import Scaling
from sejax.experiments.methods import check_choice, first_fields
from sejax.models.feed_forward import FeedForward

TRAININGS = ("real", "syn", "real+syn", "real+noise", "real+mixup")
EVALUATIONS = ("within", "cross")


class Schedule(NamedTuple):
    """One classifier: two hidden layers and how it is trained.

    Attributes:
      hidden: units of the hidden layers.
      batch_size: vectors to an update.
      dropout: after each hidden layer.
      learning_rate: Adam's.
      updates: in all.
    """

    hidden: tuple[int, ...]
    batch_size: int
    dropout: float
    learning_rate: float
    updates: int

    def __str__(self) -> str:
        """In words: "hidden 100-100, batch 64, dropout 0.2, rate 1e-05, 4900 updates"."""
        return (
            f"hidden {'-'.join(map(str, self.hidden))}, batch {self.batch_size}, dropout {self.dropout:g}, rate "
            f"{self.learning_rate:.3g}, {self.updates} updates"
        )


class _Published(NamedTuple):
    units: int
    batch_size: int
    dropout: float
    learning_rate: float
    epochs: int


# Section 4.3. Section 4.4 names what differs for the two trainings with synthetic vectors, and no batch size.
_REAL = _Published(100, 64, 0.2, 1e-5, 70)
PUBLISHED = {
    "within": {
        "real": _REAL,
        "syn": _Published(200, 256, 0.5, 1e-5, 5),
        "real+syn": _Published(1000, 256, 0.5, 5e-6, 30),
    },
    "cross": {
        "real": _REAL,
        "syn": _Published(200, 256, 0.8, 1e-5, 20),
        "real+syn": _Published(200, 256, 0.8, 1e-5, 20),
    },
}
# What the paper trained on: IEMOCAP's 5531 vectors (four fifths of them within the corpus), TED-LIUM's 92,973 in each
# of four emotions.
_REAL_VECTORS = {"within": 5531 * 4 // 5, "cross": 5531}
_SYNTHETIC_VECTORS = 4 * 92973


def schedule(training: str, evaluation: str, *, vectors: int, updates: int = 0) -> Schedule:
    """How one classifier is trained; those with noise and mixup as those with synthetic vectors.

    Args:
      training: one of `TRAININGS`. evaluation: one of `EVALUATIONS`.
      vectors: training vectors at hand.
      updates: 0: the paper's epochs over the vectors at hand. Otherwise so many updates, the rate chosen such that
        updates x rate is what it was on the paper's data: Adam's steps have about the size of its rate, so this is
        how far a weight can go, and a small corpus gets as far as a large one.

    Raises:
      InputError: an unknown training or evaluation.
    """
    if training not in TRAININGS:
        raise InputError(f"config: trainings={training!r}; choose of {', '.join(TRAININGS)}")
    check_choice("evaluation", evaluation, EVALUATIONS)
    published = PUBLISHED[evaluation]["real+syn" if training.startswith("real+") else training]
    fixed = ((published.units,) * 2, published.batch_size, published.dropout)
    if not updates:
        per_epoch = math.ceil(vectors / published.batch_size)
        return Schedule(*fixed, published.learning_rate, published.epochs * per_epoch)
    rate = published.learning_rate * published_updates(training, evaluation) / updates
    return Schedule(*fixed, rate, updates)


def published_updates(training: str, evaluation: str) -> int:
    """The updates that the paper's epochs make on the paper's data."""
    kind = "real+syn" if training.startswith("real+") else training
    published = PUBLISHED[evaluation][kind]
    vectors = _REAL_VECTORS[evaluation] * (kind != "syn") + _SYNTHETIC_VECTORS * (kind != "real")
    return published.epochs * math.ceil(vectors / published.batch_size)


ITSELF, CHANGED = 0, 1  # what is done to a vector of a batch


def training_source(batch_size: int, *, changed: bool) -> Source:
    """Shuffled passes over real and made vectors together, without padding.

    ``changed``: the made vectors are real ones changed by noise or mixup, as many of each class; each pass draws them,
    and for mixup their partners, anew.
    """

    def plan_at(state: "ClassifierState", position):
        place = (state.epoch_start + position) * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
        number = shuffled(state.seed, place, state.count + state.made)
        is_real = number < state.count
        real = state.rows[jnp.minimum(number, jnp.maximum(state.count - 1, 0))]
        made = number - state.count
        own, partner = _drawn(state, place, made) if changed else (state.start + made,) * 2
        index = {
            "row": jnp.where(is_real, real, own),
            "partner": jnp.where(is_real, real, partner),
            "kind": jnp.where(is_real, ITSELF, CHANGED),
        }
        return Plan(index, place >= 0)

    return Source(plan_at, _gather)


def _drawn(state: "ClassifierState", place, number):
    """Real rows for the made vectors ``number`` i32[B]: one of each vector's class, and one of any class."""
    classes = state.class_count.shape[0]
    label = jnp.maximum(number, 0) % classes
    bits = hashed_bits(state.seed + jnp.uint32(place[0]), (2, *place.shape))
    within = (bits[0] % state.class_count[label].astype(jnp.uint32)).astype(jnp.int32)
    anywhere = (bits[1] % jnp.maximum(state.count, 1).astype(jnp.uint32)).astype(jnp.int32)
    return state.class_rows[label, within], state.rows[anywhere]


def _gather(data, plan: Plan):
    """Vectors f32[B, F] with their partners, labels i32[B] of both, and what is done to each."""
    row, partner = plan.index["row"], plan.index["partner"]
    return {
        "vectors": data["vectors"][row],
        "partner": data["vectors"][partner],
        "label": data["label"][row],
        "partner_label": data["label"][partner],
        "kind": plan.index["kind"],
    }


def gather_test(data, plan: Plan):
    """Test vectors f32[B, F] of an evaluation with their labels, and which rows count."""
    found = {"vectors": data["test"][plan.index], "label": data["test_label"][plan.index]}
    if MASKS in data:
        found[MASKS] = data[MASKS][:, plan.index]
    return found | {"index": plan.index, "valid": plan.valid}


CHANGES = ("noise", "mixup")


class Settings(NamedTuple):
    """The method's numbers.

    Attributes:
      num_classes: C.
      schedule: sizes, rate and updates.
      row_updates: updates to a row of the history (an epoch of the engine).
      change: what is done to changed vectors: "noise", "mixup", or "" where made vectors are synthetic.
      noise: standard deviation of the noise, in those of the z-normalised features.
      mixup: alpha of the Beta distribution of the share of the vector itself.
      slope: of the leaky ReLU.
    """

    num_classes: int
    schedule: Schedule
    row_updates: int
    change: str = ""
    noise: float = 0.5
    mixup: float = 0.4
    slope: float = 0.2


@struct.dataclass
class ClassifierState(State):
    """One classifier. U test vectors, F features, C classes, L real vectors.

    Attributes:
      params: of the network. optimizer: Adam's moments.
      real_scaling, made_scaling, test_scaling: z-normalisation of real, synthetic and test vectors, f32[F] each.
      part: i8[U], what each test vector is (1 development, 2 test, other: unused).
      seed: u32[], of the order.
      rows: i32[L], the real training rows; count: i32[], how many of them are trained on as they are.
      class_rows: i32[C, L]; class_count: i32[C], the same by class: what is changed by noise or mixup.
      start: i32[], first synthetic row; made: i32[], how many synthetic (or changed) vectors there are.
      epoch_start: i32[], updates done when the engine's current epoch began.
    """

    params: Any
    optimizer: Any
    real_scaling: Scaling
    made_scaling: Scaling
    test_scaling: Scaling
    part: jax.Array
    seed: jax.Array
    rows: jax.Array
    count: jax.Array
    class_rows: jax.Array
    class_count: jax.Array
    start: jax.Array
    made: jax.Array
    epoch_start: jax.Array


_FROM_MEMBER = ("part", "rows", "count", "class_rows", "class_count", "start", "made")


@dataclass(frozen=True, eq=False)
class Method:
    """The functions of one training of the comparison, with what they share."""

    settings: Settings

    @property
    def network(self) -> FeedForward:
        """The classifier."""
        return make_network(self.settings.num_classes, self.settings.schedule, slope=self.settings.slope)

    def init(self, key, member, data) -> ClassifierState:
        """Fresh weights; the member is one of `sejax.experiments.augmentation.members`."""
        first = jnp.zeros((1, data["vectors"].shape[-1]))
        params = self.network.init(stream(key, "weights", 0), first)["params"]
        row = min(self.settings.row_updates, self.settings.schedule.updates)
        return ClassifierState(
            **first_fields(key, jnp.full((), row, jnp.int32)),
            params=params,
            optimizer=optax.scale_by_adam().init(params),
            seed=seed_of(stream(key, "order", 0)),
            epoch_start=jnp.zeros((), jnp.int32),
            **{f"{name}_scaling": Scaling(**member[f"{name}_scaling"]) for name in ("real", "made", "test")},
            **{name: member[name] for name in _FROM_MEMBER},
        )

    def step(self, state: ClassifierState, batch):
        """One update by the mean cross-entropy of the batch."""
        inputs, wanted = self._prepared(state, batch)
        seeds = jax.random.bits(stream(state.key, "dropout", state.step), (len(self.settings.schedule.hidden),))

        def objective(params):
            logits = self.network.apply({"params": params}, inputs, seeds=seeds.astype(jnp.uint32))
            losses = optax.softmax_cross_entropy(logits, wanted)
            return losses.mean(), (losses, logits)

        gradients, (losses, logits) = jax.grad(objective, has_aux=True)(state.params)
        directions, optimizer = optax.scale_by_adam().update(gradients, state.optimizer)
        rate = self.settings.schedule.learning_rate
        params = jax.tree.map(lambda p, d: p - rate * d, state.params, directions)
        metrics = scores(logits, losses, batch["label"], jnp.ones_like(losses))
        return state.replace(params=params, optimizer=optimizer, step=state.step + 1), metrics

    def _prepared(self, state: ClassifierState, batch):
        """z-normalised inputs f32[B, F] and wished posteriors f32[B, C]."""
        labels = jax.nn.one_hot(batch["label"], self.settings.num_classes)
        changed = (batch["kind"] == CHANGED)[:, None]
        real = state.real_scaling.apply(batch["vectors"])
        seed = jax.random.bits(stream(state.key, "change", state.step), (2,), jnp.uint32)
        if self.settings.change == "noise":
            noisy = real + self.settings.noise * _normal(seed[0], real.shape)
            return jnp.where(changed, noisy, real), labels
        if self.settings.change == "mixup":
            own = jnp.where(changed, self._shares(state, len(real))[:, None], 1.0)
            partner = jax.nn.one_hot(batch["partner_label"], self.settings.num_classes)
            mixed = own * real + (1.0 - own) * state.real_scaling.apply(batch["partner"])
            return mixed, own * labels + (1.0 - own) * partner
        return jnp.where(changed, state.made_scaling.apply(batch["vectors"]), real), labels

    def _shares(self, state: ClassifierState, count: int) -> jax.Array:
        """Shares f32[B] of the vectors themselves in a mixup (Zhang et al. 2018), at least one half.

        The label of a changed vector is that of its class then, which keeps the made vectors balanced.
        """
        alpha = self.settings.mixup
        drawn = jax.random.beta(stream(state.key, "mixup", state.step), alpha, alpha, (count,))
        return jnp.maximum(drawn, 1.0 - drawn)

    def evaluate(self, state: ClassifierState, batch):
        """Confusions of the test and of the development vectors in a batch."""
        inputs = state.test_scaling.apply_to_others(batch["vectors"])
        logits = self.network.apply({"params": state.params}, inputs)
        part = state.part[batch["index"]]
        confusion = partial(
            Confusion.from_predictions, batch["label"], logits.argmax(-1), num_classes=self.settings.num_classes
        )
        parts = {"test": TEST, "valid": VALIDATION}
        found = {name: confusion(weights=(part == kind) & batch["valid"]) for name, kind in parts.items()}
        for number, own in enumerate(batch.get(MASKS, ())):
            found[f"test:{number}"] = confusion(weights=(part == TEST) & own & batch["valid"])
        return found

    def refresh(self, state: ClassifierState, metrics) -> ClassifierState:
        """The next row of the history; stopped where the schedule is over."""
        del metrics
        left = self.settings.schedule.updates - state.step
        steps = jnp.clip(left, 1, self.settings.row_updates)
        return state.replace(epoch_start=state.step, epoch_steps=steps, stopped=left <= 0)

    def conclude(self, state: ClassifierState, metrics, data):
        """The confusions of the test and of the development part."""
        record = {f"confusion/{name}": metrics[name].counts for name in ("test", "valid")}
        if MASKS in data:
            each = [metrics[f"test:{number}"].counts for number in range(len(data[MASKS]))]
            record[f"{BY_CORPUS}test"] = jnp.stack(each)
        return state, record


def _normal(seed: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal numbers of a shape from a u32[] seed."""
    # 23 bits and a half: inside (0, 1) even after rounding to float32.
    uniform = ((hashed_bits(seed, shape) >> 9).astype(jnp.float32) + 0.5) * 2**-23
    return jnp.sqrt(2.0) * jax.lax.erf_inv(2.0 * uniform - 1.0)


def make_network(num_classes: int, sizes: Schedule, *, slope: float) -> FeedForward:
    """The classifier, F-h-h-C; gives logits."""
    return FeedForward(hidden=sizes.hidden, outputs=num_classes, slope=slope, dropout=sizes.dropout)
