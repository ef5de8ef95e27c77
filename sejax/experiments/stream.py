"""A trained run that judges blocks of speech as they come."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.stream_level import stream_level
from sejax.data.blocks.streamed import BlockStream
from sejax.errors import InputError
from sejax.experiments.prediction import Predictor


class Heard(NamedTuple):
    """One block of a stream: what `sejax.experiments.prediction.Prediction` has of it, and how long that took.

    Attributes:
      start, end: seconds from the stream's beginning.
      posteriors: f32[C], mean over members. members: f32[M, C].
      latency: seconds from when its last samples had come until it was judged.
    """

    start: float
    end: float
    posteriors: np.ndarray
    members: np.ndarray
    latency: float


def predict_stream(predict: Predictor, samples: Iterable[np.ndarray], *, level: str = "") -> Iterator[Heard]:
    """Blocks of speech, each judged as soon as it is there; equal to those of a file of the same samples.

    Equal where recordings are taken as loud as they are, or where the stated level is that of the file;
    `sejax.audio.stream_level.stream_level` says what else becomes of it.

    Args:
      predict: the trained members.
      samples: int16[T] at 16 kHz, in pieces of any length.
      level: how loud the whole is, or "running".

    Raises:
      InputError: a run that judges whole recordings, a level that is not stated, less voiced speech than one block.
    """
    if not predict.blocks:
        raise InputError("the run judges whole recordings, or what is said in them, and no blocks; give files")
    to_level, blocks = stream_level(predict.level, level, RATE), BlockStream(predict.settings)
    predict.posteriors(np.zeros((1, predict.settings.block_samples), np.int16))  # compiled before anything is heard
    judged = 0
    for piece in samples:
        began = time.monotonic()
        found = blocks.feed(to_level(piece))
        for start, end, block in zip(found.start, found.end, found.samples, strict=True):
            members = predict.posteriors(block[None])[:, 0]
            yield Heard(float(start), float(end), members.mean(0), members, time.monotonic() - began)
            judged += 1
    if not judged:
        raise InputError(
            f"{blocks.kept / RATE:.2f} s of speech found in {blocks.heard / RATE:.2f} s of audio, less than one block "
            f"of {predict.settings.block_length} s"
        )
