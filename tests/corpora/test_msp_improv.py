"""MSP-IMPROV: names, both spellings of the label file, both layouts, NaN, raters, and the published counts."""

import math
from collections import Counter

import pytest
from corpus_trees import write_text

from sejax import corpora
from sejax.corpora import msp_improv
from sejax.errors import InputError


def turn(corpus, name):
    return next(recording for recording in corpus.recordings if recording.id == name)


def test_names_give_speaker_sex_and_session(whole):
    corpus = corpora.open_corpus("msp_improv", whole("msp_improv"))
    seen = {(r.speaker, r.sex, r.session) for r in corpus.recordings}
    assert seen == {
        *{("F01", "female", "session1"), ("M01", "male", "session1")},
        *{("M02", "male", "session2"), ("F06", "female", "session6")},
    }


def test_letters_become_classes_and_no_agreement_is_no_label(whole):
    corpus = corpora.open_corpus("msp_improv", whole("msp_improv"))
    assert {r.emotion_original: r.emotion for r in corpus.recordings} == {
        **{"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"},
        **{"O": "other", "X": ""},
    }


def test_means_come_from_a_blocks_first_line_and_nan_is_not_rated(whole):
    corpus = corpora.open_corpus("msp_improv", whole("msp_improv"))
    first = turn(corpus, "MSP-IMPROV-S01A-F01-P-FM01")
    assert (first.valence, first.activation, first.dominance) == (3.0, 2.8, 3.1)
    happy = turn(corpus, "MSP-IMPROV-S08H-M02-T-MF12")
    assert (happy.valence, happy.activation) == (4.5, 3.5) and math.isnan(happy.dominance)
    assert math.isnan(turn(corpus, "MSP-IMPROV-S05N-F01-S-FM04").valence)


def test_raters_of_a_block_belong_to_its_turn(whole):
    corpus = corpora.open_corpus("msp_improv", whole("msp_improv"))
    first = turn(corpus, "MSP-IMPROV-S01A-F01-P-FM01")
    one, two = first.ratings
    assert (one.rater, one.labels, one.valence, one.activation, one.dominance) == (
        "ID1-p1",
        ("Neutral", "Happy"),
        3,
        3,
        3,
    )
    assert (two.rater, two.labels, two.activation) == ("ID2-p1", ("Angry",), 2) and math.isnan(two.valence)
    assert first.rater_labels == ("Neutral", "Angry")  # the first rater's line stands twice in the file
    assert "1 lines repeat a rater's labels and ratings of the same turn and were passed over" in corpus.notes
    assert turn(corpus, "MSP-IMPROV-S03S-F06-R-FM01").ratings == ()


def test_a_rater_who_says_two_different_things_counts_twice(whole):
    source = whole("msp_improv")
    path = source / "Evalution.txt"
    lines = path.read_text().split("\n")
    lines[2] = lines[2].replace("V:3", "V:4")
    write_text(path, "\n".join(lines))
    ratings = turn(corpora.open_corpus("msp_improv", source), "MSP-IMPROV-S01A-F01-P-FM01").ratings
    assert [(rating.rater, rating.valence) for rating in ratings[:2]] == [("ID1-p1", 3), ("ID1-p1", 4)]


def test_a_rating_outside_the_scale_was_not_given(whole):
    source = whole("msp_improv")
    path = source / "Evalution.txt"
    write_text(path, path.read_text().replace("Happy; A:3; V:5; D:2;", "Happy; A:6; V:5; D:0;"))
    corpus = corpora.open_corpus("msp_improv", source)
    (rating,) = turn(corpus, "MSP-IMPROV-S08H-M02-T-MF12").ratings
    assert rating.valence == 5 and math.isnan(rating.activation) and math.isnan(rating.dominance)
    assert "2 ratings outside 1 to 5 were taken for not given" in corpus.notes


def test_a_label_of_nan_is_no_label(whole):
    source = whole("msp_improv")
    path = source / "Evalution.txt"
    write_text(path, path.read_text().replace("FM04.avi; X;", "FM04.avi; NaN;"))
    assert turn(corpora.open_corpus("msp_improv", source), "MSP-IMPROV-S05N-F01-S-FM04").emotion == ""


@pytest.mark.parametrize("place", ["Evalution.txt", "Evaluation.txt", "Labels/Evalution.txt"])
@pytest.mark.parametrize("audio", ["", "Audio"])
def test_both_spellings_of_the_label_file_and_both_layouts_are_read(whole, place, audio):
    source = whole("msp_improv")
    (source / place).parent.mkdir(exist_ok=True)
    (source / "Evalution.txt").rename(source / place)
    if audio:
        (source / audio).mkdir()
        for folder in source.glob("session*"):
            folder.rename(source / audio / folder.name)
    assert Counter(r.emotion_original for r in corpora.open_corpus("msp_improv", source).recordings) == Counter(
        "ANHSOX"
    )


def test_windows_line_ends_are_read(whole):
    source = whole("msp_improv")
    text = (source / "Evalution.txt").read_bytes().replace(b"\n", b"\r\n")
    (source / "Evalution.txt").unlink()
    (source / "Evalution.txt").write_bytes(text)
    assert len(corpora.open_corpus("msp_improv", source)) == 6


def test_the_published_counts_are_asserted(original):
    letters = "1 of 792 A, 1 of 2644 H, 1 of 3477 N, 1 of 885 S, 1 of 85 O, 1 of 555 X"
    with pytest.raises(InputError, match=f"6 of 8438 turns, {letters}"):
        corpora.open_corpus("msp_improv", original("msp_improv"))
    assert sum(msp_improv.TURNS[letter] for letter in "AHNS") == 7798
    assert sum(msp_improv.TURNS[letter] for letter in "AHNSOX") == msp_improv.TURNS["turns"]


def test_missing_recordings_are_named_and_passed_with_allow_partial(whole):
    source = whole("msp_improv")
    next(source.rglob("MSP-IMPROV-S08H-M02-T-MF12.wav")).unlink()
    with pytest.raises(InputError, match=r"5 of 6 wav files.*missing MSP-IMPROV-S08H-M02-T-MF12"):
        corpora.open_corpus("msp_improv", source)
    corpus = corpora.open_corpus("msp_improv", source, allow_partial=True)
    assert len(corpus) == 5 and len(corpus.left_out) == 1
