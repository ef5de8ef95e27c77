"""Weights that Keras saved in each of its formats give Keras's logits, whatever its layers are called."""

import math
import os
import re
import zipfile
from functools import cache, partial
from pathlib import Path

import jax
import numpy as np
import pytest
from tiers import tiered

from sejax import models, pretrained
from sejax.audio.image import normalise
from sejax.errors import InputError
from sejax.pretrained import names, sources

pytestmark = pytest.mark.slow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
h5py = pytest.importorskip("h5py", reason="Keras's files are HDF5; pip install h5py")
keras = pytest.importorskip("keras", reason="the files are written by Keras; pip install tensorflow-cpu keras")

CLASSES = 5
THIRD_PARTY = Path(__file__).resolve().parents[2] / "third_party"
SIZES = {"resnet50_keras": (40, 56), "inception_v3_keras": (79, 87)}
BUILDERS = {
    "resnet50_keras": keras.applications.ResNet50,
    "inception_v3_keras": keras.applications.InceptionV3,
}
# What layers are called does not matter: "distributed" are keras.applications' own files, "renamed" one of them
# with other names, as saved by a process that had built networks before.
FORMATS = ("distributed.h5", "renamed.h5", "whole.h5", "whole.keras", "only.weights.h5")


def randomise(network, rng):
    """Statistics that are not all alike, and kernels that keep the signal alive to the logits."""
    for weight in network.weights:
        if weight.name == "kernel":
            drawn = rng.standard_normal(weight.shape) * np.sqrt(2 / np.prod(weight.shape[:-1]))
        elif weight.name in ("gamma", "moving_variance"):
            drawn = rng.uniform(0.5, 1.5, weight.shape)
        else:
            drawn = rng.normal(0.0, 0.1, weight.shape)
        weight.assign(drawn.astype(np.float32))


def write_distributed(network, path, *, rename=str):
    """What Keras 2 wrote: texts as bytes, ":0" after a weight's name, no model around the weights."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [rename(layer.name).encode() for layer in network.layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.0"
        for layer in network.layers:
            group, name = file.create_group(rename(layer.name)), rename(layer.name)
            group.attrs["weight_names"] = [f"{name}/{w.name}:0".encode() for w in layer.weights]
            for weight in layer.weights:
                group[f"{name}/{weight.name}:0"] = weight.numpy()


def later_name(name):
    """The name of a layer in a network built later: its counter is 940 further on, and has another length."""
    kind, _, number = name.rpartition("_")
    return f"{kind}_{int(number) + 940}" if kind and number.isdigit() else f"{name}_later"


def save(network, path):
    """Save in the format that the file's name stands for."""
    if path.name in ("distributed.h5", "renamed.h5"):
        write_distributed(network, path, rename=later_name if path.name == "renamed.h5" else str)
    elif path.name.endswith(".weights.h5"):
        network.save_weights(path)
    else:
        network.save(path)


def converted(model, path, folder, *, num_classes=CLASSES):
    """Variables that went from Keras's file through the converter's."""
    output = folder / "converted.safetensors"
    metadata = pretrained.convert(model, "keras", path, output, num_classes=num_classes)
    variables = pretrained.load(model, output, num_classes=num_classes)
    output.unlink()
    return metadata, variables


@pytest.fixture(scope="module", params=tiered(sorted(BUILDERS), slow=("inception_v3_keras",)))
def source(request, tmp_path_factory):
    """(name, Keras's network, its images, its logits, a folder): the second network of its kind in the process."""
    size = (*SIZES[request.param], 3)
    build = partial(BUILDERS[request.param], weights=None, input_shape=size, classes=CLASSES)
    folder = tmp_path_factory.mktemp("keras")
    build(include_top=False).save_weights(folder / "headless.weights.h5")
    network = build(classifier_activation=None)
    rng = np.random.default_rng(0)
    randomise(network, rng)
    # An optimiser's own arrays lie beside the weights in whole files.
    network.compile(keras.optimizers.SGD(momentum=0.9))
    network.optimizer.build(network.trainable_variables)
    images = rng.standard_normal((2, *size), np.float32)
    yield request.param, network, images, network.predict(images, verbose=0), folder
    for path in folder.iterdir():
        path.unlink()


