"""Blocks of a recording as its samples come, equal to those of the whole."""

import numpy as np

from sejax.audio.samples import RATE
from sejax.audio.voice_activity import listener
from sejax.data.blocks.load import BlockSettings
from sejax.data.blocks.spectrograms import VoicedBlocks


class BlockStream:
    """Cuts samples at 16 kHz into the blocks that `voiced_blocks` cuts the whole into, each as soon as it is there.

    The voice detector hears all samples in one go, as it hears a whole recording: what it has adapted to stays. Memory
    is one block's.

    Args:
      settings: of blocks; the samples are to be at their level already.

    Attributes:
      heard: samples so far. kept: those of them that are voiced.
    """

    def __init__(self, settings: BlockSettings):
        self._length, self._step = settings.block_samples, settings.block_samples - settings.overlap_samples
        self._frame = 1 if settings.voice_activity is None else RATE * settings.frame_ms // 1000
        self._hears = None if settings.voice_activity is None else listener(settings.voice_activity, RATE)
        self._rest = np.empty(0, np.int16)  # less than a frame
        self._samples = np.empty(0, np.int16)  # voiced, from the next block's first on
        self._places = np.empty(0, np.int64)  # where each of them lies in the recording
        self.heard = self.kept = 0

    def feed(self, samples: np.ndarray) -> VoicedBlocks:
        """The blocks int16[N, block_length] that further samples int16[T] complete, N = 0 mostly."""
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) // self._frame * self._frame
        frames, self._rest = waiting[:whole].reshape(-1, self._frame), waiting[whole:]
        places = (self.heard + np.arange(whole)).reshape(-1, self._frame)
        self.heard += whole
        if self._hears is not None:
            voiced = np.array([self._hears(frame) for frame in frames], bool)
            frames, places = frames[voiced], places[voiced]
        self.kept += frames.size
        self._samples = np.concatenate([self._samples, frames.reshape(-1)])
        self._places = np.concatenate([self._places, places.reshape(-1)])
        count = max(len(self._samples) - self._length, -self._step) // self._step + 1
        starts = np.arange(count) * self._step
        blocks = [self._samples[start : start + self._length] for start in starts]
        first, last = self._places[starts], self._places[starts + self._length - 1]
        self._samples, self._places = (array[count * self._step :].copy() for array in (self._samples, self._places))
        return VoicedBlocks(
            np.stack(blocks) if count else np.empty((0, self._length), np.int16),
            first / RATE,
            (last + 1) / RATE,
            self.kept / RATE,
        )
