"""The sound of AVI files: what the header says of it, and its samples through the program ffmpeg.

libsndfile reads no video. AVI is a RIFF file: `LIST hdrl` holds a `LIST strl` for each stream, with its header `strh`
and its format `strf` (Microsoft, AVI RIFF File Reference).
"""

import contextlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sejax.corpora.problems import BadRecording

_COPY = "copy it again from the original distribution"


class Sound(NamedTuple):
    """The first stream of sound in a video: samples per channel, Hz, channels."""

    frames: int
    rate: int
    channels: int


def is_avi(beginning: bytes) -> bool:
    """Whether a file that begins so is an AVI file."""
    return beginning[:4] == b"RIFF" and beginning[8:12] == b"AVI "


def sound_of(path: Path) -> Sound:
    """What an AVI file's header says of its sound; BadRecording for a truncated file and for one without sound."""
    with open(path, "rb") as file:
        length = file.seek(0, 2)
        file.seek(4)
        (size,) = struct.unpack("<I", file.read(4))
        if length < size + 8:
            what = f"truncated: its header promises {size + 8} bytes and {length} are there"
            raise BadRecording(path, what, _COPY)
        try:
            sound = _sound(file, length)
        except (struct.error, ZeroDivisionError):
            sound = None
    if sound is None:
        raise BadRecording(path, "an AVI file without a stream of sound", _COPY)
    return sound


def command(path: str | Path, wav: str | Path) -> list[str]:
    """How ffmpeg writes the first sound of a video into a WAV file: 16 bits, its own rate and channels."""
    return ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(path), *_SOUND, str(wav)]


_SOUND = ("-map", "0:a:0", "-c:a", "pcm_s16le")
BY_HAND = f"ffmpeg -i NAME.avi {' '.join(_SOUND)} NAME.wav"  # what a reader of an error can do elsewhere


def has_ffmpeg() -> bool:
    """Whether the program ffmpeg is there."""
    return shutil.which("ffmpeg") is not None


def check_ffmpeg(path: Path) -> None:
    """Raise BadRecording where the sound of this video cannot be had here."""
    if not has_ffmpeg():
        what = "a video, whose sound ffmpeg reads, and there is no program ffmpeg here"
        raise BadRecording(path, what, f"install ffmpeg, or extract the sound elsewhere with `{BY_HAND}`")


@contextlib.contextmanager
def extracted(path: Path) -> Iterator[Path]:
    """A WAV file of a video's sound, gone at the end; BadRecording where ffmpeg fails."""
    check_ffmpeg(path)
    with tempfile.TemporaryDirectory(prefix="sejax-") as folder:
        wav = Path(folder, "sound.wav")
        done = subprocess.run(command(path, wav), capture_output=True, text=True, errors="replace")
        if done.returncode or not wav.is_file():
            said = " ".join(done.stderr.split())[-300:] or f"status {done.returncode}"
            raise BadRecording(path, f"ffmpeg cannot read its sound ({said})", _COPY)
        yield wav


def _sound(file: BinaryIO, length: int) -> Sound | None:
    for kind, place, size in _chunks(file, 12, length):
        if kind == b"hdrl":
            for stream, start, bytes_of_stream in _chunks(file, place, place + size):
                if stream == b"strl" and (sound := _stream(file, start, start + bytes_of_stream)):
                    return sound
    return None


def _stream(file: BinaryIO, place: int, end: int) -> Sound | None:
    """A stream's sound, None for one of pictures. `strh` says how long it is in units of scale / rate seconds."""
    parts = {}
    for name, start, size in _chunks(file, place, end):
        file.seek(start)
        parts[name] = file.read(min(size, 64))
    if parts.get(b"strh", b"")[:4] != b"auds":
        return None
    scale, rate, _, count = struct.unpack_from("<4I", parts[b"strh"], 20)
    channels, sampled = struct.unpack_from("<HI", parts.get(b"strf", b""), 2)
    return Sound(round(count * scale / rate * sampled), sampled, channels)


def _chunks(file: BinaryIO, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name (a list's own name), where its content begins, and its bytes."""
    while place + 12 <= end:
        file.seek(place)
        name, size, kind = struct.unpack("<4sI4s", file.read(12))
        listed = name == b"LIST"
        yield (kind, place + 12, size - 4) if listed else (name, place + 8, size)
        place += 8 + size + size % 2