@cache
def forward(model):
    """Our network's jitted logits."""
    return jax.jit(models.create(model, num_classes=CLASSES).apply)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_the_logits_are_keras_in_every_format(source, name):
    model, network, images, wanted, folder = source
    save(network, folder / name)
    metadata, variables = converted(model, folder / name, folder)
    (folder / name).unlink()
    ours = np.asarray(forward(model)(variables, images))
    assert np.abs(ours - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-2 * np.abs(wanted).max()
    assert metadata["parameters"] == sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    statistics = names.flatten(variables["batch_stats"])
    assert sum(leaf.size for leaf in statistics.values()) == sum(
        int(np.prod(w.shape)) for w in network.non_trainable_weights
    )


def first_names(layers):
    """What Keras calls the layers in a fresh process: it counts the layers of each kind through a whole process."""
    counted = [re.fullmatch(r"(conv2d|batch_normalization)(?:_(\d+))?", layer.name) for layer in layers]
    before = {}
    for match in filter(None, counted):
        before[match[1]] = min(int(match[2] or 0), before.get(match[1], math.inf))
    return [
        f"{match[1]}_{int(match[2] or 0) - before[match[1]]}".removesuffix("_0") if match else layer.name
        for match, layer in zip(counted, layers, strict=True)
    ]


def test_every_weight_of_the_network_is_asked_for_under_keras_own_name(source):
    model, network, *_ = source
    shapes = {p.source_name: p.source_shape for p in names.parameters(model, "keras", CLASSES)}
    assert len(shapes) == len(network.weights)
    for name, layer in zip(first_names(network.layers), network.layers, strict=True):
        for weight in layer.weights:
            assert shapes[f"{name}/{weight.name}"] == tuple(weight.shape)


def test_a_network_saved_without_its_top_is_told_from_a_wrong_one(source):
    model, *_, folder = source
    with pytest.raises(InputError, match=f"it is {model} without its last layer .*include_top=False") as caught:
        converted(model, folder / "headless.weights.h5", folder)
    assert [line.split("/")[0] for line in str(caught.value).splitlines()[1:]] == ["- predictions"] * 2


def test_a_wrong_number_of_classes_and_a_wrong_network_name_the_right_ones(source):
    model, network, _, _, folder = source
    network.save_weights(folder / "right.weights.h5")
    other = {"resnet50_keras": "inception_v3_keras", "inception_v3_keras": "resnet50_keras"}[model]
    with pytest.raises(InputError, match="pass num_classes=5"):
        converted(model, folder / "right.weights.h5", folder, num_classes=1000)
    with pytest.raises(InputError, match=f"it is {model} with 5 classes, pass model={model}") as caught:
        converted(other, folder / "right.weights.h5", folder)
    assert {line[0] for line in str(caught.value).splitlines()[1:]} >= {"!"}
    (folder / "right.weights.h5").unlink()
    assert not (folder / "converted.safetensors").exists()


@pytest.mark.parametrize("source", ["resnet50_keras"], indirect=True)
def test_a_models_configuration_is_never_read(source, tmp_path):
    model, network, images, wanted, folder = source
    network.save(folder / "whole.keras")
    written = tmp_path / "written"
    layer = keras.layers.Lambda(lambda x, path=str(written): (Path(path).touch(), x)[1])
    code = keras.saving.serialize_keras_object(layer)
    assert "__lambda__" in str(code)
    with zipfile.ZipFile(folder / "whole.keras") as old, zipfile.ZipFile(folder / "code.keras", "w") as new:
        new.writestr("config.json", str(code))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    (folder / "whole.keras").unlink()
    _, variables = converted(model, folder / "code.keras", folder)
    assert np.abs(forward(model)(variables, images) - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert not written.exists()


@pytest.mark.parametrize("model", sorted(BUILDERS))
def test_the_preprocessing_is_keras_own(model):
    module = {"resnet50_keras": "resnet50", "inception_v3_keras": "inception_v3"}[model]
    rgb = np.random.default_rng(1).random((2, 4, 5, 3), np.float32)
    wanted = getattr(keras.applications, module).preprocess_input(rgb * 255)
    rule = {"resnet50_keras": "keras_caffe", "inception_v3_keras": "keras_tf"}[model]
    np.testing.assert_allclose(normalise(rgb, rule), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", ["resnet50", "inception_v3"])
def test_the_digests_are_those_that_keras_states(network):
    from keras.src.applications import inception_v3, resnet

    module = {"resnet50": resnet, "inception_v3": inception_v3}[network]
    stated = Path(module.__file__).read_text(encoding="utf-8")
    documented = (THIRD_PARTY / f"keras_{network}" / "README.md").read_text(encoding="utf-8")
    known = {name: digest for name, digest in sources.KERAS_MD5.items() if name.startswith(network)}
    assert len(known) == 2
    for name, digest in known.items():
        top = "_notop" if "notop" in name else ""
        assert name == f"{network}_weights_tf_dim_ordering_tf_kernels{top}.h5"
        if network == "resnet50":
            assert digest == resnet.WEIGHTS_HASHES[network][bool(top)]
        else:  # after the file's name in the call that fetches it
            assert digest in stated[stated.index(f'"{name}",') :][:300]
        assert bool(top) or (name in documented and digest in documented)
