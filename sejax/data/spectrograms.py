"""tf.data pipeline of prepared spectrograms: rows by index, in order, read ahead of the training step."""

from collections.abc import Iterable, Iterator

import numpy as np

from sejax.core.experiment import Plan


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
