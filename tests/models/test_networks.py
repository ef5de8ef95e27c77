"""What every network promises: parameter counts, shapes, the two halves, dropout, clear refusals."""

import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiers import tiered

from sejax import models
from sejax.errors import InputError
from sejax.models.inception import CONVENTIONS as INCEPTIONS
from sejax.models.inception import BasicUnit, Unit
from sejax.models.resnet import CONVENTIONS as RESNETS
from sejax.models.resnet import Bottleneck
from sejax.pretrained.names import flatten

ATTACHED = {"alexnet": ("fc6", "fc7", "fc8"), "inception_v3": ("fc", "AuxLogits")}
TRUNK_COUNTS = {
    "alexnet": 2_469_696,
    "squeezenet1_0": 735_424,
    "squeezenet1_1": 722_496,
    "resnet50": 23_508_032,
    "wide_resnet50_2": 66_834_240,
    "inception_v3": 21_785_568,
    "resnet50_keras": 23_534_592,
    "inception_v3_keras": 21_768_352,
}
NAMES = sorted(TRUNK_COUNTS)
BATCH_NORM = [name for name in NAMES if "net50" in name or "inception" in name]


def standard(name):
    """(image side, shape of the features of two images) at the size that the network was made for."""
    if "inception" in name:
        return 299, (2, 8, 8, 2048)
    return 224, {"a": (2, 6, 6, 256), "s": (2, 13, 13, 512)}.get(name[0], (2, 7, 7, 2048))


@cache
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


@pytest.mark.parametrize("name", models.names())
def test_every_network_has_the_number_of_parameters_in_the_table(name):
    variables = abstract_variables(models.create(name))
    counted = variables if name.endswith("_keras") else variables["params"]
    assert count(counted) == models.PARAMETERS[name]


def test_the_tables_are_complete():
    assert models.names() == tuple(NAMES)
    assert set(models.PARAMETERS) == set(models.LAST_LAYER) == set(models.CLASS_LAYERS) == set(NAMES)
    assert all(models.LAST_LAYER[name] == models.CLASS_LAYERS[name][0] for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_class_layers_alone_depend_on_the_number_of_classes(name):
    a, b = (flatten(abstract_variables(models.create(name, num_classes=n))) for n in (1000, 7))
    differing = {path for path in a if a[path].shape != b[path].shape}
    wanted = {f"params/{layer}/{part}" for layer in models.CLASS_LAYERS[name] for part in ("kernel", "bias")}
    assert differing == wanted


@pytest.mark.parametrize("name", NAMES)
def test_features_need_only_the_trunks_parameters(name):
    module, (side, shape) = models.create(name), standard(name)
    params, *statistics = abstract_variables(module).values() if name not in BATCH_NORM else split(module)
    attached = ATTACHED.get(name, (models.LAST_LAYER[name],))
    trunk = {key: value for key, value in params.items() if key not in attached}
    assert count(trunk) == TRUNK_COUNTS[name]
    variables = {"params": trunk} | ({"batch_stats": statistics[0]} if statistics else {})
    images = jnp.zeros((2, side, side, 3))
    features = jax.eval_shape(lambda v: module.apply(v, images, method="features"), variables)
    assert features.shape == shape
    rest = {key: params[key] for key in attached if key != "AuxLogits"}
    logits = jax.eval_shape(lambda p, x: module.apply({"params": p}, x, method="classify"), rest, features)
    assert logits.shape == (2, 1000)


def split(module):
    """Parameters and the trunk's running statistics."""
    variables = abstract_variables(module)
    return variables["params"], {k: v for k, v in variables["batch_stats"].items() if k != "AuxLogits"}


@pytest.mark.parametrize("name", NAMES)
def test_activations_hold_the_last_feature_map_and_the_logits(name):
    module, (side, shape) = models.create(name), standard(name)
    images = jnp.zeros((2, side, side, 3))
    logits, record = jax.eval_shape(partial(module.apply, activations=True), abstract_variables(module), images)
    assert record["features"].shape == shape
    assert record["logits"].shape == logits.shape == (2, 1000)
    assert record["logits"] == logits
    if name == "alexnet":
        assert record["fc6"].shape == record["fc7"].shape == (2, 4096)


@pytest.mark.parametrize(("name", "first", "second"), [("resnet50", 56, 28), ("resnet50_keras", 28, 28)])
def test_the_stride_is_in_the_3x3_in_torchvision_and_in_the_first_1x1_in_keras(name, first, second):
    module = models.create(name)
    apply = partial(module.apply, activations=True)
    _, record = jax.eval_shape(apply, abstract_variables(module), jnp.zeros((1, 224, 224, 3)))
    assert record["layer2_0/conv1"].shape == (1, first, first, 128)
    assert record["layer2_0/conv2"].shape == record["layer2_1/conv1"].shape == (1, second, second, 128)


@pytest.mark.parametrize("name", tiered(["alexnet", "resnet50", "inception_v3"], slow=("inception_v3",)))
@pytest.mark.parametrize("train", [False, True])
def test_features_then_classify_compile_to_the_whole_network(name, train):
    options = {"aux_logits": False} if name == "inception_v3" else {}
    module = models.create(name, num_classes=3, **options)
    rngs = {"dropout": jax.random.key(0)}
    apply = partial(module.apply, train=train, mutable=["batch_stats"] if train else False, rngs=rngs)

    def whole(variables, images):
        return apply(variables, images)

    def parts(variables, images):
        if not train:
            return apply(variables, apply(variables, images, method="features"), method="classify")
        features, moved = apply(variables, images, method="features")
        return apply(variables, features, method="classify")[0], moved

    variables, images = abstract_variables(module), jax.ShapeDtypeStruct((2, 79, 91, 3), jnp.float32)
    texts = [jax.jit(f).lower(variables, images).as_text() for f in (whole, parts)]
    assert texts[0].replace("jit_whole", "jit_parts") == texts[1]


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
    features, key = jnp.ones((1, 1, 1, 256)), jax.random.key(0)
    shapes = jax.eval_shape(partial(module.init, method="classify"), key, features)["params"]
    rng = np.random.default_rng(0)
    params = {
        name: {
            "kernel": 0.1 * rng.standard_normal(layer["kernel"].shape, np.float32),
            "bias": np.full(layer["bias"].shape, 0.5, np.float32),
        }
        for name, layer in shapes.items()
    }

    def run(params):
        record = {}
        module.apply({"params": params}, features, train=True, record=record, rngs={"dropout": key}, method="classify")
        return {"fc6": record["fc6"], "fc7": record["fc7"], "fc8": record["logits"]}

    outputs = jax.jit(run)(params)
    return {name for name, value in outputs.items() if np.all(np.asarray(value) == 0.5)}


def test_alexnets_dropout_is_torchvisions_and_can_move_before_the_last_layer():
    assert alexnet_dropout_layers() == {"fc6", "fc7"}
    assert alexnet_dropout_layers(dropout_before=("fc8",)) == {"fc8"}


@pytest.mark.parametrize("name", tiered(NAMES, slow=("inception_v3", "inception_v3_keras")))
def test_half_precision_computes_in_half_and_stores_single(name):
    module, (side, _) = models.create(name, dtype=jnp.bfloat16), standard(name)
    variables = abstract_variables(module)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}

    def run(variables, images):
        rngs = {"dropout": jax.random.key(0)}
        options = {"activations": True, "mutable": ["batch_stats"], "rngs": rngs}
        return module.apply(variables, images, train=True, **options)

    (_, record), moved = jax.eval_shape(run, variables, jnp.zeros((2, side, side, 3)))
    assert {leaf.dtype for leaf in record.values()} == {jnp.dtype("bfloat16")}
    assert bool(moved) == (name in BATCH_NORM)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(moved))


