"""What lies at a URL, on fsspec's file system in memory: objects appear whole, folders by their last file."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("upath")

from sejax.core import stores
from sejax.core.files import locked, read_json, read_npz, write_json, write_npz, write_text, written_whole
from sejax.core.stores import complete_in, delete_folder, exists, fetched, get_folder, is_local, path_of, put_folder
from sejax.errors import InputError, NotInstalled


@pytest.fixture
def store(request):
    """A folder of a store that no other test has."""
    return path_of(f"memory://{request.node.name}")


def test_a_text_is_a_path_of_this_machine_or_of_the_store_that_it_names(store):
    assert path_of("runs/a") == Path("runs/a") and path_of("file:///a%20b/c") == Path("/a b/c")
    assert is_local(path_of("runs/a")) and not is_local(store)
    assert path_of(store) is store and str(store / "a" / "b.json").startswith("memory://")
    with pytest.raises(TypeError):
        Path(store / "a")  # rather than a file in a folder called "memory:"


def test_a_store_that_nothing_here_can_read_is_bad_input(monkeypatch):
    with pytest.raises(InputError, match="nowhere://a cannot be reached .*nowhere"):
        path_of("nowhere://a")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InputError, match="gs://bucket/a: .*; pip install gcsfs$"):
        path_of("gs://bucket/a")
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(NotInstalled, match=r"pip install 'sejax\[stores\]'"):
        path_of("memory://a")


def test_what_cannot_be_reached_is_not_said_to_be_missing(store, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Forbidden")

    assert not exists(store / "a")
    monkeypatch.setattr(store.fs, "info", refused)
    assert not (store / "a").is_file()  # as fsspec answers
    with pytest.raises(PermissionError):
        exists(store / "a")


def test_files_come_back_and_a_write_that_breaks_off_leaves_the_old_object(store):
    write_json(store / "a.json", {"b": 1})
    write_npz(store / "c.npz", {"d": np.arange(3)})
    assert read_json(store / "a.json", "") == {"b": 1}
    np.testing.assert_array_equal(read_npz(store / "c.npz", "")["d"], np.arange(3))
    with pytest.raises(ZeroDivisionError), written_whole(store / "a.json") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert read_json(store / "a.json", "") == {"b": 1}
    assert sorted(path.name for path in store.iterdir()) == ["a.json", "c.npz"]
    with pytest.raises(InputError, match="memory://.*nothing.json is missing; look"):
        read_json(store / "nothing.json", "look")
    write_text(store / "a.json", '{"b": 2, "digest": "blake2b:0"}\n')
    with pytest.raises(InputError, match="memory://.*a.json is damaged"):
        read_json(store / "a.json", "")


def test_a_lock_is_held_by_one_that_lives_and_taken_from_one_that_was_killed(store, monkeypatch):
    monkeypatch.setattr(stores, "LEASE", 0.4)
    with locked(store / "lock", "in use"):
        time.sleep(0.3)  # it was written again
        with pytest.raises(InputError, match="in use"), locked(store / "lock", "in use"):
            pass
        assert exists(store / "lock")
    assert not exists(store / "lock")
    write_text(store / "lock", '{"id": "of a killed process"}')
    with locked(store / "lock", "in use"):
        assert threading.active_count() > 1
    assert not exists(store / "lock")


def test_a_folder_is_complete_when_its_last_file_is_there(store, tmp_path, monkeypatch):
    for name in ("a/b.bin", "last", "z.bin"):
        write_text(tmp_path / "here" / name, name)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def killed(*_, **__):
            raise KeyboardInterrupt

        patch.setattr(store.fs, "put_file", killed)  # of the last
        patch.setattr(store.fs, "put", lambda files, places: [store.fs.pipe_file(place, b"") for place in places])
        put_folder(tmp_path / "here", store / "1", last="last")
    assert exists(store / "1") and complete_in(store, "last") == []
    put_folder(tmp_path / "here", store / "1", last="last")
    assert complete_in(store, "last") == ["1"]
    get_folder(store / "1", tmp_path / "there")
    assert (tmp_path / "there" / "a" / "b.bin").read_text() == "a/b.bin"
    delete_folder(store / "1", first="last")
    assert not exists(store / "1")


def test_a_folder_is_copied_to_this_machine_once_and_again_when_it_is_another(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEJAX_CACHE", str(tmp_path / "cache"))
    write_text(store / "set" / "index.json", "1")
    write_text(store / "set" / "large.npy", "data")
    folder = fetched(store / "set", by=("index.json",))
    assert folder.is_relative_to(tmp_path / "cache") and (folder / "large.npy").read_text() == "data"
    assert "copying memory://" in capsys.readouterr().err
    assert fetched(store / "set", by=("index.json",)) == folder and not capsys.readouterr().err
    write_text(store / "set" / "index.json", "2")
    assert (fetched(store / "set", by=("index.json",)) / "index.json").read_text() == "2"
    assert fetched(tmp_path, by=()) == tmp_path
