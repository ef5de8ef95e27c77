"""Convolution whose kernel gradient is a few matrix products on the CPU.

XLA:CPU computes that gradient as a convolution with a window as large as the image: two to five times slower
than the products here, and tens of times slower inside lax.scan.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolution(x, kernel, strides, padding, **options):
    """lax.conv_general_dilated for x [B, H, W, C] and kernel [h, w, C, D], undilated and in one group.

    strides: two ints; padding: "SAME", "VALID" or two pairs. Returns [B, H', W', D]. It is what flax's
    Conv takes as its `conv_general_dilated`; of the `options` that Conv passes, precision is heeded.
    Differentiable in reverse mode, to any order; not in forward mode.
    """
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    padding = tuple((int(low), int(high)) for low, high in padding)
    return _convolve(x, kernel, tuple(strides), padding, options.get("precision"))


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _convolve(x, kernel, strides, padding, precision):
    return lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=_LAYOUT, precision=precision
    )


def _forward(x, kernel, strides, padding, precision):
    return _convolve(x, kernel, strides, padding, precision), (x, kernel)


def _backward(strides, padding, precision, saved, cotangent):
    x, kernel = saved
    conv = partial(
        lax.conv_general_dilated,
        window_strides=strides,
        padding=padding,
        dimension_numbers=_LAYOUT,
        precision=precision,
    )
    (for_x,) = jax.vjp(lambda x: conv(x, kernel), x)[1](cotangent)
    for_kernel = lax.platform_dependent(
        x,
        kernel,
        cotangent,
        cpu=partial(_kernel_gradient, strides=strides, padding=padding, precision=precision),
        default=lambda x, kernel, cotangent: jax.vjp(lambda k: conv(x, k), kernel)[1](cotangent)[0],
    )
    return for_x, for_kernel


_convolve.defvjp(_forward, _backward)


def _kernel_gradient(x, kernel, cotangent, *, strides, padding, precision):
    """One matrix product per row of the kernel: the parts of x that this row meets, against the cotangent."""
    height, width, channels, filters = kernel.shape
    (down, right), (rows, columns) = strides, cotangent.shape[1:3]
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    cotangent = cotangent.reshape(-1, filters)

    def met_by(i, j):
        stop = (len(x), i + (rows - 1) * down + 1, j + (columns - 1) * right + 1, channels)
        return lax.slice(x, (0, i, j, 0), stop, (1, down, right, 1)).reshape(-1, channels)

    gradients = []
    for i in range(height):
        patches = jnp.concatenate([met_by(i, j) for j in range(width)], axis=1)
        gradients.append(jnp.matmul(patches.T, cotangent, precision=precision))
    return jnp.stack(gradients).reshape(kernel.shape).astype(kernel.dtype)
