"""grain pipelines over feature vectors: unpaired source and target batches, in an order that needs no state.

Which rows a batch holds is a pure function of (seed, step): any step can be asked for in any process, and nothing has
to be saved to go on after an interruption.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sejax.core.experiment import Plan
from sejax.core.shuffle import shuffled
from sejax.errors import InputError

_PLACES = 2**31 - 1  # of `shuffled`


def stream_pairs(
    plans: Iterable[Plan], *, source: np.ndarray, target: np.ndarray, prefetch: int = 4
) -> Iterator[dict[str, np.ndarray]]:
    """Batches for host-side plans, equal to gathering the rows on the device.

    Args:
      plans: index {"source": i32[..., E, B], "target": i32[..., E, B]} per batch.
      source, target: f32[S, F] and f32[T, F]; may be memory-mapped, only the rows asked for are read.
      prefetch: batches read ahead while the device computes.

    Yields:
      {"source": f32[..., E, B, F], "target": f32[..., E, B, F]} in the plans' order.
    """
    import grain

    index = [plan.index for plan in plans]
    if not index:
        return
    pipeline = grain.MapDataset.source(index).map(functools.partial(_read, arrays={"source": source, "target": target}))
    yield from pipeline.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=prefetch))


def _read(rows: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of each array, copied out of the memory map."""
    return {name: np.ascontiguousarray(array[rows[name]], np.float32) for name, array in arrays.items()}


def unpaired_batches(
    source: np.ndarray,
    targets: Sequence[np.ndarray],
    *,
    batch_size: int,
    seed: int,
    shard: int = 0,
    shards: int = 1,
):
    """A grain dataset whose element `step` is that step's batch: `unpaired_batches(...)[step]`.

    Source and target rows are drawn independently of each other, each in shuffled passes of its own, so that every
    row occurs once before any occurs twice. Each target has its own order of the source.

    Args:
      source: f32[S, F]; may be memory-mapped.
      targets: E arrays f32[T_e, F] (the emotions, say); one may be smaller than a batch.
      batch_size: rows B of a whole batch, over all shards.
      seed: >= 0; every seed has its own order.
      shard, shards: this process's number and how many there are. Shard k holds the k-th part of each batch's rows:
        joined along the axis of rows, the shards' batches are the unsharded ones.

    Returns:
      A `grain.MapDataset` of {"source": f32[E, B / shards, F], "target": f32[E, B / shards, F]}: slice it, iterate it,
      or read it ahead with `to_iter_dataset`. Its length is the number of steps that have places, 2**31 rows.

    Raises:
      InputError: an empty array, arrays of different F, a batch that shards cannot divide, a negative seed.
    """
    import grain

    _check(source, targets, batch_size, shard, shards)
    if seed < 0:
        raise InputError(f"unpaired_batches: seed={seed}; use 0 or more")
    arrays = (*(source for _ in targets), *targets)
    read = functools.partial(
        _batch,
        arrays=arrays,
        seeds=np.random.SeedSequence(seed).generate_state(len(arrays), np.uint32)[:, None],
        first=shard * (batch_size // shards),
        rows=batch_size // shards,
        batch_size=batch_size,
    )
    return grain.MapDataset.range(_PLACES // batch_size).map(read)


def _batch(step: int, *, arrays, seeds: np.ndarray, first: int, rows: int, batch_size: int) -> dict[str, np.ndarray]:
    """`rows` rows of a step's batch from its row `first` on; arrays: the source E times, then the E targets."""
    place = step * batch_size + first + np.arange(rows)
    index = shuffled(seeds, place, np.array([[len(array)] for array in arrays]))
    found = np.stack([np.asarray(array[at], np.float32) for array, at in zip(arrays, index, strict=True)])
    targets = len(arrays) // 2
    return {"source": found[:targets], "target": found[targets:]}


def _check(source, targets, batch_size: int, shard: int, shards: int) -> None:
    if not targets:
        raise InputError("unpaired_batches: targets is empty; give an array f32[T, F] for each target")
    for name, array in (("source", source), *((f"targets[{e}]", array) for e, array in enumerate(targets))):
        if array.ndim != 2 or not len(array) or array.shape[1] != source.shape[1]:
            raise InputError(
                f"unpaired_batches: {name} has the shape {list(array.shape)}; give at least one row of as many features"
                f" as the source, {list(source.shape)}"
            )
    if batch_size < 1 or shards < 1 or batch_size % shards or not 0 <= shard < shards:
        raise InputError(
            f"unpaired_batches: batch_size={batch_size}, shard={shard}, shards={shards}; shards must divide the batch,"
            " and shard is 0 to shards - 1"
        )
