"""Members (folds x seeds x rates) as one more array axis, and where it lies: mapped, and put on a mesh of devices.

``vmap`` pays for small dense networks. Convolutions vmapped over members become grouped
convolutions, many times slower on a CPU: there ``map`` runs the members one after another in the
same program, and the driver can also train them in turn, a group of one at a time.

Experiments see no axis name. The driver puts the stacked states on a mesh with the axes "member" and "data", members
spread over one axis and each training batch over the other; jit does the rest, collectives included.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

from sejax.core.experiment import Experiment, PyTree
from sejax.engine.hosts import alone, put
from sejax.engine.share import Share
from sejax.errors import InputError

HOW = ("vmap", "map")


def over_members(function: Callable, *, how: str, member_args: tuple[bool, ...]) -> Callable:
    """Maps ``function`` over the leading member axis of the arguments marked in ``member_args``.

    Args:
      function: a pure function of one member.
      how: ``"vmap"`` (all members in one vectorised program) or ``"map"`` (one after another).
      member_args: per positional argument, True where it has a member axis, False where it is
        shared. Shared arguments are never copied per member: a matrix product of shared inputs with
        stacked weights stays one product.

    Returns:
      A function of stacked arguments whose outputs have a leading member axis.
    """
    if how not in HOW:
        raise InputError(f"ensemble: how={how!r} is unknown; choose one of {', '.join(HOW)}")
    vmapped = jax.vmap(function, in_axes=tuple(0 if own else None for own in member_args))

    def mapped(*args):
        own = [arg for arg, is_own in zip(args, member_args, strict=True) if is_own]

        def one(own_args):
            rest = iter(own_args)
            return function(*(next(rest) if is_own else arg for arg, is_own in zip(args, member_args, strict=True)))

        # A lone member runs by itself: convolution gradients inside a loop are slow on a CPU, and so is work whose
        # outermost axis has one entry, which is not shared out to the cores.
        if jax.tree.leaves(own)[0].shape[0] == 1:
            lone = one(jax.tree.map(lambda x: x[0], own))
            return jax.tree.map(lambda x: x[None], lone)
        return vmapped(*args) if how == "vmap" else jax.lax.map(one, own)

    return mapped


def ensemble(experiment: Experiment, *, how: str = "vmap") -> Experiment:
    """The same experiment over stacked members: every state, batch and metric gets a leading axis M.

    ``init(keys [M], members, data)`` shares ``data``; ``step`` and ``evaluate`` take one batch per
    member, and ``step`` which members are live, bool[M], where it is told. Stacked initialisation
    equals the lone one bit for bit; a vmapped step may differ from the lone step in the last bits,
    a mapped one does not (but for convolutions on a CPU, which XLA computes in another way inside a
    loop: train those a group of one member at a time).
    """

    def lift(function, *member_args):
        return over_members(function, how=how, member_args=member_args)

    def step(state, batch, *live):
        return lift(experiment.step, *(True,) * (2 + len(live)))(state, batch, *live)

    return Experiment(
        init=lift(experiment.init, True, True, False),
        step=step,
        evaluate=lift(experiment.evaluate, True, True),
        refresh=lift(experiment.refresh, True, True),
        conclude=lift(experiment.conclude, True, True, False),
        restart=lift(experiment.restart, True, False),
        takes_live=experiment.takes_live,
    )


def stack_members(members: list[PyTree]) -> PyTree:
    """Stacks pytrees of equal structure along a new leading axis."""
    return jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *members)


def take_members(tree: PyTree, start: int, stop: int) -> PyTree:
    """Members ``start:stop`` of a stacked pytree."""
    return jax.tree.map(lambda x: x[start:stop], tree)


class Placement(NamedTuple):
    """How a run is spread over devices.

    Attributes:
      members: puts a pytree of stacked arrays [M, ...] (scalars are copied to every device); those of fewer rows than
        the member axis needs are filled up with copies of the last member, which nobody asks for.
      shared: puts arrays that every device needs whole.
      constrain: applied to a training batch [B, ...] inside the compiled step.
      rows: M with the copies.
      sharding: where a member's array of a shape lies, as `members` puts it.
      share: which part of streamed batches each of several processes reads; None: there is one process.
      description: e.g. ``{"devices": 8, "member": 4, "data": 2}``, for the results file; "copies" where there are some.
    """

    members: Callable[[PyTree], PyTree]
    shared: Callable[[PyTree], PyTree]
    constrain: Callable[[PyTree], PyTree]
    rows: int
    sharding: Callable[[jax.ShapeDtypeStruct], jax.sharding.Sharding]
    share: Share | None
    description: dict[str, int]


def make_mesh(devices: Sequence[jax.Device], *, member: int, data: int) -> Mesh:
    """A mesh of ``member * data`` devices. Axis types are Auto: Linen's Dropout rejects Explicit ones."""
    return jax.make_mesh((member, data), ("member", "data"), axis_types=(AxisType.Auto,) * 2, devices=devices)


