"""Texts: words of transcripts and their times, vocabularies, words left out, and tables of files and texts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from sejax import corpora
from sejax.data.text import drop_probability, read_table, subsampled, tokens, vocabulary, word_times, word_types
from sejax.errors import InputError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Excuse me, the forms.", "excuse me the forms"),
        ("Don't you -- he's goin' to 'em...", "don't you he's goin to em"),
        ("Don’t SAY “rock’n’roll”!", "don't say rock'n'roll"),
        ("[LAUGHTER] Oh, [BREATHING]that's it[GARBAGE].", "[laughter] oh [breathing] that's it [garbage]"),
        ("[ background Noise ] a [] b [", "[background_noise] a b"),
        ("w--well I-I mean 50% at 3", "w well i i mean 50 at 3"),
        ("Das will sie am Mittwoch; für Tüten? Straße.", "das will sie am mittwoch für tüten straße"),
        ("„Ród smoka” to serial: WŁAŚNIE żółć…", "ród smoka to serial właśnie żółć"),
        ("Fu\u0308r die Tu\u00adre", "für die ture"),  # a combining mark, a soft hyphen
        ("हिन्दी में, नमस्ते।", "हिन्दी में नमस्ते"),
        ("Привет, как дела?", "привет как дела"),
        ("今天 天气，很 好。", "今天 天气 很 好"),
        ("", ""),
        (" \t\n... -- ' ''", ""),
    ],
)
def test_words_without_case_and_punctuation(text, words):
    assert tokens(text) == tuple(words.split())


def test_types_are_sorted_and_transcripts_index_them():
    types, ids = word_types(["So, so what?", "", "[LAUGHTER] What?"])
    assert types == ("[laughter]", "so", "what")
    assert [words.tolist() for words in ids] == [[1, 1, 2], [], [0, 2]]
    assert all(words.dtype == np.int32 for words in ids)


def test_no_transcripts_are_no_types():
    assert word_types([]) == ((), [])


def test_synthetic_sentences_have_the_words_that_their_aligned_words_have():
    corpus = corpora.open_corpus("synthetic", "", repeats=1)
    types, ids = word_types([recording.transcript for recording in corpus.recordings])
    assert len(ids) == len(corpus.recordings) and min(map(len, ids)) >= 7
    assert all(word.replace("'", "").isalpha() for word in types)
    utterance = next(iter(corpus))
    assert tokens(utterance.transcript) == tuple(word.text.lower().strip(",.!?") for word in utterance.words)


@pytest.mark.parametrize(("corpus", "letters"), [("emodb", "äöüß"), ("nemo", "ąćęłńóśźż")])
def test_real_german_and_polish_transcripts_are_words_of_letters(corpus, letters, request):
    source = request.getfixturevalue(f"{corpus}_source")
    name, options = ("manifest", {"name": corpus}) if corpus == "nemo" else (corpus, {})
    found = corpora.open_corpus(name, source / "manifest.csv" if corpus == "nemo" else source, **options)
    types, ids = word_types([recording.transcript for recording in found.recordings])
    assert all(len(words) for words in ids)
    assert all(word.replace("'", "").isalnum() and word == word.lower() for word in types)
    assert any(letter in word for word in types for letter in letters)


dropped = jax.jit(subsampled)  # one operation at a time would compile each of them

IDS = [np.array(words, np.int32) for words in ([0, 2, 2], [], [4, 2], [1, 4], [3])]
TRAINS = np.array([True, True, True, False, False])


def test_words_of_training_utterances_alone_have_rows():
    found = vocabulary(IDS, TRAINS, types=6)
    assert found.counts.tolist() == [1, 0, 3, 0, 1, 0]
    assert found.lookup.tolist() == [1, 0, 2, 0, 3, 0] and found.size == 4
    assert found.lookup.dtype == np.int32 and found.counts.dtype == np.int64


def test_rare_words_can_be_left_unknown():
    found = vocabulary(IDS, TRAINS, types=6, minimum=2)
    assert found.lookup.tolist() == [0, 0, 1, 0, 0, 0] and found.size == 2
    with pytest.raises(InputError, match="minimum=0"):
        vocabulary(IDS, TRAINS, types=6, minimum=0)


def test_without_words_every_word_is_unknown():
    found = vocabulary([np.zeros(0, np.int32)] * 2, np.array([True, False]), types=3)
    assert found.lookup.tolist() == [0, 0, 0] and found.size == 1
    assert vocabulary([], np.zeros(0, bool), types=0).size == 1


def test_drop_probability_is_the_square_root_of_the_relative_count():
    found = drop_probability(np.array([0, 20, 2000, 8000, 10**6]))
    np.testing.assert_allclose(found[:3], [0, 0.05, 0.5], rtol=1e-6)
    assert (found[3:] < 1).all() and (found[3:] > 0.9999).all() and found.dtype == np.float32
    np.testing.assert_allclose(drop_probability(np.array([4]), t=16), [0.5])
    with pytest.raises(InputError, match="t=0"):
        drop_probability(np.array([4]), t=0)


def utterances(rows, width, types=5):
    random = np.random.default_rng(1)
    return random.integers(0, types, (rows, width), np.int32), random.integers(0, width + 1, rows, np.int32)


def test_each_word_is_dropped_as_often_as_it_should_be_and_the_others_keep_their_order():
    words, count = utterances(4000, 12)
    drop = np.array([0, 0.2, 0.5, 0.9, np.nextafter(np.float32(1), 0)], np.float32)
    left, number = (np.asarray(found) for found in dropped(jnp.uint32(7), words, count, drop))
    before, after = np.zeros(5), np.zeros(5)
    for row in range(len(words)):
        said, kept = words[row, : count[row]].tolist(), left[row, : number[row]].tolist()
        rest = iter(said)
        assert all(word in rest for word in kept)  # a subsequence
        assert [word for word in kept if word == 0] == [word for word in said if word == 0]
        assert not left[row, number[row] :].any()
        before += np.bincount(said, minlength=5)
        after += np.bincount(kept, minlength=5)
    np.testing.assert_allclose(1 - after / before, drop, atol=0.025)  # five deviations of the rarest


def test_neighbours_of_a_dropped_word_become_adjacent():
    always = np.array([0, 1, 0], np.float32)
    words, count = dropped(
        jnp.uint32(0), jnp.array([[2, 1, 2, 1, 1, 2], [1, 1, 0, 0, 0, 0]]), jnp.array([6, 2]), always
    )
    assert words.tolist() == [[2, 2, 2, 0, 0, 0], [0] * 6] and count.tolist() == [3, 0]


def test_padding_and_further_rows_change_nothing():
    words, count = utterances(6, 5)
    drop = np.full(5, 0.5, np.float32)
    key = jax.random.key(3)
    small = dropped(key, words, count, drop)
    wide = dropped(key, np.pad(words, ((0, 3), (0, 4)), constant_values=4), np.pad(count, (0, 3)), drop)
    np.testing.assert_array_equal(wide[0][:6, :5], small[0])
    np.testing.assert_array_equal(wide[1], np.pad(small[1], (0, 3)))
    other = dropped(jax.random.key(4), words, count, drop)
    assert not np.array_equal(other[0], small[0])


def test_members_with_seeds_and_probabilities_of_their_own_are_mapped():
    words, count = utterances(4, 6)
    seeds, drops = jnp.arange(2, dtype=jnp.uint32), jnp.stack([jnp.zeros(5), jnp.full(5, 0.6)])
    both = jax.jit(jax.vmap(subsampled, in_axes=(0, None, None, 0)))(seeds, words, count, drops)
    for member in range(2):
        alone = dropped(seeds[member], words, count, drops[member])
        for mapped, one in zip(both, alone, strict=True):
            np.testing.assert_array_equal(mapped[member], one)
    np.testing.assert_array_equal(both[1][0], count)


def test_aligned_words_keep_their_times_whatever_their_spelling():
    found = word_times(("don't", "go"), ("DON'T", "Go."), (0.1, 0.5), (0.4, 0.9), seconds=1.0)
    assert found == ([0.1, 0.5], [0.4, 0.9])


def test_what_was_not_aligned_shares_the_time_between_its_neighbours():
    words = ("[breathing]", "i", "[laughter]", "[laughter]", "know", "oh")
    found = word_times(words, ("I", "KNOW", "OH"), (0.2, 0.9, 1.1), (0.5, 1.1, 1.2), seconds=2.0)
    assert found == ([0.0, 0.2, 0.5, 0.7, 0.9, 1.1], [0.2, 0.5, 0.7, 0.9, 1.1, 1.2])
    start, end = word_times(("i", "[laughter]"), ("I",), (0.2,), (0.5,), seconds=2.0)
    assert (start, end) == ([0.2, 0.5], [0.5, 2.0])


def test_words_that_were_mostly_not_aligned_have_no_times():
    assert word_times(("a", "b", "c"), ("a",), (0.0,), (0.1,), seconds=1.0) is None
    assert word_times((), (), (), (), seconds=1.0) is None


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


@pytest.mark.parametrize("header", ["wav,text", "path,transcript", "file,text", "label,file", "Path"])
def test_a_manifest_may_call_its_columns_otherwise_and_have_no_text(table, header):
    columns = header.lower().split(",")
    path = table(f"{header}\n" + ",".join("gone.wav" if name in ("wav", "path", "file") else "a" for name in columns))
    text = "a" if {"text", "transcript"} & {*columns} else ""
    assert read_table(path) == [(path.parent / "gone.wav", text)]  # whoever reads it says that it is gone


def test_every_bad_row_is_told_at_once_with_its_line(table):
    path = table('wav,text,start\na.wav,yes,\ngone.wav,"a\nb",\n,no,\na.wav,yes,0.5\na.wav,x,,y\ntable.csv,z,\n')
    with pytest.raises(InputError) as error:
        read_table(path)
    told = str(error.value)
    assert told.startswith("table: 3 inputs cannot be used: ") and "--allow_partial" not in told and "\n" not in told
    for line, what in (
        (5, "the path is empty; name an audio file"),
        (6, "has a start or end; cut that part"),
        (7, "4 cells where the header has 3; quote"),
    ):
        assert any(f"table.csv, line {line}: " in part and what in part for part in told.split(" | ")), (line, told)
    assert "line 2:" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; it needs a header such as path,transcript"),
        ("wav,text\n", "a header and no rows"),
        ("name,text\na.wav,x\n", "no column 'path' among name, transcript; name the columns path, transcript"),
        ("wav,transcripts\na.wav,x\n", "did you mean 'transcript'"),
        ("wav,path,text\na.wav,a.wav,x\n", "column 'path' occurs twice"),
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
