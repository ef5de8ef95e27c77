"""Audio and text where a speech encoder hears the sound: frozen, whose answers are cached, and trained on."""

import runpy
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_encoders
import toy_dialogue

from sejax.core.experiment import Plan
from sejax.data.buckets import cut
from sejax.engine.run import run, run_settings, trained_states
from sejax.errors import InputError
from sejax.experiments.audio_text.assembly import assemble, posteriors, variants
from sejax.experiments.audio_text.hearing import states_of
from sejax.experiments.speech_encoders import find_encoder, frozen_states, load_encoder
from sejax.models.audio_text import FUSIONS

pytest.importorskip("safetensors", reason="pip install 'sejax[pretrained]'")
get_config = runpy.run_path(str(Path(__file__).resolve().parents[2] / "configs" / "audio_text.py"))["get_config"]
FUSED = "att_d_1"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with a tiny encoder of each family."""
    folder = tmp_path_factory.mktemp("weights")
    for seed, family in enumerate(tiny_encoders.TINY):
        tiny_encoders.write_file(folder / f"{family}.safetensors", family, seed=seed)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of a prepared set, which keeps what is heard."""
    return tmp_path_factory.mktemp("set")


def make_config(weights, fusion=FUSED, sound="encoder:wav2vec2:all", **changes):
    config = get_config(f"runlocal,corpus=spoken,only_folds=1,sound={sound},encoder_weights={weights},fusions={fusion}")
    config.fusions = (fusion,)
    config.update(changes)
    return config


def variant(config):
    (own,) = variants(config).values()
    return own


def trained(config, speech, workdir):
    """The assembly, its only member's entry, and what it infers with."""
    own = variant(config)
    assembly = assemble(own, speech)
    (member,) = run(assembly, run_settings(config), workdir, seed=0)
    found = posteriors(own, 4)
    states = trained_states(workdir, run_settings(config).members_at_once, [0], 1, found.subtrees)
    return assembly, member, found, jax.tree.map(lambda x: x[0], states)


def of_recording(found, samples, text=""):
    """One piece of a recording as prediction has it."""
    _, _, values, _ = found.transcribed.pieces(samples, 16000, text=text, types=("i", "the"))
    return jax.tree.map(lambda x: x[:, 0], values)


def test_a_frozen_encoder_hears_once_and_answers_to_new_recordings_as_it_was_trained(weights, tmp_path):
    speech = replace(toy_dialogue.spoken(), folder=str(tmp_path / "set"))
    (tmp_path / "set").mkdir()
    assembly, member, found, state = trained(make_config(weights), speech, tmp_path / "run")
    kept = sorted((tmp_path / "set").iterdir())
    assert len(kept) == 2 and all(file.name.startswith("heard-") for file in kept)
    assert member["failed"] is None and len(member["examples"]) == 4
    sizes = {path for path, _ in jax.tree_util.tree_leaves_with_path(state)}
    assert not [path for path in sizes if "'encoder'" in jax.tree_util.keystr(path)]
    assert assembly.about["data"]["encoder"]["layers"] == "0, 1, 2"
    # What prediction makes of a test utterance is what evaluation made of its cached states.
    place = member["predictions"]["id"].index(member["examples"][0]["id"])
    number = speech.utterance_ids.index(member["predictions"]["id"][place])
    samples = speech.waveform[speech.offset[number] : speech.offset[number + 1]]
    types = assembly.about["types"]
    _, _, values, _ = found.transcribed.pieces(samples, 16000, text=speech.transcripts[number], types=tuple(types))
    batch = jax.tree.map(lambda x: x[:, 0], values)
    answer = np.asarray(found.apply(state, found.shared, batch))[0]
    np.testing.assert_allclose(answer, member["predictions"]["posterior"][place], atol=2e-4)
    rests = found.transcribed.explain(state, found.shared, batch, np.array([answer.argmax()], np.int32))
    example = member["examples"][0]["audio_importance"][::10]
    if answer.argmax() == np.argmax(member["examples"][0]["posterior"]):
        np.testing.assert_allclose(np.asarray(rests["audio_importance"])[0], example, atol=2e-4)
    # The same again reads what was kept.
    before = [file.stat().st_mtime_ns for file in kept]
    again = assemble(variant(make_config(weights)), speech)
    assert [file.stat().st_mtime_ns for file in kept] == before and sorted((tmp_path / "set").iterdir()) == kept
    np.testing.assert_array_equal(again.data["examples"]["quiet"], assembly.data["examples"]["quiet"])


