"""A sweep as a user runs it: on a real config, killed and resumed, its runs open to the other commands."""

import json
import random
import re
import shlex
import signal
import sys

import pytest
from absl import flags
from ml_collections import config_flags
from scripts import ROOT, checkpoints, kill_once, launch

from sejax.core.files import read_json

SMALL = (
    "corpus=toneschunks,classes=anger+boredom+neutral,weights=random,trainable=head,size=32,images=36+12+12,epochs=2"
)
CONFIG = f"configs/transfer.py:{SMALL},models=squeezenet1_1"
SPACE = "--space=batch_size=12|18,learning_rate=0.1|1.0"
SWEEP = (f"--config={CONFIG}", "--config.hidden=8", "--config.rates=(0.5,)", SPACE, "--search=grid")
SWEEP += ("--config.run.save_seconds=0.0",)


def said(workdir):
    """sweep.json, but for the folder that it names."""
    return json.dumps(read_json(workdir / "sweep.json", "")).replace(str(workdir), "WORKDIR")


@pytest.fixture(scope="module")
def swept(tmp_path_factory, data_dir):
    """Workdir of a sweep that was never interrupted."""
    workdir = tmp_path_factory.mktemp("sweeps") / "whole"
    done = launch("sweep", *SWEEP, f"--data_dir={data_dir}", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "trial 2 and 1 more that train with it (2 of 4 done): batch_size=18, learning_rate=0.1" in done.stderr
    assert "best: python launch/train.py" in done.stdout
    return workdir


@pytest.mark.slow
def test_every_trial_is_in_the_table_and_in_a_run_that_other_commands_take(swept, data_dir):
    found = json.loads((swept / "sweep.json").read_text())
    assert [trial["run"] for trial in found["trials"]] == ["trials/0000_and_1_more"] * 2 + [
        "trials/0002_and_1_more"
    ] * 2
    for trial in found["trials"]:
        members = json.loads((swept / trial["run"] / "results.json").read_text())["members"]
        (own,) = (one for one in members if one["learning_rate"] == trial["values"]["learning_rate"])
        assert trial["score"] == own["metrics"]["valid/accuracy"] and not trial["failed"]
    assert (swept / "trials" / "0000_and_1_more" / "report.html").is_file()
    page = (swept / "sweep.html").read_text()
    assert "Every swept field against the validation accuracy" in page and "<svg" in page
    assert not re.search(r'(src|href)="(?!#)', page)  # nothing outside the page
    done = launch("evaluate", f"--workdir={swept / 'trials/0002_and_1_more'}", f"--data_dir={data_dir}")
    assert "agrees with" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_sweep_that_is_stopped_and_killed_ends_as_if_it_never_was(tmp_path, swept, data_dir):
    workdir, moments = tmp_path / "killed", random.Random(3)
    arguments = [*SWEEP, f"--data_dir={data_dir}", f"--workdir={workdir}"]

    def begun():
        return (workdir / "asked.json").exists()

    def training_the_second():
        return any(checkpoints(run) for run in workdir.glob("trials/0002*"))

    assert kill_once(begun, arguments, moments, script="sweep", how=signal.SIGTERM) == 0
    assert json.loads((workdir / "sweep.json").read_text())["asked"] == 4
    assert kill_once(training_the_second, arguments, moments, script="sweep") == -signal.SIGKILL
    first = workdir / "trials" / "0000_and_1_more" / "results.json"
    written = first.stat().st_mtime_ns
    assert training_the_second() and not list(workdir.glob("trials/0002*/results.json"))
    done = launch("sweep", *arguments)
    assert done.returncode == 0, done.stderr
    assert first.stat().st_mtime_ns == written
    assert said(workdir) == said(swept)


@pytest.mark.slow
def test_the_best_trials_command_gives_train_the_best_config(swept, monkeypatch):
    monkeypatch.chdir(ROOT)
    best = json.loads((swept / "sweep.json").read_text())["best"]
    script, *arguments = shlex.split(best["command"])[1:]
    assert script == "launch/train.py" and arguments[-1] == f"--workdir={swept / 'best'}"
    asked = [script, *arguments[:-2]]  # without --data_dir and --workdir
    monkeypatch.setattr(sys, "argv", asked)
    parsed = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=parsed)
    parsed(asked)
    assert parsed.config.rates == (best["values"]["learning_rate"],)
    assert (parsed.config.hidden, parsed.config.batch_size) == (8, best["values"]["batch_size"])


def test_what_cannot_be_swept_ends_without_a_traceback_and_leaves_the_folder_free(tmp_path, data_dir):
    file = tmp_path / "published.py"
    file.write_text(
        "import runpy\n"
        "get_config = runpy.run_path('configs/transfer.py')['get_config']\n"
        "SPACE = 'batch_size=12|18,rho=0.5..0.9'\n"
    )
    for config, others, expected in (
        (
            f"{file}:models=squeezenet1_1,weights=random",
            (),
            "space: rho=0.5..0.9: whole numbers where the config has 0.95",
        ),
        (CONFIG.replace("toneschunks", "nowhere"), (SPACE,), "launch/prepare.py --corpus=manifest --name=nowhere"),
    ):
        where = (f"--data_dir={data_dir}", f"--workdir={tmp_path / 'sweep'}")
        done = launch("sweep", f"--config={config}", *others, *where)
        assert done.returncode == 2, done.stdout
        assert expected in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not list(tmp_path.rglob("*.json"))
