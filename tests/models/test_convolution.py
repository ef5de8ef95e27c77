"""The convolution and both its gradients equal XLA's own and, where installed, torch's."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sejax.core import xla
from sejax.core.xla import asked_to_share, share_convolutions
from sejax.models.convolution import Convolution, convolve, gradient_as_products

# height, width, channels, filters, side, stride, padding: the networks' kinds, with and without a remainder;
# side and padding are one number or (height, width)
CASES = [
    (23, 30, 3, 4, 11, 4, 2),
    (9, 8, 5, 4, 5, 1, 2),
    (7, 6, 4, 3, 3, 1, 1),
    (12, 13, 3, 4, 7, 2, 0),
    (8, 9, 3, 4, 3, 2, 0),
    (8, 10, 3, 4, 7, 2, 3),
    (6, 9, 3, 4, (1, 7), 1, (0, 3)),
    (9, 6, 3, 4, (7, 1), 1, (3, 0)),
    (6, 7, 5, 4, 1, 1, 0),
    (7, 8, 5, 4, 1, 2, 0),
]


def example(case):
    """(x, kernel, cotangent of the output, XLA's convolution) of random numbers."""
    height, width, channels, filters, side, stride, padding = case
    rows, columns = (side, side) if isinstance(side, int) else side
    above, left = (padding, padding) if isinstance(padding, int) else padding

    def reference(x, kernel):
        pads = [(above, above), (left, left)]
        return lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, height, width, channels), np.float32)
    kernel = rng.standard_normal((rows, columns, channels, filters), np.float32)
    out = jax.eval_shape(reference, x, kernel)
    return x, kernel, rng.standard_normal(out.shape, np.float32), reference


