"""Audio files to int16 at 16 kHz, in pieces of bounded size, with a reason for every file that cannot be read."""

import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sejax.corpora.problems import BadRecording

RATE = 16000  # Hz, of every utterance that sejax stores
LONGEST = 2 * 3600  # seconds of one utterance: TFDS holds six copies of it, which then stay within 2 GiB
_PIECE = 30  # seconds decoded at once
_LOUDEST = 2.0  # floating-point files lie in [-1, 1]; decoders of lossy files overshoot a little
_SLOWEST = 2000  # Hz
_LENGTH_UNKNOWN = (0, 0xFFFFFFFF)  # what programs write into a wav header when they stream to a pipe
_COPY = "copy it again from the original distribution"


@dataclass(frozen=True)
class Header:
    """What an audio file's header says: `frames` samples per channel at `rate` Hz in `channels` channels."""

    frames: int
    rate: int
    channels: int
    subtype: str

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.rate


def inspect(path: str | Path) -> Header:
    """Read a file's header and check it against the file; raises BadRecording with reason and remedy.

    wav, flac, ogg, mp3 and NIST SPHERE, whatever libsndfile reads, with any rate and number of channels.
    """
    import soundfile

    path = Path(path)
    beginning = _beginning(path)
    if beginning[:7] == b"NIST_1A" and b"shorten" in beginning[:1024]:
        what = "a SPHERE file compressed with shorten, which cannot be decoded here"
        raise BadRecording(path, what, "convert it to wav (with sph2pipe, say) and give it its old name")
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        reason = str(error).partition(": ")[2].strip().rstrip(".") or "unknown format"
        raise BadRecording(
            path, f"not audio that can be read ({reason})", f"{_COPY}, or convert it to wav (with ffmpeg, say)"
        ) from error
    if info.samplerate < _SLOWEST:
        raise BadRecording(path, f"its header gives a sampling rate of {info.samplerate} Hz", _COPY)
    _check_length(path, beginning)
    if info.frames <= 0:
        raise BadRecording(path, "holds no samples", _COPY)
    return Header(info.frames, info.samplerate, info.channels, info.subtype)


def read(path: str | Path, *, start: float = 0.0, end: float = math.inf, silence: bool = False) -> np.ndarray:
    """Decode a file, or its part from `start` to `end` seconds, to int16[T] at 16 kHz.

    Channels are averaged, other rates are resampled with soxr (high quality); 16-bit files at 16 kHz with one channel
    come out bit for bit. Raises BadRecording for files that are missing, empty, truncated or not finite, and for silent
    ones unless `silence` is allowed.
    """
    header = inspect(path)
    first = round(start * header.rate)
    last = header.frames if math.isinf(end) else min(round(end * header.rate), header.frames)
    if last <= first:
        raise BadRecording(
            path, f"no samples between {start} s and {end} s of its {header.seconds:.3f} s", "mend start and end"
        )
    refuse_too_long(path, (last - first) / header.rate)
    length = math.ceil((last - first) * RATE / header.rate)
    exact = header.subtype == "PCM_16" and header.rate == RATE and header.channels == 1
    waveform = _decode(Path(path), header, first, last, np.empty(length, np.int16), exact=exact)
    if not silence and waveform.min() == waveform.max():
        raise BadRecording(
            path, f"silent: each of its {len(waveform)} samples is {waveform[0]}", f"{_COPY} or leave it out"
        )
    return waveform


