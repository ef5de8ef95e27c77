"""The level of a recording: brought to a stated one, so that nobody learns how loud somebody recorded (host side).

Levels are relative to full scale: a sine wave from -32768 to 32767 has a peak of 0 dBFS and a root mean square of -3.
"""

import numpy as np

from sejax.errors import InputError

LEVELS = ("none", "peak", "rms", "loudness")
SPEECH = -26.0  # dBFS or LUFS; ITU-T P.56 and its kin take -26 dB below overload for speech
_FULL_SCALE = 32768
_GATE = 0.4  # s, of one block of the loudness' gate


def levelled(waveform: np.ndarray, rate: int, level: str) -> np.ndarray:
    """An int16 waveform [T] with its mean removed and its level brought to a stated one by one gain: int16[T].

    How loud the recording was makes no difference to what comes back, but for its rounding: a quiet recording's is
    coarser. What would lie beyond full scale is clipped. Digital silence stays what it is.

    Args:
      waveform: int16[T].
      rate: Hz.
      level: "none" (the waveform as it is), "peak" (the largest sample at full scale), "rms" (root mean square of
        the whole at -26 dBFS) or "loudness" (gated loudness by EBU R 128 and ITU-R BS.1770 at -26 LUFS: pauses do not
        count).

    Raises:
      InputError: another level.
    """
    if level == "none":
        return waveform
    if level not in LEVELS:
        raise InputError(f"level={level!r}; use one of {', '.join(LEVELS)}")
    samples = waveform.astype(np.float64)
    samples -= samples.mean() if len(samples) else 0.0
    peak = np.abs(samples).max(initial=0.0)
    if peak < 0.5:  # nothing but a constant
        return np.zeros_like(waveform)
    samples /= peak  # which makes the loudness' absolute gate one relative to the peak
    if level != "peak":
        measured = _loudness(samples, rate) if level == "loudness" else decibels(np.sqrt(np.mean(samples**2)))
        samples *= 10 ** ((SPEECH - measured) / 20)
    return np.round(samples * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def decibels(amplitude: float) -> float:
    """An amplitude relative to full scale in dB."""
    return 20 * float(np.log10(amplitude))


def _loudness(samples: np.ndarray, rate: int) -> float:
    """Gated loudness in LUFS of samples [T] in [-1, 1], of which some lie at 1 or -1; of one block where T is less."""
    try:
        import pyloudnorm
    except ImportError:
        raise InputError("level=loudness needs the package pyloudnorm; pip install sejax[data]") from None
    block = min(_GATE, len(samples) / rate)
    found = float(pyloudnorm.Meter(rate, block_size=block).integrated_loudness(samples))
    # A click on silence: no block passes the gate.
    return found if np.isfinite(found) else decibels(np.sqrt(np.mean(samples**2)))
