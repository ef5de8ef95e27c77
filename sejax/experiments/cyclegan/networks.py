"""What the CycleGANs are made of: translations between source and target, and the first weights.

E emotions, B vectors in a batch, F features. Parameters of a pair are ``{"target": G, "source": F}``: the generator
that makes target vectors and the one that makes source vectors; discriminators are named by what they judge.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sejax.core.experiment import PyTree
from sejax.core.rng import stream
from sejax.models.feed_forward import FeedForward, discriminator, domain_classifier, generator

DOMAINS = ("target", "source")
LAYERS = 8  # dropout seeds for so many hidden layers are drawn


class Networks(NamedTuple):
    """The three kinds of network, all `sejax.models.feed_forward.FeedForward`."""

    generator: FeedForward
    discriminator: FeedForward
    classifier: FeedForward


class Translations(NamedTuple):
    """What a pair of generators makes of a batch, f32[B, F] each.

    Attributes:
      target: G(s). source: F(t).
      source_again: F(G(s)). target_again: G(F(t)).
    """

    target: jax.Array
    source: jax.Array
    source_again: jax.Array
    target_again: jax.Array


def make_networks(
    features: int,
    classes: int,
    *,
    dropout: float = 0.2,
    classifier_dropout: float = 0.5,
    slope: float = 0.2,
    generator_hidden: tuple[int, ...] | None = None,
    discriminator_hidden: tuple[int, ...] | None = None,
    classifier_hidden: tuple[int, ...] | None = None,
    dtype: Any = None,
) -> Networks:
    """The paper's networks for F features and C emotions; hidden sizes may be changed, and products' ``dtype``."""

    def options(hidden):
        return {"slope": slope, "dtype": dtype} | ({"hidden": tuple(hidden)} if hidden else {})

    return Networks(
        generator(features, dropout=dropout, **options(generator_hidden)),
        discriminator(dropout=dropout, **options(discriminator_hidden)),
        domain_classifier(classes, dropout=classifier_dropout, **options(classifier_hidden)),
    )


def first_weights(network: FeedForward, key: jax.Array, features: int, *, emotions: int = 0) -> PyTree:
    """Fresh parameters of a network on F features; stacked [E, ...] where ``emotions`` is given."""

    def draw(key):
        return network.init(key, jnp.zeros((1, features)))["params"]

    if not emotions:
        return draw(key)
    return jax.vmap(draw)(jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(emotions)))


def first_pairs(network: FeedForward, key: jax.Array, features: int, emotions: int) -> PyTree:
    """Fresh parameters ``{"target", "source"}``, stacked [E, ...], of generators or discriminators."""
    return {
        domain: first_weights(network, stream(key, domain, 0), features, emotions=emotions) for domain in DOMAINS
    }


def dropout_seeds(key: jax.Array, emotions: int, passes: int) -> jax.Array:
    """Seeds u32[E, passes, layers] of an update: for each CycleGAN, each pass through a network, each hidden layer."""
    return jax.random.bits(key, (emotions, passes, LAYERS), jnp.uint32)


def translate(network: FeedForward, pair: PyTree, source: jax.Array, target: jax.Array, seeds) -> Translations:
    """Both ways and back of one CycleGAN in training, every pass with dropout of its own.

    F(t) comes first, so that G sees s and F(t) in one pass: a product of twice the rows reads the weights once.

    Args:
      network: the generators' module.
      pair: ``{"target", "source"}`` parameters of one CycleGAN.
      source, target: f32[B, F], unpaired.
      seeds: u32[4 or more, layers] of dropout.
    """

    def made(domain, x, seeds):
        return network.apply({"params": pair[domain]}, x, seeds=seeds)

    fake_source = made("source", target, seeds[1])
    both = made("target", jnp.concatenate([source, fake_source]), seeds[jnp.array([0, 3])])
    fake_target, target_again = jnp.split(both, 2)
    return Translations(fake_target, fake_source, made("source", fake_target, seeds[2]), target_again)
