"""Every damaged or foreign file under a Keras name ends in one InputError that names it, and in no output."""

import io
import zipfile

import numpy as np
import pytest

from sejax import pretrained
from sejax.errors import InputError
from sejax.pretrained import sources

h5py = pytest.importorskip("h5py", reason="Keras's files are HDF5; pip install h5py")

FORMATS = ("w.h5", "whole.h5", "w.weights.h5", "w.keras")


def refused(path, tmp_path, *, match, model="resnet50_keras"):
    """Convert `path`, expecting one refusal that names the file and nothing written."""
    folder = tmp_path / "out"
    with pytest.raises(InputError, match=match) as caught:
        pretrained.convert(model, "keras", path, folder / "w.safetensors")
    assert str(path) in str(caught.value)
    assert not folder.exists()


def layers():
    """A convolution, a BatchNorm and a dense layer, in a model's order."""
    rng = np.random.default_rng(0)
    norm = {name: rng.random(4, np.float32) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    return {
        "conv1_conv": {"kernel": rng.random((7, 7, 3, 4), np.float32), "bias": rng.random(4, np.float32)},
        "conv1_bn": norm,
        "predictions": {"kernel": rng.random((4, 2), np.float32), "bias": rng.random(2, np.float32)},
    }


def write(path, content):
    """Write layers in the format that the file's name stands for."""
    if path.name.endswith(".weights.h5"):
        write_numbered(path, content)
    elif path.suffix == ".keras":
        inner = io.BytesIO()
        write_numbered(inner, content)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", inner.getvalue())
    else:
        write_listed(path, content, root="model_weights" if path.name == "whole.h5" else "/")
    return path


def write_numbered(path, content):
    kinds = {"conv1_conv": "conv2d", "conv1_bn": "batch_normalization", "predictions": "dense"}
    with h5py.File(path, "w") as file:
        for layer, weights in content.items():
            for i, array in enumerate(weights.values()):
                file[f"layers/{kinds.get(layer, layer)}/vars/{i}"] = array


def write_listed(path, content, root):
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        group.attrs["layer_names"] = [layer.encode() for layer in content]
        for layer, weights in content.items():
            group.require_group(layer).attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in weights]
            for name, array in weights.items():
                group[layer][f"{layer}/{name}:0"] = array


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_alike(tmp_path, name):
    arrays = sources.read_keras(write(tmp_path / name, layers()))
    numbered = dict(zip(layers(), ("conv2d_0", "batch_normalization_0", "dense_0"), strict=True))
    wanted = {f"{numbered[layer]}/{k}": v for layer, weights in layers().items() for k, v in weights.items()}
    assert arrays.keys() == wanted.keys()
    for key, array in wanted.items():
        np.testing.assert_array_equal(arrays[key], array)


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_architecture_is_listed_in_keras_names(tmp_path, name):
    with pytest.raises(InputError) as caught:
        pretrained.convert("resnet50_keras", "keras", write(tmp_path / name, layers()), tmp_path / "o.safetensors")
    lines = str(caught.value).splitlines()
    assert "is no resnet50_keras with 1000 classes: give this model's own weights" in lines[0]
    assert "! conv1_conv/kernel (7, 7, 3, 4): wrong shape, wanted (7, 7, 3, 64)" in lines
    assert "! predictions/bias (2,): wrong shape, wanted (1000,)" in lines
    assert any(line.startswith("- ... and ") for line in lines)
    assert not (tmp_path / "o.safetensors").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_layers_of_other_kinds_are_unexpected(tmp_path, name):
    content = {**layers(), "embedding": {"embeddings": np.ones((3, 4), np.float32)}}
    refused(write(tmp_path / name, content), tmp_path, match=r"\n\+ embedding/(embeddings|0) \(3, 4\): unexpected")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kept", [0.001, 0.3, 0.999])
def test_truncated(tmp_path, name, kept):
    path = write(tmp_path / name, layers())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path, tmp_path, match="cannot be read as a Keras file")


@pytest.mark.parametrize("name", FORMATS)
def test_missing_empty_and_folder(tmp_path, name):
    refused(tmp_path / name, tmp_path, match="no such file")
    (tmp_path / name).touch()
    refused(tmp_path / name, tmp_path, match="is empty")
    refused(tmp_path, tmp_path, match="is a folder")


@pytest.mark.parametrize(
    "content",
    [b"<!DOCTYPE html></html>", b"\x00" * 500, b"PK\x03\x04" + b"x" * 99, b"\x89HDF\r\n\x1a\n" + b"\xff" * 500],
)
@pytest.mark.parametrize("name", ["w.h5", "w.keras"])
def test_something_else_under_a_keras_files_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, tmp_path, match="cannot be read as a Keras file")


def test_a_damaged_byte_in_an_archive(tmp_path):
    path = write(tmp_path / "w.keras", layers())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    refused(path, tmp_path, match="cannot be read as a Keras file .*CRC")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("bias", "match"),
    [
        (np.ones(4, np.int32), "bias has dtype int32; weights are floating-point numbers"),
        (np.array([b"a"] * 4), r"bias has dtype \|S1"),
        (np.array(["text"] * 4, dtype=object), "bias has dtype object"),
        (np.array([1, np.nan, np.inf, 0], np.float32), "bias holds 2 values that are NaN or infinite"),
    ],
)
def test_arrays_that_are_no_weights(tmp_path, name, bias, match):
    content = layers()
    content["conv1_conv"]["bias"] = bias
    refused(write(tmp_path / name, content), tmp_path, match=match)


