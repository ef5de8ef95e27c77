"""A finished run as one file, and the file's answers beside the run's own."""

import json

import numpy as np
import pytest
from scripts import CONFIG, TRAIN, check_every_rate, launch
from tones import CLASSES, tone

import sejax
from sejax.errors import InputError
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor

WAVE = tone(0, speaker=2, seconds=3.3, random=np.random.default_rng(5))


def assert_alike(found, wanted):
    """The same blocks, with the same posteriors to 1e-6."""
    for name in ("start", "end", "posteriors", "utterance"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=1e-6, err_msg=name)


def test_a_run_becomes_a_file_that_answers_as_it_does(finished, tmp_path):
    file = tmp_path / "tones.sejax"
    done = launch("export", f"--workdir={finished}", f"--output={file}")
    assert done.returncode == 0, done.stderr
    said, digest = done.stdout.strip().splitlines()
    assert said.startswith(f"{file}: 3 members, ") and digest.startswith("sha256 ")
    model = sejax.load(file, sha256=digest.split()[1])
    assert model.classes == CLASSES and [member["fold"] for member in model.members] == [0, 1, 2]
    assert_alike(model(WAVE, 16000), Predictor(finished)(WAVE, 16000))
    summary = model.figures["exported"]["test/macro_f1"]
    assert summary["n"] == 3 and f"| test/macro_f1 | {summary['mean']:.3f} ± " in model.card
    for told in ("# pseudo_labelling", "Protocol: speaker", "anger, boredom, neutral", "## Licences", "corpus tones"):
        assert told in model.card, told
    assert str(finished) not in model.card + json.dumps([model.settings, model.figures])
    check_every_rate(model, WAVE, alike=0.1)
    short = WAVE[:6400]
    with pytest.raises(InputError, match=r"0\.40 s of speech found .*\(pad\)"):
        model(short, 16000)
    padded = sejax.load(file, pad=True)(short, 16000)
    assert_alike(padded, Predictor(finished, pad=True)(short, 16000))
    assert padded.end.tolist() == [0.4]


@pytest.mark.slow
def test_members_are_chosen_by_name_and_the_same_ones_give_the_same_bytes(finished, tmp_path):
    file = tmp_path / "one.sejax"
    made = export(finished, file, only={"fold": ("1",)})
    assert made.members == [{"fold": 1, "seed": 0}] and made.size == file.stat().st_size
    assert_alike(sejax.load(file)(WAVE, 16000), Predictor(finished, only={"fold": ("1",)})(WAVE, 16000))
    assert export(finished, tmp_path / "again.sejax", only={"fold": ("1",)}).sha256 == made.sha256
    with pytest.raises(InputError, match="no trained member is .*'7'"):
        export(finished, file, only={"fold": ("7",)})
    assert sejax.load(file, sha256=made.sha256).members == made.members  # still there


@pytest.mark.slow
def test_the_network_as_onnx_answers_as_jax_does(finished, tmp_path):
    pytest.importorskip("jax2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    done = launch("export", f"--workdir={finished}", f"--output={tmp_path / 'tones.onnx'}", "--format=onnx")
    assert done.returncode == 0, done.stderr
    export(finished, tmp_path / "tones.sejax")
    model = sejax.load(tmp_path / "tones.sejax")
    _, _, inputs = model.inputs(WAVE, 16000)
    session = onnxruntime.InferenceSession(tmp_path / "tones.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_allclose(found, model.apply(inputs), atol=1e-4)


@pytest.mark.slow
def test_of_compared_networks_the_best_or_the_named_is_exported(compared, tmp_path):
    pytest.importorskip("webrtcvad")
    for number, only in enumerate(({}, {"model": ("squeezenet1_1",)})):
        made = export(compared, tmp_path / f"{number}.sejax", only=only)
        predict, model = Predictor(compared, only=only), sejax.load(tmp_path / f"{number}.sejax")
        assert made.members == predict.members == model.members
        assert_alike(model(WAVE, 16000), predict(WAVE, 16000))


@pytest.mark.slow
def test_members_with_a_network_each_are_asked_in_turn(data_dir, tmp_path):
    config = (f"--config={CONFIG},trainable=all", *TRAIN[1:], "--config.epochs=1", "--config.iterations=1")
    done = launch("train", *config, f"--data_dir={data_dir}", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    export(tmp_path / "run", tmp_path / "whole.sejax")
    model = sejax.load(tmp_path / "whole.sejax")
    assert len(model.members) == 3 and not any(name.startswith("0/1/") for name in model.weights)
    assert_alike(model(WAVE, 16000), Predictor(tmp_path / "run")(WAVE, 16000))
