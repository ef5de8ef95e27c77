"""The CSV of audio files and texts that prediction takes."""

import numpy as np
import pytest
import soundfile

from sejax.data.text import read_table
from sejax.errors import InputError


@pytest.fixture
def table(tmp_path):
    """Writes a CSV in a folder of its own, with a.wav beside it and b.wav below."""
    folder = tmp_path / "speech"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.wav", "sub/b.wav"):
        soundfile.write(folder / name, np.ones(800, np.int16), 16000)

    def write(text, encoding="utf-8"):
        (folder / "table.csv").write_bytes(text.encode(encoding))
        return folder / "table.csv"

    return write


@pytest.mark.parametrize(
    "text",
    [
        'wav,text\na.wav,"Oh, gut für dich."\nsub/b.wav,\n',
        "\ufeffPath;Speaker;Transcript\r\na.wav;x;Oh, gut für dich.\r\n\r\nsub/b.wav;y;\r\n",
        "text\twav\nOh, gut für dich.\ta.wav\n\tsub/b.wav\n",
    ],
)
def test_files_and_their_texts_in_order(table, text):
    path = table(text)
    assert read_table(path) == [(path.parent / "a.wav", "Oh, gut für dich."), (path.parent / "sub" / "b.wav", "")]


def test_an_absolute_path_stays_one(table):
    path = table("")
    table(f"wav,text\n{path.parent / 'a.wav'},yes\n")
    assert read_table(str(path)) == [(path.parent / "a.wav", "yes")]


def test_every_bad_row_is_told_at_once_with_its_line(table):
    path = table('wav,text,start\na.wav,yes,\ngone.wav,"a\nb",\n,no,\na.wav,yes,0.5\na.wav,x,,y\ntable.csv,z,\n')
    with pytest.raises(InputError) as error:
        read_table(path)
    told = str(error.value)
    assert told.startswith("table: 5 inputs cannot be used: ") and "--allow_partial" not in told and "\n" not in told
    for line, what in (
        (4, "gone.wav: no such file"),
        (5, "the path is empty; name an audio file"),
        (6, "has a start or end; cut that part"),
        (7, "4 cells where the header has 3; quote"),
        (8, "table.csv: "),
    ):
        assert any(f"table.csv, line {line}: " in part and what in part for part in told.split(" | ")), (line, told)
    assert "line 2:" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; it needs a header such as wav,text"),
        ("wav,text\n", "a header and no rows"),
        ("wav,label\na.wav,x\n", "no column 'text' among wav, label; name the columns wav, text"),
        ("file,text\na.wav,x\n", "no column 'wav'"),
        ("wav,transcripts\na.wav,x\n", "did you mean 'transcript'"),
        ("wav,path,text\na.wav,a.wav,x\n", "column 'wav' occurs twice"),
        ('wav,text\na.wav,"x\n', "quotes in pairs"),
        ("wav,text\na.wav,x\0y\n", "line 2: holds a NUL"),
    ],
)
def test_what_is_no_such_csv_gets_one_clear_error(table, text, told):
    with pytest.raises(InputError, match=told) as error:
        read_table(table(text))
    assert str(error.value).startswith("table: ") and "table.csv" in str(error.value)


def test_other_encodings_and_missing_files_are_named(table, tmp_path):
    with pytest.raises(InputError, match="line 2: byte 0xfc is not UTF-8"):
        read_table(table("wav,text\na.wav,für\n", "latin-1"))
    with pytest.raises(InputError, match="there is no file .*none.csv; name a CSV"):
        read_table(tmp_path / "none.csv")
