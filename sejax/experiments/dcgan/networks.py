"""The networks of a model, and which of them each of its losses trains."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from sejax.core.experiment import PyTree
from sejax.core.rng import stream
from sejax.data.ratings import DIMENSIONS, POINTS
from sejax.models.dcgan import Adversarial, Generator, Rating, Shared, Trunk
from sejax.models.normalisation import settled

# Which losses train a model, in the order of their updates.
MODELS = {
    "basic_cnn": ("valence",),
    "multitask_cnn": ("valence", "activation"),
    "basic_dcgan": ("generator", "discriminator", "valence"),
    "multitask_dcgan": ("generator", "discriminator", "valence", "activation"),
}
# The networks that a loss trains, and so is back-propagated into.
TRAINED_BY = {
    "generator": ("generator",),
    "discriminator": ("trunk", "adversarial"),
    "valence": ("trunk", "shared", "valence"),
    "activation": ("trunk", "shared", "activation"),
}


class Networks(NamedTuple):
    """The networks of one model, each a named subtree of its parameters.

    Attributes:
      losses: of `MODELS`.
      modules: by name: "trunk", "shared", and as the losses ask for: "generator", "adversarial", "valence",
        "activation".
      width: frames of a crop. bands: its height.
      latent: numbers that the generator starts from.
    """

    losses: tuple[str, ...]
    modules: dict[str, nn.Module]
    width: int
    bands: int = 128
    latent: int = 100

    @property
    def rated(self) -> tuple[str, ...]:
        """The dimensions that the model rates."""
        return tuple(name for name in DIMENSIONS if name in self.losses)

    @property
    def generates(self) -> bool:
        """Whether the model has a generator and an adversarial head."""
        return "generator" in self.losses

    def init(self, key: jax.Array) -> tuple[PyTree, PyTree]:
        """First parameters of every network by its name, and what trunk and generator know of their batches.

        The latter is ``{"running": statistics of batch normalisation, "passes": f32[]}`` for each of the two.
        """
        crop = jnp.zeros((2, self.bands, self.width, 1))
        shapes = jax.eval_shape(lambda: self.modules["trunk"].init(key, crop, train=False))
        features = jax.eval_shape(lambda v: self.modules["trunk"].apply(v, crop, train=False), shapes)
        features = jnp.zeros(features.shape, features.dtype)
        inputs = {"trunk": crop, "generator": jnp.zeros((2, self.latent)), "adversarial": features, "shared": features}
        params, statistics = {}, {}
        for name, module in self.modules.items():
            given = inputs.get(name, jnp.zeros((2, self.modules["shared"].hidden)))
            train = {"train": False} if name in ("trunk", "generator") else {}
            found = module.init(stream(key, f"first weights of {name}", 0), given, **train)
            params[name] = found["params"]
            if "batch_stats" in found:
                nothing = jax.tree.map(jnp.zeros_like, found["batch_stats"])
                statistics[name] = {"running": nothing, "passes": jnp.zeros(())}
        return params, statistics

    def features(self, params, statistics, crops: jax.Array) -> tuple[jax.Array, PyTree]:
        """The trunk's output for crops f32[B, bands, width] in training, and its moved batch statistics."""
        return self._train("trunk", params, statistics, crops[..., None])

    def generate(self, params, statistics, latent: jax.Array) -> tuple[jax.Array, PyTree]:
        """Crops f32[B, bands, width] made of f32[B, latent] in training, and the moved batch statistics."""
        crops, moved = self._train("generator", params, statistics, latent)
        return crops[..., 0], moved

    def sample(self, params, statistics, latent: jax.Array) -> jax.Array:
        """As `generate`, by running statistics: what a draw becomes does not depend on those beside it."""
        variables = {"params": params["generator"], "batch_stats": settled(statistics["generator"])}
        return self.modules["generator"].apply(variables, latent, train=False)[..., 0]

    def _train(self, name, params, statistics, inputs):
        variables = {"params": params[name], "batch_stats": statistics[name]["running"]}
        found, moved = self.modules[name].apply(variables, inputs, train=True, mutable=["batch_stats"])
        moved = {"running": moved["batch_stats"], "passes": statistics[name]["passes"] + 1}
        return found, statistics | {name: moved}

    def real(self, params, features: jax.Array) -> jax.Array:
        """Logits f32[B] of being real speech."""
        return self.modules["adversarial"].apply({"params": params["adversarial"]}, features)

    def rate(self, params, features: jax.Array, dimensions: tuple[str, ...]) -> jax.Array:
        """Logits f32[B, D, 5] of the points of some rated dimensions, or f32[B, D, 1] where a rating is one number."""
        hidden = self.modules["shared"].apply({"params": params["shared"]}, features)
        return jnp.stack([self.modules[name].apply({"params": params[name]}, hidden) for name in dimensions], axis=1)

    def rate_crops(self, params, statistics, crops: jax.Array) -> jax.Array:
        """As `rate` for all of the model's dimensions, of crops f32[B, bands, width], by running statistics."""
        variables = {"params": params["trunk"], "batch_stats": settled(statistics["trunk"])}
        return self.rate(params, self.modules["trunk"].apply(variables, crops[..., None], train=False), self.rated)


def make_networks(
    model: str,
    *,
    filters: int,
    side: int,
    width: int,
    hidden: int,
    slope: float,
    latent: int = 100,
    points: int = POINTS,
    dtype=None,
) -> Networks:
    """The networks of a model of `MODELS`; sizes as in `sejax.models.dcgan`, ``hidden`` units after the trunk.

    ``points``: outputs of a rated dimension, 1 for a rating itself.
    """
    losses = MODELS[model]
    modules = {"trunk": Trunk(filters, side, slope=slope, dtype=dtype), "shared": Shared(hidden, slope=slope)}
    modules |= {name: Rating(points=points) for name in DIMENSIONS if name in losses}
    if "generator" in losses:
        modules["generator"] = Generator(filters, side, width, latent=latent, dtype=dtype)
        modules["adversarial"] = Adversarial()
    return Networks(losses, modules, width, latent=latent)
