"""Where arrays live: one mesh of devices with the axes "member" and "data".

Experiments see no axis name. The driver puts the stacked states on the mesh, members spread over one
axis and each training batch over the other; jit does the rest, collectives included.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from sejax.core.experiment import PyTree


class Placement(NamedTuple):
    """How a run is spread over devices.

    Attributes:
      members: puts a pytree of stacked arrays [M, ...] (scalars are copied to every device).
      shared: puts arrays that every device needs whole.
      constrain: applied to a training batch [B, ...] inside the compiled step.
      description: e.g. ``{"devices": 8, "member": 4, "data": 2}``, for the results file.
    """

    members: Callable[[PyTree], PyTree]
    shared: Callable[[PyTree], PyTree]
    constrain: Callable[[PyTree], PyTree]
    description: dict[str, int]


def one_device() -> Placement:
    """Everything on the default device."""
    return Placement(jax.device_put, jax.device_put, lambda batch: batch, {"devices": 1, "member": 1, "data": 1})


def make_mesh(devices: Sequence[jax.Device], *, member: int, data: int) -> Mesh:
    """A mesh of ``member * data`` devices. Axis types are Auto: Linen's Dropout rejects Explicit ones."""
    return jax.make_mesh((member, data), ("member", "data"), axis_types=(AxisType.Auto,) * 2, devices=devices)


def place(members: int, batch_size: int, devices: Sequence[jax.Device] | None = None) -> Placement:
    """Spreads ``members`` over the devices, and batches over those that are left.

    Args:
      members: M; as many devices as divide it go to the member axis.
      batch_size: B; the data axis is used only where it divides the batch.
      devices: all local devices by default.
    """
    devices = list(jax.local_devices() if devices is None else devices)
    member = math.gcd(members, len(devices))
    data = math.gcd(batch_size, len(devices) // member)
    if member * data == 1:
        return one_device()
    mesh = make_mesh(devices[: member * data], member=member, data=data)

    def put_members(tree):
        def put(x):
            spec = P("member") if x.ndim and x.shape[0] == members else P()
            return jax.device_put(x, NamedSharding(mesh, spec))

        return jax.tree.map(put, tree)

    def put_shared(tree):
        return jax.device_put(tree, NamedSharding(mesh, P()))

    def constrain(batch):
        sharding = NamedSharding(mesh, P("data"))
        return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, sharding), batch)

    return Placement(put_members, put_shared, constrain, {"devices": member * data, "member": member, "data": data})
