"""Files whose names are spelled in another form than asked for, or in no UTF-8 at all."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from trees import manifest, noise, write_wav

from sejax import corpora
from sejax.core.files import printable
from sejax.corpora.names import on_disk
from sejax.corpora.problems import BadRecording
from sejax.corpora.waveform import read
from sejax.data.store.writing import _make_folder
from sejax.data.text import read_table
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("NFC", "NFD")


def in_form(form, text):
    return unicodedata.normalize(form, text)


@pytest.mark.parametrize(("asked", "there"), [FORMS, FORMS[::-1], ("NFD", "NFD")])
def test_names_are_found_however_their_accents_are_composed(tmp_path, asked, there):
    path = write_wav(tmp_path / in_form(there, "Müller") / in_form(there, "café.wav"))
    name = in_form(asked, "Müller/café.wav")
    (recording,) = corpora.open_corpus("manifest", manifest(tmp_path, f"{name},x", files=0)).recordings
    assert Path(recording.path) == on_disk(tmp_path / name) == path
    np.testing.assert_array_equal(read(tmp_path / name), noise())
    (tmp_path / "table.csv").write_text(f"wav,text\n{name},so\n", encoding="utf-8")
    assert read_table(tmp_path / "table.csv")[0][0].name == in_form(asked, "café.wav")


def test_of_two_names_that_look_alike_the_one_asked_for_is_taken(tmp_path):
    for number, form in enumerate(FORMS):
        write_wav(tmp_path / in_form(form, "é.wav"), noise(seed=number))
    for number, form in enumerate(FORMS):
        np.testing.assert_array_equal(read(tmp_path / in_form(form, "é.wav")), noise(seed=number))


def test_a_name_that_is_not_there_stays_as_it_is(tmp_path):
    for path in (tmp_path / "é" / "a.wav", tmp_path / "a.wav", Path("é.wav")):
        assert on_disk(path) == path


@pytest.fixture
def latin_1(tmp_path):
    """A folder and a file in it with Latin-1 in their names."""
    path = tmp_path / os.fsdecode(b"gespr\xe4ch") / os.fsdecode(b"m\xfcde.wav")
    try:
        path.parent.mkdir()
    except OSError:
        pytest.skip("the file system takes no such names")
    return write_wav(tmp_path / "a.wav", noise(1.0)).rename(path)


def test_a_name_that_is_no_utf_8_is_read_and_printed(latin_1):
    np.testing.assert_array_equal(read(latin_1), noise(1.0))
    assert printable(latin_1).endswith(r"gespr\xe4ch/m\xfcde.wav")
    with pytest.raises(BadRecording, match=r"gespr\\xe4ch/none: no such file") as caught:
        read(latin_1.with_name("none"))
    str(caught.value).encode()


def test_a_corpus_in_a_folder_that_is_no_utf_8_becomes_a_set(latin_1, tmp_path):
    latin_1.rename(latin_1.with_name("a.wav"))
    source = manifest(latin_1.parent, "a.wav,x", "gone.wav,x", files=0)
    with pytest.raises(InputError, match=r"gespr\\xe4ch/gone.wav: no such file"):
        corpora.open_corpus("manifest", source)
    corpus = corpora.open_corpus("manifest", source, allow_partial=True)
    from sejax.corpora.builder import build

    (example,) = build(corpus, tmp_path / "data", allow_partial=True).as_data_source(split="train")
    assert example["path"].decode().endswith(r"gespr\xe4ch/a.wav")
    with pytest.raises(InputError, match=r"gespr\\xe4ch is no UTF-8; name another --data_dir"):
        _make_folder(latin_1.parent)


def test_a_command_that_cannot_write_such_a_name_says_so_in_one_line():
    script = (
        "from sejax.engine.command import run_command\n"
        "run_command(lambda argv: open('/dev/null', 'w', encoding='utf-8').write(argv[1]), takes='files')"
    )
    command = [sys.executable, "-c", script, b"m\xfcde"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert done.stderr == "error: m\\xfcde: a name that is no UTF-8; rename the file or folder\n"
