"""What the header of an audio file promises, and what is there: libsndfile reads a truncated file without a word.

Programs that write to a pipe cannot know how much will come, and leave a placeholder or 0 where the size belongs.
"""

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Samples(NamedTuple):
    """The bytes of samples in a file: `promised` by its header, or by what `by` says (None: unknown), and `held`.

    place, stated: where the header keeps the number, and what it would say of the bytes that are held (b"" where that
    cannot be said).
    """

    promised: int | None
    held: int
    place: int = 0
    stated: bytes = b""
    by: str = "its header"


class _Chunks(NamedTuple):
    """A file of chunks: the first is at `start`, each begins with a name and a size in the form `head`.

    data: the chunk of samples, behind `skipped` bytes of its own. own: the size counts the head too. pad: chunks begin
    at multiples of so many bytes.
    """

    start: int
    head: str
    data: bytes = b"data"
    skipped: int = 0
    own: bool = False
    pad: int = 2


_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a"
_CHUNKS = {
    rb"RIFF....WAVE": _Chunks(12, "<4sI"),
    rb"RIFX....WAVE": _Chunks(12, ">4sI"),
    rb"(RF64|BW64)....WAVE": _Chunks(12, "<4sI"),
    rb"FORM....(AIFF|AIFC)": _Chunks(12, ">4sI", b"SSND", skipped=8),
    rb"riff\x2e\x91\xcf\x11.{16}wave": _Chunks(40, "<16sQ", _W64_DATA, own=True, pad=8),
    rb"caff": _Chunks(8, ">4sQ", skipped=4, pad=1),
}


def samples_of(file: BinaryIO, beginning: bytes) -> Samples | None:
    """What the header of a WAV, RF64, AIFF, W64, CAF, AU or NIST SPHERE file promises; None for any other file.

    Ogg files are a run of pages and state no length; of one that was cut, the last page lacks its end.

    Args:
      file: open for reading; `beginning`: its first 1024 bytes or more.

    Raises OSError.
    """
    length = os.fstat(file.fileno()).st_size
    if beginning[:4] == b"OggS":
        return _last_page(file, length)
    if beginning[:7] == b"NIST_1A":
        return _sphere(beginning[:1024], length)
    if beginning[:4] in (b".snd", b"dns.") and len(beginning) >= 24:
        order = ">" if beginning[:4] == b".snd" else "<"
        first, size = struct.unpack(f"{order}II", beginning[4:12])
        return _told(size, length - first, 8, f"{order}I")
    for start, form in _CHUNKS.items():
        if re.match(start, beginning, re.DOTALL):
            return _in_chunks(file, form, length)
    return None


@contextlib.contextmanager
def readable(path: str | Path, found: Samples | None) -> Iterator[bytes | BinaryIO]:
    """What soundfile opens a file by: its name, or its bytes with the size that its header does not know.

    `found`: what `samples_of` says of the file.
    """
    if found is None or found.promised is not None or not found.stated:
        yield os.fsencode(path)
        return
    with _Corrected(path, found.place, found.stated) as file:
        yield file


class _Corrected(io.FileIO):
    """A file in which other bytes stand at one place."""

    def __init__(self, path: str | Path, place: int, stated: bytes):
        super().__init__(path)
        self._place, self._stated = place, stated

    def readinto(self, buffer):
        start = self.tell()
        count = super().readinto(buffer)
        for place, byte in enumerate(self._stated, self._place - start):
            if 0 <= place < count:
                buffer[place : place + 1] = bytes([byte])
        return count


_PAGE = 27 + 255 + 255 * 255  # bytes that a page of Ogg has at most: head, table of lengths, content


def _last_page(file: BinaryIO, length: int) -> Samples:
    """The bytes of the last page of an Ogg file (RFC 3533)."""
    file.seek(max(length - _PAGE, 0))
    end = file.read()
    start = end.rfind(b"OggS")
    if start < 0:  # what is no Ogg follows the last page
        return Samples(None, length)
    page = end[start:]
    content = 27 + page[26] if len(page) > 26 else 27
    if len(page) < content:
        return Samples(content, len(page), by="its last page")
    return Samples(sum(page[27:content]), len(page) - content, by="its last page")


def _sphere(beginning: bytes, length: int) -> Samples:
    """A NIST SPHERE file, whose header is lines of text: `name -i value`."""
    numbers = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d+)", beginning)}
    size = numbers.get(b"sample_count", 0) * numbers.get(b"sample_n_bytes", 0) * numbers.get(b"channel_count", 1)
    first = beginning[8:16].strip()
    return Samples(size or None, length - int(first if first.isdigit() else 1024))


def _in_chunks(file: BinaryIO, form: _Chunks, length: int) -> Samples | None:
    head, number = struct.calcsize(form.head), form.head[0] + form.head[-1]
    extended = None
    for name, place, size in _walk(file, form, form.start, length):
        if name == b"ds64":  # of RF64: sizes of 64 bits, for chunks that state 0xFFFFFFFF
            extended = place + 8
        if name != form.data:
            continue
        field, first = place - struct.calcsize(number), place + form.skipped
        if extended is not None and size == 0xFFFFFFFF:
            number, field = "<Q", extended
            file.seek(field)
            (size,) = struct.unpack(number, file.read(8).ljust(8, b"\0"))
        elif size <= form.skipped + head * form.own and _ends_in_chunks(file, form, first, length):
            return Samples(0, length - first)
        return _told(size, length - first, field, number, counted=form.skipped + head * form.own)
    return None


def _told(size: int, held: int, place: int, number: str, *, counted: int = 0) -> Samples:
    """Samples by the size that stands at `place`, which counts so many bytes before them too."""
    unknown = _is_placeholder(size, number) and held < size or (size <= counted and held > 0)
    most = 2 ** (8 * struct.calcsize(number)) - 1
    stated = struct.pack(number, min(max(held, 0) + counted, most))
    return Samples(None if unknown else size - counted, max(held, 0), place, stated)


# Sizes of 32 bits that are placeholders: 2 GiB and 4 GiB less a header, and SoX's 0x7F000000. So close to them no
# truncated file is told from a streamed one.
_PLACEHOLDERS, _NEAR = (0x7F000000, 0x80000000, 0xFFFFFFFF), 0x10000


def _is_placeholder(size: int, number: str) -> bool:
    if number[-1] == "Q":
        return size >= 1 << 62
    return any(abs(size - placeholder) <= _NEAR for placeholder in _PLACEHOLDERS)


def _walk(file: BinaryIO, form: _Chunks, place: int, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk from `place` on: its name, where its content begins, and the size that it states."""
    head = struct.Struct(form.head)
    while place + head.size <= length:
        file.seek(place)
        name, size = head.unpack(file.read(head.size))
        yield name, place + head.size, size
        place += max(size, head.size) if form.own else head.size + size
        place += -place % form.pad


def _ends_in_chunks(file: BinaryIO, form: _Chunks, start: int, length: int) -> bool:
    """Whether what follows an empty chunk of samples is nothing but other chunks."""
    end = start
    for name, place, size in _walk(file, form, start, length):
        if not re.fullmatch(rb"[A-Za-z0-9_ ]{4}", name):
            return False
        end = place + size
    return end >= length
