"""Convolution whose kernel gradient is a few matrix products on the CPU.

XLA:CPU computes that gradient as a convolution with a window as large as the image, which is slow, and many
times slower still inside lax.scan.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

# AlexNet's 11 x 11 kernel with stride 4 would be 121 slices, which are slow to compile and no faster.
_LARGEST_AS_PRODUCTS = 7


class Convolution(nn.Module):
    """A biased convolution with a square kernel: [B, H, W, C] to [B, H', W', filters].

    `padding` zeros on every side, H' = (H + 2 padding - side) // stride + 1. Parameters: kernel
    [side, side, C, filters], from He's uniform distribution, and bias [filters]. `dtype` is the type to
    compute in (None: that of the input and parameters).
    """

    filters: int
    side: int
    stride: int = 1
    padding: int = 0
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Convolve x, [B, H, W, C]."""
        shape = (self.side, self.side, x.shape[-1], self.filters)
        kernel = self.param("kernel", nn.initializers.he_uniform(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.filters,))
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        return convolve(x, kernel, self.stride, self.padding) + bias


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x, kernel, stride, padding):
    """Cross-correlate x [B, H, W, C] with kernel [h, w, C, D]: [B, H', W', D], as torch.nn.functional.conv2d.

    Differentiable in reverse mode, to any order, but not in forward mode.
    """
    return _plain(x, kernel, stride, padding)


def _plain(x, kernel, stride, padding):
    pads = ((padding, padding), (padding, padding))
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=layout)


def _forward(x, kernel, stride, padding):
    return _plain(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, saved, cotangent):
    x, kernel = saved
    (for_x,) = jax.vjp(lambda x: _plain(x, kernel, stride, padding), x)[1](cotangent)
    usual = partial(_usual_gradient, stride=stride, padding=padding)
    if kernel.shape[0] > _LARGEST_AS_PRODUCTS:
        return for_x, usual(x, kernel, cotangent)
    on_cpu = partial(_gradient_as_products, stride=stride, padding=padding)
    return for_x, lax.platform_dependent(x, kernel, cotangent, cpu=on_cpu, default=usual)


convolve.defvjp(_forward, _backward)


def _usual_gradient(x, kernel, cotangent, *, stride, padding):
    return jax.vjp(lambda kernel: _plain(x, kernel, stride, padding), kernel)[1](cotangent)[0]


def _gradient_as_products(x, kernel, cotangent, *, stride, padding):
    """One matrix product per row of the kernel: the patches of x that the row meets, against the cotangent."""
    height, width, channels, filters = kernel.shape
    rows, columns = cotangent.shape[1:3]
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    cotangent = cotangent.reshape(-1, filters)

    def met_by(i, j):
        stop = (len(x), i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1, channels)
        return lax.slice(x, (0, i, j, 0), stop, (1, stride, stride, 1)).reshape(-1, channels)

    gradients = []
    for i in range(height):
        patches = jnp.concatenate([met_by(i, j) for j in range(width)], axis=1)
        gradients.append(patches.T @ cotangent)
    return jnp.stack(gradients).reshape(kernel.shape)