def test_pickled_objects_stay_bytes(tmp_path):
    import pickle

    content = layers()
    content["conv1_conv"]["bias"] = np.frombuffer(pickle.dumps(print), np.uint8)
    for name in FORMATS:
        refused(write(tmp_path / name, content), tmp_path, match="bias has dtype uint8")
    (tmp_path / "pickle.h5").write_bytes(pickle.dumps({"conv1": [np.zeros(3)]}))
    refused(tmp_path / "pickle.h5", tmp_path, match="cannot be read as a Keras file")


def test_files_of_other_layouts_say_how_to_save(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones(3)
    refused(tmp_path / "other.h5", tmp_path, match="holds no layers of a Keras model; save it with model.save_weights")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    refused(tmp_path / "other.keras", tmp_path, match="holds no model.weights.h5; save it with model.save")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1_pad"]
        file.create_group("conv1_pad").attrs["weight_names"] = np.zeros(0)
    refused(tmp_path / "none.h5", tmp_path, match="holds no arrays")


def test_a_weight_that_is_listed_and_not_there(tmp_path):
    path = write(tmp_path / "w.h5", layers())
    with h5py.File(path, "a") as file:
        del file["conv1_bn/conv1_bn/beta:0"]
    refused(path, tmp_path, match="lists conv1_bn/conv1_bn/beta:0 and does not hold it")


def outside(file, name, secret):
    file[name] = h5py.ExternalLink(str(secret), "/x")


def stored_outside(file, name, secret):
    file.create_dataset(name, (4,), np.float32, external=[(str(secret), 0, 16)])


def mapped_outside(file, name, secret):
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
    file.create_virtual_dataset(name, layout)


@pytest.mark.parametrize(
    ("place", "match"),
    [
        (outside, "and does not hold it"),
        (stored_outside, "lies in another file"),
        (mapped_outside, "lies in another file"),
    ],
)
def test_other_files_are_never_read_through_a_link(tmp_path, place, match):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(4, np.float32)
    path = write(tmp_path / "w.h5", layers())
    with h5py.File(path, "a") as file:
        del file["conv1_bn/conv1_bn/beta:0"]
        place(file, "conv1_bn/conv1_bn/beta:0", secret)
    refused(path, tmp_path, match=match)


def test_a_small_file_that_would_fill_the_memory(tmp_path):
    path = write(tmp_path / "w.h5", layers())
    with h5py.File(path, "a") as file:
        del file["conv1_bn/conv1_bn/beta:0"]
        file.create_dataset("conv1_bn/conv1_bn/beta:0", (1 << 40,), np.float32, chunks=(1 << 10,))
    assert path.stat().st_size < 1 << 20
    refused(path, tmp_path, match="beta:0.* claims 4,398,046,511,[0-9]{3} bytes")


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5"])
def test_many_arrays_that_would_fill_the_memory_together(tmp_path, name, monkeypatch):
    sizes = [array.nbytes for weights in layers().values() for array in weights.values()]
    match = f"with the 7 arrays before it, claims {sum(sizes):,} bytes"
    monkeypatch.setattr(sources, "_LARGEST_BYTES", sum(sizes) - 1)
    refused(write(tmp_path / name, layers()), tmp_path, match=match)
    monkeypatch.setattr(sources, "_LARGEST_BYTES", sum(sizes))
    assert len(sources.read_keras(tmp_path / name)) == len(sizes) == 8


def test_a_layer_that_is_listed_twice(tmp_path):
    path = write(tmp_path / "w.h5", layers())
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [*(layer.encode() for layer in layers()), b"conv1_conv"]
    refused(path, tmp_path, match="lists the layer conv1_conv twice")


def test_an_archive_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_LARGEST_BYTES", 1000)
    refused(write(tmp_path / "w.keras", layers()), tmp_path, match="model.weights.h5 claims more than 1,000 bytes")


@pytest.mark.parametrize("top", ["", "_notop"])
@pytest.mark.parametrize("network", ["resnet50", "inception_v3"])
def test_an_official_name_with_another_content(tmp_path, network, top):
    path = tmp_path / f"{network}_weights_tf_dim_ordering_tf_kernels{top}.h5"
    path.write_bytes(b"not these weights")
    refused(path, tmp_path, match="the name promises md5 .*get it again, or rename it if it is your own")


def test_layers_are_counted_as_numbers_and_not_as_text(tmp_path):
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        for i in range(12):
            suffix = f"_{i}" if i else ""
            file[f"layers/conv2d{suffix}/vars/0"] = np.full((1, 1, 1, 1), i, np.float32)
    arrays = sources.read_keras(tmp_path / "w.weights.h5")
    assert {key: array.item() for key, array in arrays.items()} == {f"conv2d_{i}/kernel": i for i in range(12)}


def test_a_list_of_layers_too_long_for_one_attribute_is_put_together(tmp_path):
    path = write(tmp_path / "w.h5", layers())
    with h5py.File(path, "a") as file:
        listed = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = listed[:2], listed[2:]
    assert len(sources.read_keras(path)) == 8
