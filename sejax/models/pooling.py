"""Pooling with torch's arithmetic, written for XLA:CPU, where reduce_window and its gradient are slow."""

import jax.numpy as jnp
from jax import lax

from sejax.errors import InputError


def max_pool(x, *, window, stride, padding=0, ceil_mode=False):
    """Maximum over square windows, as torch.nn.MaxPool2d(window, stride, padding, ceil_mode).

    x: [B, H, W, C], any float dtype; `padding` positions on every side never win. Returns [B, H', W', C];
    with ceil_mode a last window may hang over the edge, without it the remainder is dropped. NaNs spread to
    their windows. Among equal values the gradient goes to the first one of the window in row-major order, as in
    torch.
    Raises InputError when a side is too small for one window.
    """
    if padding:
        widths = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        x = jnp.pad(x, widths, constant_values=-jnp.inf)
    rows, columns = _windows("max_pool", x, window, stride, beyond=ceil_mode * (stride - 1))
    # Columns before rows: the first maximum in row-major order then wins in both passes.
    return _max_pool_axis(_max_pool_axis(x, 2, columns, window, stride), 1, rows, window, stride)


def _windows(pooling, x, window, stride, *, beyond):
    """Rows and columns of windows on x [B, H, W, C] and `beyond` positions more on each axis."""
    rows, columns = ((side + beyond - window) // stride + 1 for side in x.shape[1:3])
    if min(rows, columns) < 1:
        raise InputError(
            f"{pooling}: a feature map of {x.shape[1]} x {x.shape[2]} is smaller than the {window} x {window} "
            "window: give the network larger images"
        )
    return rows, columns


def _max_pool_axis(x, axis, outputs, window, stride):
    overhang = (outputs - 1) * stride + window - x.shape[axis]
    if overhang > 0:
        widths = [(0, 0)] * x.ndim
        widths[axis] = (0, overhang)
        x = jnp.pad(x, widths, constant_values=-jnp.inf)
    span = (outputs - 1) * stride + 1
    best = lax.slice_in_dim(x, 0, span, stride, axis)
    for offset in range(1, window):
        value = lax.slice_in_dim(x, offset, offset + span, stride, axis)
        best = jnp.where((value > best) | (value != value), value, best)
    return best


def average_pool(x, *, window, stride, padding=0, count_padding=True):
    """Averages over square windows, as torch.nn.AvgPool2d(window, stride, padding, count_include_pad=...).

    x: [B, H, W, C]. `padding` zeros on every side; without `count_padding` an average is over the positions
    inside the image alone, as in Keras's "same" pooling. Returns [B, H', W', C].
    Raises InputError when a side is too small for one window.
    """
    rows, columns = _windows("average_pool", x, window, stride, beyond=2 * padding)
    totals = _sum_pool(x, rows, columns, window, stride, padding)
    if count_padding or not padding:
        return totals / (window * window)
    inside = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return totals / _sum_pool(inside, rows, columns, window, stride, padding)


def _sum_pool(x, rows, columns, window, stride, padding):
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for axis, outputs in ((2, columns), (1, rows)):
        span = (outputs - 1) * stride + 1
        x = sum(lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(window))
    return x


def adaptive_average_pool(x, size):
    """Averages over a grid of near-equal cells, exactly as torch.nn.AdaptiveAvgPool2d.

    x: [B, H, W, C]; size: (rows, columns) of the grid. Cell i of n over a side of s positions covers
    floor(i s / n) to ceil((i + 1) s / n), so that cells overlap where n does not divide s and repeat
    where n exceeds s. Returns [B, rows, columns, C].
    """
    for axis, cells in zip((1, 2), size, strict=True):
        side = x.shape[axis]
        if cells == 1 and side > 1:
            x = x.mean(axis=axis, keepdims=True)
        elif cells != side:
            ranges = [(i * side // cells, -(-(i + 1) * side // cells)) for i in range(cells)]
            x = jnp.stack([lax.slice_in_dim(x, *each, axis=axis).mean(axis=axis) for each in ranges], axis=axis)
    return x
