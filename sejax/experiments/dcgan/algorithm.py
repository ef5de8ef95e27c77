"""The multitask DCGAN's training as pure functions (Chang and Scherer 2017, sections 2, 3 and 5).

Its updates are `sejax.experiments.dcgan.rounds`. Training ends when validation accuracy has not risen for some epochs,
and the classifier goes back to its best weights.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from sejax.core import metrics as metrics_lib
from sejax.core.experiment import Experiment, PyTree
from sejax.core.metrics import Scatter
from sejax.core.rng import stream
from sejax.core.schedules import EarlyStopping
from sejax.core.shuffle import seed_of
from sejax.data.folds import TEST, VALIDATION
from sejax.data.ratings import DIMENSIONS
from sejax.experiments.classification import rows_of
from sejax.experiments.dcgan.gallery import first_gallery, hung
from sejax.experiments.dcgan.networks import Networks
from sejax.experiments.dcgan.rounds import Rounds
from sejax.experiments.dcgan.scores import named, rating_scores
from sejax.experiments.dcgan.state import DcganState, Settings

COLLAPSED = 0.1  # generated crops whose deviation is below this share of the real ones' are all alike


@dataclass(frozen=True, eq=False)
class Method(Rounds):
    """The rounds and what stands around them; `make_experiment` hands its functions to the engine.

    ``valid_length`` is the places of a pass over the validation utterances.
    """

    valid_length: int

    def init(self, key, member, data) -> DcganState:
        """First weights and orders of the member's draw (fold and seed), whatever its learning rate."""
        own = self.key_of(member["draw"])
        params, statistics = self.networks.init(own)
        valid_index, valid_mask = rows_of(member["part"] == VALIDATION, self.valid_length)
        count = member["count"]
        seeds = {
            part: jnp.stack([seed_of(stream(own, f"{part} {what}", 0)) for what in ("order", "crops")])
            for part in ("labelled", "unlabelled")
        }
        return DcganState(
            key=key,
            step=jnp.zeros((), jnp.int32),
            epoch_steps=((count + self.batch_size - 1) // self.batch_size).astype(jnp.int32),
            stopped=jnp.zeros((), bool),
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
        """Posteriors of utterances, each the mean over its crops; scores of the validation part among them."""
        utterances, crops = batch["labelled"].shape[:2]
        logits = self.networks.rate_crops(
            state.params, state.statistics, batch["labelled"].reshape(-1, *batch["labelled"].shape[2:])
        )
        posterior = jax.nn.softmax(logits).reshape(utterances, crops, *logits.shape[1:]).mean(1)  # [B, R, 5]
        validates = batch["valid"] & (state.part[batch["index"]] == VALIDATION)
        posteriors = Scatter.from_outputs(
            batch["index"], posterior, size=state.part.shape[0], weights=batch["valid"]
        )
        return self._scores(posterior, batch, validates) | {"posterior": posteriors}

    def _scores(self, posterior, truth, counts):
        metrics = {}
        for row, name in enumerate(self.networks.rated):
            dimension = DIMENSIONS.index(name)
            scores = rating_scores(
                posterior[:, row],
                truth["target"][:, dimension],
                truth["rating"][:, dimension],
                counts & truth["rated"][:, dimension],
            )
            metrics |= named(scores, name)
        return metrics

    def refresh(self, state: DcganState, metrics) -> DcganState:
        """Early stopping and best weights; what the generator makes is kept for the gallery, and looked at."""
        figure = metrics_lib.compute({"confusion": metrics["valid"]["confusion"]})[self.settings.criterion]
        stopping = state.stopping.update(figure, mode="max", patience=self.settings.patience - 1, threshold=0.0)
        latest = self._classifier(state.params, state.statistics)
        best = jax.tree.map(lambda new, old: jnp.where(stopping.improved, new, old), latest, state.best)
        stopped = stopping.stopped | (stopping.epochs >= self.settings.epochs)
        kept = jax.tree.map(lambda top, new: jnp.where(stopped, top, new), best, latest)
        state = state.replace(
            params=state.params | kept["params"],
            statistics=state.statistics | kept["statistics"],
            best=best,
            stopping=stopping,
            stopped=stopped,
            epoch_start=state.step,
        )
        if not self.networks.generates:
            return state
        shown = self.draws(state.replace(step=0), "gallery", self.settings.samples)
        crops = self.networks.sample(state.params, state.statistics, shown)
        alike = metrics["train"]["diversity"].compute() < COLLAPSED
        first = alike & (state.collapsed_at < 0)
        return state.replace(
            gallery=hung(state.gallery, crops, epoch=stopping.epochs),
            collapsed_at=jnp.where(first, stopping.epochs, state.collapsed_at),
        )

    def conclude(self, state: DcganState, metrics, data):
        """Scores the test part, and the validation part once more with the weights that were kept."""
        posterior = metrics["posterior"].compute()  # [U, R, 5]
        tested = self._scores(posterior, data, state.part == TEST)
        record = {f"test/{name}": value for name, value in _counts(tested).items()}
        record |= {f"valid/{name}": value for name, value in _counts(metrics).items()}
        record |= {
            "epochs": state.stopping.epochs,
            "best_epoch": state.stopping.best_epoch + 1,
            "collapsed_at": state.collapsed_at,
            "gallery": state.gallery,
            "draw": state.draw,
        }
        return state, record


def _counts(metrics) -> dict[str, jax.Array]:
    """The sums behind some scores, as arrays that results are computed from."""
    kept = {"confusion": "counts", "pearson": "sums"}
    found = {name: kept.get(name.rpartition("/")[2]) for name in metrics}
    return {name: getattr(metrics[name], field) for name, field in found.items() if field}


def make_experiment(networks: Networks, settings: Settings, *, batch_size: int, valid_length: int) -> Experiment:
    """One of the four models.

    Args:
      networks: see `sejax.experiments.dcgan.networks`.
      settings: the method's numbers.
      batch_size: B. valid_length: V, at least the largest member's validation utterances.

    Returns:
      An Experiment. ``init``'s member is ``{"part": i8[U], "rows": i32[L], "count": i32[], "draw": i32[],
      "learning_rate": f32[]}``; ``data`` is as `sejax.experiments.dcgan.batches` says.
    """
    method = Method(networks, settings, batch_size, valid_length)
    return Experiment(method.init, method.step, method.evaluate, method.conclude, method.refresh)
