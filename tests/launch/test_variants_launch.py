"""Several networks in one run: trained in turn, resumed between and inside them, evaluated and used for prediction."""

import random
import re
import shutil
import signal

import numpy as np
import pytest
import soundfile
from scripts import TRANSFER, check_every_rate, checkpoints, kill_once, launch, results
from tones import tone

from sejax.core.files import read_json
from sejax.experiments.prediction import Predictor
from sejax.report.robustness import FILE


@pytest.mark.slow
def test_a_comparison_keeps_every_network_apart_and_reports_them_together(compared):
    found = results(compared)
    assert [member["model"] for member in found["members"]] == ["squeezenet1_1", "squeezenet1_0"]
    assert [variant["name"]["model"] for variant in found["variants"]] == ["squeezenet1_1", "squeezenet1_0"]
    assert found["data"]["weights"] == {"squeezenet1_1": "random", "squeezenet1_0": "random"}
    assert all(len(member["history"]) == 3 and not member["failed"] for member in found["members"])
    assert {path.split("/")[1] for path in checkpoints(compared)} == {"squeezenet1_1", "squeezenet1_0"}
    assert "squeezenet1_0" in (compared / "report.html").read_text()


@pytest.mark.slow
def test_a_comparison_killed_in_its_second_network_goes_on_there_to_the_same_bits(tmp_path, compared, data_dir):
    workdir, moments = tmp_path / "killed", random.Random(1)
    arguments = [*TRANSFER, f"--data_dir={data_dir}", f"--workdir={workdir}"]
    first = workdir / "variants" / "squeezenet1_1" / "finished.json"

    def training_the_second():
        return any("squeezenet1_0" in path and "tmp" not in path for path in checkpoints(workdir))

    assert kill_once(training_the_second, arguments, moments) == -signal.SIGKILL
    assert training_the_second() and not (workdir / "results.json").exists()
    written = first.stat().st_mtime_ns
    done = launch("train", *arguments)
    assert done.returncode == 0, done.stderr
    assert first.stat().st_mtime_ns == written  # what was finished was not trained again
    found, expected = results(workdir), results(compared)
    assert found["members"] == expected["members"]
    assert found["variants"] == expected["variants"]


@pytest.mark.slow
def test_a_finished_comparison_reports_instead_of_training(compared, data_dir):
    before = (compared / "results.json").read_bytes()
    done = launch("train", *TRANSFER, f"--data_dir={data_dir}", f"--workdir={compared}")
    assert done.returncode == 0, done.stderr
    assert "is finished" in done.stdout
    assert (compared / "results.json").read_bytes() == before


@pytest.mark.slow
def test_evaluate_agrees_with_every_network(compared, data_dir):
    done = launch("evaluate", f"--workdir={compared}", f"--data_dir={data_dir}")
    assert done.returncode == 0, done.stderr
    assert "2 members" in done.stdout


@pytest.mark.slow
def test_predict_takes_the_network_that_validated_best_or_the_one_it_is_told(compared, tmp_path):
    wave = tone(0, speaker=2, seconds=0.3, random=np.random.default_rng(5))
    soundfile.write(tmp_path / "tone.wav", wave, 16000)
    asked = ("predict", f"--workdir={compared}", f"--output={tmp_path}", f"--wav={tmp_path / 'tone.wav'}")
    done = launch(*asked)
    assert done.returncode == 0, done.stderr
    best = max(results(compared)["members"], key=lambda member: member["metrics"]["valid/accuracy"])
    assert f"mean of 1 members: model {best['model']}" in done.stderr
    (summary,) = [line for line in done.stdout.splitlines() if " s" in line and "%" in line]
    count = int(re.search(r"\((\d+) blocks, ", summary)[1])  # of 30 ms
    blocks = [line for line in launch(*asked, "--blocks").stdout.splitlines() if re.match(r"  +\d+\.\d\d - ", line)]
    assert len(blocks) == count > 5
    check_every_rate(Predictor(compared), soundfile.read(tmp_path / "tone.wav", dtype="int16")[0], alike=0.05)
    done = launch(*asked, "--member=model=squeezenet1_0")
    assert "model squeezenet1_0" in done.stderr
    done = launch(*asked, "--member=model=resnet50")
    assert done.returncode == 2
    assert "its members are model squeezenet1_1" in done.stderr


@pytest.mark.slow
def test_degraded_recordings_are_judged_by_the_network_that_validated_best(tmp_path, compared, data_dir, tones_source):
    pytest.importorskip("soxr")
    workdir = shutil.copytree(compared, tmp_path / "compared")
    given = (f"--data_dir={data_dir}", "--corpus=manifest", f"--source={tones_source}", "--files=2")
    done = launch("robustness", *given, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    best = max(results(workdir)["members"], key=lambda member: member["metrics"]["valid/accuracy"])["model"]
    found = read_json(workdir / FILE, "")
    assert [judge["member"]["model"] for judge in found["judges"]] == [best] and found["protocol"] == "utterance"
    assert f"2 utterances by one member ({best} at 1; seed 0)" in done.stdout and "Protocol utterance: " in done.stdout


def test_a_network_or_weights_that_are_not_there_end_the_run_before_it_begins(tmp_path, data_dir):
    unmade = ("models=resnet50,weights=nowhere", "launch/convert_weights.py")
    for wrong, said in (("models=resnet51", "resnet50"), unmade):
        config = f"--config=configs/transfer.py:corpus=toneschunks,{wrong}"
        done = launch("train", config, f"--data_dir={data_dir}", f"--workdir={tmp_path / 'run'}")
        assert done.returncode == 2
        assert said in done.stderr and "Traceback" not in done.stderr
        assert not (tmp_path / "run").exists()
