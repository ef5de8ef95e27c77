"""What benchmarks/collectives.py counts in compiled programs of four emulated devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
# A batch over four devices and one member's weights [8, 8], three updates in a loop; then members alone, one on each.
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import jax, jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec as P
from collectives import collectives
from sejax.engine.ensemble import make_mesh

def updates(weights, batch):
    def step(weights, _):
        return weights - jax.grad(lambda weights: ((batch @ weights) ** 2).sum())(weights), None
    return jax.lax.scan(step, weights, None, length=3)[0]

def counted(function, member, data, *arguments):
    mesh = make_mesh(jax.devices(), member=member, data=data)
    put = [(shape, NamedSharding(mesh, P(axis))) for shape, axis in arguments]
    given = [jax.ShapeDtypeStruct(shape, jnp.float32, sharding=sharding) for shape, sharding in put]
    return collectives(jax.jit(function).lower(*given).compile().as_text())

print(json.dumps([
    counted(updates, 1, 4, ((8, 8), None), ((16, 8), "data")),
    counted(jax.vmap(updates), 4, 1, ((4, 8, 8), "member"), ((4, 16, 8), "member")),
]))
"""


def test_a_batch_moves_the_gradients_of_every_turn_of_a_loop_and_members_move_nothing():
    flags = "--xla_force_host_platform_device_count=4"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, str(BENCHMARKS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{"all-reduce": [3, 3 * 8 * 8 * 4]}, {}]
