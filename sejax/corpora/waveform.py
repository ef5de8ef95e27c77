"""Audio files to int16 at 16 kHz, in pieces of bounded size, with a reason for every file that cannot be read."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sejax.audio.samples import RATE, to_int16
from sejax.corpora import avi
from sejax.corpora.containers import Samples, readable, samples_of
from sejax.corpora.names import on_disk
from sejax.corpora.problems import BadRecording
from sejax.errors import needs

LONGEST = 2 * 3600  # seconds of one utterance: TFDS holds six copies of it, which then stay within 2 GiB
_PIECE = 30  # seconds decoded at once
_LOUDEST = 2.0  # floating-point files lie in [-1, 1], and those that do not are in another unit
_CANCELLED = 0.05  # of the channels' amplitude is left in their mean: a correlation below -0.995, which no room gives
_AUDIBLE = 2**-13  # amplitude of channels that may cancel each other: four steps of 16 bits
_SLOWEST = 2000  # Hz
_FLOATING = ("FLOAT", "DOUBLE")
# libsndfile finds every sample of these at its place. In compressed files (Vorbis, Opus and MP3 above all) what it
# decodes after a seek differs from what it decodes on the way, and in GSM 6.10 it cannot seek at all.
_EXACT = ("PCM_", "ALAC_", "ULAW", "ALAW", *_FLOATING)
_AVI = "AVI"  # a subtype beside libsndfile's
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

    @property
    def compressed(self) -> bool:
        """Whether samples depend on those decoded before them, so that a seek gives others."""
        return not self.subtype.startswith(_EXACT)


class Decoded(NamedTuple):
    """A file's samples, int16[T] at 16 kHz, and the share of them that lay beyond full scale and were clipped."""

    waveform: np.ndarray
    clipped: float


def inspect(path: str | Path) -> Header:
    """Read a file's header and check it against the file; raises BadRecording with reason and remedy.

    wav, flac, ogg, mp3 and NIST SPHERE, whatever libsndfile reads, with any rate and number of channels; AVI where
    there is the program ffmpeg. A header that does not know the file's length, as programs write to a pipe, stands for
    all that is there.
    """
    with _inspected(on_disk(path)) as (header, _):
        return header


@contextlib.contextmanager
def _inspected(path: Path) -> Iterator[tuple[Header, Any]]:
    """What `inspect` says of a file, and the `soundfile.SoundFile` to decode it with; None of a video."""
    beginning, found = _beginning(path)
    if beginning[:7] == b"NIST_1A" and b"shorten" in beginning[:1024]:
        what = "a SPHERE file compressed with shorten, which cannot be decoded here"
        raise BadRecording(path, what, "convert it to wav (with sph2pipe, say) and give it its old name")
    if avi.is_avi(beginning):
        header = Header(*avi.sound_of(path), _AVI)
        avi.check_ffmpeg(path)
        _check_header(path, header)
        yield header, None
        return
    if found is not None and found.promised is not None and found.held < found.promised:
        # libsndfile reads truncated files without a word
        what = f"truncated: {found.by} promises {found.promised} bytes of samples and {found.held} are there"
        raise BadRecording(path, what, _COPY)
    with _opened(path, found) as file:
        header = Header(file.frames, file.samplerate, file.channels, file.subtype)
        _check_header(path, header)
        yield header, file


def _check_header(path: Path, header: Header) -> None:
    if header.rate < _SLOWEST:
        raise BadRecording(path, f"its header gives a sampling rate of {header.rate} Hz", _COPY)
    if header.frames <= 0:
        raise BadRecording(path, "holds no samples", _COPY)


def read(path: str | Path, *, start: float = 0.0, end: float = math.inf, silence: bool = False) -> np.ndarray:
    """Decode a file, or its part from `start` to `end` seconds, to int16[T] at 16 kHz: the waveform of `decode`."""
    return decode(path, start=start, end=end, silence=silence).waveform


def decode(path: str | Path, *, start: float = 0.0, end: float = math.inf, silence: bool = False) -> Decoded:
    """Decode a file, or its part from `start` to `end` seconds, to int16 at 16 kHz.

    Channels are averaged, other rates are resampled with soxr (high quality); 16-bit files at 16 kHz with one channel
    come out bit for bit. Samples beyond full scale are clipped, which decoders of heavily limited speech give, and
    floating-point files up to 2.0; the share of them is told. A part of a compressed file is decoded from the file's
    beginning, as only so it is the same as in the whole.

    Raises BadRecording for files that are missing, empty, truncated, not finite or beyond 2.0 (floating-point ones),
    for channels that cancel each other, and for silent files unless `silence` is allowed.
    """
    path = on_disk(path)
    with _inspected(path) as (header, file):
        if file is not None:
            return _decode_part(path, header, file, start=start, end=end, silence=silence)
    return _decode_video(path, start=start, end=end, silence=silence)


def _decode_part(path: Path, header: Header, file, *, start: float, end: float, silence: bool) -> Decoded:
    """As `decode`, of a `soundfile.SoundFile`."""
    first = round(start * header.rate)
    last = header.frames if math.isinf(end) else min(round(end * header.rate), header.frames)
    if last <= first:
        raise BadRecording(
            path, f"no samples between {start} s and {end} s of its {header.seconds:.3f} s", "mend start and end"
        )
    refuse_too_long(path, (last - first) / header.rate)
    length = math.ceil((last - first) * RATE / header.rate)
    exact = header.subtype == "PCM_16" and header.rate == RATE and header.channels == 1
    waveform, clipped = _decode(path, header, file, first, last, np.empty(length, np.int16), exact=exact)
    if not silence and waveform.min() == waveform.max():
        raise BadRecording(
            path, f"silent: each of its {len(waveform)} samples is {waveform[0]}", f"{_COPY} or leave it out"
        )
    return Decoded(waveform, clipped)


