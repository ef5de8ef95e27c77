"""Inception v3 (Szegedy et al. 2015, arXiv:1512.00567), as torchvision and as Keras have it."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from sejax.errors import InputError
from sejax.models import freezing
from sejax.models.backbone import Backbone
from sejax.models.convolution import Convolution
from sejax.models.normalisation import BatchNorm
from sejax.models.pooling import average_pool, max_pool


class Unit(NamedTuple):
    """A convolution with BatchNorm and ReLU: its name, filters, kernel (height, width), stride and padding."""

    name: str
    filters: int
    side: tuple
    stride: int = 1
    padding: tuple = (0, 0)


class Fork(NamedTuple):
    """Two units that see the same input, at the end of a branch; both add their channels to the block's output."""

    first: Unit
    second: Unit


STEM = (
    Unit("Conv2d_1a_3x3", 32, (3, 3), stride=2),
    Unit("Conv2d_2a_3x3", 32, (3, 3)),
    Unit("Conv2d_2b_3x3", 64, (3, 3), padding=(1, 1)),
    "pool1",
    Unit("Conv2d_3b_1x1", 80, (1, 1)),
    Unit("Conv2d_4a_3x3", 192, (3, 3)),
    "pool2",
)


def _same(name, filters, height, width):
    """A unit that keeps the size of the map."""
    return Unit(name, filters, (height, width), padding=(height // 2, width // 2))


def _halving(name, filters):
    """A 3x3 unit with stride 2 that stays inside the map."""
    return Unit(name, filters, (3, 3), stride=2)


def _a(pooled):
    """Paper, figure 5."""
    return (
        (_same("branch1x1", 64, 1, 1),),
        (_same("branch5x5_1", 48, 1, 1), _same("branch5x5_2", 64, 5, 5)),
        (
            _same("branch3x3dbl_1", 64, 1, 1),
            _same("branch3x3dbl_2", 96, 3, 3),
            _same("branch3x3dbl_3", 96, 3, 3),
        ),
        ("average", _same("branch_pool", pooled, 1, 1)),
    )


def _c(width):
    """Paper, figure 6, with n = 7."""
    return (
        (_same("branch1x1", 192, 1, 1),),
        (
            _same("branch7x7_1", width, 1, 1),
            _same("branch7x7_2", width, 1, 7),
            _same("branch7x7_3", 192, 7, 1),
        ),
        (
            _same("branch7x7dbl_1", width, 1, 1),
            _same("branch7x7dbl_2", width, 7, 1),
            _same("branch7x7dbl_3", width, 1, 7),
            _same("branch7x7dbl_4", width, 7, 1),
            _same("branch7x7dbl_5", 192, 1, 7),
        ),
        ("average", _same("branch_pool", 192, 1, 1)),
    )


# Paper, figure 7.
_E = (
    (_same("branch1x1", 320, 1, 1),),
    (
        _same("branch3x3_1", 384, 1, 1),
        Fork(_same("branch3x3_2a", 384, 1, 3), _same("branch3x3_2b", 384, 3, 1)),
    ),
    (
        _same("branch3x3dbl_1", 448, 1, 1),
        _same("branch3x3dbl_2", 384, 3, 3),
        Fork(_same("branch3x3dbl_3a", 384, 1, 3), _same("branch3x3dbl_3b", 384, 3, 1)),
    ),
    ("average", _same("branch_pool", 192, 1, 1)),
)

MIXED = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": (
        (_halving("branch3x3", 384),),
        (
            _same("branch3x3dbl_1", 64, 1, 1),
            _same("branch3x3dbl_2", 96, 3, 3),
            _halving("branch3x3dbl_3", 96),
        ),
        ("maximum",),
    ),
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": (
        (_same("branch3x3_1", 192, 1, 1), _halving("branch3x3_2", 320)),
        (
            _same("branch7x7x3_1", 192, 1, 1),
            _same("branch7x7x3_2", 192, 1, 7),
            _same("branch7x7x3_3", 192, 7, 1),
            _halving("branch7x7x3_4", 192),
        ),
        ("maximum",),
    ),
    "Mixed_7b": _E,
    "Mixed_7c": _E,
}


