"""Folders and files at a URL of an object store (gs://, s3://, az://, memory://), for those that use them.

`path_of` gives a `pathlib.Path` for what lies on this machine, and for a URL a `upath.UPath` (universal-pathlib, on
fsspec), which has the same methods and is no `os.PathLike`: a function that knows local files alone refuses it, rather
than write into a folder called "gs:". What differs from a disk is here and in `sejax.core.files`:

- One object appears whole, as it is put. There is no moving: a folder's files are put one by one, and the one that says
  that they are complete comes last, and is deleted first (`put_folder`, `delete_folder`).
- There are no locks that end with a process. `leased` keeps an object that its holder writes again and again.
- Nothing is mapped into memory from there: what is large is copied to this machine once (`fetched`).
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sejax.errors import InputError, needs

LEASE = 60.0  # seconds after which nobody holds what its holder did not write again
_CACHE = "SEJAX_CACHE"  # the environment's name of a folder, ~/.cache/sejax where it has none
_CLIENTS = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "s3a": "s3fs", "az": "adlfs", "abfs": "adlfs"}


def path_of(name: str | os.PathLike[str] | Any) -> Path:
    """The path that a text, such as a flag's value, names; a path comes back as it is.

    Returns:
      A `pathlib.Path`; of a URL a `upath.UPath`, which has the methods of one (and is typed here as if it were one).

    Raises:
      InputError: no such kind of store, its client is not installed, or it cannot be reached.
    """
    if not isinstance(name, str):
        return Path(name) if isinstance(name, os.PathLike) else name
    scheme, url, rest = name.partition("://")
    if not url:
        return Path(name)
    if scheme in ("file", "local"):
        return Path(urllib.parse.unquote(rest))
    with needs("stores"):
        from upath import UPath
    try:
        found = UPath(name.rstrip("/"))
        exists(found)
    except ImportError as error:
        raise InputError(f"{name}: {error}; pip install {_CLIENTS.get(scheme, 'the client of this store')}") from None
    except Exception as error:  # whatever a client's library raises where there is no network, account or bucket
        told = " ".join(str(error).split())[:300]
        raise InputError(
            f"{name} cannot be reached ({type(error).__name__}: {told}); look at its name, at the network and at the "
            "credentials that fsspec finds"
        ) from None
    return found


def is_local(path: Path) -> bool:
    """Whether a path is one of this machine."""
    return isinstance(path, os.PathLike)


def exists(path: Path) -> bool:
    """Whether there is a file or folder.

    fsspec's `isfile` and `isdir`, and `exists` of some stores, say no of what they cannot reach: no answer where what
    is missing is computed again.
    """
    if is_local(path):
        return path.exists()
    path.fs.invalidate_cache()  # other processes write there
    try:
        path.fs.info(path.path)
    except FileNotFoundError:
        return False
    return True


def put_file(file: Path, target: Path) -> None:
    """Puts a local file at a store's path: who reads there finds the old object or the new one."""
    with _refusals(target):
        _make_folders({target.parent})
        target.fs.put_file(str(file), target.path)


