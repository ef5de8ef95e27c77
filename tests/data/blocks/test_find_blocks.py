"""Finding the prepared set that a config means."""

import json

import pytest

from sejax.data.blocks.load import BlockSettings, Spectrograms, find_blocks
from sejax.errors import InputError


def _finish(folder, settings):
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"settings": settings.as_dict()}))


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Three sets of one corpus, one of them unfinished; `load` returns the folder's name."""
    for name, scale, mode in (("a", "log", 0), ("b", "mel", None), ("c.unfinished", "mel", 0)):
        _finish(tmp_path / "emodb" / f"spectrograms-{name}", BlockSettings(scale=scale, voice_activity=mode))
    monkeypatch.setattr(Spectrograms, "load", lambda folder: folder.name)
    return tmp_path


def test_a_set_is_found_by_scale_and_voice_activity(data_dir):
    assert find_blocks(data_dir, "emodb", scale="log", voice_activity="0") == "spectrograms-a"
    assert find_blocks(data_dir, "emodb", scale="mel", voice_activity="none") == "spectrograms-b"


def test_a_missing_set_names_the_command_that_makes_it(data_dir):
    with pytest.raises(InputError, match=r"sejax prepare --corpus=emodb .*--scale=mel --voice_activity=0"):
        find_blocks(data_dir, "emodb", scale="mel", voice_activity="0")


def test_the_command_for_a_missing_set_is_one_that_prepare_takes(data_dir):
    how = {"scale": "log", "voice_activity": "0"}
    # Without --level=none blocks are brought to rms, and the set would be missing once more.
    with pytest.raises(InputError, match=r"--corpus=nemo --source=DIR --level=none --scale=log"):
        find_blocks(data_dir, "nemo", **how, level="none")
    with pytest.raises(InputError, match=r"--corpus=manifest --name=calls --source=MANIFEST.csv --level=rms"):
        find_blocks(data_dir, "calls", **how, level="rms")
    with pytest.raises(InputError, match=r"prepare --corpus=des --source=MANIFEST.csv "):
        find_blocks(data_dir, "des", **how)
    with pytest.raises(InputError, match=r"prepare --corpus=synthetic --level"):
        find_blocks(data_dir, "synthetic", **how)


def test_two_sets_that_fit_are_both_named(data_dir):
    _finish(data_dir / "emodb" / "spectrograms-d", BlockSettings(bands=32))
    with pytest.raises(InputError, match="spectrograms-a.*spectrograms-d"):
        find_blocks(data_dir, "emodb", scale="log", voice_activity="0")


def test_blocks_and_chunks_lie_side_by_side_and_are_told_apart(data_dir):
    _finish(data_dir / "emodb" / "spectrograms-e", BlockSettings.chunks(voice_activity=0))
    assert find_blocks(data_dir, "emodb", scale="log", voice_activity="0") == "spectrograms-a"
    assert find_blocks(data_dir, "emodb", scale="log", voice_activity="0", features="chunks") == "spectrograms-e"
    with pytest.raises(InputError, match="--features=chunks --level=none --scale=mel"):
        find_blocks(data_dir, "emodb", scale="mel", voice_activity="0", features="chunks")
