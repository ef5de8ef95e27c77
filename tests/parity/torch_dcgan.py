"""Chang and Scherer's four models as one would write them in PyTorch: networks and the updates that train them.

arXiv:1705.02394, and number for number the method of sejax.experiments.dcgan; images are [B, 1, 128, w]. No pass is
made twice and no gradient is computed that nothing uses.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DIMENSIONS = ("valence", "activation")
LAYERS = 4


@dataclass
class Method:
    """The method's numbers. `generates`: with generator and discriminator; `rated`: the dimensions that are learned."""

    filters: int = 72
    side: int = 9
    width: int = 128
    hidden: int = 1024
    latent: int = 100
    slope: float = 0.2
    generates: bool = True
    rated: tuple[str, ...] = DIMENSIONS
    rate: float = 1e-4
    weights: tuple[float, float] = (1.0, 1.0)


class Norm(nn.BatchNorm2d):
    """Batch normalisation whose running statistics stay in training where `moves` is False."""

    moves = True

    def forward(self, x):
        """Normalise x, [B, C, H, W]."""
        if self.moves or not self.training:
            return super().forward(x)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, momentum=0.0, eps=self.eps)


class Halving(nn.Conv2d):
    """A convolution with stride 2 and TensorFlow's SAME padding: of side - 2 zeros the odd one below and right."""

    def __init__(self, inputs, outputs, side, *, bias):
        super().__init__(inputs, outputs, side, stride=2, padding=(side - 2) // 2, bias=bias)
        self.odd = side % 2

    def forward(self, x):
        """Convolve x, [B, C, H, W]."""
        if not self.odd:
            return super().forward(x)
        before = self.padding[0]
        x = F.pad(x, (before, before + 1, before, before + 1))
        return F.conv2d(x, self.weight, self.bias, stride=2)


class Doubling(nn.ConvTranspose2d):
    """The adjoint of `Halving`: what an odd kernel gives beyond twice the size is what the padding's odd zero met."""

    def __init__(self, inputs, outputs, side, *, bias):
        super().__init__(inputs, outputs, side, stride=2, padding=(side - 2) // 2, bias=bias)

    def forward(self, x):
        """Apply the adjoint to x, [B, C, H, W]."""
        return super().forward(x)[..., : 2 * x.shape[2], : 2 * x.shape[3]]


class Trunk(nn.Module):
    """Features [B, 8 filters, 8, w / 16] of crops [B, 1, 128, w]."""

    def __init__(self, method: Method):
        super().__init__()
        sizes = [1] + [method.filters * 2**layer for layer in range(LAYERS)]
        self.conv = nn.ModuleList(
            Halving(sizes[layer], sizes[layer + 1], method.side, bias=layer == 0) for layer in range(LAYERS)
        )
        self.norm = nn.ModuleList([nn.Identity(), *(Norm(size) for size in sizes[2:])])
        self.slope = method.slope

    def forward(self, x):
        """Features of x."""
        for conv, norm in zip(self.conv, self.norm, strict=True):
            x = F.leaky_relu(norm(conv(x)), self.slope)
        return x


class Generator(nn.Module):
    """Crops [B, 1, 128, w] of draws [B, latent]."""

    def __init__(self, method: Method):
        super().__init__()
        sizes = [method.filters * 2**layer for layer in reversed(range(LAYERS))] + [1]
        self.grid = (8, method.width // 2**LAYERS, sizes[0])
        self.project = nn.Linear(method.latent, int(np.prod(self.grid)), bias=False)
        self.norm = nn.ModuleList(Norm(size) for size in sizes[:-1])
        self.deconv = nn.ModuleList(
            Doubling(sizes[layer], sizes[layer + 1], method.side, bias=layer == LAYERS - 1) for layer in range(LAYERS)
        )

    def forward(self, z):
        """Crops of z."""
        x = self.project(z).reshape(-1, *self.grid).permute(0, 3, 1, 2)
        for norm, deconv in zip(self.norm, self.deconv, strict=True):
            x = deconv(F.relu(norm(x)))
        return torch.tanh(x)


class OnFeatures(nn.Module):
    """A fully connected layer on features [B, C, H, W], which it takes row by row with the channels last."""

    def __init__(self, method: Method, outputs: int):
        super().__init__()
        self.layer = nn.Linear(8 * (method.width // 2**LAYERS) * method.filters * 2 ** (LAYERS - 1), outputs)

    def forward(self, features):
        """Outputs [B, n]."""
        return self.layer(features.permute(0, 2, 3, 1).flatten(1))


class Twin(nn.Module):
    """The networks of one model in training."""

    def __init__(self, method: Method, **adam):
        super().__init__()
        self.method, self.adam = method, adam
        self.trunk, self.shared = Trunk(method), OnFeatures(method, method.hidden)
        self.heads = nn.ModuleDict({name: nn.Linear(method.hidden, 5) for name in method.rated})
        if method.generates:
            self.generator, self.adversarial = Generator(method), OnFeatures(method, 1)

    def start(self) -> "Twin":
        """Fresh optimizers, once the weights and their type are as they shall be: by loss, and for all but G's."""
        self.own = {name: [self.trunk, self.shared, self.heads[name]] for name in self.method.rated}
        rest = [self.trunk, self.shared, *self.heads.values()]
        if self.method.generates:
            self.own |= {"generator": [self.generator], "discriminator": [self.trunk, self.adversarial]}
            rest.append(self.adversarial)
        self.own["rest"] = rest
        self.own = {name: [p for part in parts for p in part.parameters()] for name, parts in self.own.items()}
        adam = partial(torch.optim.Adam, lr=self.method.rate, betas=(0.5, 0.999), eps=1e-8, **self.adam)
        self.optimizers = {name: adam(parameters) for name, parameters in self.own.items()}
        return self

    @contextmanager
    def unmoved(self):
        """The trunk's running statistics do not move meanwhile."""
        norms = [norm for norm in self.trunk.norm if isinstance(norm, Norm)]
        for norm in norms:
            norm.moves = False
        yield
        for norm in norms:
            norm.moves = True

    def fooling(self, latent):
        """The generator's loss on draws, and the crops of them."""
        crops = self.generator(latent)
        with self.unmoved():
            return F.softplus(-self.adversarial(self.trunk(crops))).mean(), crops

    def judging(self, real, generated):
        """The discriminator's loss: real and generated crops are batches of their own."""
        with self.unmoved():
            on_generated = self.adversarial(self.trunk(generated))
        on_real = self.adversarial(self.trunk(real))
        return F.softplus(-on_real).mean() + F.softplus(on_generated).mean()

    def rating(self, labelled, target, rated):
        """Cross-entropies with fuzzy labels target [B, 2, 5], of the dimensions `rated`, by name."""
        shared = F.leaky_relu(self.shared(self.trunk(labelled)), self.method.slope)
        return {name: F.cross_entropy(self.heads[name](shared), target[:, DIMENSIONS.index(name)]) for name in rated}

    def _descend(self, name, loss):
        """One step of Adam on what `name` owns."""
        for parameter, gradient in zip(self.own[name], torch.autograd.grad(loss, self.own[name]), strict=True):
            parameter.grad = gradient
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)

    def round(self, labelled, target, real=None, fooling=None, judged=None):
        """Every loss's update in turn; the losses by name.

        labelled, real [B, 1, 128, w], target [B, 2, 5] (valence, activation); fooling, judged [B, latent]: draws for
        the generator's update and for the discriminator's. The last three only where the model generates.
        """
        losses = {}
        if self.method.generates:
            losses["generator"], _ = self.fooling(fooling)
            self._descend("generator", losses["generator"])
            with torch.no_grad():
                generated = self.generator(judged)
            losses["discriminator"] = self.judging(real, generated)
            self._descend("discriminator", losses["discriminator"])
        for name in self.method.rated:
            losses |= self.rating(labelled, target, (name,))
            self._descend(name, losses[name])
        return {name: loss.detach() for name, loss in losses.items()}

    def joint(self, labelled, target, real=None, fooling=None):
        """All losses at the same weights, on one batch of generated crops; the losses by name. Shapes as in `round`."""
        losses, total = {}, 0.0
        if self.method.generates:
            losses["generator"], generated = self.fooling(fooling)
            losses["discriminator"] = total = self.judging(real, generated.detach())
        losses |= self.rating(labelled, target, self.method.rated)
        for name in self.method.rated:
            total = total + self.method.weights[DIMENSIONS.index(name)] * losses[name]
        gradients = torch.autograd.grad(losses["generator"], self.own["generator"]) if self.method.generates else ()
        self._descend("rest", total)
        if self.method.generates:
            for parameter, gradient in zip(self.own["generator"], gradients, strict=True):
                parameter.grad = gradient
            self.optimizers["generator"].step()
            self.optimizers["generator"].zero_grad(set_to_none=True)
        return {name: loss.detach() for name, loss in losses.items()}


_NAMES = {"fc": "layer", "judge": "layer", "rate": "", "kernel": "weight", "scale": "weight", "bias": "bias"}
_STATISTICS = {"mean": "running_mean", "var": "running_var"}


def named(networks, statistics=None):
    """Our variables as a Twin's: arrays by the names of its state_dict.

    networks: {network: params}, and statistics: {network: running statistics}; `named` of a trunk alone is
    {"trunk.conv.0.weight": ...}. Gradients are trees like `networks` and go the same way.
    """
    found = {}
    for tree, names in ((networks, _NAMES), (statistics or {}, _STATISTICS)):
        for network, layers in tree.items():
            place = f"heads.{network}" if network in DIMENSIONS else network
            for layer, leaves in layers.items():
                kind, _, number = layer.partition("_")
                path = [place, _NAMES.get(kind, kind), number]
                for leaf, value in leaves.items():
                    name = ".".join(part for part in [*path, names[leaf]] if part)
                    found[name] = _turned(np.asarray(value), leaf)
    return found


def _turned(value, leaf):
    if leaf != "kernel":
        return value
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T


def take(twin, networks, statistics):
    """Puts our weights and running statistics into a Twin; raises RuntimeError where a name or shape does not fit."""
    arrays = {name: torch.from_numpy(np.array(value)) for name, value in named(networks, statistics).items()}
    missing, unknown = twin.load_state_dict(arrays, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unknown:
        raise RuntimeError(f"weights without a place {unknown}, places without a weight {missing}")
