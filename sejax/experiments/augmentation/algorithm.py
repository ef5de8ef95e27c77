"""A feed-forward classifier of feature vectors, trained on real and made vectors (Bao et al. 2019, section 4.3).

Softmax cross-entropy and Adam over a fixed number of updates. Members differ in fold, repeat (first weights, order,
dropout) and in the generator whose vectors they train on.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core.experiment import Experiment, State
from sejax.core.metrics import Confusion, Mean
from sejax.core.rng import hashed_bits, stream
from sejax.core.shuffle import seed_of
from sejax.data.folds import TEST, VALIDATION
from sejax.experiments.augmentation.batches import CHANGED
from sejax.experiments.augmentation.schedules import Schedule
from sejax.experiments.scaling import Scaling
from sejax.models.feed_forward import FeedForward

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
    """One classifier. N vectors, U test vectors, F features; for the rows see `batches.MixedState`.

    Attributes:
      params: of the network. optimizer: Adam's moments.
      real_scaling, made_scaling, test_scaling: z-normalisation of real, synthetic and test vectors, f32[F] each.
      part: i8[U], what each test vector is (1 development, 2 test, other: unused).
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
    """The method's functions with what they share; `make_experiment` hands them to the engine."""

    settings: Settings

    @property
    def network(self) -> FeedForward:
        """The classifier."""
        return make_network(self.settings.num_classes, self.settings.schedule, slope=self.settings.slope)

    def init(self, key, member, data) -> ClassifierState:
        """Fresh weights."""
        first = jnp.zeros((1, data["vectors"].shape[-1]))
        params = self.network.init(stream(key, "weights", 0), first)["params"]
        row = min(self.settings.row_updates, self.settings.schedule.updates)
        return ClassifierState(
            key=key,
            step=jnp.zeros((), jnp.int32),
            epoch_steps=jnp.full((), row, jnp.int32),
            stopped=jnp.zeros((), bool),
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
        metrics = self._scores(logits, losses, batch["label"], jnp.ones_like(losses))
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

    def _scores(self, logits, losses, label, weight):
        confusion = Confusion.from_predictions(
            label, logits.argmax(-1), num_classes=self.settings.num_classes, weights=weight
        )
        return {"loss": Mean.from_values(losses, weight), "confusion": confusion}

    def evaluate(self, state: ClassifierState, batch):
        """Confusions of the test and of the development vectors in a batch."""
        logits = self.network.apply({"params": state.params}, state.test_scaling.apply(batch["vectors"]))
        part = state.part[batch["index"]]
        chosen = {"test": part == TEST, "valid": part == VALIDATION}
        return {
            name: Confusion.from_predictions(
                batch["label"],
                logits.argmax(-1),
                num_classes=self.settings.num_classes,
                weights=(mask & batch["valid"]).astype(jnp.float32),
            )
            for name, mask in chosen.items()
        }

    def refresh(self, state: ClassifierState, metrics) -> ClassifierState:
        """The next row of the history; stopped where the schedule is over."""
        del metrics
        left = self.settings.schedule.updates - state.step
        steps = jnp.clip(left, 1, self.settings.row_updates)
        return state.replace(epoch_start=state.step, epoch_steps=steps, stopped=left <= 0)

    def conclude(self, state: ClassifierState, metrics, data):
        """The confusions of the test and of the development part."""
        del data
        return state, {f"confusion/{name}": metrics[name].counts for name in ("test", "valid")}


def _normal(seed: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal numbers of a shape from a u32[] seed."""
    # 23 bits and a half: inside (0, 1) even after rounding to float32.
    uniform = ((hashed_bits(seed, shape) >> 9).astype(jnp.float32) + 0.5) * 2**-23
    return jnp.sqrt(2.0) * jax.lax.erf_inv(2.0 * uniform - 1.0)


def make_network(num_classes: int, sizes: Schedule, *, slope: float) -> FeedForward:
    """The classifier, F-h-h-C; gives logits."""
    return FeedForward(hidden=sizes.hidden, outputs=num_classes, slope=slope, dropout=sizes.dropout)


def make_experiment(settings: Settings) -> Experiment:
    """One training of the comparison.

    Returns:
      An Experiment. ``init``'s member is made by `sejax.experiments.augmentation.members`; ``data`` as in
      `sejax.experiments.augmentation.batches`.
    """
    method = Method(settings)
    return Experiment(method.init, method.step, method.evaluate, method.conclude, method.refresh)
