"""Independent definitions in torch, with the module numbering of torchvision's state dicts.

Each network is an nn.Module with `features` and `classifier` in sequence; `activations(network, images)`
gives every value after its ReLU or pooling, in torch's layout, under the names that sejax uses.
"""

import torch
from torch import nn


class TorchFire(nn.Module):
    """Squeeze, then two expand layers whose outputs are stacked along the channels."""

    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def parts(self, x):
        """The three activations, each after its ReLU."""
        squeezed = self.squeeze(x).relu()
        return squeezed, self.expand1x1(squeezed).relu(), self.expand3x3(squeezed).relu()

    def forward(self, x):
        return torch.cat(self.parts(x)[1:], dim=1)


class TorchNetwork(nn.Module):
    """A trunk and a classifier in torchvision's numbering; `names` says what each numbered output is."""

    def __init__(self, features, classifier, names, grid):
        super().__init__()
        self.features, self.classifier = features, classifier
        self.names, self.grid = names, grid

    def forward(self, images):
        return self.activations(images)["logits"]

    def activations(self, images):
        """dict of our name to tensor (maps [B, C, H, W], vectors [B, D])."""
        record, x = {}, images
        for i, layer in enumerate(self.features):
            if isinstance(layer, TorchFire):
                for part, value in zip(("squeeze1x1", "expand1x1", "expand3x3"), layer.parts(x), strict=True):
                    record[f"{self.names[f'features.{i}']}/{part}"] = value
            x = layer(x)
            if f"features.{i}" in self.names:
                record[self.names[f"features.{i}"]] = x
        record["features"] = x
        if self.grid:
            x = record["avgpool"] = nn.functional.adaptive_avg_pool2d(x, self.grid)
            x = x.flatten(1)
        for i, layer in enumerate(self.classifier):
            x = layer(x)
            if f"classifier.{i}" in self.names:
                record[self.names[f"classifier.{i}"]] = x
        record["logits"] = x.flatten(1)
        return record


def torch_alexnet(num_classes):
    """One-tower AlexNet."""
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, num_classes),
    )
    trunk = {1: "conv1", 2: "pool1", 4: "conv2", 5: "pool2", 7: "conv3", 9: "conv4", 11: "conv5", 12: "pool5"}
    names = {f"features.{i}": name for i, name in trunk.items()}
    return TorchNetwork(features, classifier, names | {"classifier.2": "fc6", "classifier.5": "fc7"}, (6, 6))


def torch_squeezenet(version, num_classes):
    """SqueezeNet of `version` "1.0" or "1.1"."""
    sizes = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
    filters, side, pooled_before = {"1.0": (96, 7, (5, 9)), "1.1": (64, 3, (4, 6))}[version]
    layers, names = [nn.Conv2d(3, filters, side, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)], {}
    names["features.1"], names["features.2"] = "conv1", "pool1"
    for number, (squeeze, expand) in enumerate(sizes, start=2):
        if number in pooled_before:
            names[f"features.{len(layers)}"] = f"pool{number - 1}"
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        names[f"features.{len(layers)}"] = f"fire{number}"
        layers.append(TorchFire(filters, squeeze, expand))
        filters = 2 * expand
    last = [nn.Dropout(), nn.Conv2d(512, num_classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return TorchNetwork(
        nn.Sequential(*layers), nn.Sequential(*last), names | {"classifier.2": "conv10"}, None
    )


def build(model, *, num_classes, seed=0):
    """The torch network called `model` in evaluation mode, with random weights and biases that keep its
    activations of order one through all layers."""
    torch.manual_seed(seed)
    makers = {
        "alexnet": lambda: torch_alexnet(num_classes),
        "squeezenet1_0": lambda: torch_squeezenet("1.0", num_classes),
        "squeezenet1_1": lambda: torch_squeezenet("1.1", num_classes),
    }
    network = makers[model]().eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.normal_(parameter, std=0.1)
    return network
