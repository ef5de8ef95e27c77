"""Files that appear whole or not at all and are checked when they are read; values as JSON; names as text.

The last line of what is kept holds a digest of all that stands before it: of JSON as its last field, of arrays behind
the data, where numpy's own reader does not look. Files without one, of earlier versions, are read unchecked.

Paths are of this machine, or of a store (`sejax.core.stores.path_of`).
"""

import contextlib
import dataclasses
import errno
import fcntl
import glob
import hashlib
import io
import json
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from sejax.core.stores import is_local, leased, path_of, put_file
from sejax.errors import InputError

_PIECE = 1 << 22  # bytes digested at once, by as many threads as there are cores
# Bytes from which on a file that this process has written or checked and nobody changed is not checked again.
_LARGE = 1 << 26
_MARK, _DIGITS = b"blake2b:", 32
_SEAL = re.compile(rb'blake2b:([0-9a-f]{32})(?:"\n?})?\n\Z')
_TRACE = re.compile(rb"blake2b:|[0-9a-f]{32}")  # what damage leaves of a seal: its mark or its digits
_TAIL = 64  # bytes, more than a seal has
_checked: set[tuple[int, ...]] = set()


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file, open for writing and reading, that takes the place of the one at `path` when the body has ended.

    A reader sees the old file or the new one, never half of one: the new one is written beside it, flushed to the disk
    and moved over it. The folder is made if missing; what a killed process left half written there is deleted. For a
    store it is written on this machine and put there in one piece.
    """
    path = path_of(path)
    if not is_local(path):
        with tempfile.TemporaryDirectory() as folder:
            with naming(path), open(Path(folder, "file"), "w+b") as file:
                yield file
            put_file(Path(folder, "file"), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        _delete_abandoned(abandoned)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming(path), open(partial, "w+b") as file:
            with contextlib.suppress(OSError):  # some file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)  # says to others that it is being written
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """An OSError of the body that says of no file what the system refused says it of this one."""
    try:
        yield
    except OSError as error:
        if error.errno and not error.filename:
            error.filename = str(path)
        raise


def _delete_abandoned(partial: Path) -> None:
    with contextlib.suppress(OSError), open(partial, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink()


@contextlib.contextmanager
def locked(path: Path, refusal: str | None) -> Iterator[None]:
    """Hold a lock file while the body runs; the system releases it when the process ends, however it ends.

    The file stays, and means nothing. Where the file system has no locks, or the folder may not be written, nothing is
    held: a finished set can be read there, and what would be written fails by itself. In a store it is an object that
    is written again and again, see `sejax.core.stores.leased`. Raises InputError(refusal) when another process has it;
    without a refusal it is waited for, on this machine.
    """
    if not is_local(path):
        with leased(path, refusal or f"{path} is held by another process; wait until it is done"):
            yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(path, "w")  # noqa: SIM115
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        file = None
    with file or contextlib.nullcontext():
        if file:
            _hold(file, refusal)
        yield


def _hold(file, refusal: str | None) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
    except BlockingIOError:
        raise InputError(refusal) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file at `path` by `text` (UTF-8), see `written_whole`."""
    with written_whole(path) as file:
        file.write(text.encode())


def write_json(
    path: str | os.PathLike[str], value: Mapping[str, Any], *, indent: int | None = None, ascii: bool = True
) -> None:
    """Write a mapping as strict JSON (see `plain`) for `read_json`; its last field "digest" is of all before it."""
    value = plain(value, path_of(path).stem) | {"digest": ""}
    text = json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=ascii)
    end = text.rindex('""') + 1
    before = text[:end].encode() + _MARK
    write_text(path, f"{before.decode()}{digest_of(before)}{text[end:]}\n")


def read_json(path: str | os.PathLike[str], remedy: str) -> dict[str, Any]:
    """The mapping that `write_json` wrote, without its digest.

    Raises InputError for a file that is missing, damaged or holds something else; the message ends with `remedy`.
    """
    content = _content(path, remedy)
    try:
        value = json.loads(content.decode(), parse_constant=lambda _: None)
    except ValueError as error:
        raise damaged(path, f"it is not JSON: {error}", remedy) from None
    if not isinstance(value, dict):
        raise damaged(path, f"it holds a {type(value).__name__}, not named fields", remedy)
    if value.pop("digest", None) is not None and not _SEAL.search(content):
        raise damaged(path, "its digest is another", remedy)
    return value


