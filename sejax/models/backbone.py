"""What networks are made of: a base class with one way to call them, and heads on its feature map."""

from typing import Any

import flax.linen as nn

from sejax.errors import InputError
from sejax.models.pooling import adaptive_average_pool


class Backbone(nn.Module):
    """Base of the networks, which define `smallest`, the least height and width of an image in pixels, and two parts.

    `trunk(images, train, record)` gives the last feature map before global pooling and `head(features, train, record)`
    the logits; both write their activations into the dict `record` under their layers' names.
    """

    def __call__(self, images, *, train=False, activations=False):
        """Logits [B, num_classes] of images [B, H, W, 3]; with `activations`, also a dict of every activation.

        train=True: dropout (from the "dropout" stream) and batch statistics ("batch_stats" is then mutable).
        Raises InputError for images that are too small or not [B, H, W, 3].
        """
        record = {}
        features = self.features(images, train=train, record=record)
        self.auxiliary(record, train=train)
        logits = self.classify(features, train=train, record=record)
        return (logits, record) if activations else logits

    def features(self, images, *, train=False, record=None):
        """The last feature map, [B, H', W', C], from the trunk alone; `record` receives its activations."""
        record = {} if record is None else record
        self.check(images)
        x = record["features"] = self.trunk(images, train, record)
        return x

    def classify(self, features, *, train=False, record=None):
        """Logits [B, num_classes] from the map that `features` gives; needs the head's layers only."""
        record = {} if record is None else record
        logits = record["logits"] = self.head(features, train, record)
        return logits

    def auxiliary(self, record, *, train):
        """Outputs beside the logits, from the trunk's activations in `record`; none but for Inception."""

    def check(self, images):
        """Raise InputError unless images are [B, H, W, 3] with H and W large enough."""
        network = type(self).__name__
        if images.ndim != 4 or images.shape[-1] != 3:
            raise InputError(f"{network}: images of shape {images.shape}; give [B, H, W, 3]")
        if min(images.shape[1:3]) < self.smallest:
            raise InputError(
                f"{network}: images of {images.shape[1]} x {images.shape[2]} pixels are too small: "
                f"give larger images, from {self.smallest} x {self.smallest} on"
            )




class GridHead(nn.Module):
    """Grid pooling, flattening, dropout, then [dense, ReLU, dropout] per entry of `hidden`, then the logits.

    Takes a feature map [B, H, W, C], averaged onto `grid` = (rows, columns) as AdaptiveAvgPool2d does, or
    flat features [B, D], used as they are. AlexNet's fc6 sees its 6 x 6 map in the same way: where in
    frequency and time something lies is kept, which pooling over all positions would lose.
    `dropout` is drawn from the "dropout" stream. Returns logits [B, num_classes].
    """

    num_classes: int
    grid: tuple = (6, 4)
    hidden: tuple = ()
    dropout: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, train=False):
        """Logits [B, num_classes] of a feature map [B, H, W, C] or of flat features [B, D]."""
        if x.ndim == 4:
            x = adaptive_average_pool(x, self.grid)
            x = x.reshape(x.shape[0], -1)
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        for i, width in enumerate(self.hidden):
            init = nn.initializers.he_uniform()
            x = nn.relu(nn.Dense(width, dtype=self.dtype, kernel_init=init, name=f"hidden{i + 1}")(x))
            x = nn.Dropout(self.dropout)(x, deterministic=not train)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="logits")(x)


class MaxPoolHead(nn.Module):
    """Global max pooling, dense `hidden` with ReLU, then the logits (Kapoor and Kumar, Figs. 4 to 7).

    Takes a feature map [B, H, W, C], or features [B, C] that were pooled already. Weights begin as Keras
    begins them: Glorot's uniform distribution, biases at 0. Returns logits [B, num_classes].
    """

    num_classes: int
    hidden: int = 512
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Logits [B, num_classes] of a feature map [B, H, W, C] or of its maxima [B, C]."""
        x = x.max(axis=(1, 2)) if x.ndim == 4 else x
        init = nn.initializers.glorot_uniform()
        x = nn.relu(nn.Dense(self.hidden, dtype=self.dtype, kernel_init=init, name="hidden")(x))
        return nn.Dense(self.num_classes, dtype=self.dtype, kernel_init=init, name="logits")(x)