# The auxiliary head sees Mixed_6e, whose side of 17 it needs; smaller images give a smaller one.
_AUXILIARY_SIDE, _AUXILIARY_CHANNELS, _AUXILIARY_SMALLEST = 17, 768, 299


class Convention(NamedTuple):
    """What distinguishes the definitions: BatchNorm's numbers, whether a 3x3 average counts the padding, and
    how kernels begin (torchvision truncates its normal at 20 deviations, which changes nothing)."""

    momentum: float
    unbiased: bool
    use_scale: bool
    count_padding: bool
    kernel_init: Any


CONVENTIONS = {
    "torchvision": Convention(0.9, True, True, True, nn.initializers.normal(0.1)),
    "keras": Convention(0.99, False, False, False, nn.initializers.glorot_uniform()),
}


class BasicUnit(nn.Module):
    """A convolution without bias, BatchNorm with an epsilon of 1e-3, ReLU: layers conv and bn."""

    unit: Unit
    convention: Convention
    frozen: tuple = ()
    dtype: Any = None

    def setup(self):
        """conv and bn."""
        unit, convention = self.unit, self.convention
        self.conv = Convolution(
            unit.filters,
            unit.side,
            unit.stride,
            unit.padding,
            use_bias=False,
            kernel_init=convention.kernel_init,
            dtype=self.dtype,
        )
        self.bn = BatchNorm(
            epsilon=1e-3,
            momentum=convention.momentum,
            unbiased=convention.unbiased,
            use_scale=convention.use_scale,
            frozen=freezing.is_frozen("bn", self.frozen),
            dtype=self.dtype,
        )

    def __call__(self, x, *, train=False):
        """Map x [B, H, W, C] to [B, H', W', filters]."""
        return nn.relu(self.bn(self.conv(x), train=train))


def _add_units(module, units):
    """Give `module` one BasicUnit per entry of `units`, under its name."""
    for unit in units:
        frozen = freezing.below(module.frozen, unit.name)
        setattr(module, unit.name, BasicUnit(unit, module.convention, frozen, module.dtype))


class Mixed(nn.Module):
    """Branches side by side, stacked along the channels; a branch is a sequence of units and poolings."""

    branches: tuple
    convention: Convention
    frozen: tuple = ()
    dtype: Any = None

    def setup(self):
        """One BasicUnit per unit of the branches."""
        for branch in self.branches:
            for step in branch:
                if not isinstance(step, str):
                    _add_units(self, step if isinstance(step, Fork) else (step,))

    def __call__(self, x, *, train=False, record=None):
        """Map [B, H, W, C] to [B, H', W', D]; `record` (a dict) receives every unit's output."""
        record = {} if record is None else record
        outputs = []
        for branch in self.branches:
            y = x
            for step in branch:
                if isinstance(step, Fork):
                    outputs.append(self._run(step.first, y, train, record))
                    step = step.second
                y = self._run(step, y, train, record)
            outputs.append(y)
        return jnp.concatenate(outputs, axis=-1)

    def _run(self, step, x, train, record):
        if step == "maximum":
            return max_pool(x, window=3, stride=2)
        if step == "average":
            counted = self.convention.count_padding
            return average_pool(x, window=3, stride=1, padding=1, count_padding=counted)
        y = record[f"{self.name}/{step.name}"] = getattr(self, step.name)(x, train=train)
        return y


class Auxiliary(nn.Module):
    """The second classifier, used in training alone: layers conv0, conv1 and fc (paper, section 4)."""

    num_classes: int
    convention: Convention
    frozen: tuple = ()
    dtype: Any = None

    def setup(self):
        """conv0, conv1 and fc."""
        _add_units(self, (Unit("conv0", 128, (1, 1)), Unit("conv1", 768, (5, 5))))
        init = nn.initializers.normal(0.001)
        self.fc = nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=init)

    def __call__(self, x, *, train=False, record=None):
        """Logits [B, num_classes] from Mixed_6e, [B, 17, 17, 768] or larger."""
        record = {} if record is None else record
        x = average_pool(x, window=5, stride=3)
        x = record[f"{self.name}/conv0"] = self.conv0(x, train=train)
        x = record[f"{self.name}/conv1"] = self.conv1(x, train=train)
        return self.fc(x.mean(axis=(1, 2)))


