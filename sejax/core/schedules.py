"""Learning rate on a plateau and early stopping, as pure states that jit and vmap.

Both follow `torch.optim.lr_scheduler.ReduceLROnPlateau` to the step: what counts as an improvement, how the
epochs without one are counted, and that `patience` such epochs are borne while the next one acts. Their threshold is
absolute where torch's default is relative: relative to a figure below zero (a log-likelihood, a correlation) it asks
for less than nothing, so that a figure that stands still improves for ever; ``threshold_mode="rel"`` is torch's rule.
Comparisons are in float32: a value within one rounding (6e-8 relative) of the threshold may be judged differently than
in torch's double precision.

    plateau = Plateau.init(1e-2)
    plateau = plateau.update(validation_accuracy, mode="max")     # once an epoch
    updates = plateau.learning_rate * direction

A rate that decays by a fixed rule is optax's business (`optax.exponential_decay(..., staircase=True)`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


def improves(value, best, *, mode: str, threshold=1e-4, threshold_mode: str = "abs", seen=None):
    """Is `value` better than `best` by more than `threshold`? bool of their shape; NaN never improves.

    `mode` "max" (accuracy) or "min" (loss) says what is better. The bound to pass is, for "max" and "min",
    best * (1 + threshold) and best * (1 - threshold) with `threshold_mode` "rel", best + threshold and
    best - threshold with "abs". Raises ValueError for any other mode.

    Where `seen` is given and False the worst possible value stands for `best`. States hold 0 instead of that
    infinity: a check for non-finite values may look at all of them.
    """
    if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
        raise ValueError(f"mode={mode!r}, threshold_mode={threshold_mode!r}: give 'min' or 'max', and 'rel' or 'abs'")
    if seen is not None:
        best = jnp.where(seen, best, -jnp.inf if mode == "max" else jnp.inf)
    margin = threshold if mode == "max" else -threshold
    bound = best * (1.0 + margin) if threshold_mode == "rel" else best + margin
    return value > bound if mode == "max" else value < bound


class Plateau(NamedTuple):
    """A learning rate that falls when a validation figure stops improving (ReduceLROnPlateau).

    learning_rate f32[]; best f32[] (0 until `seen`); bad_epochs i32[]: epochs since the last improvement or
    reduction; cooldown i32[]: epochs left in which bad ones do not count; seen bool[]: a best value exists.
    """

    learning_rate: jax.Array
    best: jax.Array
    bad_epochs: jax.Array
    cooldown: jax.Array
    seen: jax.Array

    @classmethod
    def init(cls, learning_rate) -> "Plateau":
        """A fresh state at `learning_rate`."""
        zero = jnp.zeros((), jnp.int32)
        rate = jnp.asarray(learning_rate, jnp.float32)
        return cls(rate, jnp.zeros((), jnp.float32), zero, zero, jnp.zeros((), bool))

    def update(
        self,
        value,
        *,
        mode: str,
        factor=0.1,
        patience=5,
        threshold=1e-4,
        threshold_mode: str = "abs",
        cooldown=0,
        minimum=1e-5,
        epsilon=1e-8,
    ) -> "Plateau":
        """The state after an epoch that reached `value` f32[].

        The rate is multiplied by `factor`, but not below `minimum`, at epoch number `patience + 1` in a row
        without improvement (see `improves`); the next `cooldown` epochs are then not counted. A reduction of
        `epsilon` or less is not made. The defaults of factor, patience and minimum are those of Venkateswaran
        et al.; torch's own differ.
        """
        value = jnp.asarray(value, jnp.float32)
        record = {"threshold": threshold, "threshold_mode": threshold_mode, "seen": self.seen}
        better = improves(value, self.best, mode=mode, **record)
        cooling = self.cooldown > 0
        bad_epochs = jnp.where(better | cooling, 0, self.bad_epochs + 1)
        reduce = bad_epochs > patience
        reduced = jnp.maximum(self.learning_rate * factor, minimum)
        fall = reduce & (self.learning_rate - reduced > epsilon)
        return Plateau(
            learning_rate=jnp.where(fall, reduced, self.learning_rate),
            best=jnp.where(better, value, self.best),
            bad_epochs=jnp.where(reduce, 0, bad_epochs),
            cooldown=jnp.where(reduce, cooldown, self.cooldown - cooling.astype(jnp.int32)),
            seen=self.seen | better,
        )


class EarlyStopping(NamedTuple):
    """Stops when a validation figure has not improved for too long; a stopped state never changes again.

    best f32[] (0 until there is one); best_epoch i32[]: its epoch from 0 on, -1 until there is one;
    epochs i32[]: counted so far; bad_epochs i32[]: epochs since the best; stopped bool[].
    """

    best: jax.Array
    best_epoch: jax.Array
    epochs: jax.Array
    bad_epochs: jax.Array
    stopped: jax.Array

    @classmethod
    def init(cls) -> "EarlyStopping":
        """A fresh state."""
        zero = jnp.zeros((), jnp.int32)
        return cls(jnp.zeros((), jnp.float32), zero - 1, zero, zero, jnp.zeros((), bool))

    @property
    def improved(self):
        """bool[]: the latest epoch is the best one so far (keep its parameters)."""
        return (self.best_epoch >= 0) & (self.best_epoch == self.epochs - 1)

    def update(self, value, *, mode: str, patience=10, threshold=1e-4, threshold_mode: str = "abs") -> "EarlyStopping":
        """The state after an epoch that reached `value` f32[].

        Stops at epoch number `patience + 1` in a row without improvement (see `improves`): the moment at
        which `Plateau` with the same settings would first reduce. For a toolkit that stops at epoch number
        `patience` already, give one less.
        """
        value = jnp.asarray(value, jnp.float32)
        record = {"threshold": threshold, "threshold_mode": threshold_mode, "seen": self.best_epoch >= 0}
        better = improves(value, self.best, mode=mode, **record)
        bad_epochs = jnp.where(better, 0, self.bad_epochs + 1)
        after = EarlyStopping(
            best=jnp.where(better, value, self.best),
            best_epoch=jnp.where(better, self.epochs, self.best_epoch),
            epochs=self.epochs + 1,
            bad_epochs=bad_epochs,
            stopped=bad_epochs > patience,
        )
        return jax.tree.map(lambda old, new: jnp.where(self.stopped, old, new), self, after)
