"""Bao, Neumann and Vu's CycleGANs with their domain classifier as one would write them in PyTorch: loops over emotions.

Interspeech 2019, sections 2 and 4.1, and number for number the method of sejax.experiments.cyclegan. No pass is made
twice: discriminators are not differentiated in the generators' update, and judge what that update has made already.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn


def own_dropout(stage: str, emotion: int | None, number: int) -> None:
    """No masks: networks draw their own."""
    del stage, emotion, number


@dataclass
class Method:
    """The method's numbers; the paper's by default. `rounds_to_decay`: rounds between two falls of the rate."""

    features: int = 1582
    emotions: int = 4
    generator: tuple[int, ...] = (1000, 500, 1000)
    discriminator: tuple[int, ...] = (1000, 1000)
    classifier: tuple[int, ...] = (100, 100)
    dropout: float = 0.2
    classifier_dropout: float = 0.5
    slope: float = 0.2
    lambda_cycle: float = 5.0
    lambda_cls: float = 2.0
    generator_updates: int = 2
    real_label: float = 0.9
    rate: float = 2e-4
    decay: float = 0.8
    rounds_to_decay: int = 50


class FeedForward(nn.Module):
    """Linear layers, with leaky ReLU and dropout after each but the last; `sigmoid`: after the last."""

    def __init__(self, sizes, *, slope: float, dropout: float, sigmoid: bool = False):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.slope, self.dropout, self.sigmoid = slope, dropout, sigmoid

    def forward(self, x, masks=None):
        """Outputs [B, n] of x [B, F]; `masks`: what each hidden layer [B, n] is multiplied with instead of dropout."""
        *hidden, last = self.layers
        for number, layer in enumerate(hidden):
            x = F.leaky_relu(layer(x), self.slope)
            x = F.dropout(x, self.dropout, self.training) if masks is None else x * masks[number]
        return torch.sigmoid(last(x)) if self.sigmoid else last(x)


class CycleGAN(nn.Module):
    """Two generators and two discriminators, by the domain that they make or judge."""

    def __init__(self, method: Method):
        super().__init__()
        options = {"slope": method.slope, "dropout": method.dropout}
        sides, judge = (method.features, *method.generator, method.features), (*method.discriminator, 1)
        domains = ("target", "source")
        self.generators = nn.ModuleDict({name: FeedForward(sides, sigmoid=True, **options) for name in domains})
        self.discriminators = nn.ModuleDict(
            {name: FeedForward((method.features, *judge), **options) for name in domains}
        )

    def translate(self, source, target, masks):
        """G(s), F(t), F(G(s)), G(F(t)), [B, F] each; `masks(number)` of each of these passes."""
        fake_target = self.generators["target"](source, masks(0))
        fake_source = self.generators["source"](target, masks(1))
        return (
            fake_target,
            fake_source,
            self.generators["source"](fake_target, masks(2)),
            self.generators["target"](fake_source, masks(3)),
        )


class Twin(nn.Module):
    """E CycleGANs and their domain classifier in training.

    `masks(stage, emotion, number)` gives the dropout masks of the pass `number` in "pretraining", "generators 0",
    "generators 1", ... or "discriminators" (emotion None: the domain classifier's), or None for torch's own dropout.
    """

    def __init__(self, method: Method, **adam):
        super().__init__()
        self.method = method
        self.gans = nn.ModuleList(CycleGAN(method) for _ in range(method.emotions))
        self.classifier = FeedForward(
            (method.features, *method.classifier, method.emotions),
            slope=method.slope,
            dropout=method.classifier_dropout,
        )
        self.adam = adam

    def start(self) -> "Twin":
        """Fresh optimizers and rates, once the weights and their type are as they shall be."""
        self.optimizer = self._optimizer([p for gan in self.gans for p in gan.generators.parameters()])
        self.optimizer.add_param_group({"params": list(self.classifier.parameters())})
        self.judges_optimizer = self._optimizer([p for gan in self.gans for p in gan.discriminators.parameters()])
        steps = {"step_size": self.method.rounds_to_decay, "gamma": self.method.decay}
        both = (self.optimizer, self.judges_optimizer)
        self.schedulers = [torch.optim.lr_scheduler.StepLR(one, **steps) for one in both]
        return self

    def _optimizer(self, parameters):
        return torch.optim.Adam(parameters, lr=self.method.rate, betas=(0.9, 0.999), eps=1e-8, **self.adam)

    def pretraining_update(self, source, target, masks: Callable = own_dropout):
        """One update of the generators by their cycle loss (equation 3) on [E, B, F]; its losses by name, [E]."""
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.pretraining_losses(source, target, masks)
        losses.sum().backward()
        self.optimizer.step()
        self.schedulers[0].step()
        return {"cycle": losses.detach()}

    def round(self, source, target, masks: Callable = own_dropout):
        """Updates of the generators with the classifier, then of the discriminators, on [E, B, F]; the losses, [E]."""
        for number in range(self.method.generator_updates):
            stage = f"generators {number}"
            self.discriminators_learn(False)
            self.optimizer.zero_grad(set_to_none=True)
            total, losses, fakes = self.generators_losses(source, target, stage, masks)
            total.backward()
            self.optimizer.step()
        self.discriminators_learn(True)
        self.judges_optimizer.zero_grad(set_to_none=True)
        judged = self.discriminators_losses(source, target, [tuple(x.detach() for x in pair) for pair in fakes], masks)
        judged.sum().backward()
        self.judges_optimizer.step()
        for scheduler in self.schedulers:
            scheduler.step()
        return {name: value.detach() for name, value in losses.items()} | {"discriminator": judged.detach()}

    def discriminators_learn(self, learn: bool):
        """Whether gradients of the discriminators' weights are taken."""
        for gan in self.gans:
            gan.discriminators.requires_grad_(learn)

    def pretraining_losses(self, source, target, masks):
        """Equation 3 by emotion, [E]."""
        each = enumerate(zip(self.gans, source, target, strict=True))
        return torch.stack([self.reconstruction(*one, passes(masks, "pretraining", e)) for e, one in each])

    def generators_losses(self, source, target, stage, masks):
        """Equation 5, its parts by name and emotion, and (G(s), F(t)) by emotion."""
        each = enumerate(zip(self.gans, source, target, strict=True))
        fooled, cycle, *fakes = zip(*(self.translation(*one, passes(masks, stage, e)) for e, one in each), strict=True)
        losses = {"generator": torch.stack(fooled), "cycle": torch.stack(cycle)}
        logits = self.classifier(torch.cat(fakes[0]), masks(stage, None, 0))
        labels = torch.arange(len(self.gans), device=logits.device).repeat_interleave(source.shape[1])
        losses["classification"] = F.cross_entropy(logits, labels, reduction="none").view(len(self.gans), -1).mean(1)
        weighted = self.method.lambda_cycle * losses["cycle"] + self.method.lambda_cls * losses["classification"]
        return (losses["generator"] + weighted).sum(), losses, zip(*fakes, strict=True)

    def discriminators_losses(self, source, target, fakes, masks):
        """Equation 1 for both discriminators of each emotion, negated, with the label `real_label` for what is real."""
        each = enumerate(zip(self.gans, source, target, fakes, strict=True))
        return torch.stack([self.judgement(*one, passes(masks, "discriminators", e)) for e, one in each])

    @staticmethod
    def reconstruction(gan, source, target, masks):
        """Equation 3 of one CycleGAN."""
        *_, source_again, target_again = gan.translate(source, target, masks)
        return F.mse_loss(source_again, source) + F.mse_loss(target_again, target)

    @staticmethod
    def translation(gan, source, target, masks):
        """The generators' adversarial loss and cycle loss of one CycleGAN, G(s) and F(t)."""
        fake_target, fake_source, source_again, target_again = gan.translate(source, target, masks)
        judges = gan.discriminators
        judged = judges["target"](fake_target, masks(4)), judges["source"](fake_source, masks(5))
        fooled = wants(judged[0], 1.0) + wants(judged[1], 1.0)
        cycle = F.mse_loss(source_again, source) + F.mse_loss(target_again, target)
        return fooled, cycle, fake_target, fake_source

    def judgement(self, gan, source, target, fakes, masks):
        """Equation 1 of one CycleGAN's discriminators."""
        judges, label = gan.discriminators, self.method.real_label
        return (
            wants(judges["target"](target, masks(0)), label)
            + wants(judges["target"](fakes[0], masks(1)), 0.0)
            + wants(judges["source"](source, masks(2)), label)
            + wants(judges["source"](fakes[1], masks(3)), 0.0)
        )


def passes(masks: Callable, stage: str, emotion: int) -> Callable:
    """The masks of one emotion by the number of the pass; one function for all, where networks draw their own."""
    return no_mask if masks is own_dropout else lambda number: masks(stage, emotion, number)


def no_mask(number: int) -> None:
    """As `own_dropout`, of one emotion."""
    del number


def wants(logits, probability: float):
    """Mean binary cross-entropy of logits against one wished probability."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, probability))
