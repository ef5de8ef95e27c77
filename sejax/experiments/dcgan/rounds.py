"""An update of the multitask DCGAN (Chang and Scherer 2017, section 3), pure.

It is a round: the generator, the discriminator, valence and activation in turn, each error propagated back through
the layers they share; or all of them at once (`updates="joint"`, which the paper's conclusion asks for).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax

from sejax.core.metrics import Mean
from sejax.core.rng import member_key, root_key, stream
from sejax.data.ratings import DIMENSIONS
from sejax.experiments.dcgan.networks import TRAINED_BY, Networks
from sejax.experiments.dcgan.scores import accepted, confusion, named
from sejax.experiments.dcgan.state import DcganState, Settings


@dataclass(frozen=True, eq=False)
class Rounds:
    """The rounds of one model with what they share: its networks, the method's numbers, crops to a batch."""

    networks: Networks
    settings: Settings
    batch_size: int

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
                state, found = self._descend(state, name, partial(self._objective, batch=batch, losses=losses))
                metrics |= found
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
        """Cross-entropy against fuzzy labels, of the dimensions ``rated``."""
        features, statistics = self.networks.features(params, statistics, batch["labelled"])
        logits = self.networks.rate(params, features, rated)  # [B, R, 5]
        weights = self.settings.weights if self.settings.updates == "joint" else (1.0,) * len(DIMENSIONS)
        total, metrics = 0.0, {}
        for row, name in enumerate(rated):
            dimension = DIMENSIONS.index(name)
            target, counts = batch["target"][:, dimension], batch["valid"] & batch["rated"][:, dimension]
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
        """One step of Adam on the networks that ``name`` trains: the state after it, and what the objective told."""
        own = {part: state.params[part] for part in self.trained_by[name]}
        gradients, (statistics, told) = jax.grad(
            lambda own: objective(state.params | own, state.statistics), has_aux=True
        )(own)
        directions, moments = self.adam.update(gradients, state.optimizer[name])
        moved = jax.tree.map(lambda p, d: p - state.learning_rate * d, own, directions)
        state = state.replace(
            params=state.params | moved, statistics=statistics, optimizer=state.optimizer | {name: moments}
        )
        return state, told


def diversity(generated: jax.Array, real: jax.Array) -> jax.Array:
    """How much generated crops [B, ...] differ from each other against how much real ones do, f32[].

    The root of the mean variance over a batch, of one over that of the other: near 1 where the generator's crops are
    as various as speech, near 0 where they are all alike.
    """
    return jnp.sqrt(generated.var(0).mean() / jnp.maximum(real.var(0).mean(), 1e-12))
