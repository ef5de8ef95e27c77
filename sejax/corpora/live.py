"""Sound as it comes, from another program or a microphone, as int16 at 16 kHz."""

import os
from collections.abc import Iterator

import numpy as np

from sejax.audio.samples import RATE, to_int16
from sejax.errors import InputError, needs

_PIECE = 0.02  # seconds that are read at once


def pcm(descriptor: int, *, rate: int = RATE) -> Iterator[np.ndarray]:
    """Samples int16[T] at 16 kHz of raw PCM: one channel of signed 16 bits, little-endian, as they come.

    Other rates are resampled as files are. Half a sample at the end is left out.

    Args:
      descriptor: of an open file or pipe.
      rate: of what comes, Hz.

    Raises:
      InputError: a rate below 2000 Hz or above 384 kHz.
    """
    if not 2000 <= rate <= 384_000:
        raise InputError(f"--stream_rate={rate}: use 2000 to 384000 Hz")
    resample = None
    if rate != RATE:
        with needs("data"):
            import soxr

        resample = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    size, rest = max(2, round(_PIECE * rate)) * 2, b""
    while piece := os.read(descriptor, size):
        piece = rest + piece
        whole = len(piece) // 2 * 2
        samples, rest = np.frombuffer(piece[:whole], "<i2").astype(np.int16), piece[whole:]
        yield samples if resample is None else to_int16(resample.resample_chunk(samples / np.float32(32768)))
    if resample is not None:
        yield to_int16(resample.resample_chunk(np.zeros(0, np.float32), last=True))


def microphone(device: str) -> Iterator[np.ndarray]:
    """Samples int16[T] at 16 kHz from a microphone, without end.

    Args:
      device: its number or a part of its name; "default".

    Raises:
      InputError: the package sounddevice, or its library, is missing; no such microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: of PortAudio
        why = " ".join(str(error).split())
        raise InputError(
            f"a microphone needs the package sounddevice and PortAudio ({why}); pip install 'sejax[microphone]'"
        ) from None
    chosen = None if device == "default" else int(device) if device.isdigit() else device
    frames = round(_PIECE * RATE)
    try:
        with sounddevice.RawInputStream(
            samplerate=RATE, blocksize=frames, channels=1, dtype="int16", device=chosen
        ) as stream:
            while True:
                piece, _ = stream.read(frames)
                yield np.frombuffer(bytes(piece), np.int16)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise InputError(f"--microphone={device}: {' '.join(str(error).split())}; give another") from None
