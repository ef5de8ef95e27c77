"""Launch scripts as a user runs them, in processes of their own, and the runs that tests ask of them."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sejax.core.results import read_results

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/pseudo_labelling.py:corpus=tones,voice_activity=none,weights=random,labelled=0.5,folds=3"
TRAIN = (f"--config={CONFIG}", "--config.epochs=4", "--config.image.size=(64,64)", "--config.run.save_seconds=0.0")
NETWORKS = "models=squeezenet1_1+squeezenet1_0,weights=random,rates=1.0,size=32,images=36+12+12,epochs=3"
TRANSFER = (
    f"--config=configs/transfer.py:corpus=toneschunks,classes=anger+boredom+neutral,{NETWORKS}",
    "--config.run.save_seconds=0.0",
)
CYCLEGAN = (
    "--config=configs/cyclegan.py:runlocal,source=unlabelled,target=emodb",
    *("--config.epochs=8", "--config.pretraining.epochs=8", "--config.run.save_seconds=0.0"),
    *("--config.generator_hidden=(8,)", "--config.discriminator_hidden=(8,)", "--config.classifier_hidden=(4,)"),
)
AUGMENTATION = (
    "--config=configs/augmentation.py:real=emodb,folds=2,repeats=1,lambdas=2.0,updates=4,trainings=real+both",
)


def command_of(script: str, *arguments: str) -> list[str]:
    """The command of launch/SCRIPT.py.

    Its config keeps compiled programs nowhere, so that they are where the session's are (tests/conftest.py) rather
    than in the home folder.
    """
    given = [f"launch/{script}.py", *arguments]
    for place, argument in enumerate(given):
        if argument.startswith("--config="):
            given.insert(place + 1, "--config.run.compilation_cache=")
            break
    return [sys.executable, *given]


def launch(script: str, *arguments: str, timeout: float | None = 300) -> subprocess.CompletedProcess:
    """Runs launch/SCRIPT.py to its end, or kills it with SIGKILL after ``timeout`` seconds."""
    command = command_of(script, *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=os.environ)


def results(workdir: Path) -> dict:
    """What a finished run's results.json holds."""
    return read_results(workdir)


def checkpoints(workdir: Path) -> list[str]:
    """Every checkpoint of a run, by its path in the workdir."""
    kinds = ("checkpoints/*", "variants/*/checkpoints/*", "stages/*/checkpoints/*")
    folders = [folder for kind in kinds for folder in workdir.glob(kind)]
    return sorted(str(path.relative_to(workdir)) for folder in folders for path in folder.glob("[0-9]*"))


def kill_once(
    moment: Callable[[], bool],
    arguments: list[str],
    moments: random.Random,
    *,
    script: str = "train",
    how: signal.Signals = signal.SIGKILL,
) -> int:
    """Starts launch/SCRIPT.py, waits until ``moment()`` and up to 0.3 s more, kills it; the status it ended with."""
    command = command_of(script, *arguments)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not moment():
        time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.3))
    process.send_signal(how)
    return process.wait()
