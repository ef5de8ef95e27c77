"""What methods share, whatever they train: variants, numbers and members of a config, early stopping, an Experiment."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sejax.core.experiment import Experiment, PyTree
from sejax.core.schedules import EarlyStopping
from sejax.engine.fields import config_with
from sejax.errors import InputError


def experiment_of(method) -> Experiment:
    """The Experiment of a method: its functions are the method's of the same names, and those that it lacks usual."""
    return Experiment(**{name: getattr(method, name) for name in Experiment._fields if hasattr(method, name)})


def compared(config, field: str, name: str, *, known: Collection[str]) -> dict[str, Any]:
    """A copy of a config for each entry of its list ``field``, with the entry as its field ``name``, by the entry.

    Raises:
      InputError: no entry, one twice, or one that is not ``known``.
    """
    entries = tuple(config[field])
    if not entries or len(set(entries)) < len(entries) or not set(entries) <= set(known):
        raise InputError(f"config: {field}={'+'.join(entries)}; give each once, of {', '.join(known)}")
    return {entry: config_with(config, {name: entry}) for entry in entries}


def check_choice(name: str, value: str, known: Collection[str]) -> None:
    """Raises InputError for a value of the config's field that is not ``known``."""
    if value not in known:
        raise InputError(f"config: {name}={value!r}; choose one of {', '.join(known)}")


def first_fields(key: jax.Array, epoch_steps: jax.Array) -> dict[str, jax.Array]:
    """The fields that every state has, before the first update of an epoch of so many."""
    zero = jnp.zeros((), jnp.int32)
    return {"key": key, "step": zero, "epoch_steps": epoch_steps, "stopped": jnp.zeros((), bool)}


def settings_of(kind: type, config, **given):
    """A method's numbers (a NamedTuple): the config's fields of the same names, but for those that are ``given``."""
    return kind(**{name: config[name] for name in kind._fields if name not in given}, **given)


def gain_limits(config) -> tuple[float, float] | None:
    """Between what gains in dB examples are trained on; None where they stay as they are."""
    low, high = config.random_gain
    return None if low == high == 0 else (low, high)


def dtype_of(config) -> Any:
    """What a network computes in: None for float32, which it takes by itself."""
    return None if config.dtype == "float32" else jnp.dtype(config.dtype)


def rate_members(
    name: Mapping[str, Any], folds: Sequence[Mapping[str, Any]], *, seeds: int, rates: Sequence[float]
) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray]]:
    """Folds x seeds x learning rates: names of the members, and their arrays stacked [M, ...].

    Members of one fold and seed share their draw, whatever their learning rate.

    Args:
      name: what all names begin with.
      folds: the arrays of each fold; "draw" i32[] and "learning_rate" f32[] are added to them.
    """
    names, members = [], []
    for (fold, arrays), seed, rate in product(enumerate(folds), range(seeds), rates):
        names.append(name | {"fold": fold, "seed": seed} | ({"learning_rate": rate} if len(rates) > 1 else {}))
        members.append(arrays | {"draw": np.int32(fold * seeds + seed), "learning_rate": np.float32(rate)})
    return tuple(names), jax.tree.map(lambda *leaves: np.stack(leaves), *members)


def stop_early(
    stopping: EarlyStopping, figure: jax.Array, latest: PyTree, best: PyTree, *, epochs: int, **rule
) -> tuple[dict[str, Any], PyTree]:
    """The end of an epoch that reached a validation figure f32[], of which more is better.

    Args:
      latest, best: weights after this epoch, and those of the best one before it.
      epochs: how many there are at most. rule: of `sejax.core.schedules.EarlyStopping.update`.

    Returns:
      The state's fields "stopping", "stopped" and "best"; and the weights to go on with, the best where it is over.
    """
    stopping = stopping.update(figure, mode="max", **rule)
    best = jax.tree.map(lambda new, old: jnp.where(stopping.improved, new, old), latest, best)
    stopped = stopping.stopped | (stopping.epochs >= epochs)
    kept = jax.tree.map(lambda top, new: jnp.where(stopped, top, new), best, latest)
    return {"stopping": stopping, "stopped": stopped, "best": best}, kept


def where_trained(
    direction: optax.GradientTransformation, trains: Callable[[PyTree], PyTree]
) -> optax.GradientTransformation:
    """A direction for the parameters that ``trains(params)``, a pytree of bool, marks; 0 for the others."""

    def fixed(params):
        return jax.tree.map(lambda train: not train, trains(params))

    return optax.chain(optax.masked(direction, trains), optax.masked(optax.set_to_zero(), fixed))
