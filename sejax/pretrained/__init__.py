"""Pre-trained weights for sejax.models: offline converters, and loaders that check every name and shape."""

from sejax.pretrained.encoders import convert_encoder, load_encoder
from sejax.pretrained.weights import convert, describe, imagenet_squeezenet, load, warm_start

__all__ = ["convert", "convert_encoder", "describe", "imagenet_squeezenet", "load", "load_encoder", "warm_start"]