def test_a_network_in_half_precision_is_near_the_one_in_single(squeezenet):
    module, variables, images = squeezenet
    half = models.create("squeezenet1_1", num_classes=5, dtype=jnp.bfloat16)
    logits = jax.jit(module.apply)(variables, images)
    error = jnp.abs(jax.jit(half.apply)(variables, images) - logits).max() / jnp.abs(logits).max()
    assert 0 < error < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_too_small_or_no_images_are_refused_in_one_line(name):
    module = models.create(name)
    side = module.smallest
    for shape in ((1, side - 1, side + 9, 3), (1, side + 9, side - 1, 3)):
        message = f"{shape[1]} x {shape[2]} pixels are too small: give larger images, from {side} x {side} on"
        with pytest.raises(InputError, match=message):
            jax.eval_shape(module.apply, abstract_variables(module), jnp.zeros(shape))
    for shape in ((1, 299, 299, 1), (299, 299, 3)):
        with pytest.raises(InputError, match=re.escape(f"images of shape {shape}; give [B, H, W, 3]")):
            jax.eval_shape(module.apply, abstract_variables(module), jnp.zeros(shape))
    assert jax.eval_shape(module.apply, abstract_variables(module), jnp.zeros((1, side, side, 3))).shape == (1, 1000)


def test_kernels_begin_as_in_torchvision_and_in_keras():
    x, key = jnp.zeros((1, 3, 3, 64)), jax.random.key(0)
    deviations = {}
    for source in ("torchvision", "keras"):
        block = jax.jit(Bottleneck(64, 256, 1, True, RESNETS[source]).init)(key, x)["params"]
        unit = jax.jit(BasicUnit(Unit("conv", 256, (3, 3)), INCEPTIONS[source]).init)(key, x)["params"]
        deviations[source] = float(block["conv2"]["kernel"].std()), float(unit["conv"]["kernel"].std())
    np.testing.assert_allclose(deviations["torchvision"], [np.sqrt(2 / (9 * 64)), 0.1], rtol=0.02)
    glorot = [np.sqrt(2 / (9 * (64 + 64))), np.sqrt(2 / (9 * (64 + 256)))]
    np.testing.assert_allclose(deviations["keras"], glorot, rtol=0.02)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="'resnet'.*alexnet, inception_v3, .*wide_resnet50_2"):
        models.create("resnet")


def test_an_unknown_option_and_no_classes_are_refused():
    with pytest.raises(InputError, match="dropuot"):
        models.create("alexnet", dropuot=0.1)
    with pytest.raises(InputError, match="num_classes=0"):
        models.create("alexnet", num_classes=0)
