"""Crops of whole-utterance spectrograms: where they start and what they hold, on the device and from the disk alike.

A training crop is centred on a random moment of a random word (Chang and Scherer, 2017, section 3), so that it never
is silence alone; where words have no times the stretches are the voiced ones. Where a crop starts is a function of
(seed, place) in whole numbers, and its values come from operations that round the same way everywhere: numpy and jax,
the host's pipeline and a gather on the device give equal bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.rng import GOLDEN, mix, namespace
from sejax.errors import InputError, needs

if TYPE_CHECKING:  # whoever reads single crops or batches needs no flax
    from sejax.core.experiment import Plan

_STEP = 64  # moments of a word lie on a grid of 1/64 frame


def crop_data(spectrograms, rows=None) -> dict[str, np.ndarray]:
    """The arrays that crops are read from, of a set's U utterances or of the chosen ones.

    Args:
      spectrograms: `sejax.data.utterances.load.UtteranceSpectrograms`.
      rows: i[N], utterances to copy, in the order wanted; None: all of them, their frames where they are (on the disk).

    Returns:
      {"frames": f16[T, bands] in dB, "first": i32[U] row of each utterance's first frame, "length": i32[U] frames,
      "maximum": f32[U] dB, "span_start", "span_end": f32[S] frames from the utterance's start, "span_first": i32[U],
      "span_count": i32[U]}.

    Raises InputError for more frames than an i32 counts.
    """
    offset, spans = np.asarray(spectrograms.offset, np.int64), np.asarray(spectrograms.span_offset, np.int64)
    frames = spectrograms.frames
    first, length, span_first, span_count = offset[:-1], np.diff(offset), spans[:-1], np.diff(spans)
    start, end, maximum = spectrograms.span_start, spectrograms.span_end, np.asarray(spectrograms.maximum)
    if rows is not None:
        rows = np.asarray(rows)
        ranges = [slice(offset[row], offset[row + 1]) for row in rows]
        frames = np.concatenate([frames[:0], *(frames[part] for part in ranges)])
        taken = _ranges(span_first[rows], span_count[rows])
        start, end, maximum = start[taken], end[taken], maximum[rows]
        length, span_count = length[rows], span_count[rows]
        first, span_first = np.cumsum(length) - length, np.cumsum(span_count) - span_count
    if len(frames) > np.iinfo(np.int32).max:
        raise InputError(
            f"{spectrograms.corpus}: {len(frames)} frames, and crops are taken from at most {np.iinfo(np.int32).max}; "
            "prepare the corpus in parts"
        )
    numbers = {"first": first, "length": length, "span_first": span_first, "span_count": span_count}
    return {
        "frames": frames,
        "maximum": np.asarray(maximum, np.float32),
        "span_start": np.asarray(start, np.float32),
        "span_end": np.asarray(end, np.float32),
        **{name: values.astype(np.int32) for name, values in numbers.items()},
    }


class JoinedFrames:
    """Frames f16[T, bands] of several sets, one after the other, of which slices are read where the sets are."""

    def __init__(self, parts: Sequence[np.ndarray]):
        self._parts, self.dtype = tuple(parts), parts[0].dtype
        self._first = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self._first[-1]), *parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        inside = [slice(max(start - first, 0), max(stop - first, 0)) for first in self._first[:-1].tolist()]
        taken = [part[rows] for part, rows in zip(self._parts, inside, strict=True)]
        taken = [values for values in taken if len(values)] or taken[:1]
        return taken[0] if len(taken) == 1 else np.concatenate(taken)


def joined_crops(sets: Sequence[Mapping[str, np.ndarray]], *, copied: bool = True) -> dict[str, np.ndarray]:
    """The arrays of several sets as one, utterances of the first set first.

    Several sets' frames are copied, or else they are `JoinedFrames`, of which crops are streamed.

    Raises InputError for sets of different bands, or more frames than an i32 counts.
    """
    if len(sets) == 1:
        return dict(sets[0])
    shapes = {data["frames"].shape[1] for data in sets}
    total = sum(len(data["frames"]) for data in sets)
    if len(shapes) > 1 or total > np.iinfo(np.int32).max:
        raise InputError(
            f"crops: sets of {' and '.join(map(str, sorted(shapes)))} bands and {total} frames in all cannot be joined;"
            f" give sets of equal bands, with at most {np.iinfo(np.int32).max} frames"
        )
    joined = {name: np.concatenate([data[name] for data in sets]) for name in sets[0] if name != "frames"}
    frames = [data["frames"] for data in sets]
    joined["frames"] = np.concatenate(frames) if copied else JoinedFrames(frames)
    for number, spans in (("first", "frames"), ("span_first", "span_start")):
        before = np.cumsum([0, *(len(data[spans]) for data in sets[:-1])])
        joined[number] = np.concatenate([data[number] + start for data, start in zip(sets, before, strict=True)])
        joined[number] = joined[number].astype(np.int32)
    return joined


def _ranges(first, count) -> np.ndarray:
    """The numbers first[i] .. first[i] + count[i] - 1 of all i, one after the other."""
    before = np.cumsum(count) - count
    return np.arange(count.sum()) + np.repeat(first - before, count)


def crop_starts(seed, place, utterance, data: Mapping, *, width: int):
    """Where random training crops start: each centred on a random moment of a random word of its utterance.

    Args:
      seed: u32[], one sequence of crops for each.
      place: i32[B] >= 0, the number of the crop since the beginning, so that no two of a run are drawn alike.
      utterance: i32[B].
      data: as from `crop_data`; its frames are not read.
      width: frames of a crop.

    Returns:
      i32[B], frames from the utterance's start. Words are equally likely, and so is each moment of a word; a crop that
      would reach beyond its utterance is moved inside. One that is wider than its utterance has it in its middle, and
      starts before it (<= 0). numpy in, numpy out; otherwise traceable jax, the same numbers.
    """
    xp = namespace(seed, place, utterance, data["length"])
    with np.errstate(over="ignore"):  # numpy warns of scalars that wrap around
        mixed = mix(xp.asarray(seed).astype(np.uint32) ^ mix(xp.asarray(place).astype(np.uint32) * np.uint32(GOLDEN)))
        word_bits, moment_bits = mix(mixed + np.uint32(GOLDEN)), mix(mixed + np.uint32(2 * GOLDEN % 2**32))
    # The remainder's bias is below (words or steps of a word) / 2**32.
    count = data["span_count"][utterance].astype(np.uint32)
    word = data["span_first"][utterance] + (word_bits % count).astype(np.int32)
    # A multiple of a power of two is exact; from here on there are whole numbers alone, which no compiler rounds.
    edges = (data[name][word] for name in ("span_start", "span_end"))
    start, end = (xp.floor(edge * np.float32(_STEP)).astype(np.int32) for edge in edges)
    steps = xp.maximum(end - start, 1).astype(np.uint32)
    moment = (start + (moment_bits % steps).astype(np.int32)) // _STEP
    slack = data["length"][utterance] - width
    inside = xp.clip(moment - width // 2, 0, xp.maximum(slack, 0))
    return xp.where(slack < 0, slack // 2, inside).astype(np.int32)


def evaluation_starts(length, *, count: int, width: int):
    """Starts i32[..., count] of evenly spaced crops over utterances of `length` i32[...] frames.

    The first begins with the utterance and the last ends with it; a single one is in the middle. All crops of an
    utterance that is shorter than `width` are alike, with it in their middle. numpy and jax alike.
    """
    xp = namespace(length)
    slack = (xp.asarray(length) - width)[..., None]
    if count == 1:
        return (slack // 2).astype(np.int32)
    number, gaps = xp.arange(count, dtype=np.int32), count - 1
    # slack * number // gaps, by parts that stay far from 2**31.
    spaced = slack // gaps * number + slack % gaps * number // gaps
    return xp.where(slack < 0, slack // 2, spaced).astype(np.int32)


def evaluation_crops(
    levels: np.ndarray, *, seconds: float, hop: float, count: int, width: int, dynamic_range: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evenly spaced crops of one recording, as evaluation takes them of a set's.

    Args:
      levels: f16[F, bands] in dB, its frames. seconds: its duration; hop: seconds from frame to frame.
      count: N; 1 where the recording is no longer than one crop.
      width, dynamic_range: as in `read_crops`.

    Returns:
      start and end f64[N] in seconds, inside the recording, and the crops [N, bands, width].
    """
    one = {"first": [0], "length": [len(levels)], "maximum": [levels.max()]}
    data = {"frames": levels} | {name: np.array(values) for name, values in one.items()}
    start = evaluation_starts(data["length"], count=count if len(levels) > width else 1, width=width)[0]
    crops = read_crops(data, np.zeros_like(start), start, width=width, dynamic_range=dynamic_range)
    begin, end = (np.stack([start, start + width]) * hop).clip(0, seconds)
    return begin, end, crops


