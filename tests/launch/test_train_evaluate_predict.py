"""train, evaluate and predict from end to end."""


import numpy as np
import pytest
import soundfile
from scripts import TRAIN, launch, results
from tones import CLASSES, tone

from sejax.core.results import write_results


def test_a_run_leaves_results_report_config_checkpoints_and_events(finished):
    found = results(finished)
    assert [(member["fold"], member["failed"]) for member in found["members"]] == [(0, None), (1, None), (2, None)]
    assert found["summary"]["test/macro_f1"]["n"] == 3
    assert found["protocol"] == "speaker"
    assert {path.name for path in finished.iterdir()} >= {"config.json", "report.html", "checkpoints", "events"}


def test_a_finished_workdir_reports_instead_of_training(finished, data_dir):
    before = (finished / "results.json").read_bytes()
    done = launch("train", *TRAIN, f"--data_dir={data_dir}", f"--workdir={finished}")
    assert done.returncode == 0
    assert "is finished" in done.stdout
    assert "macro-F1" in done.stdout
    assert (finished / "results.json").read_bytes() == before


def test_a_workdir_of_another_config_is_refused_with_the_fields_that_differ(finished, data_dir):
    done = launch("train", *TRAIN, "--config.threshold=0.9", f"--data_dir={data_dir}", f"--workdir={finished}")
    assert done.returncode == 2
    assert "threshold: 0.99 -> 0.9" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config=configs/pseudo_labelling.py:corpus=tones,skale=mel"], "skale"),
        (["--config=configs/pseudo_labelling.py:corpus=nowhere"], "launch/prepare.py --corpus=manifest --name=nowhere"),
    ],
)
def test_bad_input_ends_without_a_traceback_and_names_what_is_wrong(tmp_path, data_dir, arguments, expected):
    done = launch("train", *arguments, f"--data_dir={data_dir}", f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_agrees_with_the_results_and_notices_when_it_does_not(finished, data_dir, tmp_path):
    done = launch("evaluate", f"--workdir={finished}", f"--data_dir={data_dir}")
    assert done.returncode == 0, done.stderr
    assert "agrees with" in done.stdout
    untouched, changed = (finished / "results.json").read_bytes(), results(finished)
    changed["members"][1]["metrics"]["test/uar"] -= 0.01
    try:
        write_results(finished, changed)
        done = launch("evaluate", f"--workdir={finished}", f"--data_dir={data_dir}")
    finally:
        (finished / "results.json").write_bytes(untouched)
    assert done.returncode == 1
    assert "fold 1 seed 0 test/uar" in done.stderr


def test_predict_prints_and_draws_posteriors_of_a_plain_file_and_names_one_it_cannot_use(finished, tmp_path):
    wave = tone(0, speaker=2, seconds=3, random=np.random.default_rng(5))
    soundfile.write(tmp_path / "tone.wav", wave, 16000)
    soundfile.write(tmp_path / "short.wav", wave[:4000], 16000)
    files = [str(tmp_path / name) for name in ("tone.wav", "short.wav")]
    done = launch("predict", f"--workdir={finished}", "--blocks", "--figures", f"--output={tmp_path}", *files)
    assert done.returncode == 2
    assert f"-> {CLASSES[0]}" in done.stdout
    assert done.stdout.count(" s  ") >= 3  # three blocks of a second
    assert "short.wav" in done.stderr
    assert (tmp_path / f"{str(tmp_path)[1:]}/tone.wav.svg").read_text().lstrip().startswith("<?xml")
