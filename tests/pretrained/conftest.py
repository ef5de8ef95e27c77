"""Weight files to convert: SqueezeNet 1.1 with five classes in torchvision's names, made without torch."""

import numpy as np
import pytest

REASON = "weights are stored as safetensors; pip install 'sejax[pretrained]'"
CLASSES = 5


def squeezenet_state_dict(seed=0):
    """Random arrays under the names and shapes of torchvision's SqueezeNet 1.1."""
    rng = np.random.default_rng(seed)
    fires = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
    fires |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}
    kernels = {"features.0": (64, 3, 3, 3), "classifier.1": (CLASSES, 512, 1, 1)}
    for i, (inputs, squeeze, expand) in fires.items():
        kernels[f"features.{i}.squeeze"] = (squeeze, inputs, 1, 1)
        kernels[f"features.{i}.expand1x1"] = (expand, squeeze, 1, 1)
        kernels[f"features.{i}.expand3x3"] = (expand, squeeze, 3, 3)
    arrays = {}
    for name, shape in kernels.items():
        arrays[f"{name}.weight"] = rng.standard_normal(shape, np.float32)
        arrays[f"{name}.bias"] = rng.standard_normal(shape[0], np.float32)
    return arrays


@pytest.fixture
def state_dict():
    """A fresh dict of arrays that a test may spoil."""
    return squeezenet_state_dict()


@pytest.fixture
def save(tmp_path):
    """Writes a dict of arrays to a .safetensors file in the test's folder and returns its path."""
    numpy_files = pytest.importorskip("safetensors.numpy", reason=REASON)

    def write(arrays, name="input.safetensors", metadata=None):
        numpy_files.save_file(arrays, tmp_path / name, metadata)
        return tmp_path / name

    return write
