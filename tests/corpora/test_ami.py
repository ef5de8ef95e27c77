"""AMI: segments of headset recordings with words and times, who spoke, and what the distribution lacks."""

import numpy as np
import pytest
import soundfile
from ami_tree import write_nxt
from trees import copy_tree, noise, write_wav

from sejax import corpora
from sejax.corpora import ami
from sejax.data.waveforms.prepare import prepare_waveforms
from sejax.errors import InputError

AMI = "ami_public_manual_1.6.2"


def test_a_segment_is_an_utterance_of_the_speaker_who_wore_the_headset(whole):
    corpus = corpora.open_corpus("ami", whole("ami"))
    assert [r.id for r in corpus.recordings] == [
        "ES2002a-A-000015-000170",
        "ES2002a-A-000180-000260",
        "ES2002a-B-000200-000250",
        "IS1003b-A-000005-000065",
        "IS1003b-D-000065-000095",
    ]
    first, _, third, fourth, _ = corpus.recordings
    assert (first.speaker, first.session, first.seconds) == ("MEE006", "ES2002a", pytest.approx(1.55))
    assert first.path.endswith("ES2002a.Headset-1.wav") and third.path.endswith("ES2002a.Headset-0.wav")
    assert corpus.classes == () and {r.emotion for r in corpus.recordings} == {""}
    # From the first letter of the name, and from participants.xml where that knows better.
    assert (first.sex, third.sex, fourth.sex) == ("male", "female", "female")


def test_words_come_with_times_from_the_segments_start(whole):
    first, second, third, *_ = corpora.open_corpus("ami", whole("ami")).recordings
    assert first.transcript == "Café, remo controls."
    assert [word.text for word in first.words] == ["Café", "remo", "controls"]
    np.testing.assert_allclose([(word.start, word.end) for word in first.words], [(0.35, 0.65), (0.7, 0.95), (1, 1.45)])
    assert second.transcript == "Um Right"  # `Um` has no times; `Right` ends after its segment
    np.testing.assert_allclose([(word.start, word.end) for word in second.words], [(0.5, 0.8)])
    assert (third.transcript, third.words) == ("Okay.", ())


def test_what_was_passed_over_is_told(whole):
    notes = corpora.open_corpus("ami", whole("ami")).notes
    assert "1 segments without a word were passed over" in notes  # a laugh
    assert "1 segments have no word times" in notes


def test_slips_of_the_release_are_notes_and_no_damage(whole):
    corpus = corpora.open_corpus("ami", whole("ami"))
    assert corpus.left_out == ()
    assert "2 segments end before they begin and were passed over" in corpus.notes
    beyond = "1 segments end beyond their meeting's recording and were passed over: IS1003b-D-000405-000445"
    assert beyond in corpus.notes  # 4.05 s to 4.45 s of 3 s
    assert {recording.id for recording in corpus.recordings}.isdisjoint({"IS1003b-D-000405-000445"})
    assert not any(recording.transcript in ("Hm", "Bye") for recording in corpus.recordings)


def test_an_agent_who_says_nothing_needs_no_entry_in_meetings(whole):
    source = whole("ami")
    meetings = (source / AMI / "corpusResources/meetings.xml").read_text(encoding="latin-1")
    assert 'nxt_agent="E"' not in meetings and (source / AMI / "segments/ES2002a.E.segments.xml").exists()
    assert {r.session for r in corpora.open_corpus("ami", source, part="ES2002a").recordings} == {"ES2002a"}
    write_nxt(source / AMI / "words/ES2002a.E.words.xml", '<w nite:id="w" starttime="0.1" endtime="0.2">So</w>')
    child = '<nite:child href="ES2002a.E.words.xml#id(w)"/>'
    segment = f'<segment nite:id="s" transcriber_start="0.1" transcriber_end="0.3">{child}</segment>'
    write_nxt(source / AMI / "segments/ES2002a.E.segments.xml", segment)
    with pytest.raises(InputError, match="does not say who is E of ES2002a"):
        corpora.open_corpus("ami", source, part="ES2002a")


