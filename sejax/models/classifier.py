"""Heads on a feature map: one that keeps its layout, pooled onto a coarse grid, and one that takes its maxima."""

from typing import Any

import flax.linen as nn

from sejax.models.pooling import adaptive_average_pool

__all__ = ["GridHead", "MaxPoolHead", "adaptive_average_pool"]


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
            x = x.reshape(len(x), -1)
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
