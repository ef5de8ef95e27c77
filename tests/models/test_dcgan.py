"""The networks of the multitask DCGAN: sizes, numbers of parameters, first weights, what training moves, refusals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.models.dcgan import Adversarial, Generator, Rating, Shared, Trunk

KEY = jax.random.key(0)
# Table 1 of the paper: crop width, filter size, filters.
TABLE_1 = {
    "basic_cnn": (128, 15, 84),
    "multitask_cnn": (64, 8, 32),
    "basic_dcgan": (128, 9, 72),
    "multitask_dcgan": (64, 6, 88),
}


def variables_of(module, *shape):
    """Shapes of the variables, computed without running the network."""
    return jax.eval_shape(module.init, KEY, jax.ShapeDtypeStruct(shape, jnp.float32))


def drawn(module, shape):
    """An input and variables of random numbers."""
    random = np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: random.uniform(0.5, 2, leaf.shape).astype("f4"), variables_of(module, *shape))
    return random.standard_normal(shape).astype("f4"), variables


def count(tree):
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def names_and_shapes(params):
    return {f"{layer}/{leaf}": value.shape for layer, leaves in params.items() for leaf, value in leaves.items()}


@pytest.mark.parametrize("width", range(16, 129, 16))
@pytest.mark.parametrize("side", [2, 3, 8, 15, 16])
def test_the_generator_makes_what_the_trunk_takes_at_any_width_and_filter_size(width, side):
    trunk, generator = Trunk(3, side), Generator(3, side, width)

    def through(key, z):
        crops, _ = generator.init_with_output(key, z)
        return crops, trunk.init_with_output(key, crops)[0]

    crops, features = jax.eval_shape(through, KEY, jax.ShapeDtypeStruct((2, 100), jnp.float32))
    assert crops.shape == (2, 128, width, 1)
    assert features.shape == (2, 8, width // 16, 8 * 3)


def test_layers_have_their_names_and_a_bias_only_where_no_normalisation_follows():
    assert names_and_shapes(variables_of(Trunk(2, 3), 1, 128, 32, 1)["params"]) == {
        **{"conv_0/kernel": (3, 3, 1, 2), "conv_0/bias": (2,)},
        **{"conv_1/kernel": (3, 3, 2, 4), "norm_1/scale": (4,), "norm_1/bias": (4,)},
        **{"conv_2/kernel": (3, 3, 4, 8), "norm_2/scale": (8,), "norm_2/bias": (8,)},
        **{"conv_3/kernel": (3, 3, 8, 16), "norm_3/scale": (16,), "norm_3/bias": (16,)},
    }
    assert names_and_shapes(variables_of(Generator(2, 3, 32), 1, 100)["params"]) == {
        **{"project/kernel": (100, 8 * 2 * 16), "norm_0/scale": (16,), "norm_0/bias": (16,)},
        **{"deconv_0/kernel": (3, 3, 8, 16), "norm_1/scale": (8,), "norm_1/bias": (8,)},
        **{"deconv_1/kernel": (3, 3, 4, 8), "norm_2/scale": (4,), "norm_2/bias": (4,)},
        **{"deconv_2/kernel": (3, 3, 2, 4), "norm_3/scale": (2,), "norm_3/bias": (2,)},
        **{"deconv_3/kernel": (3, 3, 1, 2), "deconv_3/bias": (1,)},
    }


@pytest.mark.parametrize("model", TABLE_1)
def test_parameters_are_as_many_as_dcgans_formula_says(model):
    width, k, n = TABLE_1[model]
    grid, hidden = 8 * width // 16, 128
    weights = k * k * 1 * n + k * k * n * 2 * n + k * k * 2 * n * 4 * n + k * k * 4 * n * 8 * n
    trunk = weights + n + 2 * (2 * n + 4 * n + 8 * n)  # a bias in the first, scales and shifts in the others
    assert count(variables_of(Trunk(n, k), 1, 128, width, 1)["params"]) == trunk
    generator = 100 * grid * 8 * n + weights + 1 + 2 * (8 * n + 4 * n + 2 * n + n)
    assert count(variables_of(Generator(n, k, width), 1, 100)["params"]) == generator
    features = (1, 8, width // 16, 8 * n)
    assert count(variables_of(Adversarial(), *features)["params"]) == grid * 8 * n + 1
    assert count(variables_of(Shared(hidden), *features)["params"]) == grid * 8 * n * hidden + hidden
    assert count(variables_of(Rating(), 1, hidden)["params"]) == hidden * 5 + 5


def test_running_statistics_of_a_layer_are_two_numbers_a_channel():
    statistics = variables_of(Trunk(5, 4), 1, 128, 16, 1)["batch_stats"]
    assert count(statistics) == 2 * (10 + 20 + 40)
    assert count(variables_of(Generator(5, 4, 16), 1, 100)["batch_stats"]) == 2 * (40 + 20 + 10 + 5)


def test_first_weights_are_dcgans():
    def first(key):
        judged = Adversarial().init(key, jnp.zeros((1, 8, 1, 64)))["params"]
        trunk = Trunk(8, 4).init(key, jnp.zeros((1, 128, 16, 1)))["params"]
        return judged | trunk | Generator(8, 4, 16).init(key, jnp.zeros((1, 100)))["params"]

    params = jax.tree.map(np.asarray, jax.jit(first)(KEY))
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = np.concatenate([leaf.ravel() for path, leaf in leaves if path[-1].key == "kernel"])
    scales = np.concatenate([leaf for path, leaf in leaves if path[-1].key == "scale"])
    # Means and deviations within four standard errors.
    assert abs(kernels.mean()) < 4 * 0.02 / np.sqrt(kernels.size)
    assert abs(kernels.std() / 0.02 - 1) < 4 / np.sqrt(2 * kernels.size)
    assert abs(scales.mean() - 1) < 4 * 0.02 / np.sqrt(scales.size)
    assert abs(scales.std() / 0.02 - 1) < 4 / np.sqrt(2 * scales.size)
    assert not any(leaf.any() for path, leaf in leaves if path[-1].key == "bias")


@pytest.mark.parametrize("module", [Trunk(2, 3), Generator(2, 3, 16, latent=4)], ids=["trunk", "generator"])
def test_running_statistics_move_in_training_only(module):
    x, variables = drawn(module, (4, 128, 16, 1) if isinstance(module, Trunk) else (4, 4))
    kept, moved = (
        jax.jit(partial(module.apply, train=train, mutable=["batch_stats"]))(variables, x)[1]["batch_stats"]
        for train in (False, True)
    )
    jax.tree.map(np.testing.assert_array_equal, kept, variables["batch_stats"])
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), moved, variables["batch_stats"])
    assert all(jax.tree.leaves(moved))


def test_generated_crops_are_inside_the_range_of_real_ones():
    generator = Generator(2, 3, 16, latent=4)
    z, variables = drawn(generator, (4, 4))
    crops, _ = jax.jit(partial(generator.apply, train=True, mutable=["batch_stats"]))(variables, z)
    assert 0.9 < abs(crops).max() <= 1


def test_half_precision_is_computed_from_single_weights():
    trunk = Trunk(2, 3, dtype=jnp.bfloat16)
    crops = jax.ShapeDtypeStruct((1, 128, 16, 1), jnp.float32)
    features, variables = jax.eval_shape(trunk.init_with_output, KEY, crops)
    assert features.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("module", "shape", "told"),
    [
        (Trunk(2, 3), (1, 128, 24, 1), "128 x 24"),
        (Trunk(2, 3), (1, 120, 16, 1), "120 x 16"),
        (Trunk(2, 1), (1, 128, 16, 1), "filter size 1"),
        (Generator(2, 3, 100), (1, 100), "128 x 100"),
        (Generator(2, 3, 0), (1, 100), "128 x 0"),
        (Generator(2, 3, 16), (1, 99), r"\(1, 99\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(module, shape, told):
    with pytest.raises(InputError, match=told):
        variables_of(module, *shape)
