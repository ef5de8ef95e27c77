"""Finding the prepared set that a config means."""

import json

import pytest

from sejax.data import catalogue
from sejax.data.settings import Settings
from sejax.errors import InputError


def _finish(folder, settings):
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"settings": settings.as_dict()}))


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Three sets of one corpus, one of them unfinished; `load` returns the folder's name."""
    for name, scale, mode in (("a", "log", 0), ("b", "mel", None), ("c.unfinished", "mel", 0)):
        _finish(tmp_path / "emodb" / f"spectrograms-{name}", Settings(scale=scale, voice_activity=mode))
    monkeypatch.setattr(catalogue, "load", lambda folder: folder.name)
    return tmp_path


def test_a_set_is_found_by_scale_and_voice_activity(data_dir):
    assert catalogue.find(data_dir, "emodb", scale="log", voice_activity="0") == "spectrograms-a"
    assert catalogue.find(data_dir, "emodb", scale="mel", voice_activity="none") == "spectrograms-b"


def test_a_missing_set_names_the_command_that_makes_it(data_dir):
    with pytest.raises(InputError, match=r"launch/prepare.py --corpus=emodb .*--scale=mel --voice_activity=0"):
        catalogue.find(data_dir, "emodb", scale="mel", voice_activity="0")


def test_two_sets_that_fit_are_both_named(data_dir):
    _finish(data_dir / "emodb" / "spectrograms-d", Settings(bands=32))
    with pytest.raises(InputError, match="spectrograms-a.*spectrograms-d"):
        catalogue.find(data_dir, "emodb", scale="log", voice_activity="0")


def test_blocks_and_chunks_lie_side_by_side_and_are_told_apart(data_dir):
    _finish(data_dir / "emodb" / "spectrograms-e", Settings.chunks(voice_activity=0))
    assert catalogue.find(data_dir, "emodb", scale="log", voice_activity="0") == "spectrograms-a"
    assert catalogue.find(data_dir, "emodb", scale="log", voice_activity="0", features="chunks") == "spectrograms-e"
    with pytest.raises(InputError, match="--features=chunks --scale=mel"):
        catalogue.find(data_dir, "emodb", scale="mel", voice_activity="0", features="chunks")