def refuse_too_long(path: str | Path, seconds: float) -> None:
    """Raise BadRecording for an utterance of more than two hours: memory must not grow with the longest recording."""
    if seconds > LONGEST:
        raise BadRecording(
            path,
            f"{seconds / 3600:.2f} hours are too long for one utterance (at most {LONGEST // 3600})",
            "split it with the start and end columns of a manifest",
        )


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] to int16, rounded to nearest and clipped."""
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)


def _decode(path: Path, header: Header, first: int, last: int, into: np.ndarray, *, exact: bool) -> np.ndarray:
    """Fill `into` piece by piece: memory stays at one piece beside the result, however long the file is."""
    import soundfile
    import soxr

    resample = None if header.rate == RATE else soxr.ResampleStream(header.rate, RATE, 1, dtype="float32")
    filled, position = 0, first
    try:
        with soundfile.SoundFile(str(path)) as file:
            file.seek(first)
            while position < last:
                wanted = min(_PIECE * header.rate, last - position)
                piece = file.read(wanted, dtype="int16" if exact else "float32", always_2d=True)
                if len(piece) < wanted:
                    what = f"{position + len(piece)} of the {header.frames} samples in its header can be decoded"
                    raise BadRecording(path, f"truncated: {what}", _COPY)
                position += wanted
                if not exact:
                    piece = _check_samples(path, piece, position - wanted).mean(axis=1)
                    if resample is not None:
                        piece = resample.resample_chunk(piece, last=position >= last)
                    piece = to_int16(piece)
                piece = piece.reshape(-1)[: len(into) - filled]
                into[filled : filled + len(piece)] = piece
                filled += len(piece)
    except soundfile.LibsndfileError as error:
        raise BadRecording(path, f"decoding stops after {position} samples ({error})", _COPY) from error
    return into[:filled]


def _check_samples(path: Path, piece: np.ndarray, position: int) -> np.ndarray:
    finite = np.isfinite(piece).all(axis=1)
    if not finite.all():
        where = position + int(np.argmin(finite))
        raise BadRecording(path, f"sample {where} is not a finite number (NaN or infinity)", _COPY)
    peak = float(np.abs(piece).max(initial=0.0))
    if peak > _LOUDEST:
        raise BadRecording(
            path, f"floating-point samples reach {peak:.6g}, outside [-1, 1]", "scale them (by 1/32768, say)"
        )
    return piece


def _beginning(path: Path) -> bytes:
    if path.is_dir():
        raise BadRecording(path, "is a folder, not an audio file", "name the file itself")
    try:
        with open(path, "rb") as file:
            beginning = file.read(4096)
    except FileNotFoundError:
        raise BadRecording(path, "no such file", "check the path or unpack the corpus again") from None
    except OSError as error:
        raise BadRecording(path, f"cannot be opened ({error.strerror})", "check its permissions") from error
    if not beginning:
        raise BadRecording(path, "empty (0 bytes)", _COPY)
    if beginning.startswith(b"version https://git-lfs"):
        raise BadRecording(path, "a Git LFS pointer instead of audio", "fetch the files with `git lfs pull`")
    return beginning


def _check_length(path: Path, beginning: bytes) -> None:
    """Compare what a wav or SPHERE file promises with its size: libsndfile reads truncated files without a word."""
    size, held = _samples(path, beginning)
    if held < size:
        raise BadRecording(path, f"truncated: its header promises {size} bytes of samples and {held} are there", _COPY)


def _samples(path: Path, beginning: bytes) -> tuple[int, int]:
    """The bytes of samples that a file's header promises and those that are there; 0 and 0 if it does not say."""
    length = path.stat().st_size
    if beginning[:7] == b"NIST_1A":  # lines of text: `name -i value`
        numbers = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d+)", beginning[:1024])}
        size = numbers.get(b"sample_count", 0) * numbers.get(b"sample_n_bytes", 0) * numbers.get(b"channel_count", 1)
        return size, length - int(beginning[8:16])
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WAVE":
        with open(path, "rb") as file:
            file.seek(12)
            while len(chunk := file.read(8)) == 8:
                name, size = struct.unpack("<4sI", chunk)
                if name == b"data":
                    return 0 if size in _LENGTH_UNKNOWN else size, length - file.tell()
                file.seek(size + size % 2, os.SEEK_CUR)
    return 0, 0
