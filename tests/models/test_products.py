"""Products of rounded factors: the numbers of float32 products of the same rounded factors, in float32 throughout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.models.feed_forward import FeedForward
from sejax.models.products import products_in

DENSE = (((1,), (0,)), ((), ()))


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def rounded(x):
    """To the 8 significant bits of bfloat16, by hand: to nearest, ties to even."""
    bits = np.asarray(x).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_products_and_gradients_are_those_of_rounded_factors(rows):
    x, kernel, direction = drawn(rows, 33), drawn(33, 20), drawn(rows, 20)
    product = products_in("bfloat16")
    y, back = jax.vjp(jax.jit(lambda x, kernel: product(x, kernel, DENSE)), x, kernel)
    of_x, of_kernel = back(direction)
    assert y.dtype == of_x.dtype == of_kernel.dtype == np.float32
    near = {"rtol": 1e-5, "atol": 1e-5}  # of float32 sums; bfloat16 ones would be off by a hundredth
    np.testing.assert_allclose(y, rounded(x) @ rounded(kernel), **near)
    np.testing.assert_allclose(of_x, rounded(direction) @ rounded(kernel).T, **near)
    np.testing.assert_allclose(of_kernel, rounded(x).T @ rounded(direction), **near)


def test_stacked_and_longer_inputs_are_as_each_alone():
    x, kernel, product = drawn(3, 4, 7, 9), drawn(3, 9, 5), products_in("bfloat16")

    def squares(x, kernel):
        return jnp.square(product(x, kernel, DENSE)).sum()

    gradients = jax.vmap(jax.grad(squares, argnums=(0, 1)))(x, kernel)
    for number in range(3):
        flat = jax.grad(squares, argnums=(0, 1))(x[number].reshape(-1, 9), kernel[number])
        np.testing.assert_allclose(gradients[0][number].reshape(-1, 9), flat[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(gradients[1][number], flat[1], rtol=1e-4, atol=1e-4)


def test_a_network_with_rounded_products_has_the_same_weights_and_nearly_the_same_outputs():
    plain, half = (FeedForward((40, 30), 6, sigmoid=True, dtype=dtype) for dtype in (None, jnp.bfloat16))
    x = drawn(8, 12)
    variables = plain.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, half.init(jax.random.key(0), x), variables)
    exact, found = plain.apply(variables, x), half.apply(variables, x)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.02  # a factor is off by 2**-9 of itself


def test_an_optimised_program_on_a_cpu_multiplies_what_is_rounded_and_adds_in_float32():
    """Where XLA widened factors to float32 first, bfloat16 would be slower than float32."""
    if jax.default_backend() != "cpu" or "avx512_bf16" not in _flags():
        pytest.skip("needs a CPU with AVX512-BF16")
    product = products_in("bfloat16")

    def squares(x, kernel):
        return jnp.square(product(x, kernel, DENSE)).sum()

    stacked = jax.jit(jax.vmap(jax.grad(squares, argnums=(0, 1))))
    compiled = stacked.lower(drawn(4, 64, 300), drawn(4, 300, 200)).compile().as_text().splitlines()
    products = [(number, line) for number, line in enumerate(compiled) if " dot(" in line]
    assert len(products) == 3
    for number, line in products:
        for factor in line.split(" dot(")[1].split(")")[0].split(", "):
            made = next(said for said in reversed(compiled[:number]) if said.strip().startswith(f"{factor} = "))
            assert " = bf16[" in made, line


def _flags():
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line for line in lines if line.startswith("flags")), "").split()
    except OSError:
        return []
