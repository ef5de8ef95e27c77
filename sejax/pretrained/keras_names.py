"""Names and order of the layers in keras.applications' ResNet50 and InceptionV3.

Keras puts weights back by the order of a model's layers: those farthest from the output first, equally far ones
as they were made. Names do not serve, for most of InceptionV3's are counters ("conv2d_17") that go on from one
model to the next in a process. `sources.read` therefore gives "conv2d_17/kernel" for the eighteenth convolution
in that order, and here the order becomes the names that Keras gives to the first model of a process.
"""

import re
from functools import cache

from sejax.pretrained.parameter import Parameter

MODELS = ("inception_v3_keras", "resnet50_keras")

_BATCH_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
_RESNET50_BLOCKS = (3, 4, 6, 3)
_INCEPTION_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
# The branches of every block as they are made; "|" parts layers that lie side by side and are then joined.
_SEVEN = (
    "branch1x1",
    "branch7x7_1 branch7x7_2 branch7x7_3",
    "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5",
    "branch_pool",
)
_FIVE = (
    "branch1x1",
    "branch5x5_1 branch5x5_2",
    "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
    "branch_pool",
)
_THREE = (
    "branch1x1",
    "branch3x3_1 branch3x3_2a|branch3x3_2b",
    "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a|branch3x3dbl_3b",
    "branch_pool",
)
_INCEPTION_BLOCKS = {
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _FIVE),
    "Mixed_6a": ("branch3x3", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _SEVEN),
    "Mixed_7a": ("branch3x3_1 branch3x3_2", "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"),
    **dict.fromkeys(("Mixed_7b", "Mixed_7c"), _THREE),
}


def parameter(name, shape, model):
    """The Parameter of Keras's file for our flat `name` of `shape`; `model` is one of MODELS."""
    _, *path, kind = name.split("/")
    layer = "/".join(path)
    for of_kind, layers in layer_order(model).items():
        if layer in layers:
            weight = _BATCH_NORM[kind] if of_kind == "batch_normalization" else kind
            return Parameter(name, shape, f"{layers[layer]}/{weight}", shape, tuple(range(len(shape))))
    raise KeyError(f"{model} has no layer {layer}")


def by_layer_name(model, arrays):
    """`arrays` by Keras's own names for the layers of `model`, from a dict by kind and number in the order.

    What `model` has no place for keeps its name.
    """
    order = {kind: list(layers.values()) for kind, layers in layer_order(model).items()}
    named = {}
    for key, array in arrays.items():
        found = re.fullmatch(r"(conv2d|batch_normalization|dense)_(\d+)/(.+)", key)
        if found and int(found[2]) < len(order[found[1]]):
            key = f"{order[found[1]][int(found[2])]}/{found[3]}"
        named[key] = array
    return named


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
    for stage, blocks in enumerate(_RESNET50_BLOCKS, 1):
        for block in range(blocks):
            # The shortcut (0) is as far from the output as the third convolution, and made before it.
            for number in (1, 2, 0, 3) if block == 0 else (1, 2, 3):
                parts = (f"conv{number}", f"bn{number}") if number else ("downsample_conv", "downsample_bn")
                ours = tuple(f"layer{stage}_{block}/{part}" for part in parts)
                yield ours, f"conv{stage + 1}_block{block + 1}_{number}"


def _inception_units():
    """(our unit, its number as it was made) in Keras's order."""
    units = [(name, i) for i, name in enumerate(_INCEPTION_STEM)]
    for block, branches in _INCEPTION_BLOCKS.items():
        made = []
        for branch in branches:
            stages = [stage.split("|") for stage in branch.split()]
            joined = 0.5 if len(stages[-1]) > 1 else 0.0  # the joining lies between the last units and the block's end
            for i, stage in enumerate(stages):
                made += [(len(stages) - i + joined, f"{block}/{unit}") for unit in stage]
        numbered = [(distance, unit, len(units) + i) for i, (distance, unit) in enumerate(made)]
        units += [(unit, number) for _, unit, number in sorted(numbered, key=lambda entry: -entry[0])]
    return units
