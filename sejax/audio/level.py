"""The level of a recording, brought to a stated one, and what else tells recordings apart (host side).

Levels are relative to full scale: a sine wave from -32768 to 32767 has a peak of 0 dBFS and a root mean square of -3.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sejax.errors import InputError

LEVELS = ("none", "peak", "rms", "loudness", "masked")
SPEECH = -26.0  # dBFS or LUFS; ITU-T P.56 and its kin take -26 dB below overload for speech
FULL_SCALE = 32768  # of int16 samples
_GATE = 0.4  # s, of one block of the loudness' gate
MASK = 30.0  # dB below speech, where level=masked has the noise floor of every recording
_HIGH_PASS = 60.0  # Hz, where level=masked begins: below voices, above what a microphone picks up of a building
_PIECE = 1 << 20  # samples at once, so that memory does not grow with a recording of hours (but for gated loudness)


def levelled(waveform: np.ndarray, rate: int, level: str) -> np.ndarray:
    """An int16 waveform [T] with its mean removed and its level brought to a stated one by one gain: int16[T].

    How loud the recording was makes no difference to what comes back, but for its rounding: a quiet recording's is
    coarser. What would lie beyond full scale is clipped. Digital silence stays what it is.

    Args:
      waveform: int16[T].
      rate: Hz.
      level: "none" (the waveform as it is), "peak" (the largest sample at full scale), "rms" (root mean square of
        the whole at -26 dBFS), "loudness" (gated loudness by EBU R 128 and ITU-R BS.1770 at -26 LUFS: pauses do not
        count) or "masked" (loudness, of what lies above 60 Hz, and white noise 30 dB below it: what a recording's own
        gain left in its offset and noise floor is below that of all).

    Raises:
      InputError: another level.
    """
    if level == "none":
        return waveform
    if level not in LEVELS:
        raise InputError(f"level={level!r}; use one of {', '.join(LEVELS)}")
    made, mean, peak, power = np.zeros_like(waveform), *_moments(waveform)
    if peak < 0.5:  # nothing but a constant
        return made
    if level == "masked":
        return _masked(waveform - mean, rate)
    gain = FULL_SCALE / peak
    if level == "rms":
        gain = FULL_SCALE * 10 ** (SPEECH / 20) / np.sqrt(power)
    elif level == "loudness":  # of the recording at full scale: the absolute gate is one relative to the peak then
        gain *= 10 ** ((SPEECH - _loudness((waveform - mean) / peak, rate)) / 20)
    for start in range(0, len(waveform), _PIECE):
        piece = np.round((waveform[start : start + _PIECE] - mean) * gain)
        made[start : start + _PIECE] = piece.clip(-FULL_SCALE, FULL_SCALE - 1)
    return made


def _masked(samples: np.ndarray, rate: int) -> np.ndarray:
    """Samples [T] around 0 above 60 Hz, at -26 LUFS, with the same white noise 30 dB below: int16[T]."""
    try:
        from scipy.signal import butter, sosfiltfilt
    except ImportError:
        raise InputError("level=masked needs the package scipy; pip install 'sejax[data]'") from None
    high = sosfiltfilt(butter(2, _HIGH_PASS, "highpass", fs=rate, output="sos"), samples, padlen=0)
    high *= 1.0 / np.abs(high).max()
    high *= 10 ** ((SPEECH - _loudness(high, rate)) / 20)
    high += 10 ** ((SPEECH - MASK) / 20) * np.random.default_rng(0).standard_normal(len(high))
    return np.round(high * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def decibels(amplitude: float) -> float:
    """An amplitude relative to full scale in dB."""
    return 20 * float(np.log10(amplitude))


def _moments(waveform: np.ndarray) -> tuple[float, float, float]:
    """Mean of int16[T], and the largest distance and the mean square distance from it; zeros where T is 0."""
    if not len(waveform):
        return 0.0, 0.0, 0.0
    mean = float(waveform.mean(dtype=np.float64))
    pieces = (waveform[start : start + _PIECE] - mean for start in range(0, len(waveform), _PIECE))
    power = sum(float(np.sum(piece**2)) for piece in pieces) / len(waveform)
    return mean, max(waveform.max() - mean, mean - waveform.min()), power


def _loudness(samples: np.ndarray, rate: int) -> float:
    """Gated loudness in LUFS of samples [T] in [-1, 1], of which some lie at 1 or -1; of one block where T is less."""
    try:
        import pyloudnorm
    except ImportError:
        raise InputError("level=loudness needs the package pyloudnorm; pip install 'sejax[data]'") from None
    block = min(_GATE, len(samples) / rate)
    found = float(pyloudnorm.Meter(rate, block_size=block).integrated_loudness(samples))
    # A click on silence: no block passes the gate.
    return found if np.isfinite(found) else decibels(np.sqrt(np.mean(samples**2)))


class Traits(NamedTuple):
    """What tells one recording from another, whatever is said in it.

    Attributes:
      level: root mean square in dBFS. peak: the largest distance from the mean in dBFS.
      offset: the mean's magnitude, as a share of full scale.
      floor: dB of the quietest tenth of its frames of 30 ms, relative to the level: where background noise lies.
      bandwidth: Hz below which all lies but what is `_INAUDIBLE` dB weaker than the strongest band of 250 Hz.
      clipped: share of the samples at the largest or smallest value, where that stands more than once in a row.
    """

    level: float
    peak: float
    offset: float
    floor: float
    bandwidth: float
    clipped: float


def traits(waveform: np.ndarray, rate: int) -> Traits:
    """The traits of an int16 waveform [T] at a rate in Hz; of digital silence level and peak are -120, the rest 0."""
    mean, peak, power = _moments(waveform)
    offset = abs(mean) / FULL_SCALE
    if power == 0:
        return Traits(_SILENT, _SILENT, offset, 0.0, 0.0, 0.0)
    length = round(_FRAME * rate)
    powers, spectrum = [], np.zeros(length // 2 + 1)
    for frames in _framed(waveform, mean, length):
        powers.append(np.mean(frames**2, axis=1))
        spectrum += np.sum(np.abs(np.fft.rfft(frames * np.hanning(length))) ** 2, axis=0)
    quiet = np.quantile(np.concatenate(powers), 0.1)
    return Traits(
        level=float(10 * np.log10(power / FULL_SCALE**2)),
        peak=decibels(peak / FULL_SCALE),
        offset=offset,
        floor=float(10 * np.log10(max(quiet / power, 1e-12))),
        bandwidth=_bandwidth(spectrum, rate, length),
        clipped=_clipped(waveform),
    )


_SILENT, _INAUDIBLE = -120.0, 60.0  # dBFS, dB
_FRAME, _BAND = 0.03, 250  # s, Hz


def _framed(waveform: np.ndarray, mean: float, length: int) -> Iterator[np.ndarray]:
    """Whole frames f64[N, length] without the mean, some at a time; one filled up with zeros where there is none."""
    if len(waveform) < length:
        yield np.pad(waveform - mean, (0, length - len(waveform)))[None]
    whole, step = len(waveform) // length * length, _PIECE // length * length
    for start in range(0, whole, step):
        yield (waveform[start : min(start + step, whole)] - mean).reshape(-1, length)


def _bandwidth(spectrum: np.ndarray, rate: int, length: int) -> float:
    frequency = np.fft.rfftfreq(length, 1 / rate)
    edges = np.arange(0, rate / 2, _BAND)
    bands = np.add.reduceat(spectrum, np.searchsorted(frequency, edges))
    return float(edges[np.flatnonzero(bands > bands.max() * 10 ** (-_INAUDIBLE / 10))[-1]] + _BAND)


def _clipped(waveform: np.ndarray) -> float:
    high, low, count = waveform.max(), waveform.min(), 0
    for start in range(0, len(waveform), _PIECE):
        first = max(start - 1, 0)  # with the neighbours of the piece
        part = waveform[first : start + _PIECE + 1]
        extreme = (part == high) | (part == low)
        in_a_row = extreme & (np.append(extreme[1:], False) | np.append(False, extreme[:-1]))
        count += int(in_a_row[start - first :][:_PIECE].sum())
    return count / len(waveform)


def ranges(found: Sequence[Traits]) -> dict[str, list[float]]:
    """Between what values of each trait all but the outermost hundredth at either end lie; {} of no recordings."""
    if not found:
        return {}
    low, high = np.quantile(np.array(found), [0.01, 0.99], axis=0)
    return {name: [float(low[row]), float(high[row])] for row, name in enumerate(Traits._fields)}


def joined(known: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """The ranges that hold all ranges of several corpora; {} where one of them has none."""
    known = list(known)
    if not all(known):
        return {}
    named = [name for name in Traits._fields if all(name in k for k in known)]  # sets of earlier versions have less
    return {name: [min(k[name][0] for k in known), max(k[name][1] for k in known)] for name in named}


# What is said of a trait, whether it lies below or beyond the range; what does no harm is not said.
_SAID = {
    ("level", "below"): "quieter (root mean square {:.1f} dBFS)",
    ("level", "beyond"): "louder (root mean square {:.1f} dBFS)",
    ("offset", "beyond"): "further off zero (its mean is {:.4f} of full scale)",
    ("floor", "beyond"): "noisier (its quiet parts lie at {:.1f} dB from its level)",
    ("bandwidth", "below"): "narrower (nothing above {:.0f} Hz)",
    ("clipped", "beyond"): "more clipped (in {:.2%} of its samples)",
}


def unlike(found: Traits, known: Mapping[str, Sequence[float]], *, level: str = "none") -> list[str]:
    """What makes a recording unlike others, in words; [] where nothing does.

    Args:
      found: its traits.
      known: `ranges` of the others.
      level: what recordings are brought to: then their own level and offset make no difference.
    """
    said = []
    for name, (low, high) in known.items():
        if level != "none" and name in ("level", "offset"):
            continue
        value = getattr(found, name)
        where = "below" if value < low else "beyond" if value > high else ""
        if (name, where) in _SAID:
            said.append(_SAID[name, where].format(value))
    return said
