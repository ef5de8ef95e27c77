"""The multitask DCGAN's training as pure functions (Chang and Scherer 2017, sections 2, 3 and 5).

Training ends when the validation figure (`Settings.criterion`) has not risen for some epochs, and the classifier goes
back to its best weights.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import HISTOGRAM, PyTree, State
from sejax.core.metrics import Mean, Scatter
from sejax.core.rng import member_key, root_key, seed_of, stream
from sejax.core.schedules import EarlyStopping
from sejax.data.folds import TEST, VALIDATION
from sejax.data.ratings import DIMENSIONS, MIDDLE, POINTS
from sejax.experiments.classification import MASKS, confidences, rows_of
from sejax.experiments.dcgan.gallery import first_gallery, hung
from sejax.experiments.dcgan.networks import TRAINED_BY, Networks
from sejax.experiments.dcgan.results import accepted, confusion, named, rating_scores, value_loss, value_scores
from sejax.experiments.methods import first_fields, stop_early


class Settings(NamedTuple):
    """The method's numbers; defaults are the paper's where it states them.

    Attributes:
      epochs: at most this many passes over the labelled crops.
      patience: epochs without a better validation figure that end the training.
      criterion: that figure, "uar" (the paper's unweighted accuracy) or "accuracy"; of ratings that are numbers "ccc".
      target: "points", five of which are classified, or "regression", a number for each dimension.
      regression_loss: of `sejax.experiments.dcgan.results.LOSSES`.
      updates: "alternating" (the paper's) or "joint".
      weights: of the losses of valence and activation in a joint update.
      b1, b2, epsilon: Adam's; b1 as in DCGAN.
      samples: N, crops generated for the gallery. snapshots: K, rows of the gallery.
      seed: of all members; what tells them apart is their ``draw``.
    """

    epochs: int
    patience: int = 5
    criterion: str = "uar"
    target: str = "points"
    regression_loss: str = "ccc"
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
      seeds: dict of u32[2] by part ("labelled", "unlabelled"): of the order of its utterances, and of their crops.
      rows: i32[L], the labelled utterances of an epoch, rare valences repeated; count: i32[], how many there are.
      epoch_start: i32[], updates done when the current epoch began.
      valid_index, valid_mask: i32[V], bool[V], the validation utterances.
      gallery: u8[K, N, bands, width], crops generated from the same draws after epochs 1, 2, 4 and so on, the last row
        after the latest epoch; K or N is 0 without a generator.
      collapsed_at: i32[], the epoch after which generated crops, once diverse, were all alike for the first time; 0:
        they have been diverse and did not collapse, -1: they never were, which is no collapse.
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


COLLAPSED = 0.1  # generated crops whose deviation is below this share of the real ones' are all alike,
DIVERSE = 0.2  # and from this share on they are diverse: what was never there cannot collapse


@dataclass(frozen=True, eq=False)
class Method:
    """The functions of one model with what they share; ``data`` is as `sejax.experiments.dcgan.batches` says.

    Attributes:
      networks, settings: what is trained, and the numbers.
      batch_size: B.
      valid_length: V, at least the largest member's validation utterances.
    """

    networks: Networks
    settings: Settings
    batch_size: int
    valid_length: int

    @property
    def adam(self) -> optax.GradientTransformation:
        """Adam's direction, without the rate."""
        return optax.scale_by_adam(b1=self.settings.b1, b2=self.settings.b2, eps=self.settings.epsilon)

    @property
    def trained_by(self) -> dict[str, tuple[str, ...]]:
        """The networks that each optimizer moves."""
        owned = {loss: TRAINED_BY[loss] for loss in self.networks.losses}
        if self.settings.updates == "joint":
            rest = tuple(name for name in self.networks.modules if name != "generator")
            owned = {name: own for name, own in owned.items() if name == "generator"} | {"rest": rest}
        return owned

    def key_of(self, draw: jax.Array) -> jax.Array:
        """What is random in a draw comes from it, and so is the same at every learning rate."""
        return member_key(root_key(self.settings.seed), draw)

    def step(self, state: DcganState, batch):
        """One round: the generator first, then what else trains the model, in turn or at once."""
        metrics, batch = {}, batch | {"real": self._real(batch)}
        if self.networks.generates:
            state, metrics, crops = self._fool(state)
            if self.settings.updates == "alternating":  # the discriminator meets the generator as it now is
                latent = self.draws(state, "judged", self.batch_size)
                crops, statistics = self.networks.generate(state.params, state.statistics, latent)
                state = state.replace(statistics=statistics)
            batch = batch | {"generated": jax.lax.stop_gradient(crops)}
        for name in self.trained_by:
            if name != "generator":
                losses = self.networks.losses if name == "rest" else (name,)
                state, scores = self._descend(state, name, partial(self._objective, batch=batch, losses=losses))
                metrics |= scores
        return state.replace(step=state.step + 1), metrics

    def _real(self, batch) -> jax.Array:
        """The discriminator's real crops: the unlabelled ones, and as many labelled ones as fill the batch."""
        if "unlabelled" not in batch:
            return batch["labelled"]
        return jnp.concatenate([batch["labelled"][: self.batch_size - len(batch["unlabelled"])], batch["unlabelled"]])

    def draws(self, state: DcganState, use: str, count: int) -> jax.Array:
        """What the generator starts from at the state's step, f32[count, latent], for one of its uses."""
        key = stream(self.key_of(state.draw), f"latent, {use}", state.step)
        return jax.random.normal(key, (count, self.networks.latent), jnp.float32)

    def _fool(self, state):
        """The generator's update; returns its metrics and the crops that it was made on."""
        latent = self.draws(state, "fooling", self.batch_size)

        def objective(params, statistics):
            crops, statistics = self.networks.generate(params, statistics, latent)
            features, _ = self.networks.features(params, statistics, crops)
            losses = jax.nn.softplus(-self.networks.real(params, features))
            return losses.mean(), (statistics, ({"generator/loss": Mean.from_values(losses)}, crops))

        state, (metrics, crops) = self._descend(state, "generator", objective)
        return state, metrics, crops

    def _objective(self, params, statistics, *, batch, losses):
        """The sum of some losses, and what they leave and tell: (loss, (statistics, metrics))."""
        total, metrics = 0.0, {}
        if "discriminator" in losses:
            total, statistics, metrics = self._judge(params, statistics, batch["real"], batch["generated"])
        rated = tuple(name for name in DIMENSIONS if name in losses)
        if rated:
            loss, statistics, scores = self._rate(params, statistics, batch, rated)
            total, metrics = total + loss, metrics | scores
        return total, (statistics, metrics)

    def _judge(self, params, statistics, real, generated):
        """The discriminator's loss: real and generated crops are batches of their own, as in DCGAN.

        Running statistics follow real speech alone, which is all that is rated in the end.
        """
        on_generated = self.networks.real(params, self.networks.features(params, statistics, generated)[0])
        features, statistics = self.networks.features(params, statistics, real)
        on_real = self.networks.real(params, features)
        losses = jax.nn.softplus(-on_real) + jax.nn.softplus(on_generated)
        metrics = {
            "discriminator/loss": Mean.from_values(losses),
            "real": Mean.from_values(jax.nn.sigmoid(on_real)),
            "generated": Mean.from_values(jax.nn.sigmoid(on_generated)),
            "diversity": Mean.from_values(diversity(generated, real)),
        }
        return losses.mean(), statistics, metrics

    def _rate(self, params, statistics, batch, rated):
        """Cross-entropy against fuzzy labels, or the loss of regression, of the dimensions ``rated``."""
        features, statistics = self.networks.features(params, statistics, batch["labelled"])
        logits = self.networks.rate(params, features, rated)  # [B, R, 5]
        weights = self.settings.weights if self.settings.updates == "joint" else (1.0,) * len(DIMENSIONS)
        total, metrics = 0.0, {}
        for row, name in enumerate(rated):
            dimension = DIMENSIONS.index(name)
            target, counts = batch["target"][:, dimension], batch["valid"] & batch["rated"][:, dimension]
            if self.settings.target == "regression":
                value, rating = MIDDLE + logits[:, row, 0], batch["rating"][:, dimension]
                loss = value_loss(value, rating, counts, loss=self.settings.regression_loss)
                total = total + weights[dimension] * loss
                scores = {"loss": Mean.from_values(loss, counts.sum())}
                metrics |= named(scores | {"ccc": value_scores(value, rating, counts)["ccc"]}, name)
                continue
            losses = optax.softmax_cross_entropy(logits[:, row], target)
            mean = (losses * counts).sum() / jnp.maximum(counts.sum(), 1)
            total = total + weights[dimension] * mean
            scores = {
                "loss": Mean.from_values(losses, counts),
                "confusion": confusion(accepted(target), logits[:, row].argmax(-1), counts),
            }
            metrics |= named(scores, name)
        return total, statistics, metrics

    def _descend(self, state, name, objective):
        """One step of Adam on the networks that ``name`` trains: the state after it, and the objective's metrics."""
        own = {part: state.params[part] for part in self.trained_by[name]}
        gradients, (statistics, metrics) = jax.grad(
            lambda own: objective(state.params | own, state.statistics), has_aux=True
        )(own)
        directions, moments = self.adam.update(gradients, state.optimizer[name])
        moved = jax.tree.map(lambda p, d: p - state.learning_rate * d, own, directions)
        state = state.replace(
            params=state.params | moved, statistics=statistics, optimizer=state.optimizer | {name: moments}
        )
        return state, metrics

    def init(self, key, member, data) -> DcganState:
        """First weights and orders of the member's draw (fold and seed), whatever its learning rate.

        ``member`` is ``{"part": i8[U], "rows": i32[L], "count": i32[], "draw": i32[], "learning_rate": f32[]}``.
        """
        own = self.key_of(member["draw"])
        params, statistics = self.networks.init(own)
        valid_index, valid_mask = rows_of(member["part"] == VALIDATION, self.valid_length)
        count = member["count"]
        seeds = {
            part: jnp.stack([seed_of(stream(own, f"{part} {what}", 0)) for what in ("order", "crops")])
            for part in ("labelled", "unlabelled")
        }
        return DcganState(
            **first_fields(key, ((count + self.batch_size - 1) // self.batch_size).astype(jnp.int32)),
            params=params,
            statistics=statistics,
            optimizer={
                name: self.adam.init({part: params[part] for part in own}) for name, own in self.trained_by.items()
            },
            best=self._classifier(params, statistics),
            learning_rate=member["learning_rate"],
            stopping=EarlyStopping.init(),
            part=member["part"],
            draw=member["draw"],
            seeds=seeds,
            rows=member["rows"],
            count=count,
            epoch_start=jnp.zeros((), jnp.int32),
            valid_index=valid_index,
            valid_mask=valid_mask,
            gallery=first_gallery(self.networks, self.settings.snapshots, self.settings.samples),
            collapsed_at=jnp.full((), -1, jnp.int32),
        )

    def _classifier(self, params, statistics) -> PyTree:
        """What rates speech: the part that early stopping restores."""
        kept = ("trunk", "shared", *self.networks.rated)
        return {"params": {name: params[name] for name in kept}, "statistics": {"trunk": statistics["trunk"]}}

    def evaluate(self, state: DcganState, batch):
        """Posteriors or ratings of utterances, the mean over their crops; scores of the validation part among them."""
        utterances, crops = batch["labelled"].shape[:2]
        logits = self.networks.rate_crops(
            state.params, state.statistics, batch["labelled"].reshape(-1, *batch["labelled"].shape[2:])
        )
        posterior = answers(logits).reshape(utterances, crops, *logits.shape[1:]).mean(1)  # [B, R, 5], or [B, R, 1]
        validates = batch["valid"] & (state.part[batch["index"]] == VALIDATION)
        posteriors = Scatter.from_outputs(
            batch["index"], posterior, size=state.part.shape[0], weights=batch["valid"]
        )
        return self._scores(posterior, batch, validates) | {"posterior": posteriors}

    def _scores(self, posterior, truth, counts):
        metrics = {}
        for row, name in enumerate(self.networks.rated):
            dimension = DIMENSIONS.index(name)
            rating, counted = truth["rating"][:, dimension], counts & truth["rated"][:, dimension]
            if self.settings.target == "regression":
                scores = value_scores(posterior[:, row, 0], rating, counted)
            else:
                scores = rating_scores(posterior[:, row], truth["target"][:, dimension], rating, counted)
            metrics |= named(scores, name)
        return metrics

    def refresh(self, state: DcganState, metrics) -> DcganState:
        """Early stopping and best weights; what the generator makes is kept for the gallery, and looked at."""
        scored = "ccc" if self.settings.target == "regression" else "confusion"
        figure = metrics_lib.compute({scored: metrics["valid"][scored]})[self.settings.criterion]
        rule = {"epochs": self.settings.epochs, "patience": self.settings.patience - 1, "threshold": 0.0}
        latest = self._classifier(state.params, state.statistics)
        fields, kept = stop_early(state.stopping, figure, latest, state.best, **rule)
        state = state.replace(
            params=state.params | kept["params"],
            statistics=state.statistics | kept["statistics"],
            epoch_start=state.step,
            **fields,
        )
        if not self.networks.generates:
            return state
        shown = self.draws(state.replace(step=0), "gallery", self.settings.samples)
        crops = self.networks.sample(state.params, state.statistics, shown)
        share, since = metrics["train"]["diversity"].compute(), state.collapsed_at
        since = jnp.where((since < 0) & (share >= DIVERSE), 0, since)
        return state.replace(
            gallery=hung(state.gallery, crops, epoch=state.stopping.epochs),
            collapsed_at=jnp.where((since == 0) & (share < COLLAPSED), state.stopping.epochs, since),
        )

    def conclude(self, state: DcganState, metrics, data):
        """Scores the test part, and the validation part once more with the weights that were kept."""
        posterior = metrics["posterior"].compute()  # [U, R, 5]
        tested = self._scores(posterior, data, state.part == TEST)
        record = {f"test/{name}": value for name, value in _counts(tested).items()}
        for number, own in enumerate(data.get(MASKS, ())):
            scores = self._scores(posterior, data, (state.part == TEST) & own)
            record |= {f"test:{number}/{name}": value for name, value in _counts(scores).items()}
        record |= {f"valid/{name}": value for name, value in _counts(metrics).items()}
        record |= {
            "epochs": state.stopping.epochs,
            "best_epoch": state.stopping.best_epoch + 1,
            "collapsed_at": state.collapsed_at,
            "gallery": state.gallery,
            "draw": state.draw,
        }
        for row, name in enumerate(self.networks.rated):
            counted = (state.part == TEST) & data["rated"][:, DIMENSIONS.index(name)]
            record[f"{HISTOGRAM}posterior/test_{name}"] = confidences(posterior[:, row], counted)
        return state, record


def answers(outputs: jax.Array) -> jax.Array:
    """Posteriors of five points from their logits [..., 5], or ratings from single numbers [..., 1].

    Ratings are kept within 1 to 5, beyond which nobody rates; in training they are not.
    """
    if outputs.shape[-1] == 1:
        return jnp.clip(MIDDLE + outputs, 1.0, float(POINTS))
    return jax.nn.softmax(outputs)


def diversity(generated: jax.Array, real: jax.Array) -> jax.Array:
    """How much generated crops [B, ...] differ from each other against how much real ones do, f32[].

    The root of the mean variance over a batch, of one over that of the other: near 1 where the generator's crops are
    as various as speech, near 0 where they are all alike.
    """
    return jnp.sqrt(generated.var(0).mean() / jnp.maximum(real.var(0).mean(), 1e-12))


def _counts(metrics) -> dict[str, jax.Array]:
    """The sums behind some scores, as arrays that results are computed from; of regression the figures themselves."""
    if "ccc" in metrics:
        return {name: metric.compute() for name, metric in metrics.items() if name != "posterior"}
    sums = {"confusion": "counts", "pearson": "sums"}
    fields = {name: sums.get(name.rpartition("/")[2]) for name in metrics}
    return {name: getattr(metrics[name], field) for name, field in fields.items() if field}