def write_npy(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write an .npy file with its digest, for `read_npy` (or `numpy.load`), see `written_whole`."""
    with written_whole(path) as file:
        np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
        append_digest(file)


def read_npy(path: str | os.PathLike[str], remedy: str, *, mapped: bool = False) -> np.ndarray:
    """The array in an .npy file; `mapped`: it stays on the disk until it is asked for, once it has been checked.

    Raises InputError for a file that is missing or damaged; the message ends with `remedy`.
    """
    sealed = _check_file(path, remedy)
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("not one array")
    except OSError:
        raise
    except Exception as error:  # whatever numpy's parser of headers meets in a file of an earlier version
        raise damaged(path, " ".join(str(error).split()), remedy) from None
    if not sealed and os.path.getsize(path) != _npy_header_size(path) + array.nbytes:
        raise damaged(path, "it is longer than its array", remedy)
    return array


def _npy_header_size(path: str | os.PathLike[str]) -> int:
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        read(file)
        return file.tell()


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays of any names as a compressed .npz file with its digest, for `read_npz` (or `numpy.load`)."""
    with written_whole(path) as file:
        # Not numpy.savez, which has parameters of its own that no array may be called.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        append_digest(file)


def read_npz(path: str | os.PathLike[str], remedy: str) -> dict[str, np.ndarray]:
    """The arrays in an .npz file by name.

    Raises InputError for a file that is missing or damaged; the message ends with `remedy`.
    """
    content = _content(path, remedy)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return dict(stored.items())
    except OSError:
        raise
    except Exception as error:  # whatever zipfile, zlib and numpy meet in a file of an earlier version
        raise damaged(path, " ".join(str(error).split()), remedy) from None


def _content(path: str | os.PathLike[str], remedy: str) -> bytes:
    """All of a file; InputError where it is missing, or not what its digest says."""
    try:
        content = path_of(path).read_bytes()
    except FileNotFoundError:
        raise missing(path, remedy) from None
    if not _is_whole(content[-_TAIL:], lambda start, stop: content[start:stop], len(content)):
        raise damaged(path, "its digest is another", remedy)
    return content


class PieceDigests:
    """Digests of the pieces of a file that grows at its end, so that little of it is read again where it is sealed.

    Args:
      start: bytes that the file has already, which may still change.

    Attributes:
      known: of pieces behind these, by number.
    """

    def __init__(self, start: int):
        self.known: dict[int, bytes] = {}
        self._at, self._hash = start, _hash()
        self._cut: bytes | None = None if start % _PIECE else b""  # of the piece that is known in part

    def update(self, content) -> None:
        """What was written behind the rest, bytes or a buffer of numbers."""
        content = memoryview(content).cast("B")
        while len(content):
            part, content = content[: (room := _PIECE - self._at % _PIECE)], content[room:]
            self._at += len(part)
            self._hash.update(part)
            if self._at % _PIECE == 0:
                if self._cut is None:
                    self._cut = self._hash.digest()
                else:
                    self.known[self._at // _PIECE - 1] = self._hash.digest()
                self._hash = _hash()

    def digest(self) -> str:
        """32 hex digits of all that was written."""
        whole = _hash()
        for each in (self._cut or b"", *self.known.values(), self._hash.digest()):
            whole.update(each)
        return whole.hexdigest()


def _hash():
    return hashlib.blake2b(digest_size=_DIGITS // 2)


def append_digest(file: BinaryIO, known: Mapping[int, bytes] | None = None) -> None:
    """Write the digest of all that an open file holds behind it; ``known``: of its pieces, see `PieceDigests`."""
    file.flush()
    size = file.seek(0, os.SEEK_END)
    before = b"\n" + _MARK
    file.write(before)
    file.flush()
    file.write(_digest(_reader(file), size + len(before), known or {}).encode() + b"\n")
    file.flush()
    _remember(os.fstat(file.fileno()))


def _check_file(path: str | os.PathLike[str], remedy: str) -> bool:
    """Whether the file has a digest; InputError where it is missing, or not what the digest says."""
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if _state(about) in _checked:
                return True
            read = _reader(file)
            tail = read(max(about.st_size - _TAIL, 0), about.st_size)
            if not _is_whole(tail, read, about.st_size):
                raise damaged(path, "its digest is another", remedy)
    except FileNotFoundError:
        raise missing(path, remedy) from None
    sealed = bool(_SEAL.search(tail))
    if sealed:
        _remember(about)
    return sealed


def _state(about: os.stat_result) -> tuple[int, ...]:
    """What is another as soon as somebody writes into a file."""
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _remember(about: os.stat_result) -> None:
    """A large file is as its digest says."""
    if about.st_size >= _LARGE:
        _checked.add(_state(about))


def _is_whole(tail: bytes, read: Callable[[int, int], bytes], size: int) -> bool:
    """Whether a file that ends with `tail` is what its digest says, or has none; `read(start, stop)`: its bytes."""
    seal = _SEAL.search(tail)
    if not seal:
        return not _TRACE.search(tail)
    return _digest(read, size - len(tail) + seal.start(1)) == seal[1].decode()


def missing(path: str | os.PathLike[str], remedy: str) -> InputError:
    """The error for a kept file that is not there."""
    return InputError(f"{path} is missing; {remedy}")


def damaged(path: str | os.PathLike[str], why: str, remedy: str) -> InputError:
    """The error for a kept file that is not what was written; `why` in a few words."""
    return InputError(f"{path} is damaged ({why}); {remedy}")


def digest_of(content: bytes) -> str:
    """32 hex digits that change with any bit."""
    return _digest(lambda start, stop: content[start:stop], len(content))


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """The same of a file's content."""
    with open(path, "rb") as file:
        return _digest(_reader(file), os.fstat(file.fileno()).st_size)


def write_digests(path: Path, *, but: tuple[str, ...] = ()) -> None:
    """Write the digests of all files in the folder of `path` and below it, for `check_digests`; not of those named."""
    files = [file for file in sorted(path.parent.rglob("*")) if file.is_file() and file.name not in but]
    write_json(path, {"files": {str(file.relative_to(path.parent)): digest_of_file(file) for file in files}})


def check_digests(path: Path, remedy: str, *, share: tuple[int, int] = (0, 1)) -> bool:
    """Whether there is a file of `write_digests`; InputError where one of its files is missing or damaged.

    ``share``: (k, n), only the k-th of n shares of the files is read, of about as many bytes as the others.
    """
    if not path.is_file():
        return False
    digests = read_json(path, remedy)["files"]
    for name in digests:
        if not (path.parent / name).is_file():
            raise missing(path.parent / name, remedy)
    by_size = sorted(digests, key=lambda name: (path.parent / name).stat().st_size)
    for file in (path.parent / name for name in by_size[share[0] :: share[1]]):
        if digest_of_file(file) != digests[str(file.relative_to(path.parent))]:
            raise damaged(file, "its digest is another", remedy)
    return True


def _digest(read: Callable[[int, int], bytes], size: int, known: Mapping[int, bytes] = MappingProxyType({})) -> str:
    """BLAKE2b over the size and the BLAKE2b of each piece."""

    def of_piece(start: int) -> bytes:
        if (found := known.get(start // _PIECE)) is not None:
            return found
        return hashlib.blake2b(read(start, min(start + _PIECE, size)), digest_size=_DIGITS // 2).digest()

    starts = range(0, size, _PIECE)
    whole = hashlib.blake2b(str(size).encode(), digest_size=_DIGITS // 2)
    if len(starts) < 3:
        whole.update(b"".join(map(of_piece, starts)))
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            whole.update(b"".join(pool.map(of_piece, starts)))
    return whole.hexdigest()


def _reader(file: BinaryIO) -> Callable[[int, int], bytes]:
    return lambda start, stop: os.pread(file.fileno(), stop - start, start)


_NO_UTF_8 = re.compile("[\udc80-\udcff]")


def printable(name: object) -> str:
    r"""A file name, or a message with one, as text: a byte that is no UTF-8 becomes four characters such as `\xe9`.

    Python keeps such a byte as half a surrogate pair, which can be neither printed nor written.
    """
    return _NO_UTF_8.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(name))


def plain(value: Any, where: str = "results") -> Any:
    """`value` as JSON's own types, with null for NaN and infinities.

    Mappings (config objects with `to_dict` too), sequences, dataclasses, paths, numpy and JAX arrays and
    scalars are taken; anything else raises a TypeError that names its place, as in
    results['config']['model'].
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}[{str(key)!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return plain(_listed(np.asarray(value), where), where)
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold")


def _listed(array: np.ndarray, where: str) -> Any:
    if array.dtype.kind in "biufU":
        return array.tolist()
    if array.dtype.kind == "V" or "float" in array.dtype.name:  # bfloat16 and other small floats
        return array.astype(np.float32).tolist()
    raise TypeError(f"{where} is an array of {array.dtype}, which JSON cannot hold")
