"""Speech encoders in the comparison of pre-trained networks: the recordings of the drawn chunks, frozen and trained."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import tiny_encoders
import tones

from sejax.engine.run import run, run_settings
from sejax.errors import InputError
from sejax.experiments.speech_encoders import frozen_states, load_encoder
from sejax.experiments.transfer import encoders
from sejax.experiments.transfer.assembly import assemble, variants

pytest.importorskip("safetensors", reason="pip install 'sejax[pretrained]'")
get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "transfer.py"))["get_config"]
NAME = "encoder:wavlm:1-2"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a tiny WavLM."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_encoders.write_file(folder / "wavlm.safetensors", "wavlm")
    return folder


def recorded(seconds=0.1):
    """The recordings of the tones' chunks, in another order, the later ones longer."""
    waves = [wave[: round(16000 * seconds) + 40 * number] for number, wave in enumerate(tones.waves())][::-1]
    return SimpleNamespace(
        waveform=np.concatenate(waves),
        offset=np.cumsum([0, *map(len, waves)]),
        utterance_ids=tones.spectrograms().utterance_ids[::-1],
        corpus="tones",
        folder="",
        joined_from=(),
    )


def variant(weights, **changes):
    config = get_config(f"runlocal,corpus=tones,classes=all,weights={weights}")
    config.models, config.weights, config.images = (NAME,), (str(weights),), (24, 12, 12)
    config.update({"trainable": "head", "protocol": "speaker"} | changes)
    return variants(config)[NAME]


def test_a_chunk_is_heard_as_the_whole_recording_that_it_was_cut_from(weights):
    config, chunks, speech = variant(weights), tones.spectrograms(), recorded()
    found = encoders.checked(config, config.model_weights)
    variables = load_encoder(found, seed=0)
    rows = np.array([5, 0, 58, 4])
    heard = encoders.recordings(config, chunks, rows, speech, found, variables)
    assert heard.place.tolist() == [1, 0, 2, 1] and heard.heard["states"].shape == (3, 2, 8)
    alone = tones.waves()[2][: 1600 + 80]
    np.testing.assert_allclose(
        heard.heard["states"][1], frozen_states(found)(variables, alone[None], np.array([len(alone)]))[0], atol=1e-5
    )
    config.trainable, config.longest = "all", 0.1
    cut = encoders.recordings(config, chunks, rows, speech, found, variables).heard
    assert cut["waveform"].shape == (3, 1600) and cut["length"].tolist() == [1600] * 3
    np.testing.assert_array_equal(cut["waveform"][1], alone[:1600])


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_an_encoder_is_trained_on_the_same_examples_as_images(weights, tmp_path, trainable):
    config = variant(weights, trainable=trainable, rates=(1.0,))
    found = encoders.checked(config, config.model_weights)
    variables = load_encoder(found, seed=0)
    assembly = assemble(config, tones.spectrograms(), variables, recorded())
    assert np.bincount(np.asarray(assembly.members["part"])[0] + 1).tolist() == [0, 24, 12, 12]
    (member,) = run(assembly, run_settings(config), tmp_path, seed=0)
    assert member["failed"] is None and np.sum(member["confusion"]["test"]) == 12
    assert {"test/uar", "test_utterance/uar", "valid/loss"} <= member["metrics"].keys()
    data = assembly.about["data"]
    assert data["input"] == {NAME: "recording"} and data["parameters"][NAME] == sum(
        x.size for x in jax.tree.leaves(variables)
    )
    assert assembly.examples() == {}


def test_the_frozen_layers_of_a_trained_encoder_stay(weights):
    config = variant(weights, trainable="all", frozen=("convolutions", "layer_0"))
    found = encoders.checked(config, config.model_weights)
    network = encoders.encoder_network(found, config, 3)
    params, _ = network.init(jax.random.key(0), load_encoder(found, seed=0), None)
    trains = network.trains(params)
    assert not any(jax.tree.leaves([trains["trunk"]["convolutions"], trains["trunk"]["layer_0"]]))
    assert all(jax.tree.leaves([trains["trunk"]["layer_1"], trains["head"], trains["layer_weights"]]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": "chunk"}, "protocol=chunk with models=encoder"),
        ({"random_gain": (-3.0, 3.0), "image.reference": "absolute"}, "random_gain is one of images"),
        ({"models": ("encoder:hubert:1",)}, "hubert.safetensors is not there"),
    ],
)
def test_what_an_encoder_cannot_be_compared_on_is_refused(weights, changes, said):
    config = get_config(f"runlocal,corpus=tones,weights={weights}")
    config.models, config.weights = (NAME,), (str(weights),)
    for name, value in changes.items():
        config.update_from_flattened_dict({name: value})
    with pytest.raises(InputError, match=said):
        variants(config)


def test_recordings_that_are_not_prepared_are_missed(weights):
    config, speech = variant(weights), recorded()
    speech.utterance_ids = tuple(f"x{name}" for name in speech.utterance_ids)
    found = encoders.checked(config, config.model_weights)
    with pytest.raises(InputError, match="lacks 1 recordings .* such as u000"):
        encoders.recordings(config, tones.spectrograms(), np.array([0, 1]), speech, found, {})
