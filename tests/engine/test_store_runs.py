"""Runs whose workdir lies in a store: killed, gone on with, evaluated; a checkpoint is complete or is not there."""

import numpy as np
import pytest
from toy import toy_assembly

pytest.importorskip("upath")

import toy_vectors

from sejax.core.results import read_results
from sejax.core.stores import complete_in, path_of
from sejax.engine import checkpoint
from sejax.engine.checkpoint import DIGESTS, Checkpoints
from sejax.engine.fields import config_with
from sejax.engine.run import RunSettings, evaluate, run
from sejax.errors import InputError
from sejax.experiments.configs import load_config
from sejax.experiments.training import finished_run, train_run

ONE_BY_ONE = RunSettings(save_seconds=0.0)  # a checkpoint after every update


class Killed(Exception):
    pass


@pytest.fixture
def store(request):
    return path_of(f"memory://{request.node.name}")


def test_a_run_killed_while_it_puts_a_checkpoint_goes_on_from_the_one_before(tmp_path, store, monkeypatch):
    puts, whole = [], checkpoint.put_folder

    def killed(folder, target, *, last):
        puts.append(target)
        if len(puts) < 4:
            return whole(folder, target, last=last)
        target.fs.pipe_file((target / "carry" / "half").path, b"half")
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "put_folder", killed)
        run(toy_assembly(), ONE_BY_ONE, store)
    members = store / "checkpoints" / "members_0-2"
    assert len(complete_in(members, DIGESTS)) == ONE_BY_ONE.keep and len(list(members.iterdir())) > ONE_BY_ONE.keep
    entries = run(toy_assembly(), RunSettings(), store)
    assert entries == run(toy_assembly(), RunSettings(tensorboard=False), tmp_path)
    assert len(complete_in(members, DIGESTS)) == 1  # a finished run's
    assert evaluate(toy_assembly(), ONE_BY_ONE, store)[0]["metrics"] == entries[0]["metrics"]
    events = list((store / "events").iterdir())
    assert len(events) == 2 and all(file.stat().st_size > 100 for file in events)


def test_a_damaged_checkpoint_is_passed_over_and_set_aside(store, capsys):
    tree = {"a": np.arange(4, dtype=np.float32)}
    made = Checkpoints(store / "checkpoints")
    for step in (3, 5):
        made.save(step, tree | {"b": np.float32(step)}, {})
    made.close()
    (store / "checkpoints" / "5" / "carry" / "_METADATA").write_bytes(b"damaged")
    found = Checkpoints(store / "checkpoints")
    with pytest.raises(InputError, match="memory://.*/5/.* is damaged"):
        found.read()
    rows, _ = found.restore(tree | {"b": np.float32(0)}, fall_back=True)
    assert rows["b"] == 3 and "going on from the checkpoint before it" in capsys.readouterr().err
    assert found.latest() == 3 and (store / "checkpoints" / "damaged-5" / DIGESTS).is_file()
    found.close()


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_compiled")
def test_a_whole_run_on_a_store_is_killed_gone_on_with_evaluated_and_reported(tmp_path, store, monkeypatch):
    """What the commands call, with the prepared sets on the store too: as on a disk."""
    monkeypatch.setenv("SEJAX_CACHE", str(tmp_path / "cache"))
    toy_vectors.write_both(tmp_path / "data")
    store.fs.put(str(tmp_path / "data"), (store / "data").path, recursive=True)
    config, save = load_config("augmentation:runlocal"), Checkpoints.save
    config.run.tensorboard = True

    def killed(self, *saved):
        save(self, *saved)
        self.wait()
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Checkpoints, "save", killed)
        train_run(config, store / "run", store / "data", command="train")
    assert finished_run(config, store / "run") is None
    results = train_run(config, store / "run", store / "data", command="train")
    on_disk = train_run(config, tmp_path / "run", tmp_path / "data", command="train")
    assert results["members"] == on_disk["members"] and results["data"] == on_disk["data"]
    names = {path.relative_to(tmp_path / "run").parts[0] for path in (tmp_path / "run").iterdir()} - {"lock"}
    assert {path.name for path in (store / "run").iterdir()} == names >= {"variants", "report.html", "results.json"}
    assert list((store / "run" / "variants" / "real" / "events").iterdir())
    assert finished_run(config, store / "run")["members"] == read_results(tmp_path / "run")["members"]
    with pytest.raises(InputError, match="memory://.*/run belongs to a run of another config; it differs in seed"):
        finished_run(config_with(config, {"seed": 1}), store / "run")
