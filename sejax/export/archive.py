"""One file that holds a trained model: a zip of a few entries of known names, each with its digest.

Entries are stored as they are, not compressed: what an entry is said to hold is what it holds, and the file's size
bounds the memory that reading takes. None is a pickle, none is written to the disk, and none is looked at before its
size and its digest are what the manifest says. Digests tell damage; who made a file they do not tell: for that compare
the digest of the whole file with the one that its maker gave (``sha256`` of `read`).
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sejax.core.files import naming, plain, printable, written_whole
from sejax.errors import InputError, typed

FORMAT = 1
MANIFEST = "manifest.json"
CARD, LICENCES, SETTINGS, FIGURES = "README.md", "LICENCES.md", "settings.json", "figures.json"
WEIGHTS = "weights.safetensors"
NETWORK = "network-{}.stablehlo"  # one for each variant that predicts

_MB = 1 << 20
# Bytes that an entry may have at most.
LIMITS = {MANIFEST: _MB, CARD: _MB, LICENCES: _MB, SETTINGS: 64 * _MB, FIGURES: 64 * _MB, WEIGHTS: 16384 * _MB}
NETWORK_LIMIT, MOST_NETWORKS = 64 * _MB, 64
_NETWORK = re.compile(r"network-(0|[1-9]\d?)\.stablehlo")
_AROUND = 4096  # bytes of a zip around its entries, for each of them
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".npy", ".npz")
_AGAIN = f"get it again, or export it again with {typed('export')}"
# The date that the file says of each entry: equal content gives equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def limit(name: str) -> int | None:
    """Bytes that an entry of this name may have at most; None for a name that no entry has."""
    number = _NETWORK.fullmatch(name)
    return NETWORK_LIMIT if number and int(number[1]) < MOST_NETWORKS else LIMITS.get(name)


def as_json(value: Mapping[str, Any]) -> bytes:
    """A mapping as strict JSON, its fields in their order."""
    return (json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def write(path: str | os.PathLike[str], entries: Mapping[str, bytes], made_with: Mapping[str, str]) -> str:
    """Write a model's file, whole or not at all; returns the SHA-256 of its bytes, which the content alone decides.

    Args:
      entries: content by name; all but the manifest.
      made_with: packages and their versions.

    Raises:
      InputError: an entry that is too large, so that no `read` would take it.
    """
    for name, content in entries.items():
        if len(content) > (limit(name) or 0):
            raise InputError(
                f"{path}: {name} would have {len(content)} bytes and may have {limit(name)}; export fewer "
                "members (--fold, --member)"
            )
    listed = {name: {"bytes": len(x), "sha256": _sha256(x)} for name, x in sorted(entries.items())}
    manifest = as_json({"format": FORMAT, "made_with": made_with, "entries": listed})
    with written_whole(path) as file:
        with naming(path), zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in [(MANIFEST, manifest), *sorted(entries.items())]:
                about = zipfile.ZipInfo(name, _DATE)
                about.create_system, about.external_attr = 3, 0o644 << 16
                archive.writestr(about, content)
        return _sha256_of_file(file)


def read(path: str | os.PathLike[str], *, sha256: str | None = None) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The entries of a model's file, without the manifest, and the manifest; everything is checked first.

    Args:
      sha256: of the whole file, as its maker gave it, in hex digits; None: whoever made it is trusted.

    Raises:
      InputError: no such file, one that is damaged or is none of `write`'s, that holds what it should not (a pickle, an
        unknown name, a path, more than the limits allow, something compressed or encrypted), or a later format.
    """
    where = printable(os.fspath(path))
    if not Path(path).is_file():
        raise InputError(f"{where}: there is no such file; {typed('export')} makes one")
    try:
        with open(path, "rb") as file:
            if sha256 is not None and _sha256_of_file(file) != str(sha256).strip().lower():
                raise InputError(f"{where}: its SHA-256 is not {sha256}; it is another file, get the right one")
            with zipfile.ZipFile(file) as archive:
                return _read(where, archive, os.fstat(file.fileno()).st_size)
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever zipfile meets in what is no zip, or a damaged one
        raise InputError(f"{where} is no model file, or damaged ({_few(error)}); {_AGAIN}") from None