def values_and_gradients(function, x, kernel, cotangent):
    """(output, gradient for x, gradient for kernel) of function(x, kernel)."""

    def run(x, kernel, cotangent):
        values, vjp = jax.vjp(function, x, kernel)
        return values, *vjp(cotangent)

    return jax.jit(run)(x, kernel, cotangent)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_xlas(case):
    x, kernel, cotangent, reference = example(case)
    ours = values_and_gradients(lambda x, k: convolve(x, k, *case[-2:]), x, kernel, cotangent)
    for mine, wanted in zip(ours, values_and_gradients(reference, x, kernel, cotangent), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_torchs(case):
    torch = pytest.importorskip("torch", reason="compares with torch; pip install torch")
    x, kernel, cotangent, _ = example(case)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
    theirs = torch.nn.functional.conv2d(inputs, weight, stride=case[-2], padding=case[-1])
    theirs.backward(torch.from_numpy(cotangent.transpose(0, 3, 1, 2).copy()))
    ours = values_and_gradients(lambda x, k: convolve(x, k, *case[-2:]), x, kernel, cotangent)
    values, for_x, for_kernel = ours
    np.testing.assert_allclose(values, theirs.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(for_x, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(for_kernel, weight.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-4, atol=1e-4)


def test_the_matrix_products_are_the_kernels_gradient_on_any_backend():
    x, kernel, cotangent, reference = example(CASES[1])
    _, _, wanted = values_and_gradients(reference, x, kernel, cotangent)
    ours = jax.jit(partial(gradient_as_products, stride=1, padding=(2, 2)))(x, kernel, cotangent)
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)


def test_members_are_mapped_over_as_one_by_one():
    x, kernel, _, _ = example(CASES[2])
    kernels = jnp.stack([kernel, 2 * kernel])
    gradient = jax.jit(jax.grad(lambda k: (convolve(x, k, 1, 1) ** 2).mean()))
    together = jax.vmap(gradient)(kernels)
    np.testing.assert_allclose(together, jnp.stack([gradient(k) for k in kernels]), rtol=1e-4, atol=1e-4)


def test_a_gradient_of_a_gradient_is_xlas():
    x, kernel, _, reference = example(CASES[2])

    def penalty(function):
        return lambda k: (jax.grad(lambda x: (function(x, k) ** 2).sum())(x) ** 2).sum()

    ours = jax.jit(jax.grad(penalty(lambda x, k: convolve(x, k, 1, 1))))(kernel)
    np.testing.assert_allclose(ours, jax.jit(jax.grad(penalty(reference)))(kernel), rtol=1e-4)


def test_half_precision_gives_half_values_and_single_gradients():
    module = Convolution(4, 3, padding=1, dtype=jnp.bfloat16)
    x = jnp.ones((1, 5, 5, 2))
    variables = module.init(jax.random.key(0), x)
    assert module.apply(variables, x).dtype == jnp.bfloat16
    gradients = jax.grad(lambda v: module.apply(v, x).astype(jnp.float32).sum())(variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}


def test_kernel_gradients_of_half_precision_are_summed_in_single():
    # Images of 41 x 41 products each are summed one by one; bfloat16 would round every one of these sums.
    x, kernel = jnp.ones((64, 43, 43, 1), jnp.bfloat16), jnp.zeros((3, 3, 1, 1), jnp.bfloat16)
    gradient = jax.grad(lambda k: convolve(x, k, 1, 0).astype(jnp.float32).sum())(kernel)
    np.testing.assert_array_equal(gradient, np.full((3, 3, 1, 1), 64 * 41 * 41, jnp.bfloat16))


def test_other_backends_keep_their_own_convolution_gradients(monkeypatch):
    x, kernel, cotangent, _ = example(CASES[2])

    def operations(platform):
        gradient = jax.jit(lambda x, k, c: jax.vjp(lambda x, k: convolve(x, k, 1, 1), x, k)[1](c))  # traced anew
        text = jax.export.export(gradient, platforms=[platform])(x, kernel, cotangent).mlir_module()
        return text.count("stablehlo.convolution"), text.count("stablehlo.dot_general")

    assert operations("cuda") == (2, 0)  # both gradients
    monkeypatch.setenv("XLA_FLAGS", "")
    assert operations("cpu") == (1, 1)  # for x; one product in a loop over the images for the kernel
    monkeypatch.setattr(xla, "version", lambda package: "0.10.2")
    share_convolutions()
    assert operations("cpu") == (2, 0)


@pytest.mark.skipif(not asked_to_share(), reason="kernels' gradients are products with this JAX")
@pytest.mark.parametrize("case", [CASES[2], CASES[4], CASES[6]])  # XLA turns kernels larger than images
def test_in_a_loop_every_convolution_on_a_cpu_has_the_layout_that_is_fast(case):
    x, kernel, cotangent, _ = example(case)

    def step(kernel, _):
        values, vjp = jax.vjp(lambda x, k: convolve(x, k, *case[-2:]), x, kernel)
        for_x, for_kernel = vjp(cotangent + values)
        return kernel - 0.1 * (for_kernel + for_x.mean()), None

    program = jax.jit(lambda kernel: jax.lax.scan(step, kernel, None, length=3)[0]).lower(kernel).compile()
    layouts = re.findall(r" convolution\(.*dim_labels=([\w>-]+)", program.as_text())
    assert set(layouts) == {"b01f_01io->b01f"}


def test_a_one_by_one_kernel_is_a_matrix_product_with_any_stride():
    x, kernel, _, _ = example(CASES[-1])
    text = jax.jit(lambda x, k: convolve(x, k, 2, 0)).lower(x, kernel).as_text()
    assert "stablehlo.dot_general" in text
    assert "convolution" not in text


def test_explicit_padding_is_not_same_padding_with_stride_two_on_an_even_side():
    x = jnp.arange(8.0).reshape(1, 8, 1, 1)
    kernel = jnp.ones((3, 1, 1, 1))
    explicit = convolve(x, kernel, 2, (1, 0))[0, :, 0, 0]
    layout = ("NHWC", "HWIO", "NHWC")
    same = lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=layout)[0, :, 0, 0]
    np.testing.assert_array_equal(explicit, [0 + 1, 1 + 2 + 3, 3 + 4 + 5, 5 + 6 + 7])  # a zero before
    np.testing.assert_array_equal(same, [0 + 1 + 2, 2 + 3 + 4, 4 + 5 + 6, 6 + 7])  # a zero behind


def test_a_bias_is_there_only_on_request():
    x = jnp.ones((1, 4, 4, 2))
    variables = Convolution(3, (1, 3), padding=(0, 1), use_bias=False).init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (1, 3, 2, 3)}}
    assert "bias" in Convolution(3, 1).init(jax.random.key(0), x)["params"]
