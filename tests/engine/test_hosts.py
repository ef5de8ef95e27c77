"""Two processes train as one: the same results, signals, errors and checkpoints as of one alone."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from two_processes import READ, WAYS, assembly_of

from sejax.engine import hosts, joining
from sejax.engine.run import run
from sejax.errors import InputError

HERE = Path(__file__).parent


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folder in which two processes have trained, and what each found."""
    folder, port = tmp_path_factory.mktemp("two_processes"), free_port()
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE))),
    }
    command = [sys.executable, str(HERE / "two_processes.py")]
    running = [
        subprocess.Popen([*command, str(i), str(port), str(folder)], env=environment, stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    errors = [process.communicate(timeout=600)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors[0][-2000:] + errors[1][-2000:]
    return folder, [json.loads((folder / f"found{i}.json").read_text()) for i in range(2)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The entries of each way, trained by this process, and what it read."""
    folder, found = tmp_path_factory.mktemp("alone"), {}
    for name in WAYS:
        READ.clear()
        found[name] = {"entries": run(*assembly_of(name), folder / name), "read": list(READ)}
    return found


def assert_alike(found, expected):
    """Entries agree to the rounding of sums that are cut in other places."""
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        assert mine["metrics"].keys() == other["metrics"].keys()
        for name, value in other["metrics"].items():
            assert mine["metrics"][name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("name", WAYS)
def test_two_processes_stopped_and_gone_on_with_come_to_what_one_comes_to(pair, alone, name):
    for found in pair[1]:
        assert found["processes"] == 2 and found[name]["stopped"]
        assert_alike(found[name]["entries"], alone[name]["entries"])
        assert_alike(found[name]["evaluated"], alone[name]["entries"])


@pytest.mark.parametrize(
    ("name", "axis", "members"),
    [
        ("streamed_members", 0, 3),  # of five members and a copy
        ("streamed_rows", 1, None),
    ],
)
def test_each_process_reads_the_members_or_rows_of_its_devices_alone(pair, alone, name, axis, members):
    first, second = (found[name]["read"] for found in pair[1])
    assert len(first) > 20 and {np.shape(whole)[1] for _, whole in first} == {2, 4}  # trained with, and evaluated
    for (own, whole), (other, same) in zip(first, second, strict=True):
        assert whole == same and np.shape(own) == np.shape(other)
        assert np.shape(own) != np.shape(whole) and len(own) == (members or 1)
        np.testing.assert_array_equal(np.concatenate([own, other], axis), whole)
    expected = alone[name]["read"]
    assert 0 < len(expected) < len(first)  # evaluation comes behind
    for (_, whole), (rows, _) in zip(first, expected, strict=False):
        np.testing.assert_array_equal(np.array(whole)[: len(rows)], rows)


def test_each_process_reads_its_part_of_a_checkpoint_alone(pair):
    for found in pair[1]:
        assert found["restored"]["alike"] == [True] * 4
        assert 0.4 < found["restored"]["read"] < 0.55


def test_a_sweep_is_written_by_the_first_process_and_known_to_all(pair):
    first, second = (found["swept"] for found in pair[1])
    assert first["ranking"] == [3, 1, 2, 0, 4, 5] and first["best"] == {"width": 2, "learning_rate": 0.2}
    assert first["failed"] == [None] * 4 + ["too wide"] * 2
    assert (first.pop("writes"), second.pop("writes")) == (1, 0) and first == second
    assert json.loads((pair[0] / "sweep" / "sweep.json").read_text())["ranking"] == first["ranking"]


@pytest.mark.parametrize("name", WAYS)
def test_one_process_goes_on_where_two_were_stopped(pair, alone, name):
    assert_alike(run(*assembly_of(name), pair[0] / f"{name}-half"), alone[name]["entries"])


def test_an_error_of_one_process_ends_all_and_what_it_says_is_heard(pair):
    first, second = (found["refused"] for found in pair[1])
    assert first == ["no", "process 1 says: no", 6, {"from": 0}, 20_000]
    assert second == ["the first process says: no", "no", 6, {"from": 0}, 20_000]


def test_a_process_whose_peer_does_not_come_ends_with_one_line():
    script = f"from sejax.engine.joining import join; join('127.0.0.1:{free_port()}', 2, 0, seconds=3)"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "did not all come within 3 s; start all of them" in done.stderr


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"coordinator_address": "a:1"}, "--num_processes, --process_id missing"),
        ({"coordinator_address": "a:1", "num_processes": 2, "process_id": 2}, "count from 0"),
    ],
)
def test_flags_that_do_not_fit_together_are_refused(monkeypatch, given, complaint):
    names = ("coordinator_address", "num_processes", "process_id", "wait_seconds")
    values = {name: type("Flag", (), {"value": given.get(name)}) for name in names}
    monkeypatch.setattr(joining.flags, "FLAGS", values)
    with pytest.raises(InputError, match=complaint):
        joining.join_by_flags()


@pytest.mark.parametrize("said", [{}, {"SLURM_STEP_NUM_TASKS": "1"}, {"TPU_WORKER_HOSTNAMES": "localhost"}])
def test_a_process_that_has_no_peers_joins_nobody(monkeypatch, said):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(joining, "join", lambda *_, **__: pytest.fail("joined"))
    names = ("coordinator_address", "num_processes", "process_id", "wait_seconds")
    monkeypatch.setattr(joining.flags, "FLAGS", {name: type("Flag", (), {"value": None}) for name in names})
    joining.join_by_flags()
    assert hosts.alone() and hosts.is_first()
    assert hosts.any_of(3) == 3 and hosts.by_first(lambda: "done") == "done"
    np.testing.assert_array_equal(hosts.whole({"x": np.arange(3)})["x"], [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "value"), [("SLURM_STEP_NUM_TASKS", "4"), ("OMPI_COMM_WORLD_SIZE", "2"), ("TPU_WORKER_HOSTNAMES", "a,b")]
)
def test_a_launcher_that_names_peers_is_believed(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    joined = []
    monkeypatch.setattr(joining, "join", lambda *given, seconds: joined.append((given, seconds)))
    values = {"coordinator_address": None, "num_processes": None, "process_id": None, "wait_seconds": 9.0}
    monkeypatch.setattr(joining.flags, "FLAGS", {k: type("Flag", (), {"value": v}) for k, v in values.items()})
    joining.join_by_flags()
    assert joined == [((None, None, None), 9.0)]
