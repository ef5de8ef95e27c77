"""What every network promises: parameter counts, shapes, the two halves, dropout, clear refusals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax import models
from sejax.errors import InputError

COUNTS = {"alexnet": 61_100_840, "squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496}
FEATURES = {"alexnet": (2, 6, 6, 256), "squeezenet1_0": (2, 13, 13, 512), "squeezenet1_1": (2, 13, 13, 512)}
TRUNK_COUNTS = {"alexnet": 2_469_696, "squeezenet1_0": 735_424, "squeezenet1_1": 722_496}


def abstract_variables(module):
    """Shapes of the variables, computed without running the network."""
    return jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3))))


def count(tree):
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def squeezenet():
    """A small case to run: (module, variables, images)."""
    module = models.create("squeezenet1_1", num_classes=5)
    images = jax.random.normal(jax.random.key(1), (3, 35, 41, 3))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: (0.1 * rng.standard_normal(leaf.shape)).astype(np.float32), abstract_variables(module)
    )
    return module, variables, images


def test_the_names_are_the_three_networks():
    assert models.names() == tuple(sorted(COUNTS))


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_are_the_published_ones(name):
    assert count(abstract_variables(models.create(name))) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_the_last_layer_alone_depends_on_the_number_of_classes(name):
    a, b = (abstract_variables(models.create(name, num_classes=n))["params"] for n in (1000, 7))
    differing = [key for key in a if jax.tree.map(jnp.shape, a[key]) != jax.tree.map(jnp.shape, b[key])]
    assert differing == [models.LAST_LAYER[name]]


@pytest.mark.parametrize("name", COUNTS)
def test_features_need_only_the_trunks_parameters(name):
    module = models.create(name)
    params = abstract_variables(module)["params"]
    trunk = {k: v for k, v in params.items() if k.startswith(("conv", "fire")) and k != "conv10"}
    assert count(trunk) == TRUNK_COUNTS[name]
    images = jnp.zeros((2, 224, 224, 3))
    features = jax.eval_shape(lambda p: module.apply({"params": p}, images, method="features"), trunk)
    assert features.shape == FEATURES[name]
    rest = {k: v for k, v in params.items() if k not in trunk}
    logits = jax.eval_shape(lambda p, x: module.apply({"params": p}, x, method="classify"), rest, features)
    assert logits.shape == (2, 1000)


@pytest.mark.parametrize("name", COUNTS)
def test_activations_hold_the_last_feature_map_and_the_logits(name):
    module = models.create(name)
    logits, record = jax.eval_shape(
        lambda v: module.apply(v, jnp.zeros((2, 224, 224, 3)), activations=True), abstract_variables(module)
    )
    assert record["features"].shape == FEATURES[name]
    assert record["logits"].shape == logits.shape == (2, 1000)
    if name == "alexnet":
        assert record["fc6"].shape == record["fc7"].shape == (2, 4096)


def test_features_then_classify_is_the_whole_network(squeezenet):
    module, variables, images = squeezenet
    features = jax.jit(partial(module.apply, method="features"))(variables, images)
    in_parts = jax.jit(partial(module.apply, method="classify"))(variables, features)
    np.testing.assert_allclose(in_parts, jax.jit(module.apply)(variables, images), rtol=1e-5, atol=1e-6)


def test_dropout_acts_in_training_alone_and_follows_its_key(squeezenet):
    module, variables, images = squeezenet
    training = jax.jit(lambda key: module.apply(variables, images, train=True, rngs={"dropout": key}))

    def run(seed):
        return training(jax.random.key(seed))

    assert not np.allclose(run(0), jax.jit(module.apply)(variables, images))
    np.testing.assert_array_equal(run(0), run(0))
    assert not np.allclose(run(0), run(1))


def alexnet_dropout_layers(**options):
    """The dense layers of AlexNet whose input dropout of rate 1 silences: their output is then their bias."""
    module = models.create("alexnet", num_classes=3, dropout=1.0, **options)
    features = jnp.ones((1, 1, 1, 256))

    def run(key):
        params = module.init(key, features, method="classify")["params"]
        biased = {k: {**v, "bias": jnp.full_like(v["bias"], 0.5)} for k, v in params.items()}
        record = {}
        module.apply(
            {"params": biased}, features, train=True, record=record, rngs={"dropout": key}, method="classify"
        )
        return {"fc6": record["fc6"], "fc7": record["fc7"], "fc8": record["logits"]}

    outputs = jax.jit(run)(jax.random.key(0))
    return {name for name, value in outputs.items() if np.all(np.asarray(value) == 0.5)}


def test_alexnets_dropout_is_torchvisions_and_can_move_before_the_last_layer():
    assert alexnet_dropout_layers() == {"fc6", "fc7"}
    assert alexnet_dropout_layers(dropout_before=("fc8",)) == {"fc8"}


@pytest.mark.parametrize("name", COUNTS)
def test_half_precision_computes_in_half_and_stores_single(name):
    module = models.create(name, dtype=jnp.bfloat16)
    variables = abstract_variables(module)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    _, record = jax.eval_shape(
        lambda v: module.apply(v, jnp.zeros((2, 224, 224, 3)), activations=True), variables
    )
    assert {leaf.dtype for leaf in record.values()} == {jnp.dtype("bfloat16")}


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="'resnet'.*alexnet, squeezenet1_0, squeezenet1_1"):
        models.create("resnet")


def test_an_unknown_option_and_no_classes_are_refused():
    with pytest.raises(InputError, match="dropuot"):
        models.create("alexnet", dropuot=0.1)
    with pytest.raises(InputError, match="num_classes=0"):
        models.create("alexnet", num_classes=0)
