"""Convolutions with a stride of 2 that halve an image, and their adjoints, which double one.

On a CPU layers with many channels go by way of frequencies, which takes fewer operations than a convolution does; and
no kernel's gradient is XLA:CPU's, which is slow. Elsewhere all of them are XLA's own convolutions.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from sejax.models import frequencies
from sejax.models.convolution import gradient_as_products
from sejax.models.normalisation import wide

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_USUAL = 8  # images, where a program is for any number of them


def padding(side):
    """Zeros (before, after) on an axis so that a kernel of `side` at a stride of 2 halves it: TensorFlow's SAME.

    side - 2 in all, the odd one after; `side` is at least 2.
    """
    before = (side - 2) // 2
    return before, side - 2 - before


@jax.custom_vjp
def halve(x, kernel):
    """Cross-correlate x [B, H, W, C] with kernel [k, k, C, D] at a stride of 2: [B, H / 2, W / 2, D]; H, W even.

    Differentiable in reverse mode, to any order, as `double` is.
    """
    if not _frequencies_pay(x.shape, kernel.shape):
        return _halve(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=_halve_by_frequencies, default=_halve)


@jax.custom_vjp
def double(x, kernel):
    """The adjoint of `halve` by the same kernel [k, k, C, D]: x [B, H, W, D] to [B, 2 H, 2 W, C]."""
    batch, height, width, _ = x.shape
    image = (batch, 2 * height, 2 * width, kernel.shape[2])
    if not _frequencies_pay(image, kernel.shape):
        return _double(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=_double_by_frequencies, default=_double)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def weigh(x, y, side):
    """The gradient of `halve` for a kernel of `side`: x [B, H, W, C], y [B, H / 2, W / 2, D] to [k, k, C, D]."""
    kernel = (side, side, x.shape[-1], y.shape[-1])
    on_cpu = _weigh_by_frequencies if _frequencies_pay(x.shape, kernel) else _weigh_by_products
    return lax.platform_dependent(x, y, cpu=partial(on_cpu, side=side), default=partial(_weigh, side=side))


halve.defvjp(
    lambda x, kernel: (halve(x, kernel), (x, kernel)),
    lambda saved, y: (double(y, saved[1]), weigh(saved[0], y, len(saved[1]))),
)
double.defvjp(
    lambda y, kernel: (double(y, kernel), (y, kernel)),
    lambda saved, x: (halve(x, saved[1]), weigh(x, saved[0], len(saved[1]))),
)
weigh.defvjp(
    lambda x, y, side: (weigh(x, y, side), (x, y)),
    lambda side, saved, kernel: (double(saved[1], kernel), halve(saved[0], kernel)),
)


def _frequencies_pay(image, kernel):
    """Whether they take fewer operations, for the wider image [B, H, W, C] and the kernel [k, k, C, D] of a layer."""
    (batch, height, width, channels), (side, _, _, filters) = image, kernel
    batch = batch if isinstance(batch, int) else _USUAL
    direct = batch * height * width // 4 * side * side * channels * filters
    other = frequencies.operations(height // 2, width // 2, (side + 1) // 2, batch, 4 * channels, filters)
    return other < direct


def _halve(x, kernel):
    pads = [padding(side) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (2, 2), pads, dimension_numbers=_LAYOUT)


def _double(x, kernel):
    return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=_LAYOUT, transpose_kernel=True)


def _weigh(x, y, *, side):
    shape = jax.ShapeDtypeStruct((side, side, x.shape[-1], y.shape[-1]), x.dtype)
    return jax.linear_transpose(partial(_halve, x), shape)(y)[0]


def _halve_by_frequencies(x, kernel):  # wide, here and below: transforms lose half-precision numbers
    image, small = _split(wide(x), len(kernel)), _split_kernel(wide(kernel))
    return frequencies.correlate(image, small).transpose(2, 0, 1, 3).astype(x.dtype)


def _double_by_frequencies(x, kernel):
    image = frequencies.spread(wide(x).transpose(1, 2, 0, 3), _split_kernel(wide(kernel)))
    return _joined(image, len(kernel)).astype(x.dtype)


def _weigh_by_frequencies(x, y, *, side):
    kernel = frequencies.weigh(_split(wide(x), side), wide(y).transpose(1, 2, 0, 3))
    return _joined_kernel(kernel, side).astype(x.dtype)


def _weigh_by_products(x, y, *, side):
    image = _split(x, side).transpose(2, 0, 1, 3)
    half = (side + 1) // 2
    kernel = jax.ShapeDtypeStruct((half, half, image.shape[-1], y.shape[-1]), x.dtype)
    return _joined_kernel(gradient_as_products(image, kernel, y, stride=1, padding=(0, 0)), side)


def _split(x, side):
    """x [B, H, W, C] with its padding, odd and even rows and columns as channels: [H', W', B, 4 C], no stride left."""
    before, after = padding(side)
    x = jnp.pad(x, ((0, 0), *2 * ((before, after + side % 2),), (0, 0)))
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(1, 3, 0, 2, 4, 5)
    return x.reshape(height // 2, width // 2, batch, 4 * channels)


def _joined(x, side):
    """The adjoint of `_split`: [H', W', B, 4 C] to [B, H, W, C]."""
    before, after = padding(side)
    height, width, batch, channels = x.shape
    x = x.reshape(height, width, batch, 2, 2, channels // 4).transpose(2, 0, 3, 1, 4, 5)
    x = x.reshape(batch, 2 * height, 2 * width, channels // 4)
    last = -(after + side % 2) or None
    return x[:, before:last, before:last]


def _split_kernel(kernel):
    """kernel [k, k, C, D] with the zeros that make k even, in the channels of `_split`: [k' / 2, k' / 2, 4 C, D]."""
    side, _, channels, filters = kernel.shape
    kernel = jnp.pad(kernel, (*2 * ((0, side % 2),), (0, 0), (0, 0)))
    half = len(kernel) // 2
    kernel = kernel.reshape(half, 2, half, 2, channels, filters).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(half, half, 4 * channels, filters)


def _joined_kernel(kernel, side):
    """The adjoint of `_split_kernel`."""
    half, _, channels, filters = kernel.shape
    kernel = kernel.reshape(half, half, 2, 2, channels // 4, filters).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(2 * half, 2 * half, channels // 4, filters)[:side, :side]
