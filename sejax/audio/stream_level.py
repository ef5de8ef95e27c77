"""The level of speech that is heard as it comes, when nobody knows yet how loud the whole will be (host side)."""

from collections.abc import Callable

import numpy as np

from sejax.audio.level import LEVELS, SPEECH
from sejax.errors import InputError

RUNNING = "running"
_BY_ONE_GAIN = ("peak", "rms", "loudness")
_FULL_SCALE = 32768
_FRAME = 0.01  # s, after which the running level is measured anew
_SETTLED = 1.0  # s, that are heard before the first is given out


def stream_level(level: str, stated: str, rate: int) -> Callable[[np.ndarray], np.ndarray]:
    """What brings samples int16[T] to a level as they come; it gives back as many, or later.

    A recording's level is that of its whole, which a stream has not heard. So somebody states it, or takes what was
    heard so far for it.

    Args:
      level: of `sejax.audio.level.LEVELS`, what recordings of the training were brought to.
      stated: how loud the whole is: a number (peak or root mean square in dBFS, loudness in LUFS), which gives one
        gain, that of `levelled` for a recording of this level whose mean is zero; "running": the mean, peak or root
        mean square of what was heard until then, measured every 10 ms, the first second in one; "": not stated.
      rate: Hz.

    Raises:
      InputError: a level that has to be stated and is not, or cannot be measured so.
    """
    if level not in LEVELS:
        raise InputError(f"level={level!r}; use one of {', '.join(LEVELS)}")
    if level == "none":
        if stated:
            raise InputError(f"--stream_level={stated}: the run takes recordings as loud as they are; leave it out")
        return lambda samples: samples
    if level not in _BY_ONE_GAIN:
        raise InputError(f"level={level}: what is done to a recording for it needs the whole; give files")
    if stated == RUNNING:
        if level == "loudness":
            raise InputError("--stream_level=running: loudness is gated by that of the whole; state it in LUFS")
        return RunningLevel(level, rate)
    try:
        number = float(stated)
    except ValueError:
        number = np.nan
    if not -120 <= number <= 20:
        unit = "LUFS" if level == "loudness" else "dBFS"
        raise InputError(
            f"--stream_level={stated}: the run was trained on recordings brought to one level ({level}), and that of a "
            f"whole recording is not known while it comes; give it in {unit}, such as --stream_level=-30, or running "
            "for that of what was heard so far"
        )
    gain = 10 ** (((0.0 if level == "peak" else SPEECH) - number) / 20)
    return lambda samples: _scaled(samples, 0.0, gain)


class RunningLevel:
    """Brings samples to the level "peak" or "rms" by what was heard until then.

    How samples are cut into pieces changes nothing.
    """

    def __init__(self, level: str, rate: int):
        self._level, self._frame, self._settled = level, round(_FRAME * rate), round(_SETTLED * rate)
        self._waiting = np.empty(0, np.int16)
        self._count, self._sum, self._squares, self._high, self._low = 0, 0, 0, -_FULL_SCALE, _FULL_SCALE - 1

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The samples whose level is known now, int16."""
        self._waiting = np.concatenate([self._waiting, samples])
        made = []
        if self._count == 0:
            if len(self._waiting) < self._settled:
                return np.empty(0, np.int16)
            made.append(self._next(self._settled))
        while len(self._waiting) >= self._frame:
            made.append(self._next(self._frame))
        return np.concatenate(made) if made else np.empty(0, np.int16)

    def _next(self, length: int) -> np.ndarray:
        frame, self._waiting = self._waiting[:length], self._waiting[length:]
        exact = frame.astype(np.int64)
        self._count += length
        self._sum, self._squares = self._sum + int(exact.sum()), self._squares + int(np.square(exact).sum())
        self._high, self._low = max(self._high, int(frame.max())), min(self._low, int(frame.min()))
        mean = self._sum / self._count
        peak = max(self._high - mean, mean - self._low)
        if peak < 0.5:  # nothing but a constant so far
            return np.zeros_like(frame)
        if self._level == "peak":
            return _scaled(frame, mean, _FULL_SCALE / peak)
        power = self._squares / self._count - mean**2
        return _scaled(frame, mean, _FULL_SCALE * 10 ** (SPEECH / 20) / np.sqrt(power))


def _scaled(samples: np.ndarray, mean: float, gain: float) -> np.ndarray:
    return np.round((samples - mean) * gain).clip(-_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
