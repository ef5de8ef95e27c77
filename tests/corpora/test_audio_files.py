"""Which files a name stands for."""

import io
import os
from pathlib import Path

import pytest

from sejax.corpora.audio_files import audio_files, listed_files
from sejax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Empty files, some of them audio by their names."""
    passed_over = ("notes.txt", ".hidden.wav", ".cache/e.wav")
    for name in ("b.wav", "a.FLAC", "sub/c.mp3", "sub/deep/d.ogg", "x[1].wav", *passed_over):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_stands_for_the_audio_in_it_and_below_sorted(folder):
    names = [str(file.relative_to(folder)) for file in audio_files([folder])]
    assert names == ["a.FLAC", "b.wav", "sub/c.mp3", "sub/deep/d.ogg", "x[1].wav"]


def test_patterns_reach_below_with_two_stars_and_a_name_is_first_taken_as_it_is(folder):
    assert audio_files([f"{folder}/**/*.[mo]*"]) == [folder / "sub/c.mp3", folder / "sub/deep/d.ogg"]
    assert audio_files([f"{folder}/x[1].wav"]) == [folder / "x[1].wav"]


def test_the_names_order_stays_and_each_file_comes_once(folder):
    found = audio_files([folder / "sub/c.mp3", folder / "notes.txt", folder, folder / "b.wav"])
    assert found[:2] == [folder / "sub/c.mp3", folder / "notes.txt"] and len(found) == len({*found}) == 6


@pytest.mark.parametrize(
    ("name", "said"), [("gone.wav", "no such file"), ("empty", "no audio file"), ("*.aiff", "no such file")]
)
def test_a_name_that_stands_for_nothing_is_named(folder, name, said):
    with pytest.raises(InputError, match=said) as error:
        audio_files([folder / "b.wav", folder / name])
    assert str(folder / name) in str(error.value)


def test_a_list_of_names_has_one_a_line_whatever_their_bytes():
    names = listed_files(io.BytesIO(b"a b.wav\r\n\n/x/l\xe4ut.wav\na b.wav\nlast.wav"))
    assert names == [Path("a b.wav"), Path(os.fsdecode(b"/x/l\xe4ut.wav")), Path("last.wav")]
