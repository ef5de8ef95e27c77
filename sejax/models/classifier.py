"""A head that keeps the layout of a feature map: pooled onto a coarse grid, then dense layers."""

from typing import Any

import flax.linen as nn

from sejax.models.pooling import adaptive_average_pool

__all__ = ["GridHead", "adaptive_average_pool"]


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
