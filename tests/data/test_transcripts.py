"""Transcripts as words: case, punctuation, apostrophes, tags, scripts, and the corpora's own transcripts."""

import numpy as np
import pytest

from sejax import corpora
from sejax.data.text import tokens, word_types


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
