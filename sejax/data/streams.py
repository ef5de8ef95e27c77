"""Batches that the host reads from prepared sets: tf.data over blocks, grain over feature vectors and utterances.

`stream_...` read what plans name, equal to gathering the rows on the device. `unpaired_batches` and `utterance_batches`
are datasets for other projects, whose batch is a pure function of (seed, step): any step can be asked for in any
process, and nothing has to be saved to go on after an interruption. Only the rows of a batch are read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sejax.core.rng import shuffled
from sejax.data.buckets import Buckets, Pieces, batch_buckets, epoch_batches
from sejax.errors import InputError, needs

if TYPE_CHECKING:  # whoever reads single crops or batches needs no flax
    from sejax.core.experiment import Plan

_PLACES = 2**31 - 1  # of `shuffled`


def stream_batches(
    plans: Iterable[Plan], *, spectrogram: np.ndarray, label: np.ndarray, prefetch: int = 4
) -> Iterator[dict[str, np.ndarray]]:
    """Batches for host-side plans, equal to gathering the rows on the device.

    Args:
      plans: index i32[..., B] and valid bool[..., B] per batch; all of one shape.
      spectrogram: f32[I, bands, frames] in dB; may be memory-mapped, only the rows asked for are read.
      label: i32[I].
      prefetch: batches read ahead while the device computes.

    Yields:
      {"inputs": f32[..., B, bands, frames], "label", "index": i32[..., B], "valid": bool[..., B]} in the
      plans' order.
    """
    with needs("data"):
        import tensorflow as tf

    plans = list(plans)
    if not plans:
        return
    index = np.stack([plan.index for plan in plans])
    valid = np.stack([plan.valid for plan in plans])

    def read(rows):
        return np.ascontiguousarray(spectrogram[rows], np.float32), label[rows].astype(np.int32)

    def fetch(rows, valid):
        inputs, truth = tf.numpy_function(read, [rows], (tf.float32, tf.int32))
        inputs.set_shape((*index.shape[1:], *spectrogram.shape[1:]))
        truth.set_shape(index.shape[1:])
        return {"inputs": inputs, "label": truth, "index": rows, "valid": valid}

    with tf.device("CPU"):
        pipeline = tf.data.Dataset.from_tensor_slices((index, valid))
        pipeline = pipeline.map(fetch, num_parallel_calls=2, deterministic=True).prefetch(prefetch)
        yield from pipeline.as_numpy_iterator()


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
    arrays = {"source": source, "target": target}

    def read(rows):
        return {name: np.ascontiguousarray(array[rows[name]], np.float32) for name, array in arrays.items()}

    yield from _read_ahead([plan.index for plan in plans], read, prefetch)


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
    with needs("data"):
        import grain

    _check_vectors(source, targets)
    _check_shares("unpaired_batches", batch_size, seed, shard, shards)
    arrays = (*(source for _ in targets), *targets)
    read = functools.partial(
        _unpaired_batch,
        arrays=arrays,
        seeds=np.random.SeedSequence(seed).generate_state(len(arrays), np.uint32)[:, None],
        first=shard * (batch_size // shards),
        rows=batch_size // shards,
        batch_size=batch_size,
    )
    return grain.MapDataset.range(_PLACES // batch_size).map(read)


def _unpaired_batch(
    step: int, *, arrays, seeds: np.ndarray, first: int, rows: int, batch_size: int
) -> dict[str, np.ndarray]:
    """`rows` rows of a step's batch from its row `first` on; arrays: the source E times, then the E targets."""
    place = step * batch_size + first + np.arange(rows)
    index = shuffled(seeds, place, np.array([[len(array)] for array in arrays]))
    rows_of = np.stack([np.asarray(array[at], np.float32) for array, at in zip(arrays, index, strict=True)])
    targets = len(arrays) // 2
    return {"source": rows_of[:targets], "target": rows_of[targets:]}


def _check_vectors(source, targets) -> None:
    if not targets:
        raise InputError("unpaired_batches: targets is empty; give an array f32[T, F] for each target")
    for name, array in (("source", source), *((f"targets[{e}]", array) for e, array in enumerate(targets))):
        if array.ndim != 2 or not len(array) or array.shape[1] != source.shape[1]:
            raise InputError(
                f"unpaired_batches: {name} has the shape {list(array.shape)}; give at least one row of as many features"
                f" as the source, {list(source.shape)}"
            )