@pytest.mark.parametrize("counted", [9, 7])
def test_the_published_numbers_may_count_segments_that_end_before_they_begin_or_not(whole, monkeypatch, counted):
    source = whole("ami")
    monkeypatch.setattr(ami, "COUNTS", ami.COUNTS | {"segments": counted})
    assert len(corpora.open_corpus("ami", source)) == 5
    monkeypatch.setattr(ami, "COUNTS", ami.COUNTS | {"segments": 8})
    with pytest.raises(InputError, match="9 of 8 segments"):
        corpora.open_corpus("ami", source)


def test_opening_tells_how_many_of_the_annotations_are_read(whole, tmp_path):
    source, told = whole("ami"), []
    corpora.open_corpus("ami", source, progress=lambda *values: told.append(values))
    assert told == [("annotations", 2 * number, 10) for number in range(1, 6)]
    told.clear()
    prepare_waveforms("ami", source, tmp_path / "data", progress=lambda stage, *_: told.append(stage))
    assert list(dict.fromkeys(told)) == ["annotations", "files", "utterances", "waveforms"]


def test_a_segments_samples_are_those_of_its_headset(whole):
    corpus = corpora.open_corpus("ami", whole("ami"))
    waveform = corpus.decode(corpus.recordings[1]).waveform
    np.testing.assert_array_equal(waveform, noise(4.0, seed=1)[28800:41600])


def test_a_segment_of_a_long_meeting_is_read_without_decoding_the_meeting(whole, monkeypatch):
    source = whole("ami")
    write_wav(source / "amicorpus/IS1003b/audio/IS1003b.Headset-0.wav", np.tile(noise(1.0), 1200))  # twenty minutes
    corpus = corpora.open_corpus("ami", source, part="IS1003")
    decoded, read = [], soundfile.SoundFile.read

    def counted(self, frames=-1, *args, **options):
        decoded.append(frames)
        return read(self, frames, *args, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    np.testing.assert_array_equal(corpus.decode(corpus.recordings[0]).waveform, noise(1.0)[800:10400])
    assert decoded == [9600]


def test_parts_are_meetings_or_what_their_names_begin_with(original):
    source = original("ami")  # the count of all meetings is not asked of a part
    assert {r.session for r in corpora.open_corpus("ami", source, part=["ES"]).recordings} == {"ES2002a"}
    assert len(corpora.open_corpus("ami", source, part=("ES2002a", "IS1003b"))) == 5
    with pytest.raises(InputError, match="part=TS3003a: no meeting .* begins so"):
        corpora.open_corpus("ami", source, part=("ES", "TS3003a"))


def test_annotations_and_meetings_may_lie_in_one_folder(whole, tmp_path):
    source = whole("ami")
    flat = copy_tree(source / "ami_public_manual_1.6.2", tmp_path / "flat")
    for meeting in (source / "amicorpus").iterdir():
        meeting.rename(flat / meeting.name)
    assert len(corpora.open_corpus("ami", flat)) == 5


def test_the_published_counts_are_asserted(original):
    found = "2 of 171 meetings, 5 of 687 segments files, 5 of 687 words files, 4 of 682 speakers in meetings.xml"
    source = original("ami")
    with pytest.raises(InputError, match=f"{found}, 9 of 93637 segments, 7 of 83482 segments with a word"):
        corpora.open_corpus("ami", source)
    corpus = corpora.open_corpus("ami", source, allow_partial=True)
    assert len(corpus) == 5 and len(corpus.left_out) == 1


def test_a_headset_that_lacks_is_named_once_and_left_out_with_allow_partial(whole):
    source = whole("ami")
    (source / "amicorpus/ES2002a/audio/ES2002a.Headset-1.wav").unlink()
    with pytest.raises(InputError, match=r"missing ES2002a\.Headset-1\.wav") as caught:
        corpora.open_corpus("ami", source)
    assert str(caught.value).count("Headset-1") == 1
    left = corpora.open_corpus("ami", source, allow_partial=True)
    assert [r.speaker for r in left.recordings] == ["FEE005", "MIO020", "FIE037"]
