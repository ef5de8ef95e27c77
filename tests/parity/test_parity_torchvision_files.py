"""Weights that torchvision's networks saved, as .pth and as .safetensors, give torchvision's logits."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from sejax import models, pretrained
from sejax.errors import InputError
from sejax.pretrained import names

REASON = "the files are written by torch, of torchvision's networks; pip install torch torchvision safetensors"
torch = pytest.importorskip("torch", reason=REASON)
safetensors = pytest.importorskip("safetensors.torch", reason=REASON)
torchvision_networks = pytest.importorskip("torchvision_networks", reason=REASON, exc_type=ImportError)

CLASSES = 5
SIZES = {"inception_v3": (77, 91)}
THIRD_PARTY = Path(__file__).resolve().parents[2] / "third_party"
FOLDERS = {
    "alexnet": "torchvision_alexnet",
    "squeezenet1_0": "torchvision_squeezenet",
    "squeezenet1_1": "torchvision_squeezenet",
    "resnet50": "torchvision_resnet",
    "wide_resnet50_2": "torchvision_wide_resnet",
    "inception_v3": "torchvision_inception",
}


@pytest.fixture(scope="module", params=["resnet50", "wide_resnet50_2", "inception_v3"])
def source(request):
    """(name, torchvision's network with random statistics)"""
    return request.param, torchvision_networks.build(request.param, num_classes=CLASSES)


def converted(model, path, folder):
    """Variables that went from a file of torch's through the converter's."""
    metadata = pretrained.convert(model, "torchvision", path, folder / "w.safetensors", num_classes=CLASSES)
    path.unlink()
    variables = pretrained.load(model, folder / "w.safetensors")
    (folder / "w.safetensors").unlink()
    return metadata, variables


@pytest.mark.slow
def test_the_logits_are_torchs_in_both_formats(source, tmp_path):
    model, network = source
    state = network.state_dict()
    assert any(name.endswith("num_batches_tracked") for name in state)
    torch.save(state, tmp_path / "w.pth")
    metadata, variables = converted(model, tmp_path / "w.pth", tmp_path)
    safetensors.save_file(state, tmp_path / "s.safetensors")
    _, twins = converted(model, tmp_path / "s.safetensors", tmp_path)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), variables, twins))

    images = np.random.default_rng(0).standard_normal((2, *SIZES.get(model, (45, 38)), 3), np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    ours = np.asarray(jax.jit(models.create(model, num_classes=CLASSES).apply)(variables, images))
    assert np.abs(ours - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-2 * np.abs(wanted).max()
    assert metadata["parameters"] == sum(p.numel() for p in network.parameters())


def test_every_array_but_the_counts_of_batches_is_put_somewhere(source):
    model, network = source
    state = {k: tuple(v.shape) for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert {p.source_name: p.source_shape for p in names.parameters(model, "torchvision", CLASSES)} == state


@pytest.mark.parametrize("source", ["resnet50"], indirect=True)
def test_half_precision_is_read_as_it_is(source, tmp_path):
    model, network = source
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    torch.save(state, tmp_path / "half.pth")
    _, variables = converted(model, tmp_path / "half.pth", tmp_path)
    ours, theirs = variables["batch_stats"]["layer2_1"]["bn3"]["var"], state["layer2.1.bn3.running_var"]
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs.float().numpy())


@pytest.mark.parametrize("model", sorted(FOLDERS))
def test_the_published_files_are_checked_and_documented_under_the_names_that_torchvision_states(model, tmp_path):
    documented = (THIRD_PARTY / FOLDERS[model] / "README.md").read_text(encoding="utf-8")
    published = [weights.url for weights in torchvision_networks.torchvision.models.get_model_weights(model)]
    assert published
    for url in published:
        name = url.rsplit("/", 1)[1]
        digest = re.fullmatch(r".+-([0-9a-f]{8})\.pth", name)[1]
        assert url in documented and f"`{digest}`" in documented
        (tmp_path / name).write_bytes(b"not these weights")
        with pytest.raises(InputError, match=f"the name promises sha256 {digest}"):
            pretrained.convert(model, "torchvision", tmp_path / name, tmp_path / "w.safetensors")
