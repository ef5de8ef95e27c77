"""The wheel, installed outside the checkout: what is in it, its commands, the way from nothing to a report."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import wave
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from sejax.commands import COMMANDS
from sejax.core.results import read_results

ROOT = Path(__file__).resolve().parents[1]
_OWN = (ROOT / "docs" / "use.md").read_text(encoding="utf-8").partition("## An experiment of your own")[2]
FILES = dict(re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)\n```$", _OWN, re.MULTILINE | re.DOTALL))


def _pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of what it is made of: in the checkout a build would leave things behind."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    for name in ("sejax", "configs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    try:
        here = int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        here = False
    _pip("wheel", "--no-deps", *["--no-build-isolation"] * here, f"--wheel-dir={folder}", copy)
    (made,) = folder.glob("*.whl")
    return made


class Installed:
    """An environment with the wheel, and an empty folder beside it in which its commands run."""

    def __init__(self, folder: Path):
        self.environment, self.folder = folder / "environment", folder / "empty"
        self.folder.mkdir()
        venv.create(self.environment)
        self.bin = self.environment / "bin"

    def install(self, *arguments):
        """Installs with the pip of the process that runs the tests."""
        _pip("--python", self.bin / "python", "install", *arguments)

    def run(self, *command: str, status: int = 0) -> subprocess.CompletedProcess:
        """Runs a command of the environment in the empty folder."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.bin / command[0]), *command[1:]]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stdout[-2000:] + done.stderr[-2000:]
        return done


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel alone, beside the packages that the tests run with."""
    made = Installed(tmp_path_factory.mktemp("beside"))
    made.install("--no-deps", wheel)
    (packages,) = made.environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


def test_the_wheel_holds_the_package_the_configs_and_nothing_else(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sejax").rglob("*.py")}
    configs = {f"sejax/configs/{path.name}" for path in (ROOT / "configs").glob("*.py")}
    assert held == modules | configs | {"sejax/py.typed"}
    metadata = zipfile.ZipFile(wheel).read("sejax-0.1.0.dist-info/METADATA").decode()
    assert "\nLicense-Expression: Apache-2.0\n" in metadata and "\nClassifier: Typing :: Typed\n" in metadata


def test_sejax_says_which_commands_there_are(installed):
    said = installed.run("sejax", "--help").stdout
    assert all(f"\n  {name} " in said for name in COMMANDS)
    as_module = installed.run("python", "-m", "sejax", "--help").stdout
    assert as_module == said.replace("sejax COMMAND", "python -m sejax COMMAND")
    unknown = installed.run("sejax", "trian", status=2).stderr
    listed = ", ".join(COMMANDS)
    assert unknown == f"error: sejax trian: there is no such command; did you mean train? there are {listed}\n"


def test_configs_go_by_name_and_help_shows_their_fields(installed):
    said = installed.run("sejax", "train", "--config=pseudo_labelling:labelled=0.3", "--help").stdout
    assert "site-packages/sejax/configs/pseudo_labelling.py, with their values for labelled=0.3" in said
    assert "\n  labelled = 0.3\n      a finite number above 0 and up to 1\n" in said
    assert "\n  run.keep = 2\n      a whole number from 1 on\n      the latest, and the one before it" in said


def test_what_errors_advise_is_typed_as_the_command_was(installed):
    asked = ("train", "--config=pseudo_labelling:corpus=emodb", "--workdir=run")
    for called in (("sejax",), ("python", "-m", "sejax")):
        said = installed.run(*called, *asked, status=2).stderr
        assert f"make it with {' '.join(called)} prepare --corpus=emodb --source=DIR " in said


@pytest.fixture
def alone(wheel, tmp_path):
    """The wheel with what it asks for, from the registry: over a gigabyte, which goes when the test is over."""
    made = Installed(tmp_path)
    made.install(f"{wheel}[data,pretrained,synthetic,report]")
    yield made
    shutil.rmtree(made.environment)


@pytest.mark.slow
def test_the_way_from_nothing_to_a_report_needs_nothing_but_what_the_wheel_asks_for(alone, tmp_path):
    made = alone
    made.run("sejax", "prepare", "--corpus=synthetic", "--data_dir=data")
    asked = ("--config=pseudo_labelling:corpus=synthetic,labelled=0.5,runlocal", "--config.run.compilation_cache=")
    said = made.run("sejax", "train", *asked, "--data_dir=data", "--workdir=run").stdout
    assert "macro-F1" in said and "report: run/report.html" in said
    assert "agrees with" in made.run("sejax", "evaluate", "--data_dir=data", "--workdir=run").stdout
    assert "report: run/report.html" in made.run("sejax", "report", "run").stdout
    assert "<svg" in (made.folder / "run" / "report.html").read_text(encoding="utf-8")
    command = read_results(made.folder / "run")["command"]
    assert command == f"sejax train {' '.join(asked)} --data_dir=data --workdir=run"

    package = tmp_path / "package"  # that of docs/use.md
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(text + "\n", encoding="utf-8")
    made.install(package)
    asked = ("--config=mean_spectrum:corpus=synthetic,folds=2", "--config.run.compilation_cache=")
    made.run("sejax", "train", *asked, "--data_dir=data", "--workdir=own")
    assert "agrees with" in made.run("sejax", "evaluate", "--data_dir=data", "--workdir=own").stdout
    assert "report: own/report.html" in made.run("sejax", "report", "own").stdout
    assert "mean spectrum on synthetic" in (made.folder / "own" / "report.html").read_text(encoding="utf-8")
    write_wav(made.folder / "a.wav")
    assert "utterance" in made.run("sejax", "predict", "--workdir=own", "--wav=a.wav").stdout


def write_wav(path: Path) -> None:
    """Three seconds of what WebRTC's detector takes for speech: a voice's harmonics, loud and quiet in turn."""
    time = np.arange(3 * 16000) / 16000
    voice = sum(np.sin(2 * np.pi * 150 * number * time) / number for number in range(1, 20))
    samples = 6000 * voice * (1 + np.sin(2 * np.pi * 4 * time)) / 2
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
