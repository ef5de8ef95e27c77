"""Trains toys as one of two processes: run by test_hosts.py, which compares what comes out with one process's.

python two_processes.py INDEX PORT FOLDER
"""

import json
import signal
import sys
from pathlib import Path

import jax
import numpy as np
import tensorstore
from ml_collections import ConfigDict
from toy import toy_assembly

from sejax.engine import hosts
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.command import Interrupted
from sejax.engine.ensemble import place
from sejax.engine.joining import join
from sejax.engine.run import RunSettings, evaluate, run
from sejax.engine.space import parse_space
from sejax.engine.sweep import Sweep, run_sweep
from sejax.errors import InputError

WAYS = {
    "members": ({"rates": (0.05, 0.1), "limits": (3, 2)}, {"backend": "scan"}),
    "copies": ({"rates": (0.05, 0.1, 0.2, 0.3, 0.15), "limits": (3, 2, 3, 3, 1)}, {"backend": "scan"}),
    "batches": ({"rates": (0.2,), "limits": (3,)}, {"backend": "scan"}),
    "streamed_members": ({"rates": (0.05, 0.1, 0.2, 0.3, 0.15), "limits": (3, 2, 3, 3, 1)}, {"backend": "loop"}),
    "streamed_rows": ({"rates": (0.2,), "limits": (3,)}, {"backend": "loop"}),
}
READ = []  # of each plan that this process's streams were given, the rows that it names, and those of the whole batch


def streamed(plans):
    """Batches gathered on the host."""
    data = jax.device_get(toy_assembly().data)
    for plan in plans:
        READ.append([plan.index, (plan.whole or plan).index])
        yield {"x": data["x"][plan.index], "y": data["y"][plan.index], "valid": plan.valid}


def assembly_of(name):
    """The toy of a way and the settings it runs with; streamed ones stream what they evaluate too."""
    how, settings = WAYS[name]
    assembly = toy_assembly(**how)
    if settings["backend"] == "loop":
        sources = {part: getattr(assembly, part)._replace(stream=streamed) for part in ("train", "valid", "whole")}
        assembly = assembly._replace(**sources)
    return assembly, RunSettings(tensorboard=False, **settings)


def interrupted(assembly, settings, folder, index):
    """Whether the run ends with the signal that the second process alone receives at its third checkpoint."""
    saves, save = [], Checkpoints.save

    def saving(self, step, *rest):
        save(self, step, *rest)
        saves.append(step)
        if index == 1 and len(saves) == 3:
            signal.raise_signal(signal.SIGTERM)

    Checkpoints.save = saving
    try:
        run(assembly, settings._replace(save_seconds=0.0), folder)  # an update a segment
    except Interrupted as stop:
        return str(stop).startswith("SIGTERM") and len(saves) == 3
    finally:
        Checkpoints.save = save
    return False


def refused(index):
    """What both processes hear of an error in the first, and in the second, of a number, and of long texts."""
    heard = []
    for ask in (
        lambda: hosts.by_first(lambda: json.loads("{") if index else _refuse()),
        lambda: hosts.by_all(lambda: _refuse() if index else None),
    ):
        try:
            ask()
        except InputError as error:
            heard.append(str(error))
    length = len(hosts.by_first(lambda: "ü" * 20_000))
    return [*heard, hosts.any_of(index + 5), hosts.by_first(lambda: {"from": index}), length]


def _refuse():
    raise InputError("no")


def swept(folder):
    """What a sweep of six trials, two of which cannot be trained, comes to, and how often this process wrote it."""
    fields, published = {"learning_rate": "rates"}, []
    config = ConfigDict({"experiment": "toy", "width": 1, "rates": (0.1,), "run": {"backend": "scan"}})
    space = parse_space("width=1|2|3,learning_rate=0.1|0.2", config, fields)

    def train(values, workdir):
        del workdir
        if values["width"] == 3:
            raise InputError("too wide")
        rates = values["rates"]
        return [{"learning_rate": r, "metrics": {"valid/accuracy": r * values["width"]}, "failed": None} for r in rates]

    sweep = Sweep(config, space, "grid", 0, "valid/accuracy", fields)
    found = run_sweep(sweep, folder, None, train, command=str, publish=published.append)
    failed = [trial["failed"] for trial in found["trials"]]
    return {"ranking": found["ranking"], "failed": failed, "best": found["best"]["values"], "writes": len(published)}


def restored(folder):
    """Of a checkpoint of 8 MB: the share of them that this process read, and whether that is what was stored.

    Its first array lies on the devices in parts, of the second each has all. Then whether three of six rows, five
    members and a copy, come of as many rows as one device stores, and as four do.
    """
    placed = place(2, 1)
    values = {"x": np.random.default_rng(0).standard_normal((2, 1 << 20)).astype(np.float32), "y": np.arange(3)}
    carry, checkpoints = placed.members(values), Checkpoints(folder)
    checkpoints.save(1, carry, {"members": [0, 2]})
    checkpoints.wait()
    before = _bytes_read()
    found, _ = checkpoints.restore(carry, sharding=placed.sharding)
    read = _bytes_read() - before
    checkpoints.close()
    (part,) = found["x"].addressable_shards
    alike = np.array_equal(part.data, values["x"][part.index]) and part.data.shape == (1, 1 << 20)
    (part,) = found["y"].addressable_shards
    alike = [alike, np.array_equal(part.data, values["y"])]
    placed, x = place(5, 1), np.arange(10.0).reshape(5, 2)
    for rows in (5, 8):
        checkpoints = Checkpoints(folder.with_name(f"rows{rows}"))
        checkpoints.save(1, placed.shared({"x": x[np.minimum(np.arange(rows), 4)]}), {"members": [0, 5]})
        found, _ = checkpoints.restore(placed.members({"x": x}), sharding=placed.sharding)
        checkpoints.close()
        (part,) = found["x"].addressable_shards
        alike.append(found["x"].shape == (6, 2) and np.array_equal(part.data, np.stack([*x, x[4]])[part.index]))
    return {"read": read / values["x"].nbytes, "alike": [bool(one) for one in alike]}


def _bytes_read():
    """Of files, by tensorstore in this process."""
    metrics = tensorstore.experimental_collect_matching_metrics("/tensorstore/kvstore/file/bytes_read")
    return sum(value["value"] for metric in metrics for value in metric["values"])


def main(index, port, folder):
    """Every way, interrupted and gone on with, evaluated; what both heard."""
    join(f"127.0.0.1:{port}", 2, index, seconds=120)
    found = {"processes": jax.process_count(), "refused": refused(index), "restored": restored(folder / "parts")}
    found["swept"] = swept(folder / "sweep")
    for name in WAYS:
        assembly, settings = assembly_of(name)
        READ.clear()
        stopped = interrupted(assembly, settings, folder / name, index)
        half = folder / f"{name}-half"
        if hosts.is_first():
            import shutil

            shutil.copytree(folder / name, half)
        hosts.by_first(lambda: None)
        found[name] = {
            "stopped": stopped,
            "entries": run(assembly, settings, folder / name),
            "evaluated": evaluate(assembly, settings, folder / name),
            "read": list(READ),
        }
    text = json.dumps(found, default=lambda x: np.asarray(x).tolist())
    (folder / f"found{index}.json").write_text(text)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
