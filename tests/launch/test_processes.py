"""Two and four processes on one machine: they train as one, are killed, go on, evaluate, and predict into one table."""

import os
import socket
import subprocess
import sys
import time

import pytest
import rated_iemocap
from scripts import CYCLEGAN, ROOT, checkpoints, launch, results

from sejax.engine.workdir import read_claim

pytestmark = pytest.mark.slow

COMPILER = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # compiling costs most
PATIENCE = 60  # seconds until a process that was killed is noticed
AUDIO_TEXT = (
    "--config=configs/audio_text.py:corpus=iemocap,runlocal",
    *("--config.fusions=('att_d_1',)", "--config.folds=3"),
)
HEAD = (
    "--config=configs/pseudo_labelling.py:corpus=tones,level=none,voice_activity=none,weights=random,labelled=0.5",
    *("--config.folds=2", "--config.seeds=2", "--config.epochs=4", "--config.image.size=(64,64)"),
)
GANS = tuple(flag for flag in CYCLEGAN if "save_seconds" not in flag)
# Of each run: what is typed, how its members and batches lie on two and on four devices, and how far figures may be
# from those of one process. Where sums over a batch are cut in other places every update differs in its last bits.
CASES = {
    "pseudo_labelling": (HEAD, {4: {"member": 4, "data": 1}}, 1e-5),
    "cyclegan": (GANS, {4: {"member": 1, "data": 4}}, 1e-3),
    "audio_text": (AUDIO_TEXT, {2: {"member": 1, "data": 2}, 4: {"member": 1, "data": 4}}, 1e-4),
}
RUNS = [(name, count) for name, (_, counts, _) in CASES.items() for count in counts]


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """Tree of a part of IEMOCAP."""
    return rated_iemocap.rated_tree(tmp_path_factory.mktemp("originals") / "iemocap")


@pytest.fixture(scope="session")
def data_of(tmp_path_factory, data_dir, vectors_dir, originals):
    """The folder with each run's prepared sets."""
    folder = tmp_path_factory.mktemp("spoken")
    given = ("--corpus=iemocap", f"--source={originals}", f"--data_dir={folder}")
    done = launch("prepare", *given, "--features=waveforms", "--allow_partial")
    assert done.returncode == 0, done.stderr
    return {"pseudo_labelling": data_dir, "cyclegan": vectors_dir, "audio_text": folder}


class Together:
    """launch/SCRIPT.py as so many processes on this machine, with one device each, or one process with more."""

    def __init__(self, script, *arguments, count=1, devices=1):
        with socket.socket() as opened:
            opened.bind(("127.0.0.1", 0))
            port = opened.getsockname()[1]
        flags = [COMPILER, f"--xla_force_host_platform_device_count={devices}"]
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(flags)}
        command = [sys.executable, f"launch/{script}.py", *arguments]
        if script == "train":
            command.append("--config.run.compilation_cache=")
        if count > 1:
            command += [f"--coordinator_address=127.0.0.1:{port}", f"--num_processes={count}"]
            command += [f"--wait_seconds={PATIENCE}"]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT}
        self.processes = [
            subprocess.Popen([*command, *[f"--process_id={number}"] * (count > 1)], env=environment, **streams)
            for number in range(count)
        ]

    def kill(self, *numbers):
        """kill -9."""
        for number in numbers:
            self.processes[number].kill()

    def end(self):
        """Their statuses, and what the first said."""
        try:
            said = [process.communicate(timeout=1800)[0] for process in self.processes]
        finally:
            self.kill(*range(len(self.processes)))
        return [process.returncode for process in self.processes], said[0]


def finish(*arguments, **how):
    """What the first process of a command says that all of them end well."""
    statuses, said = Together(*arguments, **how).end()
    assert set(statuses) == {0}, said[-3000:]
    return said


def given(name, data_of, workdir):
    """The arguments of a run."""
    return (*CASES[name][0], f"--data_dir={data_of[name]}", f"--workdir={workdir}")


