"""Patterns freeze layers: their parameters for the optimiser, their BatchNorm's statistics in training."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sejax import models
from sejax.errors import InputError
from sejax.models import freezing
from sejax.models.resnet import CONVENTIONS, Bottleneck
from sejax.pretrained.names import flatten


@pytest.mark.parametrize(
    ("path", "patterns", "frozen"),
    [
        ("conv1", ("conv1",), True),
        ("conv1/kernel", ("conv1",), True),
        ("conv10/kernel", ("conv1",), False),
        ("layer1_0/bn1/scale", ("layer1_*",), True),
        ("layer2_0/bn1/scale", ("layer1_*",), False),
        ("Mixed_5c/branch_pool/bn/bias", ("Mixed_5?",), True),
        ("Mixed_6c/branch_pool/bn/bias", ("Mixed_5?",), False),
        ("layer3_2/bn2/scale", ("*/bn?",), True),
        ("layer3_2/conv2/kernel", ("*/bn?",), False),
        ("layer3_2", ("layer3_2/bn2",), False),
        ("bn1", ("*/bn?",), False),
        ("layer3_2/bn2", ("fc", "layer3_?/bn2"), True),
        ("fc/bias", ("*",), True),
        ("fc/bias", (), False),
        ("Fc/bias", ("fc",), False),
    ],
)
def test_a_pattern_freezes_the_layers_it_matches_and_all_below(path, patterns, frozen):
    assert freezing.is_frozen(path, patterns) is frozen


def test_patterns_are_handed_down_relative_to_a_layer():
    patterns = ("layer1_*/bn1", "*/conv?", "layer2_0", "fc")
    assert freezing.below(patterns, "layer1_0") == ("bn1", "conv?")
    assert freezing.below(patterns, "layer2_0") == ("*",)
    assert freezing.below(patterns, "conv1") == ("conv?",)


def test_a_pattern_that_matches_nothing_is_refused():
    params = {"conv1": {"kernel": 0}, "fc": {"bias": 0}}
    with pytest.raises(InputError, match=r"'conv2' matches no layer; there are conv1, fc"):
        freezing.trainable(params, ("conv1", "conv2"))
    with pytest.raises(InputError, match=r"frozen='conv1' is one text; give a tuple"):
        freezing.trainable(params, "conv1")


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet50_keras"])
def test_a_network_is_not_built_with_a_pattern_that_matches_nothing(name):
    with pytest.raises(InputError, match="'layer9_\\*' matches no layer; there are"):
        models.create(name, frozen=("conv1", "layer9_*"))
    assert models.create(name, frozen=("conv1",)).frozen == ("conv1",)


def moved_layers(name, side, **options):
    """Layers whose running statistics one forward pass in training moves, and those where it does not: sets."""
    module = models.create(name, num_classes=3, **options)
    images = np.random.default_rng(0).standard_normal((2, side, side, 3), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, np.float32), shapes)
    _, moved = jax.jit(partial(module.apply, train=True, mutable=["batch_stats"]))(variables, images)
    before, after = flatten(variables["batch_stats"]), flatten(moved["batch_stats"])
    layers = {True: set(), False: set()}
    for path, value in before.items():
        layers[bool((after[path] != value).any())].add(path.rsplit("/", 1)[0])
    assert not layers[True] & layers[False]
    return layers[True], layers[False]


def test_frozen_batch_norms_keep_their_statistics_while_the_others_move():
    moving, still = moved_layers("resnet50", 40, frozen=("conv1", "bn1", "layer1_*", "layer3_?/bn2"))
    blocks = {name.split("/")[0] for name in moving | still}
    assert still == {"bn1"} | {f"layer3_{i}/bn2" for i in range(6)} | {
        name for name in moving | still if name.startswith("layer1_")
    }
    assert "layer1_0/downsample_bn" in still
    assert {"layer3_0/bn1", "layer2_0/downsample_bn", "layer4_2/bn3"} <= moving
    assert len(blocks) == 17


def test_inceptions_units_are_reached_by_name():
    module = models.create("inception_v3", frozen=("Conv2d_*", "Mixed_5b", "Mixed_6?/branch_pool", "AuxLogits"))

    def frozen_layers(images):
        bound = module.bind(module.init(jax.random.key(0), images))
        units = {
            "Conv2d_1a_3x3": bound.Conv2d_1a_3x3,
            "Mixed_5b/branch1x1": bound.Mixed_5b.branch1x1,
            "Mixed_5c/branch1x1": bound.Mixed_5c.branch1x1,
            "Mixed_6b/branch_pool": bound.Mixed_6b.branch_pool,
            "Mixed_6b/branch1x1": bound.Mixed_6b.branch1x1,
            "AuxLogits/conv1": bound.AuxLogits.conv1,
        }
        found.update({name for name, unit in units.items() if unit.bn.frozen})

    found = set()
    jax.eval_shape(frozen_layers, jnp.zeros((1, 75, 75, 3)))
    assert found == {"Conv2d_1a_3x3", "Mixed_5b/branch1x1", "Mixed_6b/branch_pool", "AuxLogits/conv1"}


def test_an_optimiser_with_the_mask_leaves_frozen_parameters_as_they_are_to_the_bit():
    patterns = ("conv1", "bn?")
    block = Bottleneck(4, 8, 1, True, CONVENTIONS["torchvision"], frozen=patterns)
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 3))
    variables = jax.jit(block.init)(jax.random.key(1), x)
    mask = freezing.trainable(variables["params"], patterns)
    labels = jax.tree.map(lambda trains: "trained" if trains else "frozen", mask)
    optimiser = optax.multi_transform(
        {"trained": optax.adamw(0.1, weight_decay=0.1), "frozen": optax.set_to_zero()}, labels
    )

    def step(params):
        def loss(params):
            return (block.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])[0] ** 2).sum()

        updates, _ = optimiser.update(jax.grad(loss)(params), optimiser.init(params), params)
        return optax.apply_updates(params, updates)

    before, after = flatten(variables["params"]), flatten(jax.jit(step)(variables["params"]))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"conv2/kernel", "conv3/kernel", "downsample_conv/kernel"} | {
        f"downsample_bn/{part}" for part in ("scale", "bias")
    }
