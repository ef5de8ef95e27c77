"""Matrix products of inputs and float32 weights in a narrower dtype, summed in float32, as are their gradients.

What is kept and added up (weights, moments, activations, losses) stays float32; the factors of the three products of
a dense layer are rounded just before them. XLA on a CPU (JAX 0.10 to 0.12) computes bfloat16 products with AVX512-BF16
or AMX where the sum is asked for in float32 and the left factor's last axis is the one that is summed over; others it
widens to float32 first, which is slower than float32 from the start, or fails on. So sums are float32 here, and the
kernel's gradient gets its left factor transposed in memory.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp


@cache
def products_in(dtype):
    """A `dot_general` for `flax.linen.Dense` whose factors are rounded to a dtype: bfloat16, or another float.

    Inputs [..., I] and a kernel [I, O], float32 each, give f32[..., O]; gradients are float32 too. The kernel is cast
    once in a program, however many products of it there are.
    """
    product = partial(_product, jnp.dtype(dtype))

    def dot_general(inputs, kernel, dimensions, **options):
        del dimensions, options  # of Dense there is one kind: the last axis of inputs, the first of the kernel
        return product(inputs, kernel)

    return dot_general


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _product(dtype, inputs, kernel):
    return _forward(dtype, inputs, kernel)[0]


def _forward(dtype, inputs, kernel):
    inputs, kernel = inputs.astype(dtype), kernel.astype(dtype)
    return _summed("...i,io->...o", inputs, kernel), (inputs, kernel)


def _backward(dtype, factors, gradient):
    inputs, kernel = factors
    gradient = gradient.astype(dtype)
    rows, columns = (x.reshape(-1, x.shape[-1]) for x in (inputs, gradient))  # [N, I], [N, O]
    of_kernel = _summed("in,no->io", _transposed(rows), columns)
    return _summed("...o,io->...i", gradient, kernel), of_kernel


_product.defvjp(_forward, _backward)
_summed = partial(jnp.einsum, preferred_element_type=jnp.float32)


def _transposed(rows):
    """Rows [N, I] as [I, N], in memory too: XLA would give the product the rows themselves and another axis to sum.

    Each part is transposed by itself: of two parts of `rows.T` XLA makes one array again with JAX 0.11 and 0.12, so
    that the product does get the rows, and fails when it runs.
    """
    return jnp.concatenate([rows[:, :1].T, rows[:, 1:].T])
