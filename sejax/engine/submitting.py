"""A command that runs as a job of a scheduler, through submitit: `sejax train --submit=slurm ...`.

The job is the same command without these flags, a process of it on each node; they find each other as under any srun
(`sejax.engine.joining`). Where the job is preempted, or its time is nearly over, the command is stopped by SIGTERM,
saves as ever, and the job is queued again until there is a results.json.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sejax.errors import InputError, needs

SECONDS_TO_SAVE = 300  # before its end, a job is told to save
_TIMES = 1_000_000  # that a job may be queued again because its time was over


def define_flags() -> None:
    """Flags of a script that may be submitted; `submitted` obeys them."""
    flags.DEFINE_enum("submit", None, ["slurm", "local"], "run as a job: of SLURM, or beside this shell, to try it")
    flags.DEFINE_string("submit_partition", None, "SLURM's partition (default: the cluster's)")
    flags.DEFINE_integer("submit_nodes", 1, "nodes, a process on each", lower_bound=1)
    flags.DEFINE_integer("submit_gpus", 0, "GPUs of each node; with 0, --submit=local hides those here", lower_bound=0)
    flags.DEFINE_float("submit_hours", 24.0, "hours until the job is queued again", lower_bound=0.2)
    flags.DEFINE_list("submit_options", [], "further options as submitit calls them: slurm_account=me,cpus_per_task=16")
    flags.DEFINE_string("submit_folder", None, "the job's files and logs (default: WORKDIR/submitted)")


def submitted(workdir: Path, finished: Path, arguments: Sequence[str]) -> bool:
    """Whether the flags asked for a job, which then is submitted and told of; False: the command is to run here.

    Args:
      workdir: where the job's files go by default.
      finished: the file that says that no more is to be done.
      arguments: of this process, ``sys.argv[1:]``.

    Raises:
      InputError: submitit is missing, there is no such scheduler here, or it refuses an option.
    """
    values = flags.FLAGS
    if values.submit is None:
        return False
    with needs("submit"):
        import submitit
    folder = Path(values.submit_folder) if values.submit_folder else workdir / "submitted"
    if not isinstance(folder, os.PathLike):
        raise InputError(f"--submit: {folder} is no folder that nodes share; give --submit_folder=DIR")
    options = {"name": "sejax", "nodes": values.submit_nodes, "tasks_per_node": 1}
    options |= {"timeout_min": round(60 * values.submit_hours), "gpus_per_node": values.submit_gpus}
    if values.submit == "slurm":
        options |= {"slurm_signal_delay_s": SECONDS_TO_SAVE, "slurm_additional_parameters": {"requeue": True}}
        options |= {"slurm_partition": values.submit_partition} if values.submit_partition else {}
    for option in values.submit_options:
        name, given, value = option.partition("=")
        if not given:
            raise InputError(f"--submit_options={option}: give NAME=VALUE, several with commas between them")
        options[name] = int(value) if value.isdecimal() else value
    command = Command([sys.executable, "-m", "sejax", "train", *_without_flags(arguments)], str(finished))
    try:
        executor = submitit.AutoExecutor(folder, cluster=values.submit, **{f"{values.submit}_max_num_timeout": _TIMES})
        executor.update_parameters(**options)
        job = executor.submit(command)
    except (RuntimeError, ValueError, TypeError, NameError, submitit.core.utils.FailedJobError) as error:
        told = " ".join(str(error).split())[:500]
        raise InputError(f"--submit={values.submit}: {told}; look at the --submit_ flags") from None
    print(f"job {job.job_id}: {' '.join(command.words)}\nlogs: {job.paths.stdout}, {job.paths.stderr}")
    return True


def _without_flags(arguments: Sequence[str]) -> list[str]:
    """The arguments without the flags of `define_flags` and their values."""
    kept, follows = [], False
    for word in arguments:
        name, given, _ = word.lstrip("-").partition("=")
        own = word.startswith("-") and (name == "submit" or name.startswith("submit_"))
        if not own and not follows:
            kept.append(word)
        follows = own and not given
    return kept


class Command:
    """What a job calls: a command as a process of its own, begun again by whichever job goes on."""

    def __init__(self, words: Sequence[str], finished: str):
        self.words, self.finished, self.folder = list(words), finished, os.getcwd()
        self._process: int | None = None

    def __call__(self) -> None:
        """Runs it to its end; where it was stopped before, submitit is told, which calls `checkpoint`."""
        import submitit

        here = submitit.JobEnvironment()
        told = getattr(signal, f"SIG{here.USR_SIG}")
        # The scheduler tells all processes of the job, the command too, which knows SIGTERM alone and would die of it.
        begun = subprocess.Popen(self.words, cwd=self.folder, preexec_fn=lambda: signal.signal(told, signal.SIG_IGN))
        self._process = begun.pid
        status = self._wait()
        if status:
            raise SystemExit(status)
        if here.global_rank == 0 and not _exists(self.finished):  # SIGTERM reached the command alone
            signal.raise_signal(told)

    def checkpoint(self):
        """Has the command save and end; returns what the next job calls. submitit calls it on the first process."""
        import submitit

        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGTERM)
            self._wait()
        if _exists(self.finished):
            return None
        return submitit.helpers.DelayedSubmission(self.again())

    def again(self) -> "Command":
        """The same command, not begun."""
        other = Command(self.words, self.finished)
        other.folder = self.folder
        return other

    def _wait(self) -> int:
        """The command's status. Not by `subprocess`, whose lock `checkpoint` would wait for, called in a signal."""
        with contextlib.suppress(ChildProcessError):  # it is waited for already
            while not (found := os.waitpid(self._process, os.WNOHANG))[0]:
                time.sleep(0.2)
            return os.waitstatus_to_exitcode(found[1])
        return 0


def _exists(path: str) -> bool:
    from sejax.core.stores import exists, path_of

    return exists(path_of(path))
