"""Halving convolutions and their adjoints equal XLA's own, whichever way they are computed, to the second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.models import halving
from sejax.models.halving import double, halve

# height, width, channels, filters, side: odd and even sides and periods, a kernel beyond the image
CASES = [(8, 6, 3, 4, 5), (6, 8, 2, 3, 6), (4, 2, 3, 2, 9), (10, 8, 2, 2, 2)]
WAYS = {
    "halve": (halving._halve, halving._halve_by_frequencies),
    "double": (halving._double, halving._double_by_frequencies),
    "weigh": (halving._weigh, halving._weigh_by_products, halving._weigh_by_frequencies),
}


def example(case, batch=2):
    """(x, halved cotangent, kernel) of random numbers."""
    height, width, channels, filters, side = case
    random = np.random.default_rng(0)
    shapes = (batch, height, width, channels), (batch, height // 2, width // 2, filters)
    return tuple(random.standard_normal(shape) for shape in (*shapes, (side, side, channels, filters)))


def reference(x, kernel):
    """XLA's convolution, with SAME padding by its name."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=layout)


@pytest.mark.parametrize("way", [0, -1], ids=["plain", "by frequencies"])
@pytest.mark.parametrize("case", CASES)
def test_both_ways_are_xlas_convolution_and_its_adjoints(case, way):
    x, y, kernel = example(case)

    def all_three(x, y, kernel):
        ours = [
            WAYS["halve"][way](x, kernel),
            WAYS["double"][way](y, kernel),
            WAYS["weigh"][way](x, y, side=len(kernel)),
        ]
        wanted, vjp = jax.vjp(reference, x, kernel)
        return ours, [wanted, *vjp(y)]

    with jax.enable_x64(True):
        for mine, wanted in zip(*jax.jit(all_three)(x, y, kernel), strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_a_kernels_gradient_as_products_is_xlas(case):
    x, y, kernel = example(case)

    def both(x, y):
        return tuple(way(x, y, side=len(kernel)) for way in WAYS["weigh"][:2])

    wanted, ours = jax.jit(both)(x.astype(np.float32), y.astype(np.float32))
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)


def test_gradients_of_gradients_are_xlas():
    x, y, kernel = example(CASES[0])

    def twice(function):
        def penalty(x, kernel):
            for_x, for_kernel = jax.grad(lambda x, k: (function(x, k) ** 3).sum(), (0, 1))(x, kernel)
            return (for_x**2).sum() + (for_kernel**2).sum()

        return jax.grad(penalty, (0, 1))(x, kernel)

    def through_the_adjoint(function):
        return jax.grad(lambda y, kernel: (function(y, kernel) ** 2).sum(), (0, 1))(y, kernel)

    def adjoint(y, kernel):
        return jax.linear_transpose(lambda x: reference(x, kernel), jax.ShapeDtypeStruct(x.shape, x.dtype))(y)[0]

    def pairs():
        return [(twice(halve), twice(reference)), (through_the_adjoint(double), through_the_adjoint(adjoint))]

    with jax.enable_x64(True):
        for mine, wanted in jax.jit(pairs)():
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), mine, wanted)


def test_many_channels_go_by_way_of_frequencies_on_a_cpu_only():
    shapes = (32, 32, 32, 64), (9, 9, 64, 128)
    x, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)

    def gradients(x, kernel):
        return jax.grad(lambda x, k: (halve(x, k) ** 2).sum(), (0, 1))(x, kernel)

    def convolutions(platform):
        text = jax.export.export(jax.jit(gradients), platforms=[platform])(x, kernel).mlir_module()
        return text.count("stablehlo.convolution"), "stablehlo.while" in text

    assert convolutions("cuda") == (3, False)
    assert convolutions("cpu") == (0, True)


def test_a_layer_of_one_channel_keeps_its_convolution():
    x, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((8, 32, 32, 1), (5, 5, 1, 128)))
    assert "convolution" in jax.jit(halve).lower(x, kernel).as_text()


@pytest.mark.parametrize("channels", [2, 64])
def test_half_precision_is_rounded_once(channels):
    # Sums of ones, which bfloat16 holds as they are; in it every sum on the way would be rounded.
    x, kernel = jnp.ones((8, 8, 8, channels), jnp.bfloat16), jnp.ones((4, 4, channels, 64), jnp.bfloat16)
    inner = jax.jit(halve)(x, kernel)[:, 1:-1, 1:-1]
    assert inner.dtype == jnp.bfloat16
    np.testing.assert_array_equal(inner.astype(np.float32), 16 * channels)


def test_members_are_mapped_over_as_one_by_one():
    x, _, _ = example((8, 8, 8, 8, 5), batch=8)
    kernels = np.random.default_rng(1).standard_normal((2, 5, 5, 8, 8)).astype(np.float32)
    gradient = jax.grad(lambda k, x: (halve(x, k) ** 2).mean())
    x = x.astype(np.float32)
    together = jax.jit(jax.vmap(gradient, (0, None)))(kernels, x)
    one = jax.jit(gradient)
    np.testing.assert_allclose(together, jnp.stack([one(k, x) for k in kernels]), rtol=1e-3, atol=1e-4)
