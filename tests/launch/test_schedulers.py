"""The scripts for SLURM and Cloud TPU, beside stand-ins for the schedulers' programs."""

import os
import subprocess
from pathlib import Path

import pytest

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
SAYS = '#!/usr/bin/env bash\necho "{name} $*" >> "{log}"\n'


@pytest.fixture
def scheduled(tmp_path):
    """Runs a script whose programs note how they are called; {name: what they do then}: (status, notes, printed)."""

    def run(script, *arguments, **programs):
        log = tmp_path / "log"
        log.touch()
        for name, does in programs.items():
            program = tmp_path / name
            program.write_text(SAYS.format(name=name, log=log) + does + "\n")
            program.chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "PAUSE": "0"}
        command = ["bash", str(LAUNCH / script), *arguments]
        environment |= {"TPU": "slice", "ZONE": "here"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, log.read_text().splitlines(), done.stdout + done.stderr

    return run


def test_a_slurm_job_that_was_stopped_is_queued_again_until_it_is_finished(scheduled, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    asked = ("--config=dcgan", f"--workdir={workdir}")
    train = f"srun --kill-on-bad-exit=1 sejax train {' '.join(asked)}"
    status, notes, printed = scheduled("slurm/train.sbatch", *asked, srun="exit 0", scontrol="")
    assert (status, notes) == (0, [train, "scontrol requeue 7"]) and "queued again" in printed
    status, notes, _ = scheduled("slurm/train.sbatch", *asked, srun=f"touch {workdir}/results.json", scontrol="")
    assert (status, notes[2:]) == (0, [train])


def test_a_slurm_job_that_fails_is_not_queued_again(scheduled, tmp_path):
    status, notes, _ = scheduled("slurm/train.sbatch", f"--workdir={tmp_path}", srun="exit 2", scontrol="")
    assert status == 2 and len(notes) == 1


def test_a_tpu_run_is_started_again_until_it_is_finished(scheduled, tmp_path):
    workdir = tmp_path / "my run"
    workdir.mkdir()
    # The first start loses a host, the second finishes; what is asked for on the hosts is run here.
    does = f"""
case "$*" in
  *"sejax train"*) [ -f "{tmp_path}/once" ] && touch "{workdir}/results.json"; touch "{tmp_path}/once"; exit 1 ;;
esac
for last; do :; done
eval "${{last#--command=}}"
"""
    status, notes, printed = scheduled("tpu/train.sh", "--config=dcgan", f"--workdir={workdir}", gcloud=does)
    assert status == 0 and printed.count("starting again") == 1
    place = str(workdir).replace(" ", "\\ ")
    assert notes[0].endswith(f"--worker=all --command=sejax train --config=dcgan --workdir={place}")
    assert sum("sejax train" in note for note in notes) == 2


@pytest.mark.parametrize("script", ["slurm/train.sbatch", "tpu/train.sh"])
def test_a_command_without_a_workdir_or_with_bad_input_ends_at_once(scheduled, script, tmp_path):
    status, notes, printed = scheduled(script, "--config=dcgan", srun="", gcloud="")
    assert status == 2 and not notes and "--workdir" in printed
    refused = f"--workdir={tmp_path / 'none'}"
    status, notes, _ = scheduled(script, refused, srun="exit 2", gcloud="exit 2", scontrol="")
    assert status == 2 and len(notes) == 1
