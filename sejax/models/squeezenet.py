"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016, arXiv:1602.07360) in torchvision's layout."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from sejax.models.backbone import Backbone
from sejax.models.convolution import Convolution
from sejax.models.pooling import adaptive_average_pool, max_pool

# Per version: conv1 (filters, kernel side), then the trunk in order; a fire module is (name, squeeze filters,
# filters of each of its two expand convolutions).
TRUNKS = {
    "1.0": (
        (96, 7),
        ("pool1", ("fire2", 16, 64), ("fire3", 16, 64), ("fire4", 32, 128))
        + ("pool4", ("fire5", 32, 128), ("fire6", 48, 192), ("fire7", 48, 192), ("fire8", 64, 256))
        + ("pool8", ("fire9", 64, 256)),
    ),
    "1.1": (
        (64, 3),
        ("pool1", ("fire2", 16, 64), ("fire3", 16, 64))
        + ("pool3", ("fire4", 32, 128), ("fire5", 32, 128))
        + ("pool5", ("fire6", 48, 192), ("fire7", 48, 192), ("fire8", 64, 256), ("fire9", 64, 256)),
    ),
}


class Fire(nn.Module):
    """A 1x1 squeeze layer, then 1x1 and 3x3 expand layers side by side, all with ReLU (paper, section 3.2).

    Returns [B, H, W, 2 * expand] with the 1x1 filters first.
    """

    squeeze: int
    expand: int
    dtype: Any = None

    def setup(self):
        """The three convolutions, under the names of the Caffe model."""
        init = nn.initializers.he_uniform()
        # Dense layers over channels, so that converted files hold their kernels as [C, D]; no slower than Convolution.
        self.squeeze1x1 = nn.Dense(self.squeeze, dtype=self.dtype, kernel_init=init)
        self.expand1x1 = nn.Dense(self.expand, dtype=self.dtype, kernel_init=init)
        self.expand3x3 = Convolution(self.expand, 3, padding=1, dtype=self.dtype)

    def __call__(self, x, record):
        """Map [B, H, W, C] to [B, H, W, 2 * expand]; `record` (a dict) receives the three parts."""
        squeezed = record[f"{self.name}/squeeze1x1"] = nn.relu(self.squeeze1x1(x))
        narrow = record[f"{self.name}/expand1x1"] = nn.relu(self.expand1x1(squeezed))
        wide = record[f"{self.name}/expand3x3"] = nn.relu(self.expand3x3(squeezed))
        return jnp.concatenate([narrow, wide], axis=-1)


class SqueezeNet(Backbone):
    """SqueezeNet, version "1.0" (1,248,424 parameters for 1000 classes) or "1.1" (1,235,496).

    Images [B, H, W, 3], any size from 17 x 17 (1.1) or 21 x 21 (1.0) on, normalised as the weights want it.
    `dropout` is the rate before the last convolution (0.5 in the paper), drawn from the "dropout" stream.
    `frozen` names layers that stay (sejax.models.freezing).
    `dtype` is the type to compute in (None: that of the input and parameters, float32).
    Every activation is recorded after its ReLU, conv10 too: the logits are its average over positions.
    """

    num_classes: int = 1000
    version: str = "1.1"
    dropout: float = 0.5
    frozen: tuple = ()
    dtype: Any = None

    @property
    def smallest(self):
        """The least height and width of an image, in pixels."""
        return {"1.0": 21, "1.1": 17}[self.version]

    def setup(self):
        """Layers under the names of the Caffe model: conv1, fire2 ... fire9, conv10."""
        (filters, side), trunk = TRUNKS[self.version]
        self.conv1 = Convolution(filters, side, stride=2, dtype=self.dtype)
        for layer in trunk:
            if not isinstance(layer, str):
                name, squeeze, expand = layer
                setattr(self, name, Fire(squeeze, expand, dtype=self.dtype))
        last = nn.initializers.normal(0.01)
        self.conv10 = nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=last)
        self.drop = nn.Dropout(self.dropout)

    def trunk(self, images, train, record):
        """The last feature map, fire9: [B, H', W', 512] (13 x 13 for 224 x 224)."""
        x = record["conv1"] = nn.relu(self.conv1(images))
        for layer in TRUNKS[self.version][1]:
            if isinstance(layer, str):
                x = record[layer] = max_pool(x, window=3, stride=2, ceil_mode=True)
            else:
                x = record[layer[0]] = getattr(self, layer[0])(x, record)
        return x

    def head(self, features, train, record):
        """Logits [B, num_classes] from that map, by conv10."""
        x = self.drop(features, deterministic=not train)
        x = record["conv10"] = nn.relu(self.conv10(x))
        return adaptive_average_pool(x, (1, 1))[:, 0, 0]
