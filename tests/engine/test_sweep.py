"""A sweep goes through its trials, is cut off and goes on, notes what fails, and sees the validation part alone."""

import csv
import json
import os
import signal

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from toy import toy_assembly

from sejax.core.files import read_json
from sejax.engine import sweep as driver
from sejax.engine.fields import config_with
from sejax.engine.run import Interrupted, RunSettings, run
from sejax.engine.space import parse_space
from sejax.engine.sweep import ASKED, FILE, TABLE, Sweep, run_sweep
from sejax.engine.validation import validation_part
from sejax.errors import InputError

CONFIG = ConfigDict({"experiment": "toy", "size": 2, "rates": (0.1,), "run": {"backend": "scan"}})
MEMBERS = {"rate": "rates"}


def make(text="size=1..9,rate=0.1|0.2|0.3", *, search="random", seed=0, metric="valid/accuracy"):
    return Sweep(CONFIG, parse_space(text, CONFIG, MEMBERS), search, seed, metric, MEMBERS)


class Trainer:
    """Trains nothing: a score from the values, two folds; counts what is asked, and misbehaves where told to."""

    def __init__(self):
        self.asked, self.test, self.stop_at, self.refused = [], 0.5, None, ()

    def __call__(self, values, folder):
        finished = folder / "results.json"
        if not finished.exists():
            self.asked.append(folder.name)
            if len(self.asked) == self.stop_at:
                signal.raise_signal(signal.SIGTERM)
            if any(rate in self.refused for rate in values.get("rates", ())):
                raise InputError(f"config: rates={values['rates']} do not fit")
            folder.mkdir(parents=True)
            finished.write_text(
                json.dumps([self.member(values, r, f) for r in values.get("rates", (0.1,)) for f in (0, 1)])
            )
        return [validation_part(member, MEMBERS) for member in json.loads(finished.read_text())]

    def member(self, values, rate, fold):
        figures = {"valid/accuracy": rate + 0.01 * values.get("size", 2) + 0.1 * fold, "test/accuracy": self.test}
        return {"fold": fold, "seed": 0, "rate": rate, "failed": None, "metrics": figures}


def swept(tmp_path, sweep=None, count=8, trainer=None):
    return run_sweep(sweep or make(), tmp_path, count, trainer or Trainer(), command=lambda values: f"train {values}")


def test_every_trial_has_the_score_of_its_own_members(tmp_path):
    found = swept(tmp_path)
    assert [trial["trial"] for trial in found["trials"]] == list(range(8)) and found["asked"] == 8
    for trial in found["trials"]:
        values = trial["values"]
        np.testing.assert_allclose(trial["score"], values["rate"] + 0.01 * values["size"] + 0.05)
        np.testing.assert_allclose(trial["std"], 0.1 / np.sqrt(2))
        assert (trial["n"], trial["failed"]) == (2, None)
        assert (tmp_path / trial["run"] / "results.json").is_file()
    best = max(found["trials"], key=lambda trial: trial["score"])
    assert found["best"]["trial"] == found["ranking"][0] == best["trial"]
    rates = (best["values"]["rate"],)
    assert found["best"]["command"] == f"train { ({'size': best['values']['size'], 'rates': rates}) }"


def test_the_files_say_what_is_returned_and_the_csv_is_ranked(tmp_path):
    found = swept(tmp_path)
    assert read_json(tmp_path / FILE, "") == json.loads(json.dumps(found | {"config": CONFIG.to_dict()}))
    rows = list(csv.DictReader((tmp_path / TABLE).read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == found["ranking"]
    scores = [float(row["valid/accuracy"]) for row in rows]
    assert scores == sorted(scores, reverse=True) and rows[0]["rank"] == "1"
    assert float(rows[0]["rate"]) == found["best"]["values"]["rate"]


def test_a_sweep_that_is_stopped_again_and_again_ends_as_if_it_never_was(tmp_path):
    expected = swept(tmp_path / "whole")
    written = (tmp_path / "whole" / FILE).read_bytes()
    handler, starts = signal.getsignal(signal.SIGTERM), 0
    for stop_at in (1, 3, 2, None):
        trainer = Trainer()
        trainer.stop_at = stop_at
        if stop_at:
            with pytest.raises(Interrupted, match="SIGTERM"):
                swept(tmp_path / "cut", trainer=trainer)
        else:
            assert swept(tmp_path / "cut", trainer=trainer) == expected
        starts += len(trainer.asked) - bool(stop_at)
        assert signal.getsignal(signal.SIGTERM) is handler
    assert starts == len(os.listdir(tmp_path / "whole" / "trials"))  # nothing was done twice
    assert (tmp_path / "cut" / FILE).read_bytes() == written


def test_more_trials_are_added_and_fewer_take_nothing_away(tmp_path):
    first, trainer = swept(tmp_path, count=5), Trainer()
    more = swept(tmp_path, count=9, trainer=trainer)
    assert more["trials"][:5] == first["trials"] and len(more["trials"]) == 9
    assert trainer.asked and all(int(name[:4]) >= 5 for name in trainer.asked)
    assert swept(tmp_path, count=2) == more
    assert read_json(tmp_path / ASKED, "")["trials"] == [5, 9]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 1}, "sweep.seed: 0 -> 1"),
        ({"search": "grid"}, "sweep.search: 'random' -> 'grid'"),
        ({"text": "size=1..8,rate=0.1|0.2|0.3"}, "sweep.space.size: '1..9' -> '1..8'"),
        ({"text": "rate=0.1|0.2|0.3,size=1..9"}, "sweep.order"),
    ],
)
def test_a_folder_of_another_sweep_is_refused_with_what_differs(tmp_path, other, message):
    swept(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InputError, match=message):
        swept(tmp_path, make(**other))
    with pytest.raises(InputError, match="size: 2 -> 3"):
        swept(tmp_path, make()._replace(config=config_with(CONFIG, {"size": 3})))
    assert (tmp_path / FILE).read_bytes() == before


