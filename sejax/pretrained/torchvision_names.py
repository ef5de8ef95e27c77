"""Names and layouts of torchvision's state dicts, derived from our own."""

import re

from sejax.pretrained.parameter import Parameter

_KINDS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def parameter(name, shape, model):
    """The Parameter of torchvision's state dict for our flat `name` of `shape`; `model` is one of MODELS."""
    _, *path, kind = name.split("/")
    source_name = ".".join([_module(path, MODELS[model]), _KINDS[kind]])
    if kind != "kernel":
        return Parameter(name, shape, source_name, shape, (0,))
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


def _squeezenet_modules(conv10, **fires):
    return {"conv1": "features.0", "conv10": conv10} | {k: f"features.{v}" for k, v in fires.items()}


# Our layer names to the modules of torchvision's definitions; None where ours are theirs but for the rules above.
MODELS = {
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
    "resnet50": None,
    "wide_resnet50_2": None,
    "inception_v3": None,
}
