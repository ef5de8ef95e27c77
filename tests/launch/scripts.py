"""Launch scripts as a user runs them, in processes of their own, and the runs that tests ask of them.

A process begins as a copy of one that has imported what most scripts do, which is a third of what a toy run takes; with
SEJAX_OPTIMISED=1 it begins as a user's does.
"""

import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sejax.audio.samples import to_int16
from sejax.core.results import read_results
from sejax.corpora.waveform import decode
from sejax.errors import InputError

OPTIMISED = os.environ.get("SEJAX_OPTIMISED", "0") != "0"
_COPIES = multiprocessing.get_context("forkserver")
_COPIES.set_forkserver_preload(["sejax.experiments.training", "ml_collections.config_flags", "matplotlib.figure"])

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/pseudo_labelling.py:corpus=tones,level=none,voice_activity=none,weights=random,labelled=0.5,folds=3"
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


class Script:
    """launch/SCRIPT.py in a process of its own.

    Its config keeps compiled programs nowhere, so that they are where the session's are (tests/conftest.py) rather
    than in the home folder.
    """

    def __init__(self, script: str, *arguments: str):
        command = [f"launch/{script}.py", *arguments]
        for place, argument in enumerate(command):
            if argument.startswith("--config="):
                command.insert(place + 1, "--config.run.compilation_cache=")
                break
        self._folder = tempfile.TemporaryDirectory()
        self._said = [Path(self._folder.name, stream) for stream in ("stdout", "stderr")]
        if OPTIMISED:
            files = [path.open("w") for path in self._said]
            self._process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=files[0], stderr=files[1])
            self._status = self._process.poll
        else:
            self._process = _COPIES.Process(target=_run, args=(command, *self._said))
            self._process.start()
            self._status = lambda: self._process.exitcode

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._status() is None

    def send(self, how: signal.Signals) -> None:
        """Sends it a signal."""
        if self.running():
            os.kill(self._process.pid, how)

    def end(self, timeout: float = 600.0) -> subprocess.CompletedProcess:
        """Its status and what it said, when it has ended; it is killed where it takes longer, in seconds."""
        latest = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > latest:
                self.send(signal.SIGKILL)
            time.sleep(0.01)
        done = subprocess.CompletedProcess(self._process, self._status(), *(path.read_text() for path in self._said))
        self._folder.cleanup()
        return done


def _run(command: list[str], stdout: Path, stderr: Path) -> None:
    """Runs a script in a copied process."""
    for stream, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    os.chdir(ROOT)
    sys.argv = command
    sys.path[0] = str(ROOT / "launch")
    runpy.run_path(command[0], run_name="__main__")


def launch(script: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs launch/SCRIPT.py to its end."""
    return Script(script, *arguments).end()


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
    process = Script(script, *arguments)
    while process.running() and not moment():
        time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.3))
    process.send(how)
    return process.end().returncode


def check_every_rate(predict: Callable, waveform: np.ndarray, *text: str, alike: float) -> None:
    """A recording int16[T] at 16 kHz is heard at any rate as a file of that rate is, and none is passed over.

    Args:
      predict: ``predict(waveform, rate, *text)``.
      alike: how far a posterior may be from that at 16 kHz, where the rate is higher and nothing is lost.
    """
    soxr = pytest.importorskip("soxr", reason="other rates are resampled by the package soxr")
    soundfile = pytest.importorskip("soundfile")
    original = predict(waveform, 16000, *text)
    for rate in (8000, 22050, 44100):
        other = to_int16(soxr.resample(waveform / np.float32(32768), 16000, rate))
        found = predict(other, rate, *text)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            soundfile.write(file.name, other, rate)
            of_file = predict(decode(file.name).waveform, 16000, *text)
        for name in ("start", "end", "posteriors"):
            np.testing.assert_allclose(getattr(found, name), getattr(of_file, name), atol=1e-6, err_msg=f"{rate}")
        assert abs(found.end[-1] - original.end[-1]) < 0.1  # in seconds; the voice detector may hear a frame more
        if rate > 16000:
            np.testing.assert_allclose(found.utterance, original.utterance, atol=alike, err_msg=f"{rate}")
    for rate in (0, -16000, True, "16000", float("nan")):
        with pytest.raises(InputError, match="a sampling rate of"):
            predict(waveform, rate, *text)
