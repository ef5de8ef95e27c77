"""Pseudo-labelling on what a speech encoder hears, frozen or trained: runs, their answers, and what is refused."""

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_encoders
import toy_dialogue

from sejax.core.results import read_results
from sejax.engine.run import trained_states
from sejax.errors import InputError
from sejax.experiments.ensembles import answers
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor
from sejax.experiments.pseudo_labelling import inputs
from sejax.experiments.pseudo_labelling.assembly import build
from sejax.experiments.pseudo_labelling.networks import vector_head
from sejax.experiments.training import train_run

pytest.importorskip("safetensors")
get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "pseudo_labelling.py"))["get_config"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prepared waveforms and a tiny encoder."""
    folder = tmp_path_factory.mktemp("encoders")
    toy_dialogue.write_prepared_set(folder / "data", toy_dialogue.spoken())
    tiny_encoders.write_file(folder / "weights" / "wavlm.safetensors", "wavlm")
    return folder


def config_of(folder, argument="", **changes):
    given = f"runlocal,corpus=spoken,features=encoder:wavlm:1-2,weights={folder / 'weights'},{argument}"
    config = get_config(given.rstrip(","))
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def trained(folder):
    config = config_of(folder, "labelled=0.5,longest=0.3", epochs=4, only_folds=2)
    train_run(config, folder / "run", folder / "data", command="")
    return folder / "run"


TUNED = {"argument": "trainable=all,labelled=0.5,longest=0.3,trunk_rate=0.1,ema=0.5,targets=soft,selection=balanced"}


@pytest.fixture(scope="module")
def tuned(folder):
    """A run that trains the encoder, with decay and rules beside the paper's."""
    config = config_of(folder, **TUNED, weight_decay=0.1)
    train_run(config, folder / "tuned", folder / "data", command="")
    return folder / "tuned"


def test_a_run_says_what_it_heard_with_and_keeps_it_beside_the_waveforms(folder, trained):
    results = read_results(trained)
    assert results["data"]["encoder"]["name"] == "wavlm" and results["data"]["encoder"]["layers"] == "1, 2"
    assert results["unit"] == "utterance" and results["data"]["features"] == 8
    (kept,) = (folder / "data").glob("spoken/*/heard-*.npy")
    before = kept.stat().st_mtime_ns
    config = config_of(folder, "labelled=0.5,longest=0.3")
    made = inputs.find_utterance_vectors(config, folder / "data")
    assert made.features.shape == (80, 2, 8) and kept.stat().st_mtime_ns == before
    inputs.find_utterance_vectors(config_of(folder, "longest=0.2"), folder / "data")
    assert len(list((folder / "data").glob("spoken/*/heard-*.npy"))) == 2  # of other samples


@pytest.mark.parametrize("run", ["trained", "tuned"])
def test_prediction_hears_a_recording_as_training_did(folder, run, request):
    workdir, speech = request.getfixturevalue(run), toy_dialogue.spoken()
    found = answers(workdir, folder / "data")
    assert np.diff(speech.offset).max() > 0.3 * 16000
    for fold in range(len(read_results(workdir)["members"])):
        predict = Predictor(workdir, only={"fold": (str(fold),)})
        for name, posterior in list(found.posterior[fold, 0].items())[:6]:
            row = speech.utterance_ids.index(name)
            waveform = speech.waveform[speech.offset[row] : speech.offset[row + 1]]
            np.testing.assert_allclose(predict(waveform, 16000).utterance, posterior, atol=1e-4)


@pytest.mark.parametrize("run", ["trained", "tuned"])
def test_a_run_that_hears_is_not_exported_yet(run, request, tmp_path):
    with pytest.raises(InputError, match="hears with a speech encoder"):
        export(request.getfixturevalue(run), tmp_path / "model.sejax")


def pretrained(folder):
    return tiny_encoders.write_file(folder / "again.safetensors", "wavlm")["params"]


def test_an_encoder_is_trained_but_for_its_convolutions(folder, tuned):
    results = read_results(tuned)
    (member,) = results["members"]
    assert results["unit"] == "utterance" and results["data"]["features"] == 8
    assert len(member["iterations"]) == 2 and member["iterations"][0]["confident"] > 0
    trunk, first = trained_states(tuned, 1, [0], 1, ("params",))["params"]["trunk"], pretrained(folder)
    assert all((a[0] == b).all() for a, b in leaves_of(trunk["convolutions"], first["convolutions"]))
    for layer in ("projection", "layer_0", "layer_1"):
        assert all(np.abs(a[0] - b).max() > 1e-6 for a, b in leaves_of(trunk[layer], first[layer]))


def leaves_of(*trees):
    return zip(*map(jax.tree.leaves, trees), strict=True)


def test_an_iteration_begins_with_the_encoder_as_it_was_pretrained(folder):
    assembly = build(config_of(folder, **TUNED), folder / "data")
    member = jax.tree.map(lambda x: x[0], assembly.members)
    experiment, first = assembly.experiment, pretrained(folder)
    state = experiment.init(jax.random.key(0), member, assembly.data)
    batch = assembly.train.batch_at(assembly.data, state, 0)
    assert batch["inputs"]["waveform"].shape == (32, 4800)
    moved, _ = jax.jit(experiment.step)(state, batch)
    assert any(np.abs(a - b).max() > 0 for a, b in leaves_of(moved.params["trunk"], first))
    again = experiment.restart(moved, assembly.data)
    jax.tree.map(np.testing.assert_array_equal, again.params["trunk"], first)
    assert np.abs(again.params["head"]["dense_0"]["kernel"] - state.params["head"]["dense_0"]["kernel"]).max() > 0


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("trim=silero", "leave trim out"),
        ("trainable=classifier", "give trainable=head or all"),
        ("trainable=all,normalise_by=speaker", "leave normalise_by out"),
        ("trainable=all,input=tfdata", "recordings stay on the device"),
        ("trainable=all,labeller=speaker", "trainable=head"),
        ("random_gain=-6+6", "leave random_gain out"),
    ],
)
def test_what_an_encoder_cannot_have_is_refused(folder, argument, said):
    with pytest.raises(InputError, match=said):
        inputs.check_inputs(config_of(folder, argument))


def test_an_encoder_or_layer_that_is_not_there_is_named(folder):
    for features, said in (("encoder:hubert:1", "hubert.safetensors is not there"), ("encoder:wavlm:3", "no layer 3")):
        with pytest.raises(InputError, match=said):
            inputs.find_utterance_vectors(config_of(folder, features=features), folder / "data")


def test_states_begin_with_equal_shares_and_learn_others():
    network = vector_head(3, hidden=(), dropout_rate=0.0, gain=1.0)
    states = np.random.default_rng(0).normal(size=(5, 2, 4)).astype(np.float32)
    constants = {"shift": np.zeros((2, 4), np.float32), "scale": np.ones((2, 4), np.float32)}
    params = network.init(jax.random.key(0), {}, states)
    kernel = params["head"]["dense_0"]["kernel"]
    np.testing.assert_allclose(network.apply(params, constants, states), states.mean(1) @ kernel.T / 2, rtol=1e-5)
    slope = jax.grad(lambda p: (network.apply(p, constants, states)[:, 0] ** 2).sum())(params)["head"]["states"]
    assert np.abs(slope).min() > 0
