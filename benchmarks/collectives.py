"""What one training update moves between devices, read from the compiled program.

    python benchmarks/collectives.py --config=configs/cyclegan.py:source=unlabelled,target=emodb --data_dir=data \\
        --devices=1 --devices=2 --devices=4 --devices=8 --devices=64 --devices=512

Devices are emulated on this machine's CPU, a process for each number of them; programs are compiled from shapes alone,
so that neither states nor data take memory, and nothing is trained. For each kind of collective: how often it stands in
the program of one update, and how many bytes each device gives to it. Beside it stand the bytes of the gradients of
each optimizer, as large as its first moments, where a batch is split: what an update that steps once with each is to
sum. The floating-point operations are those that XLA counts in a device's program, a loop's once. With --accelerator
convolutions are those that accelerators are given, where a CPU has its own (`sejax.models.halving`).
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import jax
import numpy as np
import optax
from absl import flags
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import config_flags

from sejax.core.rng import member_key, root_key
from sejax.engine.command import run_command
from sejax.engine.ensemble import make_mesh, place, take_members
from sejax.engine.run import groups, run_settings
from sejax.engine.segment import Parts
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.configs import config_file

CONFIG = config_flags.DEFINE_config_file("config", None, "a config's file, and its argument after a colon")
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
DEVICES = flags.DEFINE_multi_integer("devices", [1, 2, 4, 8], "numbers of emulated devices", lower_bound=1)
ACCELERATOR = flags.DEFINE_bool("accelerator", False, "the convolutions of accelerators in the place of a CPU's")
flags.mark_flag_as_required("config")

_HERE = "SEJAX_COLLECTIVES"  # set in the process that has the devices
_KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_OPERATION = re.compile(rf"= (.*?) ({'|'.join(_KINDS)})(?:-start)?\(")
_COMPUTATION = re.compile(r"(ENTRY )?(%[\w.-]+) \(.*\{$")
_CALLED = r"calls|to_apply|body|condition|(?:branch|called|true|false)_computations?"
_CALLS = re.compile(rf"(?:{_CALLED})=(\{{[^}}]*\}}|%[\w.-]+)")
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_SHAPE = re.compile(r"(pred|[a-z]+\d+)\[([\d,]*)\]")


def collectives(program: str) -> dict[str, list[int]]:
    """{kind: [how many, bytes of their results]} in a compiled program's text; those in a loop as often as it turns.

    A loop whose turns the text does not say counts once; of a choice, all branches do.
    """
    own, calls, entry, here = defaultdict(list), defaultdict(list), "", ""
    for line in program.splitlines():
        if begins := _COMPUTATION.match(line):
            here = begins[2]
            entry = here if begins[1] else entry
        if found := _OPERATION.search(line):
            own[here].append((found[2], sum(_bytes(kind, shape) for kind, shape in _SHAPE.findall(found[1]))))
        turns = int(known[1]) if (known := _TURNS.search(line)) else 1
        calls[here] += [(name, turns) for name in re.findall(r"%[\w.-]+", " ".join(_CALLS.findall(line)))]

    count, size = Counter(), Counter()

    def add(computation: str, times: int) -> None:
        for kind, result in own[computation]:
            count[kind] += times
            size[kind] += times * result
        for name, turns in calls[computation]:
            add(name, times * turns)

    add(entry, 1)
    return {kind: [count[kind], size[kind]] for kind in count}


def _bytes(kind: str, shape: str) -> int:
    width = 1 if kind == "pred" else int(re.sub(r"\D", "", kind)) // 8
    return width * int(np.prod([int(x) for x in shape.split(",") if x], dtype=np.int64))


def measured(config, data_dir: Path) -> dict:
    """How an update of the first variant's first members is spread here, what it moves and computes."""
    if ACCELERATOR.value:
        lax.platform_dependent = lambda *operands, default, **_: default(*operands)
    config = next(iter(study(config.experiment).variants(config).values()))
    assembly = study(config.experiment).assembly(config, data_dir, {})
    settings = run_settings(config)
    start, stop = groups(len(assembly.names), settings.members_at_once)[0]
    placed = place(stop - start, assembly.batch_size)
    axes = placed.description
    mesh = make_mesh(jax.devices()[: axes["devices"]], member=axes["member"], data=axes["data"])

    def on_mesh(tree, axis=None):
        def spread(x):
            split = axis and x.ndim and len(x) == placed.rows
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, P(axis) if split else P()))

        return jax.tree.map(spread, tree)

    def with_copies(x):
        return jax.ShapeDtypeStruct((placed.rows, *x.shape[1:]), x.dtype)

    members = jax.tree.map(with_copies, jax.eval_shape(lambda: take_members(assembly.members, start, stop)))
    data = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), assembly.data)
    keys = jax.eval_shape(lambda: jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(placed.rows)))
    parts = Parts(assembly, settings.ensemble, placed.constrain)
    carry = jax.eval_shape(parts.start, keys, members, data)
    program = jax.jit(parts.gathered_update, donate_argnums=1).lower(on_mesh(data), on_mesh(carry, "member")).compile()
    moments = [state.mu for state in jax.tree.leaves(carry.state, is_leaf=_has_moments) if _has_moments(state)]
    sizes = [sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(mu)) // axes["member"] for mu in moments]
    return {
        "placement": axes,
        "collectives": collectives(program.as_text()),
        "gradients": sizes if axes["data"] > 1 else [],
        "operations": program.cost_analysis()["flops"],
    }


def _has_moments(state) -> bool:
    return isinstance(state, optax.ScaleByAdamState)


def main(argv):
    """One table: a row for each number of devices."""
    del argv
    if os.environ.get(_HERE):
        print(json.dumps(measured(CONFIG.value, Path(DATA_DIR.value))))
        return
    print("| devices | member axis | data axis | copies | collectives: number, bytes | gradients | GFLOP |")
    print("|---:|---:|---:|---:|---|---:|---:|")
    for devices in DEVICES.value:
        emulated = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
        environment = os.environ | {"XLA_FLAGS": emulated, "JAX_PLATFORMS": "cpu", _HERE: "1"}
        done = subprocess.run([sys.executable, *sys.argv], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"{devices} devices: {done.stderr.strip()[-500:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        said = ", ".join(f"{kind} {n}, {size:,}" for kind, (n, size) in sorted(found["collectives"].items())) or "none"
        axes = found["placement"]
        gradients = " + ".join(f"{size:,}" for size in found["gradients"]) or "0"
        work = f"{found['operations'] / 1e9:.3f}"
        cells = (devices, axes["member"], axes["data"], axes.get("copies", 0), said, gradients, work)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    run_command(main, config_file=config_file)