@pytest.mark.parametrize("family", tiny_encoders.TINY)
def test_cached_states_are_those_of_each_recording_alone(weights, family):
    own = variant(make_config(weights, sound=f"encoder:{family}:1-2"))
    speech = toy_dialogue.spoken()
    found = find_encoder(own.sound, own.encoder.weights)
    pieces = cut(speech, [np.zeros(0, np.int32)] * 80, longest=10**6, most_words=9)
    variables = load_encoder(found, seed=0)
    states = states_of(own, speech, pieces, np.array([5, 3]), np.array([1, 1]), found, variables)
    assert states.pieces.shape == (80, 2, 8) and states.quiet.shape == (2, 40, 2, 8)
    assert not states.quiet[0].any() and states.quiet[1].any(-1).all()
    heard = frozen_states(found)
    for number in (0, 7):
        samples = speech.waveform[speech.offset[number] : speech.offset[number + 1]]
        alone = heard(variables, samples[None], np.array([len(samples)]))
        np.testing.assert_allclose(states.pieces[number], alone[0], atol=1e-5)


@pytest.mark.slow
def test_a_trained_encoder_moves_at_its_own_rate_and_its_convolutions_stay(weights, tmp_path):
    speech = toy_dialogue.spoken()
    config = make_config(weights, epochs=1)
    config.encoder.rate, config.encoder.masks = 0.5, 0.2
    assembly, member, found, state = trained(config, speech, tmp_path)
    assert member["failed"] is None and found.shared == {}
    first, last = assembly.data["encoder"], state["params"]["audio"]["encoder"]
    moved = {
        name: not all(jax.tree.leaves(jax.tree.map(np.array_equal, first[name], last[name]))) for name in first
    }
    assert not moved.pop("convolutions") and all(moved.values())
    batch = of_recording(found, speech.waveform[:3000], "I the")
    answer = found.apply(state, {}, batch)
    np.testing.assert_allclose(np.sum(answer), 1, rtol=1e-5)
    rests = found.transcribed.explain(state, {}, batch, np.array([0], np.int32))
    assert rests["audio_importance"].shape == (1, 40) and np.isfinite(rests["audio_importance"]).all()


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_hears_with_an_encoder(weights, kept, fusion, rate):
    config = make_config(weights, fusion)
    config.encoder.rate = rate
    own = variant(config)
    assembly = assemble(own, replace(toy_dialogue.spoken(), folder=str(kept)))
    names = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(assembly.data)}
    assert any("'encoder'" in name for name in names) == (rate > 0 and fusion != "text")
    assert ("states" in assembly.data) == (rate == 0 and fusion != "text")
    member = jax.tree.map(lambda x: x[0], assembly.members)
    state = jax.eval_shape(lambda: assembly.experiment.init(jax.random.key(0), member, assembly.data))
    plan = Plan(np.zeros(8, np.int32), np.ones(8, bool))
    (batch,) = assembly.train.stream([plan])
    after, _ = jax.eval_shape(assembly.experiment.step, state, batch)
    assert jax.tree.structure(after.params) == jax.tree.structure(state.params)
    assert ("waveform" in batch) != ("states" in batch) and ("states" in batch) == ("states" in assembly.data)
    gathered = jax.eval_shape(assembly.train.gather, assembly.data, plan)
    assert gathered.keys() == batch.keys()


@pytest.mark.slow
def test_padding_changes_no_answer_of_a_trained_encoder(weights):
    config = make_config(weights)
    config.encoder.rate = 0.1
    own = variant(config)
    assembly = assemble(own, toy_dialogue.spoken())
    member = jax.tree.map(lambda x: x[0], assembly.members)
    state = assembly.experiment.init(jax.random.key(0), member, assembly.data)
    found, parts = posteriors(own, 4), {}
    for name in found.subtrees:
        parts[name] = getattr(state, name)
    batch = of_recording(found, toy_dialogue.spoken().waveform[:2000], "I the")
    wider = batch | {"waveform": np.pad(batch["waveform"], ((0, 0), (0, 5000)), constant_values=77)}
    np.testing.assert_allclose(found.apply(parts, {}, batch), found.apply(parts, {}, wider), atol=1e-5)


@pytest.mark.parametrize(
    ("sound", "changes", "said"),
    [
        ("encoder:wav2vec2:3", {}, "no layer 3; this one has 0"),
        ("encoder:other:all", {}, "other.safetensors is not there"),
        ("encoder:wav2vec2:all", {"random_gain": (-3.0, 3.0)}, "random_gain with encoder_rate=0"),
        ("encoder:wav2vec2:all", {"random_noise": "white"}, "random_noise with encoder_rate=0"),
    ],
)
def test_what_cannot_be_heard_is_refused_before_anything_is_trained(weights, sound, changes, said):
    with pytest.raises(InputError, match=said):
        variants(make_config(weights, sound=sound, **changes))


def test_sound_is_one_of_two_things():
    with pytest.raises(InputError, match="convolutions, or encoder:NAME:LAYERS"):
        get_config("sound=wav2vec2")