_SLOWER = 1.25  # than the fastest way to spread, and still taken where more members and smaller parts of batches travel


def axes_of(members: int, batch_size: int, devices: int) -> tuple[int, int]:
    """How many devices the member axis gets and how many the data axis: (member, data).

    Members need nothing of each other, parts of a batch add their gradients up at every step. So the member axis is as
    long as can be, even where it does not divide the members and copies fill it up, unless another way leaves each
    device `_SLOWER` times less to do.
    """

    def work(member):  # of a device, in updates of one member
        return -(-members // member) / math.gcd(batch_size, devices // member)

    ways = [member for member in range(1, min(members, devices) + 1) if devices % member == 0]
    fastest = min(map(work, ways))
    member = max(member for member in ways if work(member) <= _SLOWER * fastest)
    return member, math.gcd(batch_size, devices // member)


def place(members: int, batch_size: int, devices: Sequence[jax.Device] | None = None) -> Placement:
    """Spreads ``members`` over the devices, and batches over those that are left; see `axes_of`.

    Members are spread over processes before they are over the devices of one, since devices are numbered so.

    Args:
      members: M.
      batch_size: B; the data axis is used only where it divides the batch.
      devices: all devices of all processes by default.

    Raises:
      InputError: a process would have nothing to do.
    """
    devices = list(jax.devices() if devices is None else devices)
    member, data = axes_of(members, batch_size, len(devices))
    if not alone() and len({device.process_index for device in devices[: member * data]}) < jax.process_count():
        raise InputError(
            f"{members} members and batches of {batch_size} give work to {member * data} of {len(devices)} devices, "
            f"and to some of {jax.process_count()} processes none: start fewer, or choose a batch_size that they divide"
        )
    if len(devices) == 1 or member * data == 1:
        one, here = {"devices": 1, "member": 1, "data": 1}, SingleDeviceSharding(devices[0])
        return Placement(jax.device_put, jax.device_put, lambda batch: batch, members, lambda x: here, None, one)
    mesh, rows = make_mesh(devices[: member * data], member=member, data=data), -(-members // member) * member
    sharding = partial(NamedSharding, mesh)

    def sharding_of(x):
        return sharding(P("member") if x.ndim and x.shape[0] == rows else P())

    def put_members(x):
        if x.ndim and len(x) == members < rows:
            x = x[jnp.minimum(jnp.arange(rows), members - 1)]
        return put(x, sharding_of(x))

    return Placement(
        members=lambda tree: jax.tree.map(put_members, tree),
        shared=lambda tree: jax.tree.map(lambda x: put(x, sharding(P())), tree),
        constrain=lambda batch: jax.lax.with_sharding_constraint(batch, sharding(P("data"))),
        rows=rows,
        sharding=sharding_of,
        share=None if alone() else Share(mesh, rows),
        description={"devices": member * data, "member": member, "data": data}
        | ({"copies": rows - members} if rows > members else {}),
    )
