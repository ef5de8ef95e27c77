"""Pseudo-labelling on what a frozen speech encoder hears: a run, its answers about recordings, and what is refused."""

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_encoders
import toy_dialogue

from sejax.core.results import read_results
from sejax.errors import InputError
from sejax.experiments.ensembles import answers
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor
from sejax.experiments.pseudo_labelling import inputs
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


def test_prediction_hears_a_recording_as_training_did(folder, trained):
    found, speech = answers(trained, folder / "data"), toy_dialogue.spoken()
    assert np.diff(speech.offset).max() > 0.3 * 16000
    for fold in (0, 1):
        predict = Predictor(trained, only={"fold": (str(fold),)})
        for name, posterior in list(found.posterior[fold, 0].items())[:6]:
            row = speech.utterance_ids.index(name)
            waveform = speech.waveform[speech.offset[row] : speech.offset[row + 1]]
            np.testing.assert_allclose(predict(waveform, 16000).utterance, posterior, atol=1e-4)


def test_a_run_that_hears_is_not_exported_yet(trained, tmp_path):
    with pytest.raises(InputError, match="hears with a speech encoder"):
        export(trained, tmp_path / "model.sejax")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("trim=silero", "leave trim out"),
        ("trainable=all", "give trainable=head"),
        ("random_gain=-6+6", "leave random_gain out"),
    ],
)
def test_what_a_frozen_encoder_cannot_have_is_refused(folder, argument, said):
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