def read_batch(
    waveform: np.ndarray,
    pieces: Pieces,
    buckets: Buckets,
    index: np.ndarray,
    valid: np.ndarray,
    *,
    bucket: int | None = None,
    states: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """A batch in the shape (T_k samples, W_k words) of the largest bucket k among its valid rows.

    Args:
      waveform: int16[T] of the set; may be memory-mapped, only the samples of valid rows are read.
      index: i32[..., B], rows of `pieces`; valid: bool[..., B].
      bucket: k, where it is known (of a batch that several processes share).
      states: f32[N, ...] of each piece, which take the place of samples; may be memory-mapped.

    Returns:
      {"waveform": int16[..., B, T_k], zeros behind each piece; "length": i32[..., B] samples; "words":
      i32[..., B, W_k] word types, zeros behind them; "word_count": i32[..., B]; "index", "valid": as given}. Rows that
      are not valid have no samples and no words. With states "states" f32[..., B, ...] in the place of "waveform".
    """
    index, valid = np.asarray(index), np.asarray(valid)
    if bucket is None:
        bucket = int(batch_buckets(pieces, buckets, index[None], valid[None])[0])
    length, word_count = np.where(valid, pieces.length[index], 0), np.where(valid, pieces.word_count[index], 0)
    if states is None:
        heard = {"waveform": _padded(waveform, pieces.start[index], length, buckets.samples[bucket], np.int16)}
    else:
        rows = np.asarray(states[index], np.float32)
        heard = {"states": np.where(valid.reshape(*valid.shape, *(1,) * (states.ndim - 1)), rows, np.float32(0))}
    return heard | {
        "length": length.astype(np.int32),
        "words": _padded(pieces.words, pieces.first_word[index], word_count, buckets.words[bucket], np.int32),
        "word_count": word_count.astype(np.int32),
        "index": index,
        "valid": valid,
    }


def _padded(values: np.ndarray, first: np.ndarray, count: np.ndarray, width: int, dtype) -> np.ndarray:
    """[..., width]: values[first : first + count] of each row, zeros behind them."""
    padded = np.zeros((first.size, width), dtype)
    for row, start, number in zip(padded, first.ravel().tolist(), count.ravel().tolist(), strict=True):
        row[:number] = values[start : start + number]
    return padded.reshape(*first.shape, width)


def stream_utterances(
    plans: Iterable[Plan],
    *,
    waveform: np.ndarray,
    pieces: Pieces,
    buckets: Buckets,
    label: np.ndarray,
    states: np.ndarray | None = None,
    prefetch: int = 4,
) -> Iterator[dict[str, np.ndarray]]:
    """Batches for host-side plans, as `read_batch` makes them.

    Args:
      plans: index i32[..., B] and valid bool[..., B] of each batch; members in front of the rows share its bucket, the
        largest among them all, and among those of the whole batch where a plan is a part of one.
      waveform: int16[T]; may be memory-mapped.
      label: i32[N] of the pieces.
      states: as `read_batch` takes them.
      prefetch: batches read ahead while the device computes.

    Yields:
      What `read_batch` returns and "label" i32[..., B], in the plans' order.
    """
    given = {"waveform": waveform, "pieces": pieces, "buckets": buckets, "label": np.asarray(label), "states": states}
    asked = []
    for plan in plans:
        whole = (np.asarray(array)[None] for array in (plan.whole or plan)[:2])
        bucket = int(batch_buckets(pieces, buckets, *whole)[0])
        asked.append((np.asarray(plan.index), np.asarray(plan.valid), bucket))
    yield from _read_ahead(asked, functools.partial(_read_pieces, **given), prefetch)


def _read_pieces(plan, *, waveform, pieces, buckets, label, states=None) -> dict[str, np.ndarray]:
    """The batch of a plan (index, valid, bucket) with its labels."""
    index, valid, bucket = plan
    batch = read_batch(waveform, pieces, buckets, index, valid, bucket=bucket, states=states)
    return batch | {"label": label[index].astype(np.int32)}


def utterance_batches(
    waveforms,
    pieces: Pieces,
    buckets: Buckets,
    *,
    batch_size: int,
    seed: int,
    active: np.ndarray | None = None,
    shard: int = 0,
    shards: int = 1,
):
    """A grain dataset whose element `step` is that step's batch: `utterance_batches(...)[step]`.

    Epochs of ceil(active pieces / batch_size) batches follow each other, in an order of its own each, as
    `epoch_batches` makes them: every active piece occurs once in each.

    Args:
      waveforms: `sejax.data.waveforms.load.Waveforms`.
      pieces, buckets: of it, from `cut` and `choose_buckets`.
      batch_size: rows B of a whole batch, over all shards.
      seed: >= 0; every seed has its own order.
      active: bool[N], the pieces that take part (those that train, say); None: all.
      shard, shards: this process's number and how many there are. Shard k holds the k-th part of each batch's rows, in
        the whole batch's shape: joined, the shards' batches are the unsharded ones.

    Returns:
      A `grain.MapDataset` of what `stream_utterances` yields, B / shards rows each: slice it, iterate it, or read it
      ahead with `to_iter_dataset`, whose iterator's state says where to go on. Its length is 2**31 batches: steps do
      not end.

    Raises:
      InputError: no active piece, a batch that shards cannot divide, a negative seed.
    """
    with needs("data"):
        import grain

    active = np.ones(len(pieces.length), bool) if active is None else np.asarray(active, bool)
    if not active.any():
        raise InputError("utterance_batches: no piece is active; give at least one")
    _check_shares("utterance_batches", batch_size, seed, shard, shards)
    label = np.asarray(waveforms.label)[pieces.utterance]
    read = functools.partial(_read_pieces, waveform=waveforms.waveform, pieces=pieces, buckets=buckets, label=label)
    rows = batch_size // shards
    epochs = _Epochs(buckets.of(pieces.length, pieces.word_count), active, batch_size, seed)
    batch = functools.partial(_utterance_batch, epochs=epochs, read=read, share=slice(shard * rows, (shard + 1) * rows))
    return grain.MapDataset.range(2**31).map(batch)


def _utterance_batch(step: int, *, epochs: _Epochs, read, share: slice) -> dict[str, np.ndarray]:
    """A share of the rows of a step's batch, in the whole batch's shape."""
    index, valid, bucket = epochs.batch(step)
    return read((index[share], valid[share], bucket))


class _Epochs:
    """Batches of one epoch after the other; the last epoch asked for is kept."""

    def __init__(self, bucket: np.ndarray, active: np.ndarray, batch_size: int, seed: int):
        self._bucket, self._active, self._batch_size, self._seed = bucket, active, batch_size, seed
        self._batches = -(-int(active.sum()) // batch_size)
        self._kept = (-1, None)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray, int]:
        """index i32[B], valid bool[B] and bucket of a step's batch."""
        epoch, place = divmod(step, self._batches)
        kept, batches = self._kept  # one read and one write: threads may race for it and only do the work twice
        if kept != epoch:
            seed = np.random.SeedSequence([self._seed, epoch]).generate_state(1, np.uint32)[0]
            sizes = {"batch_size": self._batch_size, "batches": self._batches}
            batches = epoch_batches(seed, self._bucket, self._active, **sizes)
            self._kept = (epoch, batches)
        index, valid = batches[0][place], batches[1][place]
        return index, valid, int(self._bucket[index[valid]].max())


def _read_ahead(plans: list, read, prefetch: int) -> Iterator[dict[str, np.ndarray]]:
    """What `read` makes of each plan, in their order."""
    with needs("data"):
        import grain

    if plans:
        pipeline = grain.MapDataset.source(plans).map(read)
        yield from pipeline.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=prefetch))


def _check_shares(asked: str, batch_size: int, seed: int, shard: int, shards: int) -> None:
    """A batch that shards can share, and a seed."""
    if batch_size < 1 or shards < 1 or batch_size % shards or not 0 <= shard < shards:
        raise InputError(
            f"{asked}: batch_size={batch_size}, shard={shard}, shards={shards}; shards must divide the batch,"
            " and shard is 0 to shards - 1"
        )
    if seed < 0:
        raise InputError(f"{asked}: seed={seed}; use 0 or more")
