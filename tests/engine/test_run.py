"""The driver: it restores, cuts, saves, logs and reports, and none of that changes what is learned."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from toy import EPOCHS, ITERATIONS, member_alone, toy_assembly

from sejax.engine import run as driver
from sejax.engine import segment as segment_module
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.run import Interrupted, RunSettings, evaluate, groups, run
from sejax.engine.segment import make_segment
from sejax.errors import InputError

ONE_BY_ONE = RunSettings(save_seconds=0.0, tensorboard=False)  # a checkpoint after every update
BROKEN = {"rates": (0.05, 1e30, 0.2)}


@pytest.fixture
def budgets(monkeypatch, segments):
    """The budget of every segment that the driver asks for; its programs are compiled once for all tests.

    ``interrupt_after`` segments (if set) SIGTERM arrives while a segment is running.
    """
    asked = SimpleNamespace(calls=[], interrupt_after=None, kind=signal.SIGTERM)

    def prepared(assembly, *, backend, how, constrain, share):
        del assembly, constrain, share
        segment = segments(backend, how)

        def advance(data, carry, updates):
            asked.calls.append(updates)
            if len(asked.calls) == asked.interrupt_after:
                signal.raise_signal(asked.kind)
            return segment.advance(data, carry, updates)

        return segment._replace(advance=advance)

    monkeypatch.setattr(driver, "make_segment", prepared)
    return asked


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Entries and workdir of one run with the driver as it is."""
    workdir = tmp_path_factory.mktemp("uninterrupted")
    return run(toy_assembly(), RunSettings(), workdir), workdir


def test_every_member_has_an_entry_with_its_name_and_the_epochs_that_took_place(uninterrupted):
    entries, _ = uninterrupted
    assert [entry["fold"] for entry in entries] == [0, 1, 2]
    for row, (entry, epochs) in enumerate(zip(entries, (EPOCHS, 2, EPOCHS), strict=True)):
        history, records, _ = member_alone(toy_assembly(), row)
        assert entry["failed"] is None
        expected = [(i + 1, e + 1) for i in range(ITERATIONS) for e in range(epochs)]
        assert [(found["iteration"], found["epoch"]) for found in entry["history"]] == expected
        for found in entry["history"]:
            for name, values in history.items():
                np.testing.assert_allclose(found[name], values[found["iteration"] - 1, found["epoch"] - 1], rtol=1e-5)
        np.testing.assert_allclose(entry["metrics"]["test/loss"], records[-1]["loss"], rtol=1e-5)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_run_interrupted_after_every_few_segments_ends_as_if_it_never_was(tmp_path, uninterrupted, budgets, kind):
    budgets.kind, handler = kind, signal.getsignal(kind)
    cuts = (1, 2, 4, 3, 9)
    for segments_until in cuts:
        budgets.calls.clear()
        budgets.interrupt_after = segments_until
        with pytest.raises(Interrupted, match=kind.name):
            run(toy_assembly(), ONE_BY_ONE, tmp_path)
        assert len(budgets.calls) == segments_until  # the segment at hand was finished, and no other begun
        assert signal.getsignal(kind) is handler
    budgets.calls.clear()
    budgets.interrupt_after = None
    entries = run(toy_assembly(), ONE_BY_ONE, tmp_path)
    assert len(budgets.calls) == 24 - sum(cuts)  # nothing was done twice
    assert entries == uninterrupted[0]


def test_a_finished_run_reports_without_training(uninterrupted, budgets):
    entries, workdir = uninterrupted
    assert run(toy_assembly(), RunSettings(), workdir) == entries
    assert budgets.calls == []


def test_segments_begin_with_one_update_and_grow_towards_the_time_between_saves(tmp_path, budgets):
    run(toy_assembly(), RunSettings(save_seconds=1e6, tensorboard=False), tmp_path)
    assert budgets.calls == [1, 8, 64]


