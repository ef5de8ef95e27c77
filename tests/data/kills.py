"""Preparations in processes of their own that kill themselves at a chosen place, and interrupted ones in this one."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SCRIPT = """
import os, signal, sys
{setup}
source, data, place, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def deadly(function):
    def call(*arguments, **options):
        global count
        count -= 1
        if count < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

places = {{{places}}}
if place in places:
    owner, name = places[place]
    setattr(owner, name, deadly(getattr(owner, name)))
{call}
"""


@dataclass(frozen=True)
class Preparation:
    """A preparation as Python source: imports and small groups, the functions to die in, the call with source and data.

    places: `"name": (module, "function"),` one after the other.
    """

    setup: str
    places: str
    call: str

    def run(self, source: Path, data: Path, place: str = "", count: int = 0) -> int:
        """Prepare `source` into `data`, killed when the place's function is called after `count` times; exit status."""
        script = _SCRIPT.format(setup=self.setup, places=self.places, call=self.call)
        command = [sys.executable, "-c", script, str(source), str(data), place, str(count)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).returncode

    def killed_and_whole(
        self, source: Path, folder: Path, places: Sequence[tuple[str, int]], *, finished: str, pattern: str = "**/*"
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """The files of a preparation that was killed in one place after the other, and of one that never was.

        `finished`: what a set's files look like that must not be there after a kill; `pattern`: the files to return.
        """
        for place, count in places:
            assert self.run(source, folder / "killed", place, count) == -signal.SIGKILL, place
            assert not list((folder / "killed").glob(finished)), place
        for name in ("killed", "whole"):
            assert self.run(source, folder / name) == 0
        return contents(folder / "killed", pattern), contents(folder / "whole", pattern)


def contents(data: Path, pattern: str = "**/*") -> dict[str, bytes]:
    """Every file under a folder that fits, by its path."""
    return {str(path.relative_to(data)): path.read_bytes() for path in sorted(data.glob(pattern)) if path.is_file()}


def interrupted(monkeypatch, owner, name: str, calls: int) -> list:
    """Let `owner.name` raise KeyboardInterrupt after a number of calls; returns the list of calls' first arguments."""
    original, seen = getattr(owner, name), []

    def function(*arguments, **options):
        if len(seen) == calls:
            raise KeyboardInterrupt
        seen.append(arguments[0])
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, function)
    return seen
