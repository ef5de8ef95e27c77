"""Pretrained word vectors: the three formats, plain and gzipped, spellings, broken files."""

import gzip
import struct
import subprocess
import sys

import numpy as np
import pytest

from sejax.data.word_vectors import coverage, read_word_vectors
from sejax.errors import InputError

WORDS = ("the", "Agnes", "don't", "für", "LOL", "laughter", "żółć", "the_end")
VALUES = np.random.default_rng(0).normal(0, 0.3, (len(WORDS), 7)).astype(np.float32)
TYPES = ("[laughter]", "agnes", "don't", "für", "lol", "never", "the")
HERE = (5, 1, 2, 3, 4, None, 0)  # where each type stands in the files
BINARY = b"8 7\n" + b"".join(word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, VALUES, strict=True))
GLOVE = "".join(
    f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(WORDS, VALUES, strict=True)
).encode()
TEXT = b"8 7\n" + GLOVE


# As word2vec's own C code writes them: a blank and a newline end each row, text has six decimals.
WORD2VEC_BINARY = b"8 7\n" + b"".join(
    word.encode() + b" " + b"".join(struct.pack("<f", value) for value in row) + b"\n"
    for word, row in zip(WORDS, VALUES.tolist(), strict=True)
)
SHORT_TEXT = "8 7\n" + "".join(
    f"{word} {''.join(f'{value:f} ' for value in row)}\n" for word, row in zip(WORDS, VALUES.tolist(), strict=True)
)


MADE = {
    "word2vec binary": BINARY,
    "word2vec binary with newlines": WORD2VEC_BINARY,
    "word2vec binary with some newlines": BINARY.replace(
        b" " + VALUES[0].tobytes(), b" " + VALUES[0].tobytes() + b"\n"
    ),
    "word2vec text": TEXT,
    "text with blanks at the ends of lines": TEXT.replace(b"\n", b" \r\n"),
    "GloVe": GLOVE,
    "GloVe with words that hold blanks": GLOVE + b"the name@domain.com " + b" ".join([b"0.5"] * 7) + b"\n",
    "word2vec binary, gzip": gzip.compress(BINARY),
    "GloVe, gzip": gzip.compress(GLOVE),
    "GloVe behind a byte order mark": b"\xef\xbb\xbf" + GLOVE,
    "word2vec text behind a byte order mark, gzip": gzip.compress(b"\xef\xbb\xbf" + TEXT),
}


@pytest.mark.parametrize("form", MADE)
def test_every_format_gives_the_same_vectors(tmp_path, form):
    path = tmp_path / "vectors"
    path.write_bytes(MADE[form])
    found = read_word_vectors(path, TYPES)
    assert found.values.shape == (7, 7) and found.values.dtype == np.float32
    assert found.found.tolist() == [place is not None for place in HERE]
    for row, place in zip(found.values, HERE, strict=True):
        if place is not None:
            np.testing.assert_array_equal(row, VALUES[place])


