"""Launch scripts as a user runs them: in processes of their own, on a small prepared set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from tones import write_prepared_set  # noqa: E402

CONFIG = "configs/pseudo_labelling.py:corpus=tones,voice_activity=none,weights=random,labelled=0.5,folds=3"
TRAIN = (f"--config={CONFIG}", "--config.epochs=4", "--config.image.size=(64,64)", "--config.run.save_seconds=0.0")


def launch(script: str, *arguments: str, timeout: float | None = 300) -> subprocess.CompletedProcess:
    """Runs launch/SCRIPT.py to its end, or kills it with SIGKILL after ``timeout`` seconds."""
    command = [sys.executable, f"launch/{script}.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=os.environ)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder with the prepared set "tones"."""
    folder = tmp_path_factory.mktemp("data")
    write_prepared_set(folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data_dir):
    """Workdir of a run that was never interrupted."""
    workdir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    done = launch("train", *TRAIN, f"--data_dir={data_dir}", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    return workdir
