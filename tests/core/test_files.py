import contextlib
import errno
import fcntl
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from sejax.core import files
from sejax.core.files import locked, plain, read_json, read_npy, read_npz, write_json, write_npy, write_npz, write_text
from sejax.errors import InputError


def test_a_config_object_is_written_as_its_fields():
    ml_collections = pytest.importorskip("ml_collections")
    config = ml_collections.ConfigDict({"model": {"name": "alexnet"}, "fmax": (7000.0, 8000.0)})
    assert plain({"config": config}) == {"config": {"model": {"name": "alexnet"}, "fmax": [7000.0, 8000.0]}}


def test_what_json_cannot_hold_is_named_by_its_place():
    with pytest.raises(TypeError, match=r"results\['rates'\]\[1\] is a set, which JSON cannot hold"):
        plain({"rates": [1, {2}]})


def test_a_file_is_replaced_in_its_folder_which_is_made_if_missing(tmp_path):
    path = tmp_path / "new" / "a.txt"
    for text in ("first\n", "sécond\n"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_json_is_read_without_its_digest_and_so_is_json_that_never_had_one(tmp_path):
    written = {"b": [1.5, float("nan")], "a": {"é": None}}
    for indent, ascii in ((None, True), (1, False)):
        write_json(tmp_path / "a.json", written, indent=indent, ascii=ascii)
        assert read_json(tmp_path / "a.json", "") == {"b": [1.5, None], "a": {"é": None}}
        assert list(json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))) == ["b", "a", "digest"]
    (tmp_path / "old.json").write_text(json.dumps(written))
    assert read_json(tmp_path / "old.json", "") == {"b": [1.5, None], "a": {"é": None}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("1.5", "1.6"), "its digest is another"),
        (lambda text: text.replace('"digest"', '"digesT"'), "its digest is another"),
        (lambda text: text.replace("blake2b", "blake2c"), "its digest is another"),
        (lambda text: text[:-1], "its digest is another"),
        (lambda text: "[1]", "it holds a list"),
        (lambda text: text[:9], "it is not JSON"),
    ],
)
def test_json_that_is_not_what_was_written_is_one_line_with_the_remedy(tmp_path, change, why):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1.5})
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=rf"{path} is damaged \({why}.*\); delete it"):
        read_json(path, "delete it")
    path.unlink()
    with pytest.raises(InputError, match=f"{path} is missing; delete it"):
        read_json(path, "delete it")


@pytest.mark.parametrize("array", [np.arange(12.0).reshape(3, 4), np.float16(2), np.zeros((0, 3), np.int8)])
def test_arrays_come_back_mapped_or_not_and_numpy_reads_them_too(tmp_path, array):
    path = tmp_path / "a.npy"
    write_npy(path, array)
    for found in (read_npy(path, ""), np.load(path)):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    if array.size:
        np.testing.assert_array_equal(read_npy(path, "", mapped=True), array)
    np.save(path, array)  # as earlier versions did
    np.testing.assert_array_equal(read_npy(path, ""), array)


def test_an_array_whose_digest_was_torn_is_damaged_and_so_is_one_with_more_behind_it(tmp_path):
    path = tmp_path / "a.npy"
    write_npy(path, np.arange(40.0))
    whole = path.read_bytes()
    for content in (whole[:-1], whole.replace(b"blake2b", b"blake2B"), whole[:-43] + b"?" + whole[-42:], whole + b"\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            read_npy(path, "")
    np.save(path, np.arange(40.0))
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputError, match="is longer than its array"):
        read_npy(path, "")


def test_large_files_are_digested_in_pieces_and_not_checked_by_who_wrote_or_checked_them(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PIECE", 100)
    monkeypatch.setattr(files, "_LARGE", 1000)
    path, copy = tmp_path / "a.npy", tmp_path / "copy.npy"
    write_npy(path, np.arange(1000.0))
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (0, 0))  # clocks of file systems tick every few milliseconds
    read_npy(copy, "", mapped=True)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_digest", lambda *_: pytest.fail("checked again"))
        read_npy(path, "", mapped=True)
        read_npy(copy, "", mapped=True)
    with open(copy, "r+b") as file:
        file.seek(4001)
        file.write(b"\xff")
    with pytest.raises(InputError, match="its digest is another"):
        read_npy(copy, "", mapped=True)
    for place in (300, 4001, 7999):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.with_name("b.npy").write_bytes(content)
        with pytest.raises(InputError, match="its digest is another"):
            read_npy(path.with_name("b.npy"), "")


def test_arrays_may_have_any_name(tmp_path):
    arrays = {name: np.full(3, number) for number, name in enumerate(("file", "args", "allow_pickle", "a/b", "é", ""))}
    write_npz(tmp_path / "a.npz", arrays)
    found = read_npz(tmp_path / "a.npz", "")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    np.savez_compressed(tmp_path / "old.npz", anger=arrays["a/b"])
    np.testing.assert_array_equal(read_npz(tmp_path / "old.npz", "")["anger"], arrays["a/b"])


def test_what_a_killed_process_left_half_written_is_cleared_away_and_what_another_writes_is_not(tmp_path):
    (tmp_path / ".a.txt.123.partial").write_text("ha")
    (tmp_path / ".b.txt.123.partial").write_text("ha")
    with open(tmp_path / ".a.txt.456.partial", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_text(tmp_path / "a.txt", "whole")
    assert sorted(os.listdir(tmp_path)) == [".a.txt.456.partial", ".b.txt.123.partial", "a.txt"]


def test_a_lock_is_one_processs_and_ends_with_it_however_it_ends(tmp_path):
    script = f"""
import os, pathlib, signal
from sejax.core.files import locked
with locked(pathlib.Path({str(tmp_path / "lock")!r}), "taken"):
    print("held", flush=True)
    signal.pause()
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match="taken"), locked(tmp_path / "lock", "taken"):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path / "lock", "taken"):
        pass


@pytest.mark.parametrize(("number", "reads"), [(errno.EACCES, True), (errno.EROFS, True), (errno.ENOSPC, False)])
def test_what_is_finished_is_read_where_no_lock_can_be_written(tmp_path, monkeypatch, number, reads):
    def refused(path, mode):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(files, "open", refused, raising=False)
    with contextlib.nullcontext() if reads else pytest.raises(OSError), locked(tmp_path / "lock", "taken"):
        assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize("start", [0, 100, files._PIECE - 1, files._PIECE])
def test_a_file_that_grew_has_the_digest_of_one_that_is_read_again(tmp_path, start):
    content = np.random.default_rng(0).integers(0, 256, start + 3 * files._PIECE + 77, np.uint8).tobytes()
    digests = files.PieceDigests(start)
    for begin in range(start, len(content), 999_999):
        digests.update(content[begin : begin + 999_999])
    assert len(digests.known) == len(content) // files._PIECE - -(-start // files._PIECE)
    sealed = []
    for known in ({}, digests.known, digests.known | {2: b"another"}):
        with open(tmp_path / "file", "w+b") as file:
            file.write(content)
            files.append_digest(file, known)
        sealed.append((tmp_path / "file").read_bytes())
    assert sealed[0] == sealed[1] != sealed[2]
