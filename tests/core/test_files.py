import os

import pytest

from sejax.core.files import plain, write_text


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
