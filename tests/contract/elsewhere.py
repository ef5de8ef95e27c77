"""What the contract's tests need another process for; each mode stores its arrays for the test to compare.

python elsewhere.py resume|devices FOLDER
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from cases import CASES, group_of
from same_bits import as_numpy

from sejax.engine.checkpoint import Checkpoints


def batches(group, state, count=3):
    """The first batches of the state's current epoch, for the first member."""
    state, batch_at = jax.tree.map(lambda x: x[0], state), jax.jit(group.assembly.train.batch_at)
    return [batch_at(group.assembly.data, state, jnp.int32(i)) for i in range(count)]


def resume(folder):
    """Restores each case's checkpoint and trains it to the end, in segments of other lengths than before."""
    for name, case in CASES.items():
        group = group_of(case)
        checkpoints = Checkpoints(folder / name)
        shapes = jax.eval_shape(group.segment.start, group.keys, group.members, group.assembly.data)
        carry, _ = checkpoints.restore(shapes)
        checkpoints.close()
        np.savez(folder / f"{name}-batches.npz", **as_numpy(batches(group, carry.state)))
        np.savez(folder / f"{name}-end.npz", **as_numpy(group.advance(carry, 1, 2, 10**6)))


def devices(folder):
    """Two updates of each case spread over all devices, and one update mapped over them by `jax.pmap`."""
    assert len(jax.devices()) == 2
    for name, case in CASES.items():
        group = group_of(case, devices=jax.devices())
        carry = group.first()
        spread = len(carry.history["train/loss"].sharding.device_set)
        np.savez(folder / f"{name}-spread.npz", spread=spread, **as_numpy(group.advance(carry, 2)))
        if len(group.keys) == 2:
            np.savez(folder / f"{name}-pmap.npz", **as_numpy(pmapped(group_of(case))))


def pmapped(group):
    """The state of two members after one update each, on a device of its own."""
    experiment, train, data = group.assembly.experiment, group.assembly.train, group.assembly.data
    state = jax.jit(jax.vmap(experiment.init, in_axes=(0, 0, None)))(group.keys, group.members, data)
    return jax.pmap(lambda s: experiment.step(s, train.batch_at(data, s, jnp.int32(0))))(state)


if __name__ == "__main__":
    {"resume": resume, "devices": devices}[sys.argv[1]](Path(sys.argv[2]))
