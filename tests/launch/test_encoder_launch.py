"""A run whose sound branch is a speech encoder, to its end: results, evaluation, prediction, and one file to carry."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import tiny_encoders
import toy_dialogue
from scripts import launch

import sejax
from sejax.core.results import read_results
from sejax.experiments.exporting import export
from sejax.experiments.prediction import Predictor
from sejax.experiments.training import train_run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
get_config = runpy.run_path(str(ROOT / "configs" / "audio_text.py"))["get_config"]


@pytest.mark.parametrize(("family", "rate"), [("wavlm", 0.0), ("data2vec-audio", 0.1)])
def test_a_run_with_an_encoder_predicts_is_exported_and_evaluated(tmp_path, family, rate):
    pytest.importorskip("safetensors")
    toy_dialogue.write_prepared_set(tmp_path / "data", toy_dialogue.spoken())
    tiny_encoders.write_file(tmp_path / "weights" / f"{family}.safetensors", family)
    argument = f"runlocal,corpus=spoken,sound=encoder:{family}:all,encoder_weights={tmp_path / 'weights'}"
    config = get_config(f"{argument},encoder_rate={rate},only_folds=1")
    config.fusions, config.epochs, config.run.tensorboard = ("att_d_1",), 1, False
    workdir = tmp_path / "run"
    train_run(config, workdir, tmp_path / "data", command="")
    results = read_results(workdir)
    assert results["data"]["encoder"]["name"] == family and results["members"][0]["failed"] is None
    predict = Predictor(workdir)
    export(workdir, tmp_path / "model.sejax")
    model = sejax.load(tmp_path / "model.sejax")
    wave = toy_dialogue.spoken().waveform
    for samples, text in ((wave[:5000], "I love it"), (wave[:20000], ""), (wave[:1], "")):
        found, wanted = model(samples, 16000, text=text), predict(samples, 16000, text, explain=False)
        np.testing.assert_allclose(found.posteriors, wanted.posteriors, atol=1e-5)
    (piece,) = predict(wave[:5000], 16000, "I love it").pieces
    assert len(piece["word_importance"]) == 3 and np.isfinite(piece["audio_importance"]).all()
    done = launch("evaluate", f"--data_dir={tmp_path / 'data'}", f"--workdir={workdir}")
    assert done.returncode == 0 and "agrees with" in done.stdout, done.stderr