@pytest.mark.slow
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("at_once", [1, 2])
def test_members_in_groups_come_to_what_they_come_to_together(tmp_path, uninterrupted, budgets, at_once):
    settings = RunSettings(ensemble="map", members_at_once=at_once, tensorboard=False)
    together = run(toy_assembly(), settings._replace(members_at_once=0), tmp_path / "together")
    assert run(toy_assembly(), settings, tmp_path / "groups") == together
    folders = sorted(path.name for path in (tmp_path / "groups" / "checkpoints").iterdir())
    assert folders == {1: ["members_0-0", "members_1-1", "members_2-2"], 2: ["members_0-1", "members_2-2"]}[at_once]


def test_groups_are_ranges_of_at_most_so_many_members():
    assert groups(5, 0) == [(0, 5)]
    assert groups(5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert groups(3, 7) == [(0, 3)]


def test_another_seed_gives_another_run(tmp_path, uninterrupted, budgets):
    entries = run(toy_assembly(), RunSettings(tensorboard=False), tmp_path, seed=1)
    for found, other in zip(entries, uninterrupted[0], strict=True):
        assert found["metrics"] != other["metrics"]


def test_a_failed_member_says_when_and_why_and_the_others_are_as_ever(tmp_path, uninterrupted, budgets):
    entries = run(toy_assembly(**BROKEN), ONE_BY_ONE, tmp_path)
    assert entries[1]["failed"]["step"] == 1
    assert "not finite at update 1" in entries[1]["failed"]["reason"]
    assert entries[1]["history"] == []
    assert [entries[0], entries[2]] == [uninterrupted[0][0], uninterrupted[0][2]]


def test_a_run_of_which_every_member_failed_ends_and_says_so(tmp_path, budgets):
    entries = run(toy_assembly(rates=(1e30,) * 3), ONE_BY_ONE, tmp_path)
    assert [entry["failed"]["step"] for entry in entries] == [1, 1, 1]


def test_evaluate_recomputes_the_figures_from_the_checkpoint(uninterrupted):
    entries, workdir = uninterrupted
    found = evaluate(toy_assembly(), RunSettings(), workdir)
    for entry, expected in zip(found, entries, strict=True):
        assert (entry["fold"], entry["seed"]) == (expected["fold"], expected["seed"])
        np.testing.assert_allclose(entry["metrics"]["test/loss"], expected["metrics"]["test/loss"], rtol=1e-6)


def test_training_goes_on_from_the_checkpoint_before_a_damaged_one_and_evaluation_does_not(
    tmp_path, uninterrupted, budgets, capsys
):
    budgets.interrupt_after = 6
    with pytest.raises(Interrupted):
        run(toy_assembly(), ONE_BY_ONE, tmp_path)
    folder = tmp_path / "checkpoints" / "members_0-2"
    last = max(folder.iterdir(), key=lambda path: int(path.name))
    file = max((path for path in last.rglob("d/*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"{file} is damaged"):
        evaluate(toy_assembly(), RunSettings(), tmp_path)
    budgets.calls.clear()
    budgets.interrupt_after = None
    assert run(toy_assembly(), ONE_BY_ONE, tmp_path) == uninterrupted[0]
    assert len(budgets.calls) == 24 - 6 + 1  # one was lost
    assert f"{file} is damaged" in capsys.readouterr().err


def test_evaluate_without_a_checkpoint_is_an_error_that_names_the_members(tmp_path, budgets):
    with pytest.raises(InputError, match="no checkpoint of members 0 to 2"):
        evaluate(toy_assembly(), RunSettings(), tmp_path)


def test_only_the_last_checkpoint_is_left_without_what_training_alone_reads(tmp_path, uninterrupted, monkeypatch):
    folder = uninterrupted[1] / "checkpoints" / "members_0-2"
    (last,) = sorted(int(path.name) for path in folder.iterdir())
    assert last == 24 + 16 + 24 + ITERATIONS + 1
    assert int(Checkpoints(folder).read()["iteration"]) == ITERATIONS
    assert "state/limit" in Checkpoints(folder).read()  # small arrays stay
    monkeypatch.setattr(segment_module, "SMALL", 0)
    entries = run(toy_assembly(), RunSettings(tensorboard=False), tmp_path, asked_for=lambda: ("rate",))
    left = Checkpoints(tmp_path / "checkpoints" / "members_0-2").read()
    assert {"state/slope", "state/rate", "history/train/loss", "iteration"} <= left.keys()
    assert not {"state/limit", "state/key", "state/order"} & left.keys()
    assert evaluate(toy_assembly(), RunSettings(), tmp_path)[0]["metrics"] == pytest.approx(entries[0]["metrics"])
    again = run(toy_assembly(), RunSettings(tensorboard=False), tmp_path)  # its results were lost, say
    assert again == entries


def test_a_checkpoint_of_what_is_not_finished_has_all_of_the_state(tmp_path, budgets, monkeypatch):
    monkeypatch.setattr(segment_module, "SMALL", 0)
    budgets.interrupt_after = 3
    with pytest.raises(Interrupted):
        run(toy_assembly(), ONE_BY_ONE, tmp_path)
    left = Checkpoints(tmp_path / "checkpoints" / "members_0-2").read()
    assert {"state/limit", "state/key", "state/order"} <= left.keys()


def test_progress_is_one_line_with_iteration_members_epochs_and_loss(tmp_path, budgets, capsys):
    run(toy_assembly(), RunSettings(save_seconds=1e6, tensorboard=False), tmp_path)
    last = capsys.readouterr().err.split("\r")[-1]
    for text in (
        "iteration 2/2",
        "0 of 3 members training",
        f"{ITERATIONS * EPOCHS}/{ITERATIONS * EPOCHS}",
        "train/loss",
    ):
        assert text in last


def test_tensorboard_gets_one_curve_per_member_and_metric(uninterrupted):
    entries, workdir = uninterrupted
    curves = _curves(workdir / "events")
    assert set(curves) == {f"{part}/loss/fold{fold}_seed0" for part in ("train", "valid") for fold in range(3)}
    for fold, entry in enumerate(entries):
        steps = [(row["iteration"] - 1) * EPOCHS + row["epoch"] - 1 for row in entry["history"]]
        for part in ("train", "valid"):
            found = curves[f"{part}/loss/fold{fold}_seed0"]
            assert found == {step: row[f"{part}/loss"] for step, row in zip(steps, entry["history"], strict=True)}


def test_torch_stays_out_of_a_run_that_writes_event_files(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    script = "import sys; from sejax.engine import events; events.EventFiles('events'); print('torch' in sys.modules)"
    path, command = os.pathsep.join([str(tmp_path), *sys.path]), [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def _curves(folder):
    """Scalars of the event files, read as the length-framed protocol buffers that they are."""
    from tensorboardX.proto.event_pb2 import Event

    curves = {}
    for file in folder.iterdir():
        content, place = file.read_bytes(), 0
        while place < len(content):
            length = int.from_bytes(content[place : place + 8], "little")
            event = Event.FromString(content[place + 12 : place + 12 + length])
            for value in event.summary.value:
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
            place += 8 + 4 + length + 4
    return curves


def test_groups_of_as_many_members_share_their_programs(tmp_path, monkeypatch, uninterrupted):
    made = []

    def noted(*args, **options):
        made.append(make_segment(*args, **options))
        return made[-1]

    monkeypatch.setattr(driver, "make_segment", noted)
    for at_once, programs in ((1, 1), (2, 2)):  # two and one of three members
        made.clear()
        entries = run(toy_assembly(), RunSettings(members_at_once=at_once, tensorboard=False), tmp_path / str(at_once))
        assert len(made) == programs
        assert [entry["fold"] for entry in entries] == [0, 1, 2]
        for found, expected in zip(entries, uninterrupted[0], strict=True):
            assert [row["epoch"] for row in found["history"]] == [row["epoch"] for row in expected["history"]]
            for name, value in expected["metrics"].items():
                np.testing.assert_allclose(found["metrics"][name], value, rtol=1e-5)
