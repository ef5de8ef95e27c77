"""Trains toys on two emulated devices and stores what came out: run by test_placement.py in a process of its own.

python two_devices.py OUTPUT.npz
"""

import sys

import jax
import numpy as np
from same_bits import named_leaves
from toy import start, toy_assembly

from sejax.core.rng import member_key, root_key
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.ensemble import place
from sejax.engine.run import RunSettings, run
from sejax.engine.segment import make_segment


def trained(assembly, *, backend, how, checkpoints=None):
    """Where arrays lay and what training came to, on as many devices as there are."""
    placed = place(len(assembly.names), assembly.batch_size)
    segment = make_segment(assembly, backend=backend, how=how, constrain=placed.constrain)
    assembly = assembly._replace(data=placed.shared(assembly.data), members=placed.members(assembly.members))
    carry = placed.members(start(segment, assembly))
    carry = segment.advance(assembly.data, carry, 5)
    if checkpoints is not None:
        checkpoints.save(5, carry, {})
        checkpoints.wait()
        carry = placed.members(checkpoints.restore(jax.eval_shape(lambda: carry))[0])
    spread = len(carry.state.slope.sharding.device_set), carry.state.slope.sharding.is_fully_replicated
    carry = segment.advance(assembly.data, carry, 10**6)
    return placed.description | {"spread": spread[0], "replicated": spread[1]}, carry


def pmapped(assembly):
    """Three updates of two members, each on a device of its own, by the old `jax.pmap`."""
    experiment, data = assembly.experiment, assembly.data
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(2))
    state = jax.pmap(lambda key, member: experiment.init(key, member, data))(keys, assembly.members)
    update = jax.pmap(lambda s, position: experiment.step(s, assembly.train.batch_at(data, s, position)))
    for position in range(3):
        state, _ = update(state, np.full(2, position, np.int32))
    return state


def streamed(plans):
    """Batches gathered on the host."""
    data = jax.device_get(toy_assembly().data)
    for plan in plans:
        yield {"x": data["x"][plan.index], "y": data["y"][plan.index], "valid": plan.valid}


def main(output, folder):
    """Every way of spreading, by name."""
    two, one = {"rates": (0.05, 0.1), "limits": (3, 2)}, {"rates": (0.2,), "limits": (3,)}
    found = {"devices": np.array(len(jax.devices()))}
    ways = {
        "member_scan": (toy_assembly(**two), {"backend": "scan", "how": "vmap", "checkpoints": Checkpoints(folder)}),
        "data_scan": (toy_assembly(**one), {"backend": "scan", "how": "vmap"}),
        "data_streamed": (toy_assembly(**one, stream_batches=streamed), {"backend": "loop", "how": "map"}),
    }
    for name, (assembly, options) in ways.items():
        description, carry = trained(assembly, **options)
        found |= {f"{name}/about/{key}": np.array(value) for key, value in description.items()}
        rows = named_leaves((carry.state.replace(key=None), carry.history, carry.records))
        found |= {f"{name}/{key}": np.asarray(leaf) for key, leaf in rows.items()}
    found["pmap/slope"] = np.asarray(pmapped(toy_assembly(**two)).slope)
    entries = run(toy_assembly(**two), RunSettings(tensorboard=False), folder + "-run")
    found["run/loss"] = np.array([entry["metrics"]["test/loss"] for entry in entries])
    np.savez(output, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
