"""LibriSpeech: chapters and their transcripts, readers, parts, and the number of utterances of a complete part."""

import numpy as np
import pytest
from trees import noise

from sejax import corpora
from sejax.corpora import librispeech
from sejax.errors import InputError


def test_recordings_carry_reader_sex_words_and_no_label(whole):
    corpus = corpora.open_corpus("librispeech", whole("librispeech"))
    assert [r.id for r in corpus.recordings] == ["84-121123-0000", "84-121123-0001", "84-121550-0000", "19-198-0000"]
    first, *_, last = corpus.recordings
    assert (first.speaker, first.sex, first.split, first.transcript) == ("84", "female", "valid", "GO DO YOU HEAR")
    assert (last.speaker, last.sex, last.split) == ("19", "male", "train")
    assert corpus.classes == () and {r.emotion for r in corpus.recordings} == {""}


def test_flac_decodes_bit_for_bit(whole):
    corpus = corpora.open_corpus("librispeech", whole("librispeech"))
    np.testing.assert_array_equal(corpus.decode(corpus.recordings[1]).waveform, noise(0.2, seed=1))


def test_parts_are_chosen_by_name_or_by_folder(whole):
    source = whole("librispeech")
    assert len(corpora.open_corpus("librispeech", source, part="dev-clean")) == 3
    assert len(corpora.open_corpus("librispeech", source, part=("train-clean-100",))) == 1
    alone = corpora.open_corpus("librispeech", source / "dev-clean")
    assert len(alone) == 3 and alone.recordings[0].sex == "female"
    assert alone.digest() == corpora.open_corpus("librispeech", source, part="dev-clean").digest()


def test_the_folder_around_the_corpus_will_do(whole, tmp_path):
    whole("librispeech").rename(tmp_path / "LibriSpeech")
    assert len(corpora.open_corpus("librispeech", tmp_path)) == 4


def test_without_the_list_of_speakers_the_sex_is_unknown_and_a_note_says_so(whole):
    source = whole("librispeech")
    (source / "SPEAKERS.TXT").unlink()
    corpus = corpora.open_corpus("librispeech", source)
    assert {r.sex for r in corpus.recordings} == {""}
    assert corpus.notes == ("no SPEAKERS.TXT beside the parts: the readers' sex is unknown",)


def test_the_known_total_of_each_part_is_asserted(original):
    with pytest.raises(InputError, match=r"dev-clean: 3 of 2703 utterances.*train-clean-100: 1 of 28539 utterances"):
        corpora.open_corpus("librispeech", original("librispeech"))
    assert sum(librispeech.PARTS.values()) == 292367


def test_each_chapter_is_compared_with_its_transcript(whole):
    source = whole("librispeech")
    (source / "dev-clean/84/121123/84-121123-0001.flac").rename(source / "dev-clean/84/121123/84-121123-0007.flac")
    with pytest.raises(InputError, match=r"missing 84-121123-0001\.flac.*no line for 84-121123-0007"):
        corpora.open_corpus("librispeech", source)
    corpus = corpora.open_corpus("librispeech", source, allow_partial=True)
    assert len(corpus) == 3 and len(corpus.left_out) == 3
