"""Random spans of time in rows of different lengths, of fixed shapes: SpecAugment's time masks (arXiv:1904.08779)."""

import jax
import jax.numpy as jnp


def span_mask(key, frames, places, *, share, length, least=0):
    """Which of `places` are masked, bool[B, places]: spans of `length` at random starts in each row's first frames[b].

    A row has share * frames / length spans, rounded up or down at random so that the mean is that, at least `least`
    of them, no more than fit one behind the other; their starts differ and are equally likely, spans may overlap. A
    row of fewer frames than `length` has none. Nothing else of the batch matters to a row.

    key: typed; frames: i32[B]; share: of a row's frames, 0 to 1, before overlaps.
    """
    place = jnp.arange(places, dtype=jnp.int32)

    def row(key, frames):
        rounding = jax.random.uniform(jax.random.fold_in(key, 0))
        number = jnp.floor(share * frames / length + rounding).astype(jnp.int32)
        starts = jnp.maximum(frames - length + 1, 0)
        number = jnp.minimum(jnp.minimum(jnp.maximum(number, least), frames // length), starts)
        # A random order of all starts: bits of a place are the same however many places there are.
        keys = jax.vmap(lambda at: jax.random.fold_in(key, at + 1))(place)
        score = jax.vmap(lambda key: jax.random.uniform(key))(keys)
        score = jnp.where(place < starts, score, jnp.inf)
        rank = jnp.argsort(jnp.argsort(score, stable=True), stable=True)
        begun = jnp.cumsum(rank < number)
        before = jnp.where(place >= length, begun[jnp.maximum(place - length, 0)], 0)
        return begun > before

    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.arange(frames.shape[0]))
    return jax.vmap(row)(keys, frames)