def test_words_that_the_file_lacks_are_random_by_seed(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(GLOVE)
    first, again, other = (read_word_vectors(path, TYPES, seed=seed).values for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert [bool((one != two).any()) for one, two in zip(first, other, strict=True)] == [
        place is None for place in HERE
    ]
    many = read_word_vectors(path, [f"not{number}" for number in range(500)])
    assert not many.found.any() and np.abs(many.values).max() <= 0.25
    assert many.values.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.05)


def test_the_lower_case_spelling_comes_first_and_the_first_row_of_a_word(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("May 1.5\nMAY 2.5\nmay 3.5\nmay 4.5\nUS 5.5\nUs 6.5\n[x] 7.5\nx 8.5\n")
    found = read_word_vectors(path, ("[x]", "may", "us"))
    assert found.values.tolist() == [[7.5], [3.5], [6.5]]


@pytest.mark.parametrize("data", [BINARY, TEXT, GLOVE])
def test_a_limit_looks_at_the_first_rows_alone(tmp_path, data):
    path = tmp_path / "vectors"
    path.write_bytes(data)
    assert read_word_vectors(path, TYPES, limit=3).found.tolist() == [place is not None and place < 3 for place in HERE]
    assert read_word_vectors(path, TYPES, limit=99).found.sum() == 6
    with pytest.raises(InputError, match="limit=0"):
        read_word_vectors(path, TYPES, limit=0)


def lines(data, number, row):
    """The text with another line `number`, from 1."""
    rows = data.split(b"\n")
    rows[number - 1] = row
    return b"\n".join(rows)


BROKEN = {
    "empty": (b"", "is empty; get the file again"),
    "blank": (b"\n\n", "is empty"),
    "truncated binary": (BINARY[:-3], "ends after 7 whole rows where its first line promises 8 of 7 values"),
    "binary without rows": (b"8 7\n", "ends after 0 whole rows"),
    "binary of longer rows": (BINARY.replace(b"8 7\n", b"8 6\n"), "goes on after the 8 rows of 6 values"),
    "binary of shorter rows": (BINARY.replace(b"8 7\n", b"8 8\n"), "ends after 6 whole rows"),
    "truncated text": (b"\n".join(TEXT.split(b"\n")[:5]), "ends after 4 whole rows where its first line promises 8"),
    "line cut short": (TEXT[:-20], "line 9: [56] values where rows have 7"),
    "too few columns": (lines(GLOVE, 3, b"word 1 2 3"), "line 3: 3 values where rows have 7"),
    "too many columns": (lines(TEXT, 3, b"word" + b" 1.5" * 8), "line 3: 8 values where rows have 7"),
    "tabs": (TEXT.replace(b" ", b"\t").replace(b"8\t7", b"8 7"), "promises 8 of 7 values"),
    "no number": (lines(GLOVE, 3, b"don't 1 2 3 4 x 6 7"), 'line 3: a value of "don\'t" is no number'),
    "not finite": (lines(GLOVE, 3, b"don't 1 2 3 4 nan 6 7"), 'the vector of "don\'t" is not finite'),
    "no rows": (b"0 300\n", "begins with '0 300'"),
    "pickle": (b"\x80\x04\x95" + bytes(50), "save_word2vec_format"),
    "zip": (b"PK\x03\x04" + bytes(50), "is a zip archive; unpack it"),
    "prose": (b"Vectors of words\nthe 0.5 0.5\n", "begins with b'Vectors of words', neither"),
    "cut gzip": (gzip.compress(BINARY)[:-30], "is a broken gzip file"),
    "damaged gzip": (gzip.compress(GLOVE)[:20] + b"\xff" * 200, "is a broken gzip file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_clear_error(tmp_path, kind):
    data, told = BROKEN[kind]
    path = tmp_path / "vectors.bin"
    path.write_bytes(data)
    with pytest.raises(InputError, match=told) as error:
        read_word_vectors(path, TYPES)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and ";" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no file .*gone.txt; name a file in word2vec's"):
        read_word_vectors(tmp_path / "gone.txt", TYPES)
    with pytest.raises(InputError, match="there is no file"):
        read_word_vectors(tmp_path, TYPES)


def test_the_decimals_of_word2vecs_own_text_are_read_as_they_stand(tmp_path):
    (tmp_path / "vectors.txt").write_text(SHORT_TEXT, encoding="utf-8")
    read = read_word_vectors(tmp_path / "vectors.txt", TYPES)
    for row, place in zip(read.values, HERE, strict=True):
        if place is not None:
            stored = [round(value, 6) for value in VALUES[place].tolist()]
            assert row.tobytes() == struct.pack("<7f", *stored)


def test_reading_word_vectors_needs_numpy_alone(tmp_path):
    (tmp_path / "glove.txt").write_bytes(GLOVE)
    script = (
        "import sys; sys.modules['gensim'] = None\n"
        "from sejax.data.word_vectors import read_word_vectors\n"
        f"print(read_word_vectors({str(tmp_path / 'glove.txt')!r}, ('the', 'never')).found.tolist())\n"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, False]", "False"]


def test_coverage_counts_types_and_running_words():
    found = coverage(np.array([True, False, True, True]), np.array([6, 3, 1, 0]))
    assert found == {"types": pytest.approx(2 / 3), "words": pytest.approx(0.7)}
    assert coverage(np.array([True, False]), np.zeros(2, int)) == {"types": 0.0, "words": 0.0}
