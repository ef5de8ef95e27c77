"""What recordings go through on their way to a listener: quieter, noisy, narrow, compressed (host side).

Waveforms are int16[T] and stay so: what would lie beyond full scale is clipped. White noise and babble have a level
relative to the waveform's own mean power, pauses included.
"""

import io
from collections.abc import Sequence

import numpy as np

from sejax.errors import InputError, needs

BABBLE = 6  # talkers, at equal power


def gain(waveform: np.ndarray, decibels: float) -> np.ndarray:
    """The waveform, so many decibels louder."""
    return _int16(waveform * 10 ** (decibels / 20))


def with_noise(waveform: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """The waveform with noise f64[T] at a signal-to-noise ratio in dB; as it is where either is silent."""
    signal, power = np.mean(np.square(waveform, dtype=np.float64)), np.mean(np.square(noise, dtype=np.float64))
    if signal == 0 or power == 0:
        return waveform
    return _int16(waveform + noise * np.sqrt(signal / power) * 10 ** (-snr / 20))


def white(length: int, random: np.random.Generator) -> np.ndarray:
    """White Gaussian noise f64[length]."""
    return random.standard_normal(length)


def babble(length: int, talkers: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """f64[length] of `BABBLE` of the talkers, int16[S] each, at equal power, from a random sample on and repeated.

    Raises:
      InputError: fewer recordings that hold any sound.
    """
    sounding = [talker for talker in talkers if np.any(talker)]
    if len(sounding) < BABBLE:
        raise InputError(f"babble: {len(sounding)} recordings that are not silent; give at least {BABBLE}")
    mixed = np.zeros(length)
    for row in random.choice(len(sounding), BABBLE, replace=False):
        voice = sounding[row].astype(np.float64)
        mixed += np.resize(np.roll(voice, -random.integers(len(voice))), length) / np.sqrt(np.mean(voice**2))
    return mixed


def narrow_band(waveform: np.ndarray, rate: int, *, through: int = 8000) -> np.ndarray:
    """The waveform after a channel of a lower sampling rate in Hz, at its own rate again: nothing above its half."""
    with needs("data"):
        import soxr

    there = soxr.resample(waveform.astype(np.float64), rate, through)
    return _int16(np.resize(np.append(soxr.resample(there, through, rate), np.zeros(len(waveform))), len(waveform)))


def mp3(waveform: np.ndarray) -> np.ndarray:
    """The waveform, at 16 kHz, after MP3 at a constant 32 kbit/s."""
    with needs("data"):
        import soundfile

    file = io.BytesIO()
    # Of constant bit rates libsndfile 1.2.2 takes 32 kbit/s here; without a compression level the rate varies.
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": 0.86}
    with soundfile.SoundFile(file, "w", samplerate=16000, channels=1, **kind) as written:
        written.write(waveform)
    file.seek(0)
    # As floats: as integers libsndfile wraps what decodes beyond full scale.
    decoded = soundfile.read(file, dtype="float64")[0][_MP3_DELAY:]
    return _int16(np.resize(np.append(decoded, np.zeros(len(waveform))), len(waveform)) * 32768)


_MP3_DELAY = 1105  # samples, LAME's and the decoder's; at this rate no tag tells readers to leave them out


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples).clip(-32768, 32767).astype(np.int16)