def put_folder(folder: Path, target: Path, *, last: str) -> None:
    """Puts a local folder's files below a store's path, in parallel, and last the one that says they are there."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file != folder / last]
    places = {file: target / file.relative_to(folder).as_posix() for file in files}
    with _refusals(target):
        _make_folders({place.parent for place in places.values()})
        target.fs.put([str(file) for file in files], [place.path for place in places.values()])
    put_file(folder / last, target / last)


def get_folder(folder: Path, target: Path) -> None:
    """Copies a store's folder to a local one, which is made, and appears when it is whole."""
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=_made(target.parent)))
    try:
        names = sizes_in(folder)
        for name in names:
            _made((partial / name).parent)
        with _refusals(folder):
            folder.fs.get([(folder / name).path for name in names], [str(partial / name) for name in names])
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(target)
        os.replace(partial, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another process was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def delete_folder(folder: Path, *, first: str) -> None:
    """Deletes a store's folder, and before all else the file that says that it is complete."""
    with _refusals(folder):
        with contextlib.suppress(FileNotFoundError):
            folder.fs.rm_file((folder / first).path)
        with contextlib.suppress(FileNotFoundError):
            folder.fs.rm(folder.path, recursive=True)


def move_folder(folder: Path, target: Path, *, first: str) -> None:
    """Copies a store's folder to another place of it and deletes it, see `delete_folder`."""
    with _refusals(folder):
        folder.fs.copy(folder.path, target.path, recursive=True)
    delete_folder(folder, first=first)


def complete_in(folder: Path, last: str) -> list[str]:
    """The names of a store's folders in a folder that hold the file which `put_folder` puts last."""
    with _refusals(folder):
        folder.fs.invalidate_cache()  # other processes write there
        found = folder.fs.glob(f"{folder.path}/*/{last}")
    return [Path(name).parent.name for name in found]


def sizes_in(folder: Path) -> dict[str, int]:
    """{relative name: bytes} of all files below a store's folder."""
    with _refusals(folder):
        folder.fs.invalidate_cache()
        found = folder.fs.find(folder.path, detail=True)
    root = folder.path.strip("/")
    return {name.strip("/").removeprefix(f"{root}/"): about["size"] for name, about in sorted(found.items())}


def fetched(folder: Path, *, by: tuple[str, ...]) -> Path:
    """A local copy of a store's folder, made where there is none, or another one; a local folder as it is.

    It lies in stores/ of the folder that the environment's SEJAX_CACHE names, or of ~/.cache/sejax. A copy is the same
    where its files have the sizes of the store's, and those called as in `by` its bytes.
    """
    if is_local(folder):
        return folder
    digest = hashlib.blake2b(str(folder).encode(), digest_size=6).hexdigest()
    copy = Path(os.environ.get(_CACHE) or "~/.cache/sejax").expanduser() / "stores" / digest / folder.name
    sizes = sizes_in(folder)
    if {name: (copy / name).stat().st_size for name in sizes if (copy / name).is_file()} != sizes or any(
        (folder / name).read_bytes() != (copy / name).read_bytes() for name in by
    ):
        print(f"copying {folder} ({sum(sizes.values()) / 1e6:,.1f} MB) to {copy}", file=sys.stderr)
        get_folder(folder, copy)
    return copy


@contextlib.contextmanager
def leased(path: Path, refusal: str) -> Iterator[None]:
    """Hold an object of a store while the body runs; it is written again in every quarter of `LEASE` seconds.

    Where one is there it is watched for that long: one that is written meanwhile is another's, and InputError(refusal)
    is raised; one that is not was left by a process that was killed, and is taken. No clocks are compared.
    """
    owner = {"host": socket.gethostname(), "process": os.getpid(), "id": uuid.uuid4().hex}
    if not _created(path, owner):
        before, until = _content(path), time.monotonic() + LEASE
        if before is not None:
            print(f"{path} is there: waiting up to {LEASE:g} s to see whether its holder lives", file=sys.stderr)
        while before is not None and time.monotonic() < until:
            time.sleep(LEASE / 10)
            if (now := _content(path)) is None:
                break
            if now != before:
                raise InputError(refusal)
        _delete(path)
        if not _created(path, owner):
            raise InputError(refusal)
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(path, owner, done), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        if (_content(path) or {}).get("id") == owner["id"]:
            _delete(path)


def _keep(path: Path, owner: dict[str, Any], done: threading.Event) -> None:
    count = 0
    while not done.wait(LEASE / 4):
        count += 1
        with contextlib.suppress(Exception):  # the next time may do
            path.fs.pipe_file(path.path, json.dumps(owner | {"written": count}).encode())


def _created(path: Path, owner: dict[str, Any]) -> bool:
    with _refusals(path):
        _make_folders({path.parent})
        try:
            path.fs.pipe_file(path.path, json.dumps(owner).encode(), mode="create")
        except FileExistsError:
            return False
    return True


def _content(path: Path) -> dict[str, Any] | None:
    with _refusals(path):
        path.fs.invalidate_cache()
        try:
            return json.loads(path.fs.cat_file(path.path))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}


def _delete(path: Path) -> None:
    with _refusals(path), contextlib.suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


def _make_folders(folders: set[Path]) -> None:
    for folder in folders:
        if folder.protocol not in _CLIENTS:  # which have none, and would make a bucket of a name that was mistyped
            folder.fs.makedirs(folder.path, exist_ok=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What a store's client raises that is no OSError (no credentials, say) as one that names the path."""
    try:
        yield
    except (OSError, InputError):
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise OSError(errno.EIO, f"the store refused ({told})", str(path)) from error
