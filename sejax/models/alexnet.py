"""AlexNet in torchvision's layout (Krizhevsky 2014, arXiv:1404.5997, one tower)."""

from typing import Any

import flax.linen as nn

from sejax.models.backbone import Backbone
from sejax.models.convolution import Convolution
from sejax.models.pooling import adaptive_average_pool, max_pool

# name, filters, kernel side, stride, padding, name of the pooling that follows or None
TRUNK = (
    ("conv1", 64, 11, 4, 2, "pool1"),
    ("conv2", 192, 5, 1, 2, "pool2"),
    ("conv3", 384, 3, 1, 1, None),
    ("conv4", 256, 3, 1, 1, None),
    ("conv5", 256, 3, 1, 1, "pool5"),
)


class AlexNet(Backbone):
    """AlexNet: 61,100,840 parameters for 1000 classes.

    Images [B, H, W, 3], any size from 63 x 63 on, normalised as the weights want it. `dropout` is the rate,
    drawn from the "dropout" stream; `dropout_before` names the dense layers whose input it thins
    (torchvision: fc6 and fc7; add fc8 for dropout before the last layer).
    `frozen` names layers that stay (sejax.models.freezing).
    `dtype` is the type to compute in (None: that of the input and parameters, float32).
    Every activation is recorded after its ReLU, the logits have none.
    """

    num_classes: int = 1000
    dropout: float = 0.5
    dropout_before: tuple = ("fc6", "fc7")
    frozen: tuple = ()
    dtype: Any = None

    smallest = 63

    def setup(self):
        """Layers conv1 ... conv5, fc6, fc7, fc8."""
        for name, filters, side, stride, padding, _ in TRUNK:
            setattr(self, name, Convolution(filters, side, stride, padding, dtype=self.dtype))
        init = nn.initializers.he_uniform()
        self.fc6 = nn.Dense(4096, dtype=self.dtype, kernel_init=init)
        self.fc7 = nn.Dense(4096, dtype=self.dtype, kernel_init=init)
        self.fc8 = nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=nn.initializers.normal(0.01))
        self.drop = nn.Dropout(self.dropout)

    def trunk(self, images, train, record):
        """The last feature map, pool5: [B, H', W', 256] (6 x 6 for 224 x 224)."""
        x = images
        for name, *_, pool in TRUNK:
            x = record[name] = nn.relu(getattr(self, name)(x))
            if pool:
                x = record[pool] = max_pool(x, window=3, stride=2)
        return x

    def head(self, features, train, record):
        """Logits [B, num_classes] from that map, by fc6, fc7 and fc8."""
        x = record["avgpool"] = adaptive_average_pool(features, (6, 6))
        x = x.reshape(x.shape[0], -1)  # rows, columns, channels: fc6's converted weights are in this order
        for name in ("fc6", "fc7", "fc8"):
            if name in self.dropout_before:
                x = self.drop(x, deterministic=not train)
            x = getattr(self, name)(x)
            if name != "fc8":
                x = record[name] = nn.relu(x)
        return x
