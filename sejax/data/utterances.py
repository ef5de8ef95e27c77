"""grain pipelines over utterances: waveforms and word types in batches of few shapes, in an order that needs no state.

Which pieces a batch holds is a pure function of (seed, step): any step can be asked for in any process. Only the
samples of a batch's rows are read, and a batch is as long as its bucket.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np

from sejax.core.experiment import Plan
from sejax.data.buckets import Buckets, batch_buckets, epoch_batches
from sejax.data.pieces import Pieces
from sejax.errors import InputError


def read_batch(
    waveform: np.ndarray,
    pieces: Pieces,
    buckets: Buckets,
    index: np.ndarray,
    valid: np.ndarray,
    *,
    bucket: int | None = None,
) -> dict[str, np.ndarray]:
    """A batch in the shape (T_k samples, W_k words) of the largest bucket k among its valid rows.

    Args:
      waveform: int16[T] of the set; may be memory-mapped, only the samples of valid rows are read.
      index: i32[..., B], rows of `pieces`; valid: bool[..., B].
      bucket: k, where it is known (of a batch that several processes share).

    Returns:
      {"waveform": int16[..., B, T_k], zeros behind each piece; "length": i32[..., B] samples; "words":
      i32[..., B, W_k] word types, zeros behind them; "word_count": i32[..., B]; "index", "valid": as given}. Rows that
      are not valid have no samples and no words.
    """
    index, valid = np.asarray(index), np.asarray(valid)
    if bucket is None:
        bucket = int(batch_buckets(pieces, buckets, index[None], valid[None])[0])
    length, word_count = np.where(valid, pieces.length[index], 0), np.where(valid, pieces.word_count[index], 0)
    return {
        "waveform": _padded(waveform, pieces.start[index], length, buckets.samples[bucket], np.int16),
        "length": length.astype(np.int32),
        "words": _padded(pieces.words, pieces.first_word[index], word_count, buckets.words[bucket], np.int32),
        "word_count": word_count.astype(np.int32),
        "index": index,
        "valid": valid,
    }


def _padded(values: np.ndarray, first: np.ndarray, count: np.ndarray, width: int, dtype) -> np.ndarray:
    """[..., width]: values[first : first + count] of each row, zeros behind them."""
    found = np.zeros((first.size, width), dtype)
    for row, start, number in zip(found, first.ravel().tolist(), count.ravel().tolist(), strict=True):
        row[:number] = values[start : start + number]
    return found.reshape(*first.shape, width)


def stream_utterances(
    plans: Iterable[Plan],
    *,
    waveform: np.ndarray,
    pieces: Pieces,
    buckets: Buckets,
    label: np.ndarray,
    prefetch: int = 4,
) -> Iterator[dict[str, np.ndarray]]:
    """Batches for host-side plans, as `read_batch` makes them.

    Args:
      plans: index i32[..., B] and valid bool[..., B] of each batch; members in front of the rows share its bucket, the
        largest among them all.
      waveform: int16[T]; may be memory-mapped.
      label: i32[N] of the pieces.
      prefetch: batches read ahead while the device computes.

    Yields:
      What `read_batch` returns and "label" i32[..., B], in the plans' order.
    """
    import grain

    plans = [(np.asarray(plan.index), np.asarray(plan.valid)) for plan in plans]
    if not plans:
        return
    read = functools.partial(_read, waveform=waveform, pieces=pieces, buckets=buckets, label=np.asarray(label))
    pipeline = grain.MapDataset.source(plans).map(read)
    yield from pipeline.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=prefetch))


def _read(plan, *, waveform, pieces, buckets, label, bucket=None) -> dict[str, np.ndarray]:
    """The batch of a plan (index, valid) with its labels."""
    batch = read_batch(waveform, pieces, buckets, *plan, bucket=bucket)
    return batch | {"label": label[plan[0]].astype(np.int32)}


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
      waveforms: `sejax.data.waveforms.Waveforms`.
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
    import grain

    active = np.ones(len(pieces.length), bool) if active is None else np.asarray(active, bool)
    _check(active, batch_size, seed, shard, shards)
    label = np.asarray(waveforms.label)[pieces.utterance]
    read = functools.partial(_read, waveform=waveforms.waveform, pieces=pieces, buckets=buckets, label=label)
    rows = batch_size // shards
    epochs = _Epochs(buckets.of(pieces.length, pieces.word_count), active, batch_size, seed)
    batch = functools.partial(_batch, epochs=epochs, read=read, share=slice(shard * rows, (shard + 1) * rows))
    return grain.MapDataset.range(2**31).map(batch)


def _batch(step: int, *, epochs: "_Epochs", read, share: slice) -> dict[str, np.ndarray]:
    """A share of the rows of a step's batch, in the whole batch's shape."""
    index, valid, bucket = epochs.batch(step)
    return read((index[share], valid[share]), bucket=bucket)


class _Epochs:
    """Batches of one epoch after the other; the last epoch asked for is kept."""

    def __init__(self, bucket: np.ndarray, active: np.ndarray, batch_size: int, seed: int):
        self._bucket, self._active, self._batch_size, self._seed = bucket, active, batch_size, seed
        self._batches = -(-int(active.sum()) // batch_size)
        self._kept = (-1, None)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray, int]:
        """index i32[B], valid bool[B] and bucket of a step's batch."""
        epoch, place = divmod(step, self._batches)
        kept, found = self._kept  # one read and one write: threads may race for it and only do the work twice
        if kept != epoch:
            seed = np.random.SeedSequence([self._seed, epoch]).generate_state(1, np.uint32)[0]
            sizes = {"batch_size": self._batch_size, "batches": self._batches}
            found = epoch_batches(seed, self._bucket, self._active, **sizes)
            self._kept = (epoch, found)
        index, valid = found[0][place], found[1][place]
        return index, valid, int(self._bucket[index[valid]].max())


def _check(active: np.ndarray, batch_size: int, seed: int, shard: int, shards: int) -> None:
    if not active.any():
        raise InputError("utterance_batches: no piece is active; give at least one")
    if batch_size < 1 or shards < 1 or batch_size % shards or not 0 <= shard < shards:
        raise InputError(
            f"utterance_batches: batch_size={batch_size}, shard={shard}, shards={shards}; shards must divide the batch,"
            " and shard is 0 to shards - 1"
        )
    if seed < 0:
        raise InputError(f"utterance_batches: seed={seed}; use 0 or more")
