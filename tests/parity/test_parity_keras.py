"""Keras's ResNet50 and InceptionV3 agree with keras.applications, their weights taken through the converter: every
activation in evaluation and in training, and the moved running statistics."""

import os
from functools import partial

import jax
import numpy as np
import pytest
from tiers import tiered

from sejax import models
from sejax.models.inception import MIXED, STEM, Fork
from sejax.pretrained import names
from sejax.pretrained.weights import read_original

pytestmark = pytest.mark.slow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="the networks are compared with Keras's; pip install tensorflow-cpu keras")

CLASSES = 10
BUILDERS = {
    "resnet50_keras": keras.applications.ResNet50,
    "inception_v3_keras": keras.applications.InceptionV3,
}
ODD = {"resnet50_keras": (91, 107), "inception_v3_keras": (139, 171)}
STANDARD = {"resnet50_keras": (224, 224), "inception_v3_keras": (299, 299)}


def build(name, size):
    """Keras's network for images of `size`, giving logits."""
    options = {"weights": None, "classes": CLASSES, "classifier_activation": None}
    return BUILDERS[name](input_shape=(*size, 3), **options)


def randomise(network, seed=0):
    """Random weights, statistics and affine parameters; see torchvision_networks.build."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        for weight in layer.weights:
            normal, uniform = rng.standard_normal(weight.shape), rng.uniform(0.5, 1.5, weight.shape)
            last = layer.name.endswith("_3_bn")
            drawn = {
                "kernel": normal * np.sqrt(2 / np.prod(weight.shape[:-1])),
                "bias": 0.1 * normal,
                "gamma": uniform * (0.3 if last else 1.0),
                "beta": 0.7 + 0.3 * normal,
                "moving_mean": 0.3 * normal,
                "moving_variance": uniform,
            }
            weight.assign(drawn[weight.name].astype(np.float32))


def named_outputs(name, network):
    """Keras's tensors under our activations' names, in our order."""
    if name == "resnet50_keras":
        return {ours: network.get_layer(theirs).output for ours, theirs in resnet_layers().items()}
    # conv2d_bn has no names to offer: its ReLUs are numbered as they were made, branch by branch.
    relus = [layer for layer in network.layers if layer.name.startswith("activation")]
    relus.sort(key=lambda layer: int(layer.name.partition("_")[2] or 0))
    pools = [layer.output for layer in network.layers if layer.name.startswith("max_pooling2d")]
    pools = dict(zip(("pool1", "pool2"), pools, strict=False))
    outputs = dict(zip(inception_units(), [layer.output for layer in relus], strict=True)) | pools
    outputs |= {block: network.get_layer(f"mixed{i}").output for i, block in enumerate(MIXED)}
    return outputs | top(network)


def top(network):
    return {
        "avgpool": network.get_layer("avg_pool").output,
        "logits": network.get_layer("predictions").output,
    }


def resnet_layers():
    """Our activations' names to Keras's layers."""
    layers = {"conv1": "conv1_relu", "pool1": "pool1_pool"}
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for i in range(blocks):
            ours, theirs = f"layer{layer}_{i}", f"conv{layer + 1}_block{i + 1}"
            layers |= {f"{ours}/conv1": f"{theirs}_1_relu", f"{ours}/conv2": f"{theirs}_2_relu"}
            layers |= {f"{ours}/conv3": f"{theirs}_3_bn"}
            layers |= {} if i else {f"{ours}/downsample": f"{theirs}_0_bn"}
            layers[ours] = f"{theirs}_out"
    return layers | {"avgpool": "avg_pool", "logits": "predictions"}


def inception_units():
    """Our names of all units, in the order in which Keras makes them."""
    units = [unit.name for unit in STEM if not isinstance(unit, str)]
    for block, branches in MIXED.items():
        for step in (step for branch in branches for step in branch if not isinstance(step, str)):
            units += [f"{block}/{unit.name}" for unit in (step if isinstance(step, Fork) else (step,))]
    return units


@pytest.fixture(scope="module", params=tiered(sorted(BUILDERS), slow=("inception_v3_keras",)))
def twins(request, tmp_path_factory):
    """(name, Keras's network for odd sizes, our module, variables, a file name for Keras's weights)"""
    name, path = request.param, tmp_path_factory.mktemp("keras") / "network.weights.h5"
    keras.utils.clear_session()  # layers are numbered from 0 again
    network = build(name, ODD[name])
    randomise(network)
    variables = names.unflatten(converted(name, network, path))
    return name, network, models.create(name, num_classes=CLASSES), variables, path


def converted(name, network, path):
    """The weights of Keras's network as a flat dict in our layout, through a file and the converter."""
    network.save_weights(path)
    flat, _ = read_original(name, "keras", path, num_classes=CLASSES)
    path.unlink()
    return flat


def compare(name, network, ours, images, *, train):
    """All names are there and every value is within 1e-4 of the largest."""
    outputs = named_outputs(name, network)
    values = keras.Model(network.input, list(outputs.values()))(images, training=train)
    theirs = dict(zip(outputs, map(np.asarray, values), strict=True))
    ours = {key: value for key, value in ours.items() if key != "features"}
    assert set(ours) == set(theirs)
    assert {key: value.shape for key, value in theirs.items()} == {key: value.shape for key, value in ours.items()}
    errors = {key: np.abs(ours[key] - value).max() / np.abs(value).max() for key, value in theirs.items()}
    assert max(errors.values()) < 1e-4, errors
    assert all(np.abs(value).max() > 0.1 for value in theirs.values())


def pictures(size, *, batch=2):
    return np.random.default_rng(1).standard_normal((batch, *size, 3), np.float32)


@pytest.mark.slow
def test_the_number_of_parameters_is_keras(twins):
    name, network, *_ = twins
    more_classes = (1000 - CLASSES) * (2048 + 1)
    assert models.PARAMETERS[name] == network.count_params() + more_classes


@pytest.mark.parametrize("standard", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["odd", "standard"])
def test_every_activation_agrees_in_evaluation(twins, standard):
    name, network, module, variables, _ = twins
    size = STANDARD[name] if standard else ODD[name]
    if standard:
        keras.utils.clear_session()
        larger = build(name, size)
        larger.set_weights(network.get_weights())
        network = larger
    images = pictures(size, batch=1 if standard else 2)
    _, ours = jax.jit(partial(module.apply, activations=True))(variables, images)
    compare(name, network, ours, images, train=False)


def test_every_activation_and_the_running_statistics_agree_in_training(twins):
    name, network, module, variables, path = twins
    before = network.get_weights()
    images = pictures(ODD[name])
    run = partial(module.apply, train=True, activations=True, mutable=["batch_stats"])
    (_, ours), moved = jax.jit(run)(variables, images)
    compare(name, network, ours, images, train=True)
    after = converted(name, network, path)
    network.set_weights(before)
    statistics = {key: value for key, value in after.items() if key.startswith("batch_stats")}
    moved = names.flatten(moved)
    assert moved.keys() == statistics.keys()
    changed = {key: names.flatten(variables)[key] - value for key, value in statistics.items()}
    assert all(np.abs(difference).max() > 1e-4 for difference in changed.values())
    for key, value in statistics.items():
        np.testing.assert_allclose(moved[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
