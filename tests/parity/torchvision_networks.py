"""torchvision's own networks with random weights, and what they compute under the names that sejax uses."""

import re

import torch
from torch import nn
from whole_torchvision import torchvision

NAMES = ("alexnet", "squeezenet1_0", "squeezenet1_1", "resnet50", "wide_resnet50_2", "inception_v3")


def _numbered(features, classifier):
    """Modules of a network of two sequences to our names, from those by number."""
    return {f"features.{i}": name for i, name in features.items()} | {
        f"classifier.{i}": name for i, name in classifier.items()
    }


_SQUEEZE_BEGIN = ("conv1", "pool1", "fire2", "fire3")
_NUMBERED = {
    "alexnet": _numbered(
        {1: "conv1", 2: "pool1", 4: "conv2", 5: "pool2", 7: "conv3", 9: "conv4", 11: "conv5", 12: "pool5"},
        {2: "fc6", 5: "fc7", 6: "logits"},
    )
    | {"avgpool": "avgpool"},
    "squeezenet1_0": _numbered(
        dict(enumerate((*_SQUEEZE_BEGIN, "fire4", "pool4", "fire5", "fire6", "fire7", "fire8", "pool8", "fire9"), 1)),
        {2: "conv10", 3: "logits"},
    ),
    "squeezenet1_1": _numbered(
        dict(enumerate((*_SQUEEZE_BEGIN, "pool3", "fire4", "fire5", "pool5", "fire6", "fire7", "fire8", "fire9"), 1)),
        {2: "conv10", 3: "logits"},
    ),
}
_TOP = {"relu": "conv1", "maxpool": "pool1", "maxpool1": "pool1", "maxpool2": "pool2", "AuxLogits": "aux_logits"}
_TOP |= {"avgpool": "avgpool", "fc": "logits"}


def build(model, *, num_classes, seed=0, dropout=0.0, **options):
    """torchvision's network called `model` in evaluation mode, with random weights that keep activations of
    order one, and with random statistics and affine parameters in every BatchNorm."""
    torch.manual_seed(seed)
    if model == "inception_v3":
        options = {"init_weights": False, "transform_input": True} | options
    network = getattr(torchvision.models, model)(weights=None, num_classes=num_classes, **options)
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            # Biases about 0 and blocks as large as what they add to make a deep network chaotic in training:
            # rounding then grows with every layer, in torch as in sejax, beyond what can be compared.
            nn.init.normal_(module.bias, mean=0.7, std=0.3)
            nn.init.uniform_(module.weight, *((0.2, 0.4) if path.endswith("bn3") else (0.5, 1.5)))
        elif isinstance(module, nn.Dropout):
            module.p = dropout
    return network.eval()


def our_name(model, path):
    """The name in sejax of what the module at `path` puts out, or None where it has none there."""
    if model in _NUMBERED:
        fire = re.fullmatch(r"(features\.\d+)\.(squeeze|expand\dx\d)_activation", path)
        if fire:
            return f"{_NUMBERED[model][fire[1]]}/{fire[2].replace('squeeze', 'squeeze1x1')}"
        return _NUMBERED[model].get(path)
    block = re.fullmatch(r"(layer\d)\.(\d+)(?:\.(bn\d|downsample))?", path)
    if block:
        part = (block[3] or "").replace("bn", "conv")
        return f"{block[1]}_{block[2]}" + (f"/{part}" if part else "")
    if re.fullmatch(r"Conv2d_\w+|(Mixed_\d\w|AuxLogits)\.(conv|branch)\w+|Mixed_\d\w", path):
        return path.replace(".", "/")
    return _TOP.get(path)


def activations(model, network, images):
    """Every output that sejax names, in order: dict of name to tensor (maps [B, C, H, W], vectors [B, D]).

    The network runs in the mode it is in. Its ReLUs work in place: values are copied when they appear.
    """
    record, handles = {}, []

    def watch(name, rectify):
        def hook(module, inputs, output):
            record[name] = output.relu() if rectify else output.clone()

        return hook

    for path, module in network.named_modules():
        name = our_name(model, path)
        if name:  # a block's two inner BatchNorms share one ReLU, which is applied here
            handles.append(module.register_forward_hook(watch(name, bool(re.search(r"\.bn[12]$", path)))))
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    if "avgpool" in record and model != "alexnet":
        record["avgpool"] = record["avgpool"].flatten(1)
    record["logits"] = record["logits"].flatten(1)
    return record


def stated(model):
    """What torchvision says of its weights of `model`: dict with num_params, min_size (height, width) ..."""
    return torchvision.models.get_model_weights(model).DEFAULT.meta