def _decode_video(path: Path, **part) -> Decoded:
    """The sound of a video, whose name is told in place of the extracted file's."""
    with avi.extracted(path) as wav:
        try:
            return decode(wav, **part)
        except BadRecording as error:
            raise BadRecording(path, error.problem.what, error.problem.remedy) from error


def refuse_too_long(path: str | Path, seconds: float) -> None:
    """Raise BadRecording for an utterance of more than two hours: memory must not grow with the longest recording."""
    if seconds > LONGEST:
        raise BadRecording(
            path,
            f"{seconds / 3600:.2f} hours are too long for one utterance (at most {LONGEST // 3600})",
            "split it with the start and end columns of a manifest",
        )


def _decode(
    path: Path, header: Header, file, first: int, last: int, into: np.ndarray, *, exact: bool
) -> tuple[np.ndarray, float]:
    """Fill `into` piece by piece: memory stays at one piece beside the result, however long the file is."""
    resample = None
    if header.rate != RATE:
        with needs("data"):
            import soxr

        resample = soxr.ResampleStream(header.rate, RATE, 1, dtype="float32")
    filled, clipped, energy, of_mean = 0, 0, 0.0, 0.0
    for position, piece in _pieces(path, header, file, first, last, dtype="int16" if exact else "float32"):
        if not exact:
            _check_samples(path, header, piece, position)
            mean = piece.mean(axis=1)
            clipped += int(np.count_nonzero(np.abs(mean) > 1.0))
            if header.channels > 1:
                energy += float(np.square(piece, dtype=np.float64).sum()) / header.channels
                of_mean += float(np.square(mean, dtype=np.float64).sum())
            if resample is not None:
                mean = resample.resample_chunk(mean, last=position + len(piece) >= last)
            piece = to_int16(mean)
        piece = piece.reshape(-1)[: len(into) - filled]
        into[filled : filled + len(piece)] = piece
        filled += len(piece)
    if energy > _AUDIBLE**2 * (last - first) and of_mean < _CANCELLED**2 * energy:
        share = math.sqrt(of_mean / energy)
        raise BadRecording(
            path,
            f"its {header.channels} channels cancel each other (opposite phase): {share:.2%} of their amplitude is left"
            " in the mean",
            "keep one of them (with sox IN OUT remix 1, say)",
        )
    return into[:filled], clipped / (last - first)


def _pieces(
    path: Path, header: Header, file, first: int, last: int, *, dtype: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Samples [n, channels] from `first` to `last`, and the place of the first of them in the file.

    Where a seek gives other samples, what lies before `first` is decoded too, in the pieces in which the whole file is:
    the last bits of MP3 depend on them.
    """
    with needs("data"):
        import soundfile

    position, stop = (0, header.frames) if header.compressed else (first, last)
    try:
        if position:
            file.seek(position)
        while position < last:
            wanted = min(_PIECE * header.rate, stop - position)
            piece = file.read(wanted, dtype=dtype, always_2d=True)
            if len(piece) < wanted:
                what = f"{position + len(piece)} of the {header.frames} samples in its header can be decoded"
                raise BadRecording(path, f"truncated: {what}", _COPY)
            before = max(first - position, 0)
            if before < wanted:
                yield position + before, piece[before : last - position]
            position += wanted
    except soundfile.LibsndfileError as error:
        what = f"decoding stops after {position} samples ({_reason(error)})"
        raise BadRecording(path, what, _COPY) from error


@contextlib.contextmanager
def _opened(path: Path, found: Samples | None):
    """The `soundfile.SoundFile` of a path whose name may be any bytes; `found`: what `samples_of` says of it."""
    with needs("data"):
        import soundfile

    with readable(path, found) as source, contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(soundfile.SoundFile(source))
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: of names that end in .raw
            what = f"not audio that can be read ({_reason(error)})"
            raise BadRecording(path, what, f"{_COPY}, or convert it to wav (with ffmpeg, say)") from error
        yield file


def _reason(error: Exception) -> str:
    """What libsndfile says of a file."""
    return getattr(error, "error_string", "no header").strip().rstrip(".") or "unknown format"


def _check_samples(path: Path, header: Header, piece: np.ndarray, position: int) -> None:
    finite = np.isfinite(piece).all(axis=1)
    if not finite.all():
        where = position + int(np.argmin(finite))
        raise BadRecording(path, f"sample {where} is not a finite number (NaN or infinity)", _COPY)
    peak = float(np.abs(piece).max(initial=0.0))
    if header.subtype in _FLOATING and peak > _LOUDEST:
        raise BadRecording(
            path, f"floating-point samples reach {peak:.6g}, outside [-1, 1]", "scale them (by 1/32768, say)"
        )


def _beginning(path: Path) -> tuple[bytes, Samples | None]:
    """The first bytes of a file, and what its header promises."""
    try:
        with open(path, "rb") as file:
            beginning = file.read(4096)
            found = samples_of(file, beginning)
    except IsADirectoryError:
        raise BadRecording(path, "is a folder, not an audio file", "name the file itself") from None
    except FileNotFoundError:
        raise BadRecording(path, "no such file", "check the path or unpack the corpus again") from None
    except OSError as error:
        raise BadRecording(path, f"cannot be opened ({error.strerror})", "check its permissions") from error
    if not beginning:
        raise BadRecording(path, "empty (0 bytes)", _COPY)
    if beginning.startswith(b"version https://git-lfs"):
        raise BadRecording(path, "a Git LFS pointer instead of audio", "fetch the files with `git lfs pull`")
    return beginning, found
