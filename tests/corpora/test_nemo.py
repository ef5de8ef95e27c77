"""nEMO: rows of data.tsv joined with the samples by name, and the published counts."""

import pytest
from corpus_trees import write_text

from sejax import corpora
from sejax.corpora import nemo
from sejax.errors import InputError


def test_rows_give_speaker_sex_emotion_and_transcript(whole):
    corpus = corpora.open_corpus("nemo", whole("nemo"))
    assert [r.id for r in corpus.recordings] == ["EB0_neutral_13", "KS0_anger_38", "WR0_surprised_64"]
    last = corpus.recordings[-1]
    assert (last.speaker, last.sex, last.emotion_original, last.emotion) == ("WR0", "male", "surprised", "surprise")
    assert last.transcript == "Ucho wykrywa dźwięki o różnej częstotliwości."
    assert {r.speaker for r in corpus.recordings} == {"EB0", "KS0", "WR0"}  # the file pads them with blanks
    assert corpus.classes == ("anger", "fear", "happiness", "neutral", "sadness", "surprise")


def test_rows_and_files_are_joined_by_name_and_not_by_order(whole):
    source = whole("nemo")
    header, *rows = (source / "data.tsv").read_text(encoding="utf-8").splitlines()
    before = corpora.open_corpus("nemo", source).digest()
    write_text(source / "data.tsv", "\n".join([header, *reversed(rows)]) + "\n")
    assert corpora.open_corpus("nemo", source).digest() == before


def test_24_khz_becomes_16_khz(whole):
    corpus = corpora.open_corpus("nemo", whole("nemo"))
    utterance = corpus.decode(corpus.recordings[0])
    assert utterance.rate == 16000 and len(utterance.waveform) == 1600


def test_the_published_counts_are_asserted(original):
    with pytest.raises(InputError, match="3 of 4481 rows, 1 of 749 anger, 0 of 736 fear"):
        corpora.open_corpus("nemo", original("nemo"))
    assert sum(count for name, count in nemo.RECORDINGS.items() if name != "rows") == nemo.RECORDINGS["rows"] == 4481


def test_files_without_a_row_and_rows_without_a_file_are_named(whole):
    source = whole("nemo")
    (source / "samples/KS0_anger_38.wav").rename(source / "samples/KS0_anger_39.wav")
    with pytest.raises(InputError, match=r"missing KS0_anger_38\.wav.*no row for KS0_anger_39\.wav"):
        corpora.open_corpus("nemo", source)
    assert len(corpora.open_corpus("nemo", source, allow_partial=True)) == 2


def test_a_manifest_may_still_carry_part_of_the_corpus_under_its_name(tmp_path):
    from trees import manifest

    path = manifest(tmp_path / "subset", "a0.wav,anger")
    assert len(corpora.open_corpus("manifest", path, name="nemo")) == 1
