"""TED-LIUM 2: segments of talks in SPHERE files, dropped segments, parts, and the published count."""

import numpy as np
import pytest
import soundfile
from corpus_trees import STM, write_text
from trees import noise, truncate

from sejax import corpora
from sejax.corpora import tedlium
from sejax.errors import InputError


def test_segments_carry_times_speaker_sex_and_words_and_no_label(whole):
    corpus = corpora.open_corpus("tedlium", whole("tedlium"))
    assert [r.id for r in corpus.recordings] == [
        "AaronHuey_2010X-0000050-0000125",
        "AaronHuey_2010X-0000200-0000290",
        "AdaLovelace_2011-0000000-0000100",
    ]
    first, _, third = corpus.recordings
    assert (first.start, first.end, first.seconds, first.speaker) == (0.5, 1.25, 0.75, "AaronHuey_2010X")
    assert (first.sex, third.sex, first.split) == ("male", "female", "train")
    assert first.transcript == "i'm here for you"
    assert corpus.classes == () and {r.emotion for r in corpus.recordings} == {""}


def test_segments_that_are_not_scored_are_dropped_and_counted(whole):
    corpus = corpora.open_corpus("tedlium", whole("tedlium"))
    assert corpus.notes == ("1 segments marked ignore_time_segment_in_scoring were dropped",)


def test_a_segments_samples_are_those_of_the_talk(whole):
    corpus = corpora.open_corpus("tedlium", whole("tedlium"))
    np.testing.assert_array_equal(corpus.decode(corpus.recordings[1]).waveform, noise(3.0, seed=0)[32000:46400])


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_a_segment_of_a_long_talk_is_read_without_decoding_the_talk(whole, monkeypatch, endian):
    source = whole("tedlium")
    path = source / "train/sph/AaronHuey_2010X.sph"
    path.unlink()
    talk = np.tile(noise(1.0), 1200)  # twenty minutes
    soundfile.write(path, talk, 16000, format="NIST", subtype="PCM_16", endian=endian)
    line = "AaronHuey_2010X 1 AaronHuey_2010X 1190.00 1191.50 <o,f0,male> the end"
    write_text(source / "train/stm/AaronHuey_2010X.stm", "\n".join([*STM["train/stm/AaronHuey_2010X.stm"][:2], line]))
    corpus = corpora.open_corpus("tedlium", source)
    decoded, read = [], soundfile.SoundFile.read

    def counted(self, frames=-1, *args, **options):
        decoded.append(frames)
        return read(self, frames, *args, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    waveform = corpus.decode(corpus.recordings[1]).waveform
    np.testing.assert_array_equal(waveform, talk[:24000])
    assert decoded == [24000]


def test_other_parts_are_read_when_asked_for(whole):
    source = whole("tedlium")
    (dev,) = corpora.open_corpus("tedlium", source, part="dev").recordings
    assert (dev.id, dev.speaker, dev.sex, dev.split) == ("AlGore_2009-0000010-0000060", "Al_Gore", "male", "valid")
    assert dev.transcript == "last year"  # without the name at the end of the line
    both = corpora.open_corpus("tedlium", source, part=("train", "dev"))
    assert len(both) == 4
    assert both.digest() != corpora.open_corpus("tedlium", source).digest()


def test_the_folder_around_the_release_will_do(whole, tmp_path):
    whole("tedlium").rename(tmp_path / "TEDLIUM_release2")
    assert len(corpora.open_corpus("tedlium", tmp_path)) == 3


def test_a_segment_that_ends_just_after_its_talk_is_cut_there(whole):
    source = whole("tedlium")
    write_text(source / "train/stm/AdaLovelace_2011.stm", "AdaLovelace_2011 1 x 2.50 3.20 <o,f0,female> good morning\n")
    corpus = corpora.open_corpus("tedlium", source)
    assert corpus.recordings[-1].seconds == 0.5
    assert len(corpus.decode(corpus.recordings[-1]).waveform) == 8000
    assert any(note.startswith("1 segments end after") for note in corpus.notes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("we 've seen {BREATH} it(2) {SMACK}", "we've seen it"),
        ("the(2)n <sil> read(3) on", "then read on"),  # also before a letter
        ("don 't say she 'd go", "don't say she'd go"),
        ("'cause the students ' work is 'em and 'twas", "'cause the students' work is 'em and 'twas"),
        ("{NOISE}", ""),
    ],
)
def test_marks_leave_the_transcript_and_split_ends_join_their_words(whole, line, words):
    source = whole("tedlium")
    write_text(source / "train/stm/AdaLovelace_2011.stm", f"AdaLovelace_2011 1 x 0.00 1.00 <o,f0,female> {line}\n")
    assert corpora.open_corpus("tedlium", source).recordings[-1].transcript == words


def test_a_segment_that_ends_before_it_begins_is_counted_and_passed_over(whole):
    source = whole("tedlium")
    path = source / "train/stm/AaronHuey_2010X.stm"
    write_text(path, path.read_text().replace("2.00 2.90", "2.90 2.00"))
    corpus = corpora.open_corpus("tedlium", source)
    assert len(corpus) == 2 and corpus.left_out == ()
    assert "1 segments end before they begin and were passed over" in corpus.notes


def test_the_published_count_is_asserted(original):
    source = original("tedlium")
    with pytest.raises(InputError, match="3 of 92973 segments"):
        corpora.open_corpus("tedlium", source)
    with pytest.raises(InputError, match="1 of 507 segments, 1 of 8 talks"):
        corpora.open_corpus("tedlium", source, part="dev")
    assert tedlium.COUNTS["train"] == {"segments": 92973}


def test_a_talk_that_cannot_be_decoded_is_named_once_and_left_out_with_allow_partial(whole):
    source = whole("tedlium")
    truncate(source / "train/sph/AaronHuey_2010X.sph")
    with pytest.raises(InputError, match=r"AaronHuey_2010X\.sph: truncated: its header promises 96000 bytes") as caught:
        corpora.open_corpus("tedlium", source)
    assert str(caught.value).count("truncated") == 1
    corpus = corpora.open_corpus("tedlium", source, allow_partial=True)
    assert [r.speaker for r in corpus.recordings] == ["AdaLovelace_2011"]