def read_crops(data: Mapping, utterance, start, *, width: int, dynamic_range: float = 80.0):
    """Crops as the networks see them: dB below the utterance's maximum, as numbers from -1 to 1.

    Args:
      data: as from `crop_data`.
      utterance, start: i32[...], as from `crop_starts` or `evaluation_starts`.
      width: frames w of a crop.
      dynamic_range: R in dB; what is R or more below the maximum is -1, the maximum is 1.

    Returns:
      f32[..., bands, w], low bands first; -1 before the utterance and after it. numpy in, numpy out; otherwise
      traceable jax, equal bit for bit.
    """
    if not isinstance(data["frames"], jax.Array) and not isinstance(utterance, jax.Array):
        level, maximum = _cut(data, np.asarray(utterance), np.asarray(start), width)
        level = np.subtract(np.swapaxes(level, -1, -2), maximum, order="C", dtype=np.float32)
        return _scaled(level, dynamic_range, np.clip)
    frame = start[..., None] + jnp.arange(width, dtype=jnp.int32)  # [..., w]
    length, first = data["length"][utterance], data["first"][utterance]
    row = first[..., None] + jnp.clip(frame, 0, length[..., None] - 1)
    level = data["frames"][row].astype(jnp.float32) - data["maximum"][utterance][..., None, None]  # [..., w, bands]
    level = jnp.where(((frame >= 0) & (frame < length[..., None]))[..., None], level, -jnp.inf)
    return _scaled(jnp.swapaxes(level, -1, -2), dynamic_range, jnp.clip)


