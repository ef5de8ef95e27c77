"""eNTERFACE'05: folders before names, the uncut subject, videos and extracted wavs, and the published counts."""

from collections import Counter

import pytest
from trees import write_wav

from sejax import corpora
from sejax.corpora.enterface import identifiers
from sejax.errors import InputError


def test_the_database_has_1287_sentences_of_43_subjects():
    counts = Counter(name.split("_")[1] for name in identifiers())
    assert counts == {"an": 215, "di": 215, "fe": 215, "ha": 212, "sa": 215, "su": 215}
    subjects = {name.partition("_")[0] for name in identifiers()}
    assert len(subjects) == 43 and "s6" not in subjects


def test_folders_say_subject_emotion_and_sentence_where_names_err(whole):
    corpus = corpora.open_corpus("enterface", whole("enterface"))
    by_id = {item.id: item for item in corpus.recordings}
    assert len(by_id) == 177 and {item.speaker for item in by_id.values()} == {"s2", "s3", "s11", "s12", "s16", "s23"}
    assert by_id["s11_an_1"].path.endswith("subject 11/anger/sentence 1/s12_an_1.avi")
    assert by_id["s2_an_1"].path.endswith("subject 2/anger/sentence 1/s2_an_2.avi")
    assert by_id["s16_su_3"].path.endswith("s16_su_3avi.avi")
    happy = by_id["s3_ha_5"]
    assert (happy.emotion_original, happy.emotion, happy.sex) == ("happiness", "joy", "")
    assert corpus.classes == corpora.PUBLISHED["enterface"].classes


def test_slips_the_uncut_subject_and_the_papers_number_are_noted(whole):
    notes = corpora.open_corpus("enterface", whole("enterface")).notes
    assert "6 recordings of subject 6 were passed over: each holds all sentences of an emotion" in notes
    assert "32 files are named otherwise than their folders, which hold" in notes  # all of 11's, two of 2's
    assert "177 utterances; the paper has 1277" in notes


def test_a_video_is_decoded_through_ffmpeg(whole):
    corpus = corpora.open_corpus("enterface", whole("enterface"))
    utterance = corpus.decode(corpus.recordings[0])
    assert utterance.rate == 16000 and len(utterance.waveform) == 1600 and utterance.waveform.std() > 500


def test_an_extracted_wav_goes_before_its_video(whole):
    source = whole("enterface")
    write_wav(source / "subject 12/fear/sentence 2/s12_fe_2.wav", rate=48000)
    corpus = corpora.open_corpus("enterface", source)
    assert {item.id: item for item in corpus.recordings}["s12_fe_2"].path.endswith("s12_fe_2.wav")


def test_a_copy_of_wavs_alone_needs_no_ffmpeg(whole, monkeypatch, tmp_path):
    source = whole("enterface")
    for path in sorted(source.rglob("*.avi")):
        write_wav(path.with_suffix(".wav"), rate=48000)
        path.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    corpus = corpora.open_corpus("enterface", source)
    assert len(corpus) == 177 and "6 recordings of subject 6" in corpus.notes[0]


def test_videos_without_ffmpeg_are_one_error_with_the_command(whole, monkeypatch, tmp_path):
    source = whole("enterface")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"needs the program ffmpeg.*`ffmpeg -i NAME\.avi -map 0:a:0.*NAME\.wav`"):
        corpora.open_corpus("enterface", source, allow_partial=True)
