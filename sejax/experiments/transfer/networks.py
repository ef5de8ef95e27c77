"""What the comparison trains: global max pooling, dense 512, dense C on a pre-trained trunk (paper, Figs. 4 to 7).

`trainable` = head | all. With a frozen trunk its pooled features are the inputs, computed once, and members
train in one vmapped program; with "all" the trunk trains too, but for the layers that `frozen` names.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from sejax.audio.image import ImageSettings, render
from sejax.core.experiment import PyTree
from sejax.models import freezing
from sejax.models.classifier import MaxPoolHead


class Network(NamedTuple):
    """Pure functions of a trainable network.

    Attributes:
      init: ``init(key, pretrained, inputs [I, ...]) -> (params, statistics)``: the pre-trained trunk, a fresh head;
        of the inputs only the shape matters.
      apply: ``apply(params, statistics, inputs [B, ...], train) -> (logits f32[B, C], statistics)``.
      trains: ``trains(params) -> pytree of bool``, False where a parameter stays as it is.
    """

    init: Callable[[jax.Array, PyTree, jax.Array], tuple[PyTree, PyTree]]
    apply: Callable[[PyTree, PyTree, jax.Array, bool], tuple[jax.Array, PyTree]]
    trains: Callable[[PyTree], PyTree]


def head_network(num_classes: int, *, hidden: int) -> Network:
    """The head alone, on pooled features [B, D] of a frozen trunk."""
    head = MaxPoolHead(num_classes, hidden=hidden)

    def init(key, pretrained, inputs):
        del pretrained
        return {"head": head.init(key, jnp.zeros((1, inputs.shape[1])))["params"]}, {}

    def apply(params, statistics, inputs, train):
        del train
        return head.apply({"params": params["head"]}, inputs), statistics

    return Network(init, apply, lambda params: jax.tree.map(lambda _: True, params))


def image_network(model: nn.Module, num_classes: int, *, hidden: int, image: ImageSettings) -> Network:
    """The whole network on spectrograms [B, bands, frames] in dB; images are rendered on the device.

    ``model.frozen`` names the layers of the trunk that stay as they are.
    """
    head = MaxPoolHead(num_classes, hidden=hidden)

    def features(trunk, images, train):
        return model.apply(trunk, images, train=train, method="features", mutable=["batch_stats"] if train else False)

    def init(key, pretrained, inputs):
        del inputs
        width = jax.eval_shape(lambda v: features(v, jnp.zeros((1, *image.size, 3)), False), pretrained).shape[-1]
        fresh = head.init(key, jnp.zeros((1, width)))["params"]
        return {"trunk": pretrained["params"], "head": fresh}, pretrained.get("batch_stats", {})

    def apply(params, statistics, inputs, train):
        trunk = {"params": params["trunk"], "batch_stats": statistics}
        found = features(trunk, render(inputs, image), train)
        if train:
            found, changed = found
            statistics = changed.get("batch_stats", statistics)
        return head.apply({"params": params["head"]}, found).astype(jnp.float32), statistics

    def trains(params) -> dict[str, Any]:
        trunk = freezing.trainable(params["trunk"], model.frozen)
        return {"trunk": trunk, "head": jax.tree.map(lambda _: True, params["head"])}

    return Network(init, apply, trains)
