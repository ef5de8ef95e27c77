"""The CSV manifest: every column, partial labels, spellings, the paper's class lists, and rows that are left out."""

import math

import numpy as np
import pytest
import soundfile
from trees import manifest, noise, write_wav

from sejax import corpora
from sejax.errors import InputError


def test_every_column_arrives(tmp_path):
    header = "path,label,id,speaker,session,sex,start,end,transcript,valence,activation,dominance,split"
    path = manifest(tmp_path, 'a.wav,Anger,u1,s1,2,F,0.5,1.5,"Yes, now.",1.5,4,3.25,test', header=header)
    write_wav(tmp_path / "a.wav", noise(2.0))
    corpus = corpora.open_corpus("manifest", path, name="mine")
    (utterance,) = corpus
    assert (utterance.id, utterance.speaker, utterance.session, utterance.sex) == ("u1", "s1", "2", "female")
    assert (utterance.emotion_original, utterance.emotion, corpus.classes) == ("Anger", "anger", ("anger",))
    assert (utterance.transcript, utterance.split) == ("Yes, now.", "test")
    assert (utterance.valence, utterance.activation, utterance.dominance) == (1.5, 4.0, 3.25)
    np.testing.assert_array_equal(utterance.waveform, noise(2.0)[8000:24000])
    assert utterance.seconds == 1.0


def test_what_is_not_said_is_empty_and_the_id_comes_from_the_path(tmp_path):
    (tmp_path / "sub").mkdir()
    write_wav(tmp_path / "sub" / "b.take.wav")
    (recording,) = corpora.open_corpus("manifest", manifest(tmp_path, "sub/b.take.wav", header="path")).recordings
    assert recording.id == "sub/b.take"
    assert (recording.emotion, recording.speaker, recording.sex, recording.transcript) == ("", "", "", "")
    assert math.isnan(recording.valence) and recording.seconds == 0.1


def test_labels_may_be_missing_in_some_rows(tmp_path):
    corpus = corpora.open_corpus("manifest", manifest(tmp_path, "a0.wav,joy", "a1.wav,", "a2.wav,anger"))
    assert corpus.classes == ("anger", "joy")
    assert [recording.emotion for recording in corpus.recordings] == ["joy", "", "anger"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_delimiters_byte_order_marks_and_blank_lines_do_not_matter(tmp_path, delimiter, start):
    path = manifest(tmp_path)
    rows = [f"path{delimiter}label", "", f"a0.wav{delimiter}joy", ""]
    path.write_text(start + "\r\n".join(rows), encoding="utf-8")
    (recording,) = corpora.open_corpus("manifest", path).recordings
    assert recording.emotion == "joy"


def test_parts_of_one_file_get_ids_of_their_own(tmp_path):
    path = manifest(tmp_path, "a.wav,joy,0,1", "a.wav,joy,1,2", header="path,label,start,end")
    write_wav(tmp_path / "a.wav", noise(2.0))
    first, second = corpora.open_corpus("manifest", path)
    assert (first.id, second.id) == ("a_0_1", "a_1_2")
    np.testing.assert_array_equal(np.concatenate([first.waveform, second.waveform]), noise(2.0))


def test_classes_may_have_capital_letters(tmp_path):
    path = manifest(tmp_path, "a0.wav,Happy", "a1.wav,", "a2.wav,SAD")
    corpus = corpora.open_corpus("manifest", path, classes=("Happy", "sad"))
    assert corpus.classes == ("Happy", "sad")
    assert [recording.emotion for recording in corpus.recordings] == ["Happy", "", "sad"]


def test_sets_of_compressed_files_alone_are_made_again(tmp_path):
    path = manifest(tmp_path, "a0.wav,joy")
    assert corpora.open_corpus("manifest", path).options == {}
    soundfile.write(tmp_path / "a0.wav", noise(), 16000, format="OGG", subtype="VORBIS")
    assert corpora.open_corpus("manifest", path).options


@pytest.mark.parametrize("name", sorted(set(corpora.PUBLISHED) - {"emodb"}))
def test_the_papers_other_corpora_come_under_their_names_with_their_classes(tmp_path, name):
    classes = corpora.PUBLISHED[name].classes
    path = manifest(tmp_path, f"a0.wav,{classes[-1].upper()}")
    corpus = corpora.open_corpus(name, path)
    assert (corpus.name, corpus.classes) == (name, classes)
    assert corpus.recordings[0].emotion == classes[-1]


def test_columns_of_other_tools_are_ignored_unless_they_look_like_a_misspelling(tmp_path):
    path = manifest(tmp_path, "a0.wav,joy,7", header="path,label,annotator")
    assert len(corpora.open_corpus("manifest", path)) == 1
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        corpora.open_corpus("manifest", manifest(tmp_path, "a0.wav,joy,7", header="path,label,speakers"))


def test_allow_partial_keeps_the_good_rows_and_lists_the_others(tmp_path):
    path = manifest(tmp_path, "a0.wav,joy", "gone.wav,joy", "a2.wav,joy,more", "a2.wav,anger")
    corpus = corpora.open_corpus("manifest", path, allow_partial=True)
    assert [recording.id for recording in corpus.recordings] == ["a0", "a2"]
    assert [problem.where.rpartition("line ")[2] for problem in corpus.left_out] == ["4", "3"]


def test_a_manifest_without_one_usable_row_is_refused_even_with_allow_partial(tmp_path):
    with pytest.raises(InputError, match=r"no recording can be used: .*line 2: .*gone\.wav: no such file"):
        corpora.open_corpus("manifest", manifest(tmp_path, "gone.wav,joy"), allow_partial=True)


def test_real_flac_with_transcripts(nemo_source):
    corpus = corpora.open_corpus("manifest", nemo_source / "manifest.csv", name="nemo")
    assert len(corpus) == 953 and len(corpus.classes) == 6
    utterance = corpus.decode(corpus.recordings[0])
    expected, rate = soundfile.read(corpus.recordings[0].path, dtype="int16")
    assert rate == 16000 and utterance.transcript
    np.testing.assert_array_equal(utterance.waveform, expected)
