"""Convolution whose gradients are, on a CPU, convolutions of the forward pass's own layout, or matrix products.

XLA:CPU has its fast code for that layout alone, images [B, H, W, C] and kernels [h, w, C, D]. It rewrites other
layouts, which the usual gradients are of, but not inside lax.scan: there the gradient for x took 4 times as long, that
for the kernel some 40 times (3 x 3 on 28 x 28 with 128 channels, JAX 0.10.2). Where XLA was asked to work on
convolutions itself (`sejax.core.xla`), the kernel's gradient is a convolution: as products it takes 1.1 to 1.7 times as
long on most of the networks' layers (JAX 0.12.0.1; 0.9 times on 13 x 13 with 384 channels, less for one of 3 channels).
Elsewhere it is products: a convolution would take 1.4 to 8 times as long.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from sejax.core.xla import asked_to_share

# AlexNet's 11 x 11 kernel with stride 4 would be 121 slices, which are slow to compile and no faster.
_LARGEST_AS_PRODUCTS = 7
# Rows of patches in one product: enough for its sums to be worth it, few enough for the cache.
_ROWS_AT_ONCE = 1600


class Convolution(nn.Module):
    """A convolution, biased or not: [B, H, W, C] to [B, H', W', filters].

    `side` of the kernel and `padding` with zeros on every side: one number, or (height, width) each;
    H' = (H + 2 padding - side) // stride + 1. Parameters: kernel [h, w, C, filters], from `kernel_init`
    (None: He's uniform distribution), and bias [filters] unless use_bias is False. `dtype` is the type to
    compute in (None: that of the input and parameters).
    """

    filters: int
    side: int | tuple
    stride: int = 1
    padding: int | tuple = 0
    use_bias: bool = True
    kernel_init: Any = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        """Convolve x, [B, H, W, C]."""
        init = self.kernel_init or nn.initializers.he_uniform()
        kernel = self.param("kernel", init, (*_pair(self.side), x.shape[-1], self.filters))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.filters,)) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        x = convolve(x, kernel, self.stride, self.padding)
        return x if bias is None else x + bias


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def convolve(x, kernel, stride, padding):
    """Cross-correlate x [B, H, W, C] with kernel [h, w, C, D]: [B, H', W', D], as torch.nn.functional.conv2d.

    stride: int; padding: zeros on each side, one number or (rows, columns). A kernel of 1 x 1 is a matrix
    product over the channels. Differentiable in reverse mode, to any order, but not in forward mode.
    """
    return _convolve(x, kernel, stride, _pair(padding))


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(x, kernel, stride, padding):
    return _plain(x, kernel, stride, padding)


def _plain(x, kernel, stride, padding):
    if _is_product(kernel, padding):
        return x[:, ::stride, ::stride] @ kernel[0, 0]
    return _convolution(x, kernel, [(side, side) for side in padding], window_strides=(stride, stride))


def _is_product(kernel, padding):
    return kernel.shape[:2] == (1, 1) and padding == (0, 0)


def _forward(x, kernel, stride, padding):
    return _plain(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, saved, cotangent):
    x, kernel = saved
    usual = partial(_usual_gradients, stride=stride, padding=padding)
    if _is_product(kernel, padding):
        for_x, _ = usual(x, kernel, cotangent)
        # One product over all images: in pieces nothing is saved, and XLA:CPU computes x once more for the loop.
        for_kernel = _product(*(_rows(array) for array in (x[:, ::stride, ::stride], cotangent)))
        return for_x, for_kernel.reshape(kernel.shape).astype(kernel.dtype)
    on_cpu = partial(_gradients, stride=stride, padding=padding)
    return lax.platform_dependent(x, kernel, cotangent, cpu=on_cpu, default=usual)


_convolve.defvjp(_forward, _backward)


def _usual_gradients(x, kernel, cotangent, *, stride, padding):
    return jax.vjp(lambda x, kernel: _plain(x, kernel, stride, padding), x, kernel)[1](cotangent)


def _gradients(x, kernel, cotangent, *, stride, padding):
    """Both gradients, those for x as a convolution of the forward pass's layout."""
    sides = tuple(zip(padding, kernel.shape[:2], x.shape[1:3], cotangent.shape[1:3], strict=True))
    # x at i + stride * r - zeros meets the weight i for the output r.
    spread = [(side - 1 - zeros, size - 1 + zeros - stride * (outputs - 1)) for zeros, side, size, outputs in sides]
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    for_x = _convolution(cotangent, turned, spread, lhs_dilation=(stride, stride))
    if asked_to_share() or max(kernel.shape[:2]) > _LARGEST_AS_PRODUCTS:
        return for_x, _gradient_as_convolution(x, kernel, cotangent, sides, stride)
    return for_x, gradient_as_products(x, kernel, cotangent, stride=stride, padding=padding)


def _gradient_as_convolution(x, kernel, cotangent, sides, stride):
    """The cotangent passes over x as a kernel, images as channels; `sides` as in `_gradients`."""
    met = [(zeros, stride * (outputs - 1) + side - size - zeros) for zeros, side, size, outputs in sides]
    images, windows = x.transpose(3, 1, 2, 0), cotangent.transpose(1, 2, 0, 3)
    dilation = {"rhs_dilation": (stride, stride)}
    total = _convolution(images, windows, met, **dilation, preferred_element_type=_wide(x))
    return total.transpose(1, 2, 0, 3).astype(kernel.dtype)


def _convolution(x, kernel, pads, *, window_strides=(1, 1), **options):
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, window_strides, pads, dimension_numbers=layout, **options)


def gradient_as_products(x, kernel, cotangent, *, stride, padding):
    """The patches of x that the kernel meets, against the cotangent: a matrix product for every few images.

    A few at a time, because the patches are height * width times as large as x: all at once they would go
    through memory instead of the cache, which takes twice as long for 3 x 3 on 56 x 56.
    """
    height, width, channels, filters = kernel.shape
    batch, rows, columns = cotangent.shape[:3]
    x = jnp.pad(x, ((0, 0), *((side, side) for side in padding), (0, 0)))
    few = _divisor(batch, at_most=max(1, _ROWS_AT_ONCE // (rows * columns)))

    def add(total, images):
        x, cotangent = images
        met = [_met_by(x, i, j, rows, columns, stride) for i in range(height) for j in range(width)]
        patches = jnp.concatenate(met, axis=1)
        return total + _product(patches, _rows(cotangent)), None

    parts = [array.reshape(batch // few, few, *array.shape[1:]) for array in (x, cotangent)]
    total, _ = lax.scan(add, jnp.zeros((height * width * channels, filters), _wide(x)), tuple(parts))
    return total.reshape(kernel.shape).astype(kernel.dtype)


def _product(seen, cotangent):
    return jnp.matmul(seen.T, cotangent, preferred_element_type=_wide(seen))


def _wide(x):
    return jnp.promote_types(x.dtype, jnp.float32)  # sums over many products lose half-precision numbers


def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _met_by(x, i, j, rows, columns, stride):
    """The values of x that the kernel's weight at row i and column j meets: [B * rows * columns, C]."""
    stop = (len(x), i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1, x.shape[-1])
    return _rows(lax.slice(x, (0, i, j, 0), stop, (1, stride, stride, 1)))


def _divisor(number, *, at_most):
    """The largest divisor of `number` that is not above `at_most`."""
    return max(divisor for divisor in range(1, at_most + 1) if number % divisor == 0)
