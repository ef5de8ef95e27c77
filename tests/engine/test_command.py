"""How a command ends: one line on stderr and a status, whatever went wrong and wherever a signal arrived."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIED = -signal.SIGINT  # which a shell calls 130
SCRIPT = """
import ctypes, errno, os, signal, sys, time, weakref
from sejax.engine.command import Interrupted, run_command
from sejax.errors import InputError

class Leaving:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def main(argv):
    {body}
    print("done")

run_command(main)
"""


def ended(body):
    """Status, stdout and stderr of a command with this body."""
    script = SCRIPT.format(body=body.replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("pass", 0, ""),
        ("raise InputError('config: no such corpus')", 2, "error: config: no such corpus\n"),
        (
            "raise OSError(errno.ENOSPC, 'No space left on device', 'runs/a/results.json')",
            *(2, "error: runs/a/results.json: No space left on device; make room on the disk, and the same command "),
        ),
        ("open('/proc/self/mem/x')", 2, "error: /proc/self/mem/x: Not a directory; name another folder, since a file "),
        ("os.rename('nowhere', 'elsewhere')", 2, "error: nowhere -> elsewhere: No such file or directory\n"),
        (
            "raise PermissionError(errno.EACCES, 'Permission denied', 'data')",
            2,
            "error: data: Permission denied; give ",
        ),
        ("raise TimeoutError", 2, "error: TimeoutError\n"),
        ("signal.raise_signal(signal.SIGTERM)", 143, "SIGTERM received: what was written is whole; "),
        ("signal.raise_signal(signal.SIGINT)", DIED, "SIGINT received: what was written is whole; "),
        ("raise KeyboardInterrupt", DIED, "SIGINT received: what was written is whole; "),
        ("leaving = Leaving()\ndel leaving\ntime.sleep(60)", 143, "SIGTERM received: "),
        (
            "back = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))\nback()\ntime.sleep(60)",
            *(DIED, "SIGINT received: "),
        ),
        (
            "try:\n    signal.raise_signal(signal.SIGTERM)\nexcept Interrupted as it:\n    raise it.saved('runs/a')",
            *(0, "SIGTERM received: saved under runs/a; the same command goes on from here\n"),
        ),
        (
            "try:\n    signal.raise_signal(signal.SIGINT)\nexcept Interrupted as it:\n    raise it.saved('runs/a')",
            *(DIED, "SIGINT received: saved under runs/a; the same command goes on from here\n"),
        ),
    ],
)
def test_a_command_ends_with_one_line_and_a_status(body, status, said):
    found, printed, told = ended(body)
    assert (found, printed) == (status, "done\n" if body == "pass" else "")
    assert told.startswith(said) and told.count("\n") == bool(said)


@pytest.mark.parametrize("saved", [True, False])
def test_a_ctrl_c_ends_a_shells_loop_too(tmp_path, saved):
    raised = "raise it.saved('runs/a')" if saved else "raise"
    waits = f"try:\n    print('begun', flush=True)\n    time.sleep(60)\nexcept Interrupted as it:\n    {raised}"
    (tmp_path / "command.py").write_text(SCRIPT.format(body=waits.replace("\n", "\n    ")))
    loop = f"for turn in 1 2; do PYTHONPATH={ROOT} {sys.executable} {tmp_path}/command.py; done; echo after"
    # What runs in the background of a script ignores SIGINT, and what it starts does too.
    listen = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', sys.argv[1:])"
    command = [sys.executable, "-c", listen, "bash", "-c", loop]
    shell = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert shell.stdout.readline() == "begun\n"
    os.killpg(shell.pid, signal.SIGINT)  # as a terminal does
    assert shell.communicate()[0] == ""
    assert shell.returncode == DIED


def test_a_mistake_of_ours_keeps_its_traceback():
    status, _, told = ended("1 / 0")
    assert status == 1 and "ZeroDivisionError" in told


def test_nobody_who_reads_on_is_one_line_too():
    script = SCRIPT.format(body="print('x' * 10**6)")
    command = f"{sys.executable} -c '{script.replace(chr(39), chr(34))}' | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "error: Broken pipe\n"


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [False, True])
def test_tensorflow_says_nothing_of_itself_among_the_lines_of_progress(verbose):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("no TensorFlow here")
    script = SCRIPT.format(body="import tensorflow as tf\n    list(tf.data.Dataset.range(2))")
    command = [sys.executable, "-c", script, *["--verbosity=0"] * verbose]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and ("oneDNN" in done.stderr) == verbose
    assert verbose or done.stderr == ""