def test_test_figures_change_neither_table_nor_ranking(tmp_path):
    swept(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in (FILE, TABLE)]
    for number, path in enumerate(sorted(tmp_path.glob("trials/*/results.json"))):
        members = json.loads(path.read_text())
        for member in members:
            member["metrics"]["test/accuracy"] = 1.0 - 0.1 * number
        path.write_text(json.dumps(members))
    swept(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in (FILE, TABLE)] == before
    assert b"test" not in before[0] + before[1]


def test_a_trial_that_cannot_be_trained_is_noted_ranks_last_and_costs_no_other(tmp_path):
    trainer, sweep = Trainer(), make("rate=0.1|0.2|0.3", search="grid")
    trainer.refused = (0.3,)
    found = swept(tmp_path, sweep, None, trainer)
    assert trainer.asked == ["0000_and_2_more", "0000", "0001", "0002"]  # together, then each by itself
    assert found["ranking"] == [1, 0, 2]
    assert "rates=(0.3,) do not fit" in found["trials"][2]["failed"] and found["trials"][2]["score"] is None
    assert found["best"]["trial"] == 1
    repaired = swept(tmp_path, sweep, None)  # the same command, where it fits now
    assert repaired["best"]["trial"] == 2 and not repaired["trials"][2]["failed"]


def test_a_sweep_of_which_no_trial_can_be_trained_is_an_error_and_leaves_the_folder_free(tmp_path):
    trainer = Trainer()
    trainer.refused = (0.1, 0.2, 0.3)
    with pytest.raises(InputError, match="no trial could be trained.*do not fit"):
        swept(tmp_path, trainer=trainer)
    assert not list(tmp_path.glob("*.json"))
    assert swept(tmp_path, make(seed=1))["best"]


def test_what_is_no_mistake_of_the_users_ends_the_sweep(tmp_path):
    def broken(values, folder):
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        swept(tmp_path, trainer=broken)


def test_progress_says_which_trial_the_best_so_far_and_how_long_it_takes(tmp_path, capsys, monkeypatch):
    clock = iter(range(0, 10**4, 30))
    monkeypatch.setattr(driver.time, "monotonic", lambda: float(next(clock)))
    swept(tmp_path, make("size=1..9", search="grid"), 4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "trial 0 (0 of 4 done): size=1"
    assert lines[2] == "trial 2 (2 of 4 done): size=3; best so far: valid/accuracy 0.1700 by trial 1; about 1 min left"


def toy_train(values, folder):
    """The toy for real: a slow member's rate diverges."""
    rates = values["rates"]
    assembly = toy_assembly(rates, (3,) * len(rates))
    names = tuple({"fold": 0, "seed": 0, "rate": rate} for rate in rates)
    assembly = assembly._replace(names=names, streams=(0,) * len(rates))
    entries = run(assembly, RunSettings(tensorboard=False, ensemble="map"), folder)
    return [validation_part(entry, MEMBERS) for entry in entries]


def test_members_of_one_run_have_the_figures_of_runs_of_their_own(tmp_path):
    sweep = make("rate=1e30|0.2", search="grid", metric="valid/loss")
    together = swept(tmp_path / "together", sweep, None, toy_train)
    diverged, trained = together["trials"]
    assert diverged["run"] == trained["run"] == "trials/0000_and_1_more"
    assert diverged["score"] is None and "not finite" in diverged["failed"]
    (alone,) = toy_train({"rates": (0.2,)}, tmp_path / "alone")  # at another place among the members
    assert trained["score"] == alone["history"][-1]["valid/loss"]
    assert together["ranking"] == [1, 0]
    assert swept(tmp_path / "together", sweep, None, toy_train) == together


def test_running_out_of_memory_is_noted_too(tmp_path):
    def greedy(values, folder):
        if values["size"] > 1:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\n  while allocating")
        return Trainer()(values, folder)

    found = swept(tmp_path, make("size=1|2", search="grid"), None, greedy)
    assert found["trials"][1]["failed"] == "RESOURCE_EXHAUSTED: out of memory while allocating"
    assert found["best"]["trial"] == 0
