"""ImageNet weights for sejax.models: offline converters, and a loader that checks every name and shape."""

from sejax.pretrained.weights import convert, describe, imagenet_squeezenet, load, warm_start

__all__ = ["convert", "describe", "imagenet_squeezenet", "load", "warm_start"]
