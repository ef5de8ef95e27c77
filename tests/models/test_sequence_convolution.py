"""Convolutions along time as matrix products, against XLA's own."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sejax.errors import InputError
from sejax.models.sequence_convolution import by_frequencies, convolve_centred, convolve_same, convolve_valid

NUMBERS = ("NWC", "WIO", "NWC")


def drawn(batch, length, channels, width, filters, groups=1):
    random = np.random.default_rng(0)
    x = random.standard_normal((batch, length, channels)).astype(np.float32)
    return x, random.standard_normal((width, channels // groups, filters)).astype(np.float32)


def same_with_gradients(ours, theirs, x, kernel):
    def loss(convolve, x, kernel):
        y = convolve(x, kernel)
        return jnp.sum(jnp.sin(0.1 * y)), y

    found, wanted = (
        jax.jit(jax.value_and_grad(partial(loss, convolve), (0, 1), has_aux=True))(x, kernel)
        for convolve in (ours, theirs)
    )
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert np.abs(a - b).max() < 2e-6 * max(1.0, np.abs(b).max()) * len(kernel)


@pytest.mark.parametrize(("width", "stride"), [(10, 5), (3, 2), (2, 2), (3, 1), (4, 3), (1, 2)])
@pytest.mark.parametrize("length", [10, 53])
def test_a_strided_convolution_is_xlas_with_its_gradients(width, stride, length):
    x, kernel = drawn(2, length, 3, width, 4)
    theirs = partial(lax.conv_general_dilated, window_strides=(stride,), padding="VALID", dimension_numbers=NUMBERS)
    same_with_gradients(partial(convolve_valid, stride=stride), theirs, x, kernel)


def test_a_strided_convolution_of_more_channels_than_filters_is_xlas_too():
    x, kernel = drawn(2, 23, 8, 3, 5)
    theirs = partial(lax.conv_general_dilated, window_strides=(2,), padding="VALID", dimension_numbers=NUMBERS)
    same_with_gradients(partial(convolve_valid, stride=2), theirs, x, kernel)


def test_a_centred_convolution_is_the_convolution_less_its_mean_where_positions_are_real():
    x, kernel = drawn(3, 53, 2, 10, 4)
    outputs = np.array([9, 4, 0])

    def plain(x, kernel):
        y = convolve_valid(x, kernel, stride=5)
        real = (jnp.arange(y.shape[1]) < outputs[:, None])[..., None]
        mean = jnp.where(real, y, 0).sum(1, keepdims=True) / np.maximum(outputs, 1)[:, None, None]
        return jnp.where(real, y - mean, 0)

    same_with_gradients(lambda x, kernel: convolve_centred(x, kernel, outputs, stride=5), plain, x, kernel)


def test_fewer_positions_than_the_kernel_are_refused():
    with pytest.raises(InputError, match="2 positions are fewer than the kernel's 3"):
        convolve_valid(*drawn(1, 2, 1, 3, 1), stride=1)


@pytest.mark.parametrize(
    ("width", "groups", "channels", "length"),
    [(128, 4, 8, 50), (16, 2, 4, 70), (19, 2, 4, 131), (5, 1, 3, 1), (1, 1, 2, 9)],
)
def test_a_convolution_in_groups_is_xlas_by_way_of_frequencies_too(width, groups, channels, length):
    x, kernel = drawn(2, length, channels, width, channels, groups)
    theirs = partial(
        lax.conv_general_dilated,
        window_strides=(1,),
        padding=[(width // 2, width - 1 - width // 2)],
        dimension_numbers=NUMBERS,
        feature_group_count=groups,
    )
    for ours in (partial(by_frequencies, groups=groups), partial(convolve_same, groups=groups)):
        same_with_gradients(ours, theirs, x, kernel)
