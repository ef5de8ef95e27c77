"""Feed-forward networks on feature vectors: the CycleGANs' generators, discriminators and domain classifier.

Bao, Neumann, Vu: CycleGAN-based Emotion Style Transfer as Data Augmentation for Speech Emotion Recognition,
Interspeech 2019, section 4.1 for the sizes.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax

from sejax.core.rng import dropout, glorot_uniform
from sejax.models.products import products_in


class FeedForward(nn.Module):
    """Dense layers with leaky ReLU and dropout after each hidden one, then `outputs` linear units.

    Layers are called hidden_0, hidden_1, ... and output. Weights begin in Glorot's uniform distribution and
    biases at 0, as TensorFlow 1's dense layers do.

    Attributes:
      hidden: units of each hidden layer.
      outputs: units of the last layer.
      slope: of the leaky ReLU below 0.
      dropout: probability that a hidden unit is zeroed in training.
      sigmoid: the outputs pass through a sigmoid (generators: features lie in [0, 1]).
      dtype: what the factors of products are rounded to, see `sejax.models.products`; None: they are taken as they
        are. Weights, sums and outputs are float32 in any case.
    """

    hidden: tuple[int, ...]
    outputs: int
    slope: float = 0.2
    dropout: float = 0.2
    sigmoid: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, seeds=None):
        """Outputs [..., outputs] of features x [..., F].

        `seeds` u32[n], one for each hidden layer (more are ignored), turns dropout on. They are plain integers and no
        keys, so that one draw serves every pass of an update: a key for each costs seconds of compilation. u32[k, n]
        where the first axis of x is k equal parts, one after the other: each is dropped out as it would be alone.
        """
        how = {} if self.dtype is None else {"dot_general": products_in(self.dtype)}
        dense = partial(nn.Dense, kernel_init=glorot_uniform, **how)
        for number, width in enumerate(self.hidden):
            x = dense(width, name=f"hidden_{number}")(x)
            x = nn.leaky_relu(x, self.slope)
            if seeds is not None:
                x = self._dropped_out(seeds[..., number], x)
        x = dense(self.outputs, name="output")(x)
        return nn.sigmoid(x) if self.sigmoid else x

    def _dropped_out(self, seeds, x):
        """x with dropout by one seed u32[], or by one for each part u32[k]."""
        drop = partial(dropout, rate=self.dropout)
        if not seeds.ndim:
            return drop(seeds, x)
        return jax.vmap(drop)(seeds, x.reshape(len(seeds), -1, *x.shape[1:])).reshape(x.shape)


def generator(features: int, **changes) -> FeedForward:
    """A generator of the paper, F-1000-500-1000-F with values in (0, 1)."""
    return FeedForward(**{"hidden": (1000, 500, 1000), "outputs": features, "sigmoid": True} | changes)


def discriminator(**changes) -> FeedForward:
    """A discriminator of the paper, F-1000-1000-1; gives the logit of "real" [..., 1]."""
    return FeedForward(**{"hidden": (1000, 1000), "outputs": 1} | changes)


def domain_classifier(classes: int, **changes) -> FeedForward:
    """The paper's domain classifier, F-100-100-C; gives logits [..., C]."""
    return FeedForward(**{"hidden": (100, 100), "outputs": classes, "dropout": 0.5} | changes)
