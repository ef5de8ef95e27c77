"""Networks with BatchNorm: where running statistics go, what heads a file may lack, what stays fresh."""

import jax
import numpy as np
import pytest

from sejax import models, pretrained
from sejax.errors import InputError
from sejax.pretrained import names, sources
from sejax.pretrained.weights import read_original

CLASSES = 5


def blank(shapes):
    """Arrays of zeros that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


def original(model, source, num_classes=CLASSES):
    """What reading a file of `source` gives: Keras's layers by kind and order, torchvision's by name."""
    arrays = blank({p.source_name: p.source_shape for p in names.parameters(model, source, num_classes)})
    if source != "keras":
        return arrays
    order = {
        name: f"{kind}_{i}"
        for kind, layers in names.layer_order(model).items()
        for i, name in enumerate(layers.values())
    }
    return {f"{order[layer]}/{weight}": v for (layer, weight), v in ((k.split("/"), v) for k, v in arrays.items())}


@pytest.fixture
def file_of(monkeypatch):
    """Makes reading any file give these arrays."""

    def put(arrays):
        monkeypatch.setattr(sources, "read", lambda path, source: (dict(arrays), "0" * 64))
        return "weights.file"

    return put


@pytest.mark.parametrize(
    ("model", "source", "preprocessing", "parameters"),
    [
        ("resnet50", "torchvision", "torchvision", 25_557_032),
        ("wide_resnet50_2", "torchvision", "torchvision", 68_883_240),
        ("inception_v3", "torchvision", "torchvision", 27_161_264),
        ("resnet50_keras", "keras", "keras_caffe", 25_583_592),
        ("inception_v3_keras", "keras", "keras_tf", 23_817_352),
    ],
)
def test_the_metadata_counts_what_is_trained_and_names_the_preprocessing(
    file_of, model, source, preprocessing, parameters
):
    flat, metadata = read_original(model, source, file_of(original(model, source, 1000)))
    assert flat.keys() == names.expected_shapes(model, 1000).keys()
    assert (metadata["preprocessing"], metadata["parameters"]) == (preprocessing, parameters)
    assert any(name.startswith("batch_stats/") for name in flat)


def test_scales_shifts_means_and_variances_do_not_mix(file_of):
    arrays = original("resnet50", "torchvision")
    for i, kind in enumerate(("weight", "bias", "running_mean", "running_var"), 1):
        arrays[f"layer3.0.downsample.1.{kind}"] = np.full(1024, i, np.float32)
    flat, _ = read_original("resnet50", "torchvision", file_of(arrays), num_classes=CLASSES)
    layer = "layer3_0/downsample_bn"
    named = [f"params/{layer}/scale", f"params/{layer}/bias", f"batch_stats/{layer}/mean", f"batch_stats/{layer}/var"]
    assert [flat[name][7] for name in named] == [1, 2, 3, 4]


def test_a_negative_variance_is_refused(file_of):
    arrays = original("resnet50", "torchvision")
    arrays["layer1.0.bn1.running_var"] = np.array([1.0, -1.0] * 32, np.float32)
    with pytest.raises(InputError, match=r"weights.file: layer1.0.bn1.running_var holds a negative variance"):
        read_original("resnet50", "torchvision", file_of(arrays), num_classes=CLASSES)


def test_only_integer_counts_of_batches_are_passed_over(save):
    weight, count = np.ones(3, np.float32), np.array(7)
    arrays, _ = sources.read(save({"bn.weight": weight, "bn.num_batches_tracked": count}), "torchvision")
    assert list(arrays) == ["bn.weight"]
    arrays, _ = sources.read(save({"bn.num_batches_tracked": weight[:1]}), "torchvision")
    assert list(arrays) == ["bn.num_batches_tracked"]
    for name, array in (("bn.num_batches_tracked", np.array([7, 7])), ("bn.count", count)):
        with pytest.raises(InputError, match=f"{name} has dtype int64"):
            sources.read(save({name: array}), "torchvision")


@pytest.mark.parametrize(
    ("asked", "classes", "held", "remedy"),
    [
        ("resnet50", 5, "wide_resnet50_2", "it is wide_resnet50_2 with 5 classes, pass model=wide_resnet50_2"),
        ("wide_resnet50_2", 9, "resnet50", "it is resnet50 with 5 classes, pass model=resnet50"),
        ("inception_v3", 1000, "inception_v3", "it is inception_v3 with 5 classes, pass num_classes=5"),
        ("alexnet", 5, "inception_v3", "it is inception_v3 with 5 classes, pass model=inception_v3"),
    ],
)
def test_weights_of_another_network_are_recognised(file_of, asked, classes, held, remedy):
    with pytest.raises(InputError, match=f"is no {asked} with {classes} classes: {remedy}"):
        read_original(asked, "torchvision", file_of(original(held, "torchvision")), num_classes=classes)


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (("AuxLogits",), r"inception_v3 without its auxiliary classifier \(in torchvision: aux_logits=False\); give"),
        (("fc",), r"inception_v3 without its last layer \(in Keras: include_top=False\); give"),
        (("AuxLogits", "fc"), "inception_v3 without its last layer .* and its auxiliary classifier"),
        (("fc", "Mixed_5b"), "give this model's own weights"),
    ],
)
def test_a_file_that_lacks_a_classifier_says_which(file_of, heads, said):
    arrays = original("inception_v3", "torchvision")
    arrays = {name: array for name, array in arrays.items() if name.split(".")[0] not in heads}
    with pytest.raises(InputError, match=said) as caught:
        read_original("inception_v3", "torchvision", file_of(arrays), num_classes=CLASSES)
    assert all(line[0] == "-" for line in str(caught.value).splitlines()[1:])


def test_a_keras_file_of_another_network_is_recognised_whatever_it_calls_its_layers(file_of):
    path = file_of(original("inception_v3_keras", "keras"))
    with pytest.raises(InputError, match="it is inception_v3_keras with 5 classes, pass model=inception_v3_keras"):
        read_original("resnet50_keras", "keras", path, num_classes=CLASSES)
    with pytest.raises(InputError, match="pass num_classes=5"):
        read_original("inception_v3_keras", "keras", path)


def test_loading_gives_parameters_and_statistics_that_the_network_takes(file_of, tmp_path):
    pytest.importorskip("safetensors", reason="weights are stored as safetensors; pip install 'sejax[pretrained]'")
    path, output = file_of(original("resnet50", "torchvision")), tmp_path / "w.safetensors"
    pretrained.convert("resnet50", "torchvision", path, output, num_classes=CLASSES)
    variables = pretrained.load("resnet50", output)
    output.unlink()
    assert sorted(variables) == ["batch_stats", "params"]
    module = models.create("resnet50", num_classes=CLASSES)
    images = np.zeros((2, 40, 40, 3), np.float32)
    assert jax.eval_shape(module.apply, variables, images).shape == (2, CLASSES)
    wanted = jax.eval_shape(lambda: module.init(jax.random.key(0), images))
    assert jax.tree.structure(variables) == jax.tree.structure(wanted)


def tree(model, num_classes, value):
    shapes = names.expected_shapes(model, num_classes)
    return names.unflatten({k: np.broadcast_to(np.float32(value), shape) for k, shape in shapes.items()})


def test_a_warm_start_leaves_both_classifiers_of_inception_fresh_and_takes_all_else():
    started = pretrained.warm_start("inception_v3", tree("inception_v3", 7, 1), tree("inception_v3", 1000, 2))
    for key, value in names.flatten(started).items():
        fresh = key in {f"params/{layer}/{kind}" for layer in ("fc", "AuxLogits/fc") for kind in ("kernel", "bias")}
        assert value.flat[0] == (1 if fresh else 2), key
    assert started["params"]["AuxLogits"]["fc"]["kernel"].shape == (768, 7)


def test_statistics_of_a_fresh_layer_stay_too():
    initial, weights = tree("resnet50", CLASSES, 1), tree("resnet50", 1000, 2)
    started = pretrained.warm_start("resnet50", initial, weights, fresh=("fc", "layer4_2/bn3", "layer1_0"))
    values = {key: value.flat[0] for key, value in names.flatten(started).items()}
    assert values["batch_stats/layer4_2/bn3/mean"] == values["params/layer4_2/bn3/scale"] == 1
    assert values["batch_stats/layer1_0/bn1/var"] == values["params/layer1_0/conv1/kernel"] == 1
    assert values["batch_stats/layer4_2/bn2/mean"] == values["params/layer4_2/conv3/kernel"] == 2
    assert values["params/conv1/kernel"] == values["batch_stats/layer1_1/bn1/var"] == 2
    with pytest.raises(InputError, match="resnet50 has no layer layer1 to leave fresh"):
        pretrained.warm_start("resnet50", initial, weights, fresh=("layer1",))


def test_a_network_without_the_auxiliary_head_takes_the_rest():
    whole = tree("inception_v3", 1000, 2)
    initial = {kind: {k: v for k, v in tree("inception_v3", 7, 1)[kind].items() if k != "AuxLogits"} for kind in whole}
    started = pretrained.warm_start("inception_v3", initial, whole)
    assert names.flatten(started).keys() == names.flatten(initial).keys()
    assert started["batch_stats"]["Mixed_7c"]["branch_pool"]["bn"]["mean"].flat[0] == 2
    assert started["params"]["fc"]["bias"].flat[0] == 1
    with pytest.raises(InputError, match="- params/AuxLogits/conv0"):  # but a head that is wanted has to be there
        pretrained.warm_start("inception_v3", whole, initial)


def test_missing_statistics_are_listed():
    weights = tree("resnet50", CLASSES, 1)
    del weights["batch_stats"]["bn1"]["mean"]
    with pytest.raises(InputError, match=r"- batch_stats/bn1/mean \(64,\): missing"):
        pretrained.warm_start("resnet50", tree("resnet50", CLASSES, 1), weights)
