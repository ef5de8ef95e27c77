"""Commands that README, docs, configs and --help tell the reader to run exist as they are written: flags, configs."""

import re
from pathlib import Path

import pytest

from sejax import experiments
from sejax.commands import COMMANDS
from sejax.experiments.configs import load_config

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").glob("*.py"))]
TEXTS += sorted((ROOT / "sejax" / "commands").glob("*.py"))
PLACEHOLDER = re.compile(r"\.\.\.|\[|=[A-Z](,|$)")  # of what the reader is to fill in
SCRIPTS = {
    path.stem: re.search(r"\nfrom sejax.commands import run\n.*\n    run\(\"(\w+)\"\)\n$", path.read_text(), re.S)
    for path in sorted((ROOT / "launch").glob("*.py"))
}


def commands():
    """(where, command, flags) of every command, lines that go on in the next one joined."""
    for path in TEXTS:
        text = re.sub(r"\\+\n\s*", " ", path.read_text(encoding="utf-8"))
        for script, command, rest in re.findall(r"(?:launch/([a-z_]+)\.py|\bsejax ([a-z]+)\b)((?: +\[?--\S+)*)", text):
            if script or command in COMMANDS:
                yield path.name, command or SCRIPTS[script][1], re.findall(r"--(\w+)(?:=(\S*))?", rest)


def test_every_command_has_a_launch_script_that_does_nothing_else():
    assert sorted(found[1] for found in SCRIPTS.values()) == sorted(COMMANDS)
    assert {path.stem for path in (ROOT / "sejax" / "commands").glob("*.py")} == {*COMMANDS, "__init__"}


def test_commands_and_their_flags_exist():
    found = list(commands())
    assert len(found) > 70 and {command for _, command, _ in found} == set(COMMANDS)
    for where, command, flags in found:
        defined = (ROOT / "sejax" / "commands" / f"{command}.py").read_text(encoding="utf-8")
        if "define_flags()" in defined:
            defined += (ROOT / "sejax" / "engine" / "joining.py").read_text(encoding="utf-8")
        if "submitting.define_flags()" in defined:
            defined += (ROOT / "sejax" / "engine" / "submitting.py").read_text(encoding="utf-8")
        for flag, _ in flags:
            assert f'"{flag}"' in defined or flag in ("config", "help"), f"{where}: {command} --{flag}"


CONFIGS = sorted({value for _, _, flags in commands() for flag, value in flags if flag == "config" and value})
# What the pages on experiments of one's own make; their tests in tests/experiments run these commands.
CONFIGS = [value for value in CONFIGS if not value.startswith(("configs/foo.py", "mean_spectrum", "NAME"))]


@pytest.mark.parametrize("given", [value for value in CONFIGS if not PLACEHOLDER.search(value)])
def test_configs_take_their_arguments(given):
    assert load_config(given).experiment in experiments.EXPERIMENTS
