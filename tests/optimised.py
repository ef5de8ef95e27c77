"""Which tests to run with programs optimised as a user's are, slow ones among them: those of what has changed.

    python tests/optimised.py        # prints the paths for pytest, one a line; none where nothing calls for it

`make test` compiles without optimising (tests/conftest.py) and leaves out what is marked slow: new processes that go on
with every experiment, two devices, two and four processes, whole runs of dcgan, audio_text, transfer and cyclegan,
evaluation of what has several stages, kills of training, sweeps and judging and in every stage of preparing, SIGTERM,
memory while preparing, the largest networks, the paper's and the networks' own sizes beside torch, all that is compared
with Keras, weight files in every format, spectrograms judged from the disk, openSMILE after other libraries, tables of
predictions after kills, the wheel in an environment of its own. Optimised programs may differ in what that cannot show:
in bits between a whole run and one cut into segments, between a member alone and beside others, in figures within a
tolerance. `make test-all` runs every test so; `.ci/run` runs these.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# What a changed file's path begins with, and the tests that look at what is compiled of it.
TESTS = {
    "setup.py": (
        *("tests/audio", "tests/contract", "tests/engine", "tests/experiments", "tests/models", "tests/parity"),
        "tests/test_wheel.py",
    ),
    "tests/conftest.py": ("tests/contract", "tests/engine", "tests/launch/test_kill.py"),
    "sejax/core/": ("tests/contract", "tests/core", "tests/engine", "tests/launch"),
    "sejax/engine/": ("tests/contract", "tests/engine", "tests/launch"),
    "sejax/corpora/": ("tests/data",),
    "sejax/data/": ("tests/contract", "tests/data", "tests/launch"),
    "sejax/audio/": ("tests/audio", "tests/contract"),
    "sejax/models/": ("tests/contract", "tests/models", "tests/parity"),
    "sejax/pretrained/": ("tests/parity",),
    "sejax/experiments/": ("tests/contract", "tests/experiments", "tests/launch", "tests/parity"),
    "sejax/export/": ("tests/export", "tests/launch"),
    "sejax/report/": ("tests/launch",),
    "configs/": ("tests/contract", "tests/launch"),
    "launch/": ("tests/launch",),
    "sejax/commands/": ("tests/launch", "tests/test_wheel.py"),
    **{f"tests/{name}": (f"tests/{name}",) for name in ("contract", "data", "engine", "launch", "models", "parity")},
}
MAIN = ("origin/main", "main")


def changed_files() -> list[str] | None:
    """Paths that differ from where this branch left the main one, or on that from the commit before; None: unknown."""
    head = _git("rev-parse", "HEAD")
    bases = [base for name in MAIN if (base := _git("merge-base", "HEAD", name))]
    since = next((base for base in bases if base != head), "HEAD~1")
    listed = _git("diff", "--name-only", since)
    return None if listed is None else listed.splitlines()


def _git(*arguments: str) -> str | None:
    """What git says, or None where it fails or there is none."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def tests_of(files: Iterable[str] | None) -> list[str]:
    """The tests of these files, sorted; all that the table names where it is not known which have changed."""
    starts = TESTS if files is None else [start for file in files for start in TESTS if file.startswith(start)]
    return sorted({path for start in starts for path in TESTS[start]})


if __name__ == "__main__":
    print(*tests_of(changed_files()), sep="\n", end="")