@pytest.fixture(scope="session")
def one_process(tmp_path_factory, data_of):
    """The workdir of each run on one process that nobody killed, trained where a test asks."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("one") / name
            finish("train", *given(name, data_of, made[name]))
        return made[name]

    return get


def kill_behind_a_checkpoint(workdir, arguments, count, numbers):
    """Trains an update a segment, kills some of the processes once there is another checkpoint; as `Together.end`."""
    before = checkpoints(workdir)
    together = Together("train", *arguments, "--config.run.save_seconds=0.0", count=count)
    while all(process.poll() is None for process in together.processes) and checkpoints(workdir) in (before, []):
        time.sleep(0.02)
    together.kill(*numbers)
    return together.end()


def assert_alike(found, expected, within):
    """Members have the same history and figures to a tolerance; None: to the bit."""
    assert len(found["members"]) == len(expected["members"])
    for member, other in zip(found["members"], expected["members"], strict=True):
        assert member["metrics"].keys() == other["metrics"].keys() and member["failed"] == other["failed"]
        both = ([one["metrics"], *one["history"]] for one in (member, other))
        for mine, theirs in zip(*both, strict=True):
            assert mine == (theirs if within is None else pytest.approx(theirs, abs=within, nan_ok=True))


@pytest.mark.parametrize(("name", "count"), RUNS)
def test_processes_that_are_killed_come_to_what_one_comes_to(tmp_path, data_of, one_process, name, count):
    workdir = tmp_path / "run"
    arguments = given(name, data_of, workdir)
    statuses, said = kill_behind_a_checkpoint(workdir, arguments, count, range(count))
    assert statuses == [-9] * count and checkpoints(workdir), said[-2000:]
    if count == 2:
        statuses, said = kill_behind_a_checkpoint(workdir, arguments, count, [1])
        assert statuses[1] == -9 and statuses[0] not in (0, -9), said[-2000:]  # it has noticed by itself
    assert "going on in" in finish("train", *arguments, count=count)
    found = results(workdir)
    (folder,) = list(workdir.glob("variants/*")) or [workdir]
    placed = read_claim(folder)["environment"]["placement"]
    assert {axis: placed[axis] for axis in ("member", "data")} == CASES[name][1][count]
    assert_alike(found, results(one_process(name)), CASES[name][2])
    assert "agrees with" in finish("evaluate", f"--data_dir={data_of[name]}", f"--workdir={workdir}", count=count)


def test_where_members_alone_are_spread_processes_and_devices_give_the_same_bits(tmp_path, data_of):
    for folder, how in (("processes", {"count": 2}), ("devices", {"devices": 2})):
        finish("train", *given("pseudo_labelling", data_of, tmp_path / folder), **how)
    assert results(tmp_path / "processes")["environment"]["placement"] == {"devices": 2, "member": 2, "data": 1}
    assert_alike(results(tmp_path / "processes"), results(tmp_path / "devices"), None)


def test_several_processes_predict_into_one_table(tmp_path, one_process, originals):
    files = sorted(str(path) for path in originals.rglob("*.wav"))[:7]
    lines = ["path,transcript", *(f"{file},so good" for file in files)]
    (tmp_path / "files.csv").write_text("\n".join(lines) + "\n")
    asked = (f"--workdir={one_process('audio_text')}", f"--csv={tmp_path / 'files.csv'}", "--rows=utterance,block")
    for count in (1, 2):
        finish("predict", *asked, f"--output_table={tmp_path / str(count)}.csv", count=count)
    assert (tmp_path / "2.csv").read_text() == (tmp_path / "1.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.csv", "2.csv", "files.csv"]
    statuses, said = Together("predict", f"--workdir={one_process('audio_text')}", f"--wav={files[0]}", count=2).end()
    assert statuses == [2, 2] and "give --output_table" in said
