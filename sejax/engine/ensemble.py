"""Members (folds x seeds x rates) as one more array axis: a transformation, never code in an experiment.

``vmap`` pays for small dense networks. Convolutions vmapped over members become grouped
convolutions, many times slower on a CPU: there ``map`` runs the members one after another in the
same program, and the driver can also train them in turn, a group of one at a time.
"""

from collections.abc import Callable

import jax

from sejax.core.experiment import Experiment, PyTree
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
    member. Stacked initialisation equals the lone one bit for bit; a vmapped step may differ from
    the lone step in the last bits, a mapped one does not (but for convolutions on a CPU, which XLA
    computes in another way inside a loop: train those a group of one member at a time).
    """

    def lift(function, *member_args):
        return over_members(function, how=how, member_args=member_args)

    return Experiment(
        init=lift(experiment.init, True, True, False),
        step=lift(experiment.step, True, True),
        evaluate=lift(experiment.evaluate, True, True),
        refresh=lift(experiment.refresh, True, True),
        conclude=lift(experiment.conclude, True, True, False),
        restart=lift(experiment.restart, True, False),
    )


def stack_members(members: list[PyTree]) -> PyTree:
    """Stacks pytrees of equal structure along a new leading axis."""
    return jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *members)


def take_members(tree: PyTree, start: int, stop: int) -> PyTree:
    """Members ``start:stop`` of a stacked pytree."""
    return jax.tree.map(lambda x: x[start:stop], tree)
