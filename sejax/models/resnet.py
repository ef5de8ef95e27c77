"""ResNet-50 (He et al. 2015, arXiv:1512.03385) and Wide ResNet-50-2 (Zagoruyko and Komodakis 2016,
arXiv:1605.07146), as torchvision and as Keras have them."""

from typing import Any, NamedTuple

import flax.linen as nn

from sejax.models import freezing
from sejax.models.backbone import Backbone
from sejax.models.convolution import Convolution
from sejax.models.normalisation import BatchNorm
from sejax.models.pooling import max_pool

# layer, blocks, filters of a block's output, stride of the layer's first block
LAYERS = (("layer1", 3, 256, 1), ("layer2", 4, 512, 2), ("layer3", 6, 1024, 2), ("layer4", 3, 2048, 2))


class Convention(NamedTuple):
    """What distinguishes the definitions: where a block's stride is, biases of convolutions, BatchNorm's numbers.

    strided: the convolution of a block that takes the stride. epsilon, momentum, unbiased: BatchNorm's fields.
    smallest: the least image side that the source accepts. spread, dense_spread: (scale, fan, distribution) of
    the initial kernels of convolutions and of fc, see jax.nn.initializers.variance_scaling.
    """

    strided: str
    use_bias: bool
    epsilon: float
    momentum: float
    unbiased: bool
    smallest: int
    spread: tuple
    dense_spread: tuple


CONVENTIONS = {
    "torchvision": Convention(
        strided="conv2",
        use_bias=False,
        epsilon=1e-5,
        momentum=0.9,
        unbiased=True,
        smallest=1,
        spread=(2.0, "fan_out", "normal"),
        dense_spread=(1 / 3, "fan_in", "uniform"),
    ),
    "keras": Convention(
        strided="conv1",
        use_bias=True,
        epsilon=1.001e-5,
        momentum=0.99,
        unbiased=False,
        smallest=32,
        spread=(1.0, "fan_avg", "uniform"),
        dense_spread=(1.0, "fan_avg", "uniform"),
    ),
}


class Bottleneck(nn.Module):
    """1x1 to `width` filters, 3x3, 1x1 to `filters`, each normalised; plus the input, projected in a first block.

    Maps [B, H, W, C] to [B, H / stride, W / stride, filters], rounded up.
    """

    width: int
    filters: int
    stride: int
    project: bool
    convention: Convention
    frozen: tuple = ()
    dtype: Any = None

    def setup(self):
        """conv1, bn1 ... conv3, bn3 and, where the input is projected, downsample_conv and downsample_bn."""
        first, second = (self.stride if self.convention.strided == name else 1 for name in ("conv1", "conv2"))
        self.conv1, self.bn1 = _unit(self, "bn1", self.width, 1, first)
        self.conv2, self.bn2 = _unit(self, "bn2", self.width, 3, second)
        self.conv3, self.bn3 = _unit(self, "bn3", self.filters, 1, 1)
        if self.project:
            unit = _unit(self, "downsample_bn", self.filters, 1, self.stride)
            self.downsample_conv, self.downsample_bn = unit

    def __call__(self, x, *, train=False, record=None):
        """Map x; `record` (a dict) receives the parts, conv3 and downsample before the sum and its ReLU."""
        record = {} if record is None else record
        y = record[f"{self.name}/conv1"] = nn.relu(self.bn1(self.conv1(x), train=train))
        y = record[f"{self.name}/conv2"] = nn.relu(self.bn2(self.conv2(y), train=train))
        y = record[f"{self.name}/conv3"] = self.bn3(self.conv3(y), train=train)
        if self.project:
            x = self.downsample_bn(self.downsample_conv(x), train=train)
            record[f"{self.name}/downsample"] = x
        return nn.relu(x + y)


def _unit(module, norm, filters, side, stride):
    """A convolution and its BatchNorm, called `norm`, inside `module`, by the module's convention."""
    convention = module.convention
    convolution = Convolution(
        filters,
        side,
        stride,
        side // 2,
        use_bias=convention.use_bias,
        kernel_init=nn.initializers.variance_scaling(*convention.spread),
        dtype=module.dtype,
    )
    frozen = freezing.is_frozen(norm, module.frozen)
    options = {"momentum": convention.momentum, "unbiased": convention.unbiased, "frozen": frozen}
    return convolution, BatchNorm(convention.epsilon, **options, dtype=module.dtype)


class ResNet(Backbone):
    """ResNet-50 of `source` "torchvision" (v1.5: the stride in the 3x3) or "keras" (v1: in the first 1x1,
    convolutions with biases), and with width=128 (filters of the first 3x3) Wide ResNet-50-2.

    Images [B, H, W, 3] of any size ("keras": from 32 x 32 on), normalised as the weights want it. `frozen`
    names layers that stay, their BatchNorm with its running statistics (sejax.models.freezing). `dtype` is
    the type to compute in (None: that of the input and parameters, float32).
    An activation is recorded after its BatchNorm and ReLU; see Bottleneck for the two before a sum.
    """

    num_classes: int = 1000
    width: int = 64
    source: str = "torchvision"
    frozen: tuple = ()
    dtype: Any = None

    @property
    def convention(self):
        """The numbers of this source: Convention."""
        return CONVENTIONS[self.source]

    @property
    def smallest(self):
        """The least height and width of an image, in pixels."""
        return self.convention.smallest

    def setup(self):
        """conv1, bn1, layer1_0 ... layer4_2, fc."""
        self.conv1, self.bn1 = _unit(self, "bn1", 64, 7, 2)
        for layer, blocks, filters, stride in LAYERS:
            for i in range(blocks):
                name = f"{layer}_{i}"
                block = Bottleneck(
                    width=filters * self.width // 256,
                    filters=filters,
                    stride=1 if i else stride,
                    project=i == 0,
                    convention=self.convention,
                    frozen=freezing.below(self.frozen, name),
                    dtype=self.dtype,
                )
                setattr(self, name, block)
        init = nn.initializers.variance_scaling(*self.convention.dense_spread)
        self.fc = nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=init)

    def trunk(self, images, train, record):
        """The last feature map, layer4_2: [B, H', W', 2048] (7 x 7 for 224 x 224)."""
        x = record["conv1"] = nn.relu(self.bn1(self.conv1(images), train=train))
        x = record["pool1"] = max_pool(x, window=3, stride=2, padding=1)
        for layer, blocks, *_ in LAYERS:
            for i in range(blocks):
                name = f"{layer}_{i}"
                x = record[name] = getattr(self, name)(x, train=train, record=record)
        return x

    def head(self, features, train, record):
        """Logits [B, num_classes] from that map, by fc."""
        x = record["avgpool"] = features.mean(axis=(1, 2))
        return self.fc(x)
