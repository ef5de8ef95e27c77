"""Flax Linen networks by name: `create(name, num_classes=...)`; images are [B, H, W, 3]."""

from functools import partial

from sejax.errors import InputError
from sejax.models.alexnet import AlexNet
from sejax.models.classifier import GridHead
from sejax.models.squeezenet import SqueezeNet

__all__ = ["LAST_LAYER", "AlexNet", "GridHead", "SqueezeNet", "create", "names"]

_MODELS = {
    "alexnet": AlexNet,
    "squeezenet1_0": partial(SqueezeNet, version="1.0"),
    "squeezenet1_1": partial(SqueezeNet, version="1.1"),
}

# The layer whose width is the number of classes: the one that a new task replaces.
LAST_LAYER = {"alexnet": "fc8", "squeezenet1_0": "conv10", "squeezenet1_1": "conv10"}


def names():
    """The names that `create` knows, sorted: tuple of str."""
    return tuple(sorted(_MODELS))


def create(name, *, num_classes=1000, **options):
    """Build the network called `name` (see `names`) with `num_classes` outputs, as an unbound Linen module.

    `options` are the module's fields (dropout, dtype ...). Images are float [B, H, W, 3]:
    `module.apply(variables, images, train=False, activations=False, rngs={"dropout": key})` gives logits
    [B, num_classes], and with activations=True (logits, dict of every activation);
    `module.apply(variables, images, method="features")` gives the last feature map from the trunk alone, and
    `method="classify"` goes on from there. Raises InputError for an unknown name or option.
    """
    if name not in _MODELS:
        raise InputError(f"models: {name!r} is unknown; known are {', '.join(names())}")
    if num_classes < 1:
        raise InputError(f"models: num_classes={num_classes} for {name}; give at least 1")
    try:
        return _MODELS[name](num_classes=num_classes, **options)
    except TypeError as error:
        raise InputError(f"models: {name} does not take these options: {error}") from error
