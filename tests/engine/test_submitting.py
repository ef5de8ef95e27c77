"""Commands as jobs: what is asked of SLURM, and how a job that is preempted saves and goes on."""

import os
import signal
import sys
import time

import pytest
from absl import flags
from absl.testing import flagsaver

from sejax.engine import submitting
from sejax.engine.submitting import Command, submitted
from sejax.errors import InputError

submitit = pytest.importorskip("submitit")

# Stands in for `sejax train`: saves at SIGTERM, ends with status 0, and is finished when it goes on.
TRAINS = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def save(*_):
    (folder / "saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
if (folder / "saved").exists():
    (folder / "results.json").touch()
    sys.exit(0)
(folder / "begun").touch()
time.sleep(60)
"""


@pytest.fixture
def asked():
    """Values of the flags, by name."""
    if "submit" not in flags.FLAGS:
        submitting.define_flags()
    flags.FLAGS.mark_as_parsed()
    return lambda **values: flagsaver.flagsaver(**values)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """SLURM's programs, of which sbatch keeps what it is given."""
    sbatch = f'cp "$1" {tmp_path}/script; echo Submitted batch job 7'
    for name, does in (("srun", ""), ("sbatch", sbatch), ("squeue", "")):
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "script"


def wait_for(path):
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.05)


def test_slurm_is_asked_for_a_process_on_each_node_and_told_early_enough_to_save(asked, slurm, tmp_path, capsys):
    given = ["--config=dcgan", "--submit", "slurm", "--submit_nodes=4", "--workdir=runs/a", "-submit_gpus=8"]
    options = {"submit_partition": "fast", "submit_options": ["slurm_account=me", "cpus_per_task=16"]}
    with asked(submit="slurm", submit_nodes=4, submit_gpus=8, submit_hours=2.5, **options):
        assert submitted(tmp_path / "run", tmp_path / "run" / "results.json", given)
    lines = slurm.read_text().splitlines()
    wanted = ("nodes=4", "ntasks-per-node=1", "gpus-per-node=8", "partition=fast", "time=150", "account=me", "requeue")
    assert {f"#SBATCH --{option}" for option in (*wanted, "cpus-per-task=16", "signal=USR2@300")} <= set(lines)
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("job 7: ") and said.endswith("-m sejax train --config=dcgan --workdir=runs/a")


def test_nothing_is_submitted_where_nobody_asked(asked, tmp_path):
    with asked(submit=None):
        assert not submitted(tmp_path, tmp_path / "results.json", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "values, said",
    [
        ({}, "--submit=slurm: Could not detect"),
        ({"submit_options": ["account"]}, "--submit_options=account: give NAME=VALUE"),
        ({"submit": "local", "submit_options": ["slurm_acount=me"]}, "--submit=local: .*acount"),
        ({"submit": "local", "submit_nodes": 2}, "--submit=local: LocalExecutor can use only one node"),
    ],
)
def test_what_the_scheduler_would_refuse_is_one_line(asked, tmp_path, monkeypatch, values, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    with asked(**{"submit": "slurm"} | values), pytest.raises(InputError, match=said):
        submitted(tmp_path, tmp_path / "results.json", [])


@pytest.mark.parametrize("told", ["the scheduler's signal", "the command's SIGTERM"])
def test_a_preempted_job_saves_is_queued_again_and_goes_on(tmp_path, told):
    command = Command([sys.executable, "-c", TRAINS, str(tmp_path)], str(tmp_path / "results.json"))
    executor = submitit.LocalExecutor(tmp_path / "jobs")
    executor.update_parameters(timeout_min=60)
    job = executor.submit(command)
    wait_for(tmp_path / "begun")
    (task,) = children(job._process.pid)
    if told == "the scheduler's signal":
        os.kill(task, signal.SIGUSR2)
    else:
        os.kill(children(task)[0], signal.SIGTERM)
    assert job.result() is None and (tmp_path / "results.json").exists() and (tmp_path / "saved").exists()
    assert "Requeued job" in job.paths.stdout.read_text()


def test_a_command_that_fails_is_not_queued_again(tmp_path):
    command = Command([sys.executable, "-c", "raise SystemExit(2)"], str(tmp_path / "results.json"))
    job = submitit.LocalExecutor(tmp_path / "jobs").submit(command)
    job._process.wait()
    said = job.paths.stdout.read_text()
    assert "Starting with" in said and "Requeued" not in said and "Job completed" not in said


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(word) for word in file.read().split()]
