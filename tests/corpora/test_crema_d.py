"""CREMA-D: names, the actors' sex, the silent recording, Git LFS pointers, and the published counts."""

import pytest
from trees import write_bytes

from sejax import corpora
from sejax.corpora import crema_d
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.errors import InputError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_names_are_spelt_out(whole):
    corpus = corpora.open_corpus("crema_d", whole("crema_d"))
    first, second, third, fourth = corpus.recordings
    assert (first.speaker, first.emotion_original, first.emotion) == ("1001", "ANG", "anger")
    assert (first.sex, second.sex, first.transcript) == ("male", "female", "Don't forget a jacket.")
    assert third.id == "1040_ITH_SAD_X"  # the one name with a single X
    assert fourth.emotion == "neutral"


def test_the_silent_recording_is_passed_over_with_a_note(whole):
    source = whole("crema_d")
    corpus = corpora.open_corpus("crema_d", source)
    assert "1076_MTI_SAD_XX" not in {r.id for r in corpus.recordings}
    assert corpus.notes == ("1076_MTI_SAD_XX.wav was passed over: it is silent in the distribution",)
    (source / "AudioWAV/1076_MTI_SAD_XX.wav").unlink()
    assert len(corpora.open_corpus("crema_d", source)) == 4


def test_without_the_demographics_the_sex_is_unknown_and_a_note_says_so(whole):
    source = whole("crema_d")
    (source / "VideoDemographics.csv").unlink()
    corpus = corpora.open_corpus("crema_d", source)
    assert {r.sex for r in corpus.recordings} == {""}
    assert any("sex is unknown" in note for note in corpus.notes)


def test_the_audio_folder_itself_will_do(whole):
    corpus = corpora.open_corpus("crema_d", whole("crema_d") / "AudioWAV")
    assert len(corpus) == 4 and corpus.recordings[0].sex == "male"


def test_git_lfs_pointers_are_told_in_one_problem(whole):
    source = whole("crema_d")
    for path in (source / "AudioWAV").glob("*.wav"):
        write_bytes(path, POINTER)
    with pytest.raises(InputError, match=r"1001_DFA_ANG_XX\.wav and 4 more: Git LFS pointers.*git lfs pull") as caught:
        corpora.open_corpus("crema_d", source)
    assert str(caught.value).count("LFS pointer") == 1
    assert "--allow_partial" not in str(caught.value)  # which would leave nothing


def test_a_clone_without_git_lfs_is_told_what_is_missing_with_allow_partial_too(whole, tmp_path):
    source = whole("crema_d")
    for path in (source / "AudioWAV").glob("*.wav"):
        write_bytes(path, POINTER)
    said = r"corpora/crema_d: no recording can be used: .*and 4 more: Git LFS pointers instead.*git lfs pull`$"
    with pytest.raises(InputError, match=said):
        prepare_waveforms("crema_d", source, tmp_path / "data", allow_partial=True)


def test_single_pointers_are_left_out_with_allow_partial(whole):
    source = whole("crema_d")
    write_bytes(source / "AudioWAV/1002_IEO_HAP_HI.wav", POINTER)
    corpus = corpora.open_corpus("crema_d", source, allow_partial=True)
    assert len(corpus) == 3 and "1002_IEO_HAP_HI" in corpus.left_out[0].where


def test_the_published_counts_are_asserted(original):
    with pytest.raises(InputError, match="5 of 7442 files, 1 of 1271 ANG, 0 of 1271 DIS"):
        corpora.open_corpus("crema_d", original("crema_d"))
    counts = crema_d.RECORDINGS
    assert sum(counts[code] for code in crema_d.EMOTIONS) == counts["files"] == 7442