def _read(where: str, archive: zipfile.ZipFile, size: int) -> tuple[dict[str, bytes], dict[str, Any]]:
    entries = archive.infolist()
    if len(entries) > len(LIMITS) + MOST_NETWORKS:
        raise InputError(f"{where}: holds {len(entries)} entries, more than a model has; {_AGAIN}")
    for about in entries:
        _check(where, about)
    names = [about.filename for about in entries]
    if len(set(names)) < len(names):
        raise InputError(f"{where}: holds two entries of one name; {_AGAIN}")
    inside = sum(about.file_size for about in entries)
    if not inside <= size <= inside + _AROUND * (len(entries) + 1):
        raise InputError(f"{where}: has {size} bytes and its entries {inside}, which a model's file does not; {_AGAIN}")
    for name in (MANIFEST, *LIMITS):
        if name not in names and name != MANIFEST:
            raise InputError(f"{where}: lacks {name}; {_AGAIN}")
        if name not in names:
            raise InputError(f"{where}: is no model file (it has no {MANIFEST}); {typed('export')} makes one")
    manifest = read_json(where, MANIFEST, _content(archive, MANIFEST))
    _check_manifest(where, manifest, set(names) - {MANIFEST})
    found = {}
    for about in entries:
        if about.filename != MANIFEST:
            content, said = _content(archive, about.filename), manifest["entries"][about.filename]
            if said["bytes"] != len(content) or said["sha256"] != _sha256(content):
                raise InputError(f"{where} is damaged ({about.filename} has another digest); {_AGAIN}")
            found[about.filename] = content
    return found, manifest


def _check(where: str, about: zipfile.ZipInfo) -> None:
    """Raise InputError for an entry that a model's file does not have, by its name, its size or how it is stored."""
    name = printable(about.orig_filename)
    told = f"{where}: holds {name[:200]!r}"
    if name != about.filename or re.search(r"[/\\\0:]|^\.\.?$", name):
        raise InputError(f"{told}, a path; nothing was read of it; {_AGAIN}")
    if name.lower().endswith(_PICKLES):
        raise InputError(f"{told}, which may be a pickle and run anything; nothing was read of it; {_AGAIN}")
    most = limit(name)
    if most is None:
        raise InputError(f"{told}, which no model of this version of sejax has; {_AGAIN}, or upgrade sejax")
    if about.flag_bits & 0x1 or about.compress_type != zipfile.ZIP_STORED or about.compress_size != about.file_size:
        raise InputError(f"{told}, compressed or encrypted, and entries are stored as they are; {_AGAIN}")
    if about.file_size > most:
        raise InputError(f"{told} of {about.file_size} bytes, and it may have {most}; {_AGAIN}")


def _check_manifest(where: str, manifest: dict[str, Any], names: set[str]) -> None:
    version = manifest.get("format")
    if type(version) is not int or version < 1:
        raise InputError(f"{where}: its {MANIFEST} gives the format {str(version)[:40]!r}; {_AGAIN}")
    if version > FORMAT:
        raise InputError(
            f"{where}: is of format {version}, and this sejax reads up to {FORMAT}; pip install --upgrade sejax"
        )
    said = manifest.get("entries")
    whole = isinstance(said, dict) and all(
        isinstance(about, dict) and type(about.get("bytes")) is int and isinstance(about.get("sha256"), str)
        for about in said.values()
    )
    if not whole or set(said) != names:
        raise InputError(f"{where} is damaged (its {MANIFEST} lists other entries than it has); {_AGAIN}")


def read_json(where: str, name: str, content: bytes) -> dict[str, Any]:
    """The mapping that an entry holds. Raises InputError for anything else."""
    try:
        value = json.loads(content.decode(), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is damaged ({name} is not JSON: {_few(error)}); {_AGAIN}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where} is damaged ({name} holds a {type(value).__name__}); {_AGAIN}")
    return value


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of an entry, one more than it may have at most."""
    with archive.open(name) as file:
        return file.read(limit(name) + 1)


def _few(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sha256_of_file(file) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
