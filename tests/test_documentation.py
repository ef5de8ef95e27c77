"""Commands that README, docs and configs tell the reader to run exist as they are written: scripts, flags, configs."""

import functools
import importlib.util
import re
from pathlib import Path

import pytest

from sejax import experiments

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").glob("*.py"))]
PLACEHOLDER = re.compile(r"\.\.\.|\[|=[A-Z](,|$)")  # of what the reader is to fill in


def commands():
    """(where, script, flags) of every command, lines that go on in the next one joined."""
    for path in TEXTS:
        text = re.sub(r"\\+\n\s*", " ", path.read_text(encoding="utf-8"))
        for script, rest in re.findall(r"launch/(\w+)\.py((?: +\[?--\S+)*)", text):
            yield path.name, script, re.findall(r"--(\w+)(?:=(\S*))?", rest)


@functools.cache
def config_of(name):
    """``get_config`` of a file in configs/."""
    spec = importlib.util.spec_from_file_location(f"documented_{name}", ROOT / "configs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config


def test_scripts_and_their_flags_exist():
    found = list(commands())
    assert len(found) > 50
    for where, script, flags in found:
        defined = (ROOT / "launch" / f"{script}.py").read_text(encoding="utf-8")
        for flag, _ in flags:
            assert f'"{flag}"' in defined or flag == "config", f"{where}: {script}.py --{flag}"


CONFIGS = sorted({value for _, _, flags in commands() for flag, value in flags if flag == "config" and value})
# What the page on adding an experiment makes; tests/experiments/test_adding_an_experiment.py runs its command.
CONFIGS = [value for value in CONFIGS if not value.startswith("configs/foo.py")]


@pytest.mark.parametrize("given", [value for value in CONFIGS if not PLACEHOLDER.search(value)])
def test_configs_take_their_arguments(given):
    name, argument = re.fullmatch(r"configs/(\w+)\.py:?(\S*)", given).groups()
    assert config_of(name)(argument or None).experiment in experiments.EXPERIMENTS
