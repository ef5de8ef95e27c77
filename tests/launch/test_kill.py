"""kill -9 at random moments: the finished run is the one that was never killed, to the last bit."""

import json
import os
import random
import signal
import time

import pytest
from scripts import TRAIN, Script, checkpoints, kill_once, launch

KILLS = int(os.environ.get("SEJAX_KILLS", "3"))


@pytest.mark.slow
def test_killed_runs_end_as_if_they_never_were(tmp_path, finished, data_dir):
    workdir, moments = tmp_path / "killed", random.Random(0)
    arguments = [*TRAIN, f"--data_dir={data_dir}", f"--workdir={workdir}"]
    codes = []
    for _ in range(KILLS):
        before = checkpoints(workdir)
        codes.append(kill_once(lambda before=before: checkpoints(workdir) not in (before, []), arguments, moments))
    assert -signal.SIGKILL in codes
    done = launch("train", *arguments)
    assert done.returncode == 0, done.stderr
    found, expected = (json.loads((folder / "results.json").read_text()) for folder in (workdir, finished))
    assert found["members"] == expected["members"]
    assert found["summary"] == expected["summary"]


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_goes_on(tmp_path, finished, data_dir):
    workdir = tmp_path / "stopped"
    arguments = [*TRAIN, f"--data_dir={data_dir}", f"--workdir={workdir}"]
    process = Script("train", *arguments)
    while process.running() and not checkpoints(workdir):
        time.sleep(0.01)
    process.send(signal.SIGTERM)
    done = process.end()
    assert done.returncode == 0
    assert "SIGTERM received: saved under" in done.stderr
    assert not (workdir / "results.json").exists()
    compiled = tmp_path / "compiled"  # the config's own folder of programs, for once
    assert launch("train", *arguments, f"--config.run.compilation_cache={compiled}").returncode == 0
    assert list(compiled.iterdir())
    found, expected = (json.loads((folder / "results.json").read_text()) for folder in (workdir, finished))
    assert found["members"] == expected["members"]