def _scaled(level, dynamic_range, clip):
    """f32 dB below the maximum to -1 .. 1. A product before the sum could be fused with it, and round otherwise."""
    half = np.float32(dynamic_range / 2)
    return (clip(level, -2 * half, np.float32(0)) + half) * (np.float32(1) / half)


def _cut(data, utterance, start, width) -> tuple[np.ndarray, np.ndarray]:
    """Levels f16[..., w, bands], -inf beyond the utterance, and its maximum f32[..., 1, 1], on the host.

    One slice of the frames for each crop, which is all that is read of a memory map.
    """
    frames, begin = data["frames"], start.ravel()
    level = np.full((utterance.size, width, frames.shape[1]), -np.inf, frames.dtype)
    first, length = data["first"][utterance].ravel(), data["length"][utterance].ravel()
    low, high = np.maximum(begin, 0), np.minimum(begin + width, length)
    ranges = np.stack([first + low, first + high, low - begin, high - begin], -1).tolist()
    for crop, (row, end, left, right) in zip(level, ranges, strict=True):
        crop[left:right] = frames[row:end]
    return level.reshape(*utterance.shape, *level.shape[1:]), data["maximum"][utterance][..., None, None]


def stream_crops(
    plans: Iterable[Plan],
    *,
    sets: Mapping[str, Mapping],
    width: int,
    dynamic_range: float = 80.0,
    prefetch: int = 4,
) -> Iterator[dict]:
    """Batches of crops for host-side plans, read by tf.data; equal to `read_crops` on the device bit for bit.

    Args:
      plans: index {name: {"utterance": i32[..., B], "start": i32[..., B], ...}, ...}, valid as the caller likes; of one
        structure and one shape. Sets may be of different sizes: labelled and unlabelled speech, say.
      sets: the data of each by its name, as from `crop_data`; its frames may be memory-mapped, only rows asked for are
        read.
      width, dynamic_range: as in `read_crops`.
      prefetch: batches read ahead while the device computes.

    Yields:
      {name: f32[..., B, bands, width] of every set, "index": as given, "valid": as given} in the plans' order.
    """
    with needs("data"):
        import tensorflow as tf

    plans = [{"index": plan.index, "valid": plan.valid} for plan in plans]
    if not plans:
        return
    plans = jax.tree.map(lambda *values: np.stack(values), *plans)

    def fetch(plan):
        # Python copies slices; what costs more (conversion, transposition) is done by TensorFlow's own threads.
        batch = dict(plan)
        for name, data in sets.items():
            at = plan["index"][name]
            cut = partial(_cut, data, width=width)
            types = (tf.as_dtype(data["frames"].dtype), tf.float32)
            level, maximum = tf.numpy_function(cut, [at["utterance"], at["start"]], types)
            level.set_shape((*at["utterance"].shape, width, data["frames"].shape[1]))
            level = tf.cast(tf.linalg.matrix_transpose(level), tf.float32) - maximum
            batch[name] = _scaled(level, dynamic_range, tf.clip_by_value)
        return batch

    with tf.device("CPU"):
        pipeline = tf.data.Dataset.from_tensor_slices(plans)
        pipeline = pipeline.map(fetch, num_parallel_calls=4, deterministic=True).prefetch(prefetch)
        yield from pipeline.as_numpy_iterator()


def oversampled(bin: np.ndarray, *, balance: float = 1.0) -> np.ndarray:
    """Rows i32[L] of an epoch in which rare bins stand more often: every row at least once, sorted.

    Args:
      bin: i[N], what is to be evened out (the valence's nearest point, say).
      balance: 0 leaves the counts n_c as they are, 1 raises all to the largest, n; between them bin c has
        n_c ** (1 - balance) * n ** balance rows. Repetitions are spread evenly over the bin's rows.

    Raises InputError for no rows, or a balance outside 0 to 1.
    """
    bin = np.asarray(bin)
    if not len(bin) or not 0 <= balance <= 1:
        raise InputError(f"oversampling: balance={balance}, {len(bin)} rows; use 0 to 1, and at least one row")
    _, number, counts = np.unique(bin, return_inverse=True, return_counts=True)
    wanted = np.rint(counts ** (1.0 - balance) * counts.max() ** float(balance)).astype(np.int64)
    # The k-th row of n stands as often as whole numbers lie between k * wanted / n and (k + 1) * wanted / n.
    order = np.argsort(number, kind="stable")
    rank = np.empty(len(bin), np.int64)
    rank[order] = _ranges(np.zeros_like(counts), counts)
    wanted, counts = wanted[number], counts[number]
    times = (rank + 1) * wanted // counts - rank * wanted // counts
    return np.repeat(np.arange(len(bin), dtype=np.int32), times)