class InceptionV3(Backbone):
    """Inception v3 of `source` "torchvision" or "keras" (no BatchNorm scale, averages without the padding).

    Images [B, H, W, 3], any size from 75 x 75 on, normalised as the weights want it; with `transform_input`
    images normalised as for torchvision's other networks are turned into 2 x - 1 of the picture in 0..1, what
    its weights of this one want. `aux_logits`: an auxiliary head, AuxLogits, which runs with train=True alone,
    on images from 299 x 299 on, and leaves its logits as the activation "aux_logits"; without it the rest of
    the same weights is used. `dropout` is the rate before fc, drawn from the "dropout" stream. `frozen` names
    layers that stay, their BatchNorm with its running statistics (sejax.models.freezing). `dtype` is the type
    to compute in (None: that of the input and parameters, float32).
    An activation is recorded after its BatchNorm and ReLU.
    """

    num_classes: int = 1000
    source: str = "torchvision"
    transform_input: bool = True
    aux_logits: bool = True
    dropout: float = 0.5
    frozen: tuple = ()
    dtype: Any = None

    smallest = 75

    @property
    def convention(self):
        """The numbers of this source: Convention."""
        return CONVENTIONS[self.source]

    def setup(self):
        """Layers under torchvision's names: Conv2d_1a_3x3 ... Mixed_7c, AuxLogits, fc."""
        _add_units(self, [unit for unit in STEM if not isinstance(unit, str)])
        for name, branches in MIXED.items():
            frozen = freezing.below(self.frozen, name)
            setattr(self, name, Mixed(branches, self.convention, frozen, self.dtype))
        if self.aux_logits:
            frozen = freezing.below(self.frozen, "AuxLogits")
            self.AuxLogits = Auxiliary(self.num_classes, self.convention, frozen, self.dtype)
        self.drop = nn.Dropout(self.dropout)
        self.fc = nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=self.convention.kernel_init)

    def trunk(self, images, train, record):
        """The last feature map, Mixed_7c: [B, H', W', 2048] (8 x 8 for 299 x 299)."""
        x = _as_two_x_minus_one(images) if self.transform_input else images
        for step in STEM:
            if isinstance(step, str):
                x = record[step] = max_pool(x, window=3, stride=2)
            else:
                x = record[step.name] = getattr(self, step.name)(x, train=train)
        for name in MIXED:
            x = record[name] = getattr(self, name)(x, train=train, record=record)
        return x

    def auxiliary(self, record, *, train):
        """With train=True, "aux_logits" [B, num_classes] from Mixed_6e in `record`."""
        if not self.aux_logits:
            return
        if self.is_initializing():  # at whatever size the network is made
            self.AuxLogits(jnp.zeros((1, _AUXILIARY_SIDE, _AUXILIARY_SIDE, _AUXILIARY_CHANNELS)))
        elif train:
            x = record["Mixed_6e"]
            if min(x.shape[1:3]) < _AUXILIARY_SIDE:
                raise InputError(
                    "InceptionV3: the auxiliary head trains on images from "
                    f"{_AUXILIARY_SMALLEST} x {_AUXILIARY_SMALLEST} on: give larger images or aux_logits=False"
                )
            record["aux_logits"] = self.AuxLogits(x, train=True, record=record)

    def head(self, features, train, record):
        """Logits [B, num_classes] from that map, by fc."""
        x = record["avgpool"] = features.mean(axis=(1, 2))
        return self.fc(self.drop(x, deterministic=not train))


def _as_two_x_minus_one(images):
    """Images less (0.485, 0.456, 0.406) over (0.229, 0.224, 0.225), as 2 x - 1."""
    slope = jnp.asarray([0.229, 0.224, 0.225], images.dtype) / 0.5
    return images * slope + (jnp.asarray([0.485, 0.456, 0.406], images.dtype) - 0.5) / 0.5
