"""Flax Linen networks by name: `create(name, num_classes=...)`; images are [B, H, W, 3].

Speech encoders, on waveforms [B, T], are in `sejax.models.encoders`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sejax.errors import InputError
from sejax.models import freezing
from sejax.models.alexnet import AlexNet
from sejax.models.backbone import Backbone, GridHead
from sejax.models.inception import InceptionV3
from sejax.models.resnet import ResNet
from sejax.models.squeezenet import SqueezeNet

__all__ = [
    "CLASS_LAYERS",
    "INPUT_SIZE",
    "LAST_LAYER",
    "PARAMETERS",
    "AlexNet",
    "Backbone",
    "GridHead",
    "InceptionV3",
    "ResNet",
    "SqueezeNet",
    "create",
    "names",
]

_MODELS: dict[str, Callable[..., Backbone]] = {
    "alexnet": AlexNet,
    "squeezenet1_0": partial(SqueezeNet, version="1.0"),
    "squeezenet1_1": partial(SqueezeNet, version="1.1"),
    "resnet50": ResNet,
    "wide_resnet50_2": partial(ResNet, width=128),
    "inception_v3": InceptionV3,
    "resnet50_keras": partial(ResNet, source="keras"),
    "inception_v3_keras": partial(InceptionV3, source="keras", transform_input=False, aux_logits=False, dropout=0.0),
}

# The layer whose width is the number of classes: the one that a new task replaces.
LAST_LAYER = dict.fromkeys(_MODELS, "fc") | {"alexnet": "fc8", "squeezenet1_0": "conv10", "squeezenet1_1": "conv10"}

# Every layer whose width is the number of classes, as paths: the last one and Inception's auxiliary one.
CLASS_LAYERS = {name: (layer,) for name, layer in LAST_LAYER.items()} | {"inception_v3": ("fc", "AuxLogits/fc")}

# Published numbers of parameters with 1000 classes. torchvision's count what is trained; Keras's, under
# "params + batch_stats", BatchNorm's running means and variances too. inception_v3 has its auxiliary head.
PARAMETERS = {
    "alexnet": 61_100_840,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "resnet50": 25_557_032,
    "wide_resnet50_2": 68_883_240,
    "inception_v3": 27_161_264,
    "resnet50_keras": 25_636_712,
    "inception_v3_keras": 23_851_784,
}

# Height and width of the images that a network was trained on, in pixels.
INPUT_SIZE = {name: 299 if name.startswith("inception") else 224 for name in _MODELS}


def names() -> tuple[str, ...]:
    """The names that `create` knows, sorted."""
    return tuple(sorted(_MODELS))


def create(name: str, *, num_classes: int = 1000, **options: Any) -> Backbone:
    """Build the network called `name` (see `names`) with `num_classes` outputs, as an unbound Linen module.

    `options` are the module's fields (dropout, frozen, dtype ...). Images are float [B, H, W, 3]:
    `module.apply(variables, images, train=False, activations=False, rngs={"dropout": key})` gives logits
    [B, num_classes], and with activations=True (logits, dict of every activation);
    `module.apply(variables, images, method="features")` gives the last feature map from the trunk alone, and
    `method="classify"` goes on from there. With train=True a network with BatchNorm wants
    mutable=["batch_stats"] and gives (what it gives, {"batch_stats": the moved statistics}).
    Raises InputError for an unknown name or option, or a pattern in `frozen` that matches no layer.
    """
    if name not in _MODELS:
        raise InputError(f"models: {name!r} is unknown; known are {', '.join(names())}")
    if num_classes < 1:
        raise InputError(f"models: num_classes={num_classes} for {name}; give at least 1")
    try:
        module = _MODELS[name](num_classes=num_classes, **options)
    except TypeError as error:
        raise InputError(f"models: {name} does not take these options: {error}") from error
    if module.frozen:
        images = jax.ShapeDtypeStruct((1, 128, 128, 3), jnp.float32)
        freezing.check(jax.eval_shape(lambda x: module.init(jax.random.key(0), x), images)["params"], module.frozen)
    return module
