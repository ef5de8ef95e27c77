"""From waveforms of any length to the frames of their spectrograms, many utterances to one call of one shape."""

import functools
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from sejax.audio.samples import RATE
from sejax.data.utterances.load import UtteranceSettings
from sejax.errors import InputError

FRAMES = 4096  # of one call: 65 s of audio at the default hop


def frames(waveform: np.ndarray, settings: UtteranceSettings) -> np.ndarray:
    """The spectrogram of an int16 waveform [T], T >= 1, at 16 kHz in dB: f16[1 + T // hop, bands], time first."""
    return np.concatenate([batch for batch, _ in frame_batches([waveform], settings)])


def frames_of(waveforms: Iterable[np.ndarray], settings: UtteranceSettings) -> Iterator[np.ndarray]:
    """`frames` of many waveforms, one after the other, which share calls; they are taken as they are needed."""
    counts: deque[int] = deque()  # frames of the waveforms whose frames are not complete

    def counted():
        for waveform in waveforms:
            counts.append(settings.spectrogram.frames(len(waveform)))
            yield waveform

    parts, held = [], 0
    for batch, _ in frame_batches(counted(), settings):
        parts.append(batch)
        held += len(batch)
        while counts and held >= counts[0]:
            joined, count = np.concatenate(parts), counts.popleft()
            yield joined[:count]
            parts, held = [joined[count:]], held - count


def frame_batches(
    waveforms: Iterable[np.ndarray], settings: UtteranceSettings
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The frames of int16 waveforms [T], one waveform after the other, at most `FRAMES` at a time.

    The waveforms are laid out in one buffer of fixed length, with as many samples around each as a window reaches
    (zeros beyond its ends), and one spectrogram is taken of the buffer: one compilation whatever the lengths, and
    memory that does not depend on them. A waveform that does not fit goes on in the next buffer, with the samples
    around the cut in both, so that its frames are those of the whole.

    Yields:
      f16[n, bands] in dB, low bands first, and f32[n], the highest dB of each frame (of the f16 values).

    Raises:
      InputError: a waveform that is not int16 [T], T >= 1.
    """
    hop = settings.spectrogram.hop_length
    margin = -(-(settings.spectrogram.n_fft // 2 + 1) // hop)  # frames whose samples a window reaches on either side
    buffer, wanted, filled = np.zeros(FRAMES * hop, np.int16), np.zeros(FRAMES, bool), 0
    for waveform in waveforms:
        _check(waveform)
        first, count = 0, settings.spectrogram.frames(len(waveform))
        while first < count:
            if filled + 2 * margin >= FRAMES:
                yield _computed(buffer, wanted, settings)
                filled = 0
            room = min(count - first, FRAMES - filled - 2 * margin)
            begin = (first - margin) * hop
            samples = waveform[max(begin, 0) : begin + (room + 2 * margin) * hop]
            place = filled * hop + max(-begin, 0)
            buffer[place : place + len(samples)] = samples
            wanted[filled + margin : filled + margin + room] = True
            filled, first = filled + room + 2 * margin, first + room
    if filled:
        yield _computed(buffer, wanted, settings)


def _computed(buffer, wanted, settings) -> tuple[np.ndarray, np.ndarray]:
    """The wanted frames of a buffer and their highest dB; the buffer is empty afterwards."""
    decibels, highest = _jitted(settings)(buffer)
    chosen = np.asarray(decibels)[wanted], np.asarray(highest)[wanted]
    buffer[:], wanted[:] = 0, False
    return chosen


@functools.cache
def _jitted(settings: UtteranceSettings):
    """int16[FRAMES * hop] -> f16[FRAMES, bands] in dB and f32[FRAMES], compiled once."""
    import jax
    import jax.numpy as jnp

    from sejax.audio.spectrogram import spectrogram

    def both(buffer):
        waveform = buffer.astype(jnp.float32) / 32768.0  # int16 to [-1, 1)
        decibels = spectrogram(waveform, settings.spectrogram, fmax=settings.fmax)[:, :FRAMES]
        decibels = decibels.T.astype(jnp.float16)
        return decibels, decibels.max(axis=1).astype(jnp.float32)

    return jax.jit(both)


def _check(waveform: np.ndarray) -> None:
    if waveform.dtype != np.int16 or waveform.ndim != 1 or len(waveform) == 0:
        raise InputError(
            f"utterance frames: {waveform.dtype}{list(waveform.shape)}; give int16 [T] at {RATE} Hz, at least one"
            " sample (sejax.corpora.waveform.read converts any file)"
        )
