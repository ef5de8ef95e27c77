"""IEMOCAP: who speaks, what the raters said, transcripts and word times, and the published counts."""

import math
from collections import Counter

import numpy as np
import pytest
from corpus_trees import write_text
from trees import write_wav

from sejax import corpora
from sejax.corpora import Rating, Word, iemocap, records
from sejax.corpora.builder import build
from sejax.corpora.problems import Problems
from sejax.data.labels import FOUR, class_labels
from sejax.data.store.sets import WORD_TIMES
from sejax.errors import InputError


def turn(corpus, name):
    return next(recording for recording in corpus.recordings if recording.id == name)


def same(first: Rating, second: Rating) -> bool:
    numbers = [
        (first.valence, second.valence),
        (first.activation, second.activation),
        (first.dominance, second.dominance),
    ]
    texts = (first.rater, first.labels, first.self_report) == (second.rater, second.labels, second.self_report)
    return texts and all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in numbers)


def test_the_speaker_is_the_letter_before_the_turn_number(whole):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    woman, man = turn(corpus, "Ses01F_impro01_F000"), turn(corpus, "Ses01F_impro01_M002")
    assert (woman.speaker, woman.sex) == ("Session1_F", "female")
    assert (man.speaker, man.sex) == ("Session1_M", "male")
    other = turn(corpus, "Ses05M_script01_1b_F011")
    assert (other.speaker, other.sex, other.session) == ("Session5_F", "female", "Session5")
    assert Counter(r.session for r in corpus.recordings) == {"Session1": 4} | {f"Session{n}": 2 for n in (2, 3, 4, 5)}
    assert len({r.speaker for r in corpus.recordings}) == 10


def test_codes_become_the_classes_of_the_other_corpora_and_no_agreement_is_no_label(whole):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    labels = {r.emotion_original: r.emotion for r in corpus.recordings}
    assert labels == {
        **{"neu": "neutral", "ang": "anger", "exc": "excitement", "hap": "happiness"},
        **{"sad": "sadness", "fru": "frustration", "xxx": ""},
    }
    assert corpus.classes == tuple(sorted(corpus.classes)) and len(corpus.classes) == 10


def test_the_comparisons_of_other_experiments_find_their_classes(whole):
    classes = corpora.open_corpus("iemocap", whole("iemocap")).classes
    stress = {"anger": ("anger",), "stress": ("frustration",), "neutral": ("neutral",)}
    assert class_labels(("stress",), classes, corpus="iemocap") == stress
    four = class_labels(("four",), classes, corpus="iemocap")
    assert tuple(four) == FOUR and set(four["happy"]) == {"excitement", "happiness"}


def test_means_and_each_raters_own_labels_and_ratings_are_read(whole):
    first = turn(corpora.open_corpus("iemocap", whole("iemocap")), "Ses01F_impro01_F000")
    assert (first.valence, first.activation, first.dominance) == (2.5, 2.0, 2.5)
    expected = [
        Rating(rater="E2", labels=("Neutral",)),
        Rating(rater="E3", labels=("Neutral", "Sadness"), valence=3, activation=2, dominance=2),
        Rating(rater="E4", labels=("Neutral",), valence=2, dominance=3),  # act is missing in the file
        Rating(rater="F1", labels=("Frustration",), valence=4, activation=2, dominance=1, self_report=True),
    ]
    assert len(first.ratings) == len(expected)
    assert all(map(same, first.ratings, expected))
    assert first.rater_labels == ("Neutral", "Neutral", "Sadness", "Neutral")  # without the speaker's own


def test_what_nobody_gave_counts_neither_as_a_rating_nor_in_the_means(whole):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    first, second = turn(corpus, "Ses01F_impro01_F000"), turn(corpus, "Ses01F_impro01_M002")
    untouched = second.ratings[2]  # val 6, act 6 and no dom
    assert untouched.rater == "E4" and np.isnan([untouched.valence, untouched.activation, untouched.dominance]).all()
    assert (second.valence, second.activation, second.dominance) == (1, 4, 4)  # the file: 3.5, 5 and 2
    assert first.activation == 2.0  # of a 2 and an empty rating, which counts as 0 in the file's 1.0
    assert "2 ratings outside 1 to 5 were taken for not given" in corpus.notes
    (note,) = (note for note in corpus.notes if "the release's count others too" in note)
    assert note.startswith("2 turns have the means") and note.endswith("Ses01F_impro01_F000, Ses01F_impro01_M002")


@pytest.mark.parametrize(
    ("lines", "means", "expected"),
    [
        (["val 4; act 4; dom  2", "val 5; act 5; dom  3", "val 4; act 3; dom  3"], "4.3333, 4.0000, 2.6667", None),
        (["val 6; act 6; dom  ", "val 5; act 5; dom  1"], "5.5000, 5.5000, 0.5000", (5, 5, 1)),
        (["val 6; act 3; dom  ", "val 3; act 3; dom  4"], "4.5000, 3.0000, 2.0000", (3, 3, 4)),
        (
            ["val 6; act 6; dom  ", "val 5; act 4; dom  3", "val 4; act 4; dom  3"],
            "5.0000, 4.6667, 2.0000",
            (4.5, 4, 3),
        ),
        (["val 0; act 2; dom  2", "val 3; act 2; dom  2"], "1.5000, 2.0000, 2.0000", (3, 2, 2)),
        (["val 6; act 6; dom  "], "6.0000, 6.0000, 0.0000", (math.nan, math.nan, math.nan)),
        ([], "2.0000, 3.0000, 0.5000", (2, 3, math.nan)),
    ],
)
def test_means_are_those_of_what_was_given(tmp_path, lines, means, expected):
    raters = [f"A-E{number}:\t{said};\t()" for number, said in enumerate(lines, start=1)]
    own = "A-F1:\tval 1; act 1; dom  1;\t()"  # the speaker's own does not count
    text = "\n".join([f"[1.0000 - 2.0000]\tSes01F_impro01_F000\tneu\t[{means}]", *raters, own])
    (listed,) = iemocap.read_turns(write_text(tmp_path / "Ses01F_impro01.txt", text), Problems("iemocap"))
    mended = iemocap.mended(listed)
    printed = tuple(float(mean) for mean in means.split(", "))
    np.testing.assert_array_equal((listed.valence, listed.activation, listed.dominance), printed)
    found = (mended.valence, mended.activation, mended.dominance)
    np.testing.assert_array_equal(found, printed if expected is None else expected)


def test_ratings_survive_the_utterance_set(whole, tmp_path):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    source = build(corpus, tmp_path / "data").as_data_source(split="train")
    for example, recording in zip(source, corpus.recordings, strict=True):
        utterance = records.from_example(example)
        assert utterance.id == recording.id and len(utterance.ratings) == len(recording.ratings)
        assert all(map(same, utterance.ratings, recording.ratings))
        assert utterance.words == recording.words and utterance.transcript == recording.transcript


def test_a_changed_rating_makes_another_utterance_set(whole):
    source = whole("iemocap")
    before = corpora.open_corpus("iemocap", source).digest()
    path = source / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    write_text(path, path.read_text().replace("val 3; act 2; dom  2", "val 3; act 2; dom  5"))
    assert corpora.open_corpus("iemocap", source).digest() != before


def test_transcripts_leave_out_what_belongs_to_no_turn(whole):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    assert turn(corpus, "Ses01F_impro01_M002").transcript == "Do you have your forms?"
    assert not any("LAUGHTER" in r.transcript for r in corpus.recordings)
    assert any(note.startswith("5 turns have no transcript: Ses01M_script01_1b_F011") for note in corpus.notes)


def test_word_times_leave_out_silence_and_noise_and_missing_ones_are_noted(whole):
    corpus = corpora.open_corpus("iemocap", whole("iemocap"))
    first = turn(corpus, "Ses01F_impro01_F000")
    assert first.words == (Word("EXCUSE", 0.27, 0.52), Word("ME", 0.62, 0.82))  # two frames later, by the note
    assert turn(corpus, "Ses01F_impro01_M002").words == ()
    assert "11 turns have no word times (.wdseg): the distribution lacks some" in corpus.notes


def test_word_times_may_be_the_frames_numbers_and_that_is_another_utterance_set(whole):
    source = whole("iemocap")
    note, frame = (corpora.open_corpus("iemocap", source, word_times=rule) for rule in ("note", "frame"))
    assert turn(frame, "Ses01F_impro01_F000").words == (Word("EXCUSE", 0.25, 0.5), Word("ME", 0.6, 0.8))
    assert note.digest() != frame.digest()
    assert (note.options, frame.options) == ({"word_times": "note"}, {})  # earlier versions named none
    (source / "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg").unlink()
    note, frame = (corpora.open_corpus("iemocap", source, word_times=rule) for rule in ("note", "frame"))
    assert note.digest() == frame.digest()  # there was nothing to decide


def test_the_last_word_ends_with_its_turn(whole):
    source = whole("iemocap")
    rows = "\t SFrm\t EFrm\t SegAScr\t Word\n\t  100\t  119\t  -1\t FORMS\n"
    write_text(source / "Session1/sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.wdseg", rows)
    words = [
        turn(corpora.open_corpus("iemocap", source, word_times=rule), "Ses01F_impro01_F000").words
        for rule in ("note", "frame")
    ]
    assert words == [(Word("FORMS", 1.02, 1.2),), (Word("FORMS", 1.0, 1.2),)]


def test_opening_tells_how_many_headers_are_read(whole):
    told = []
    corpora.open_corpus("iemocap", whole("iemocap"), progress=lambda *values: told.append(values))
    assert told == [("headers", number, 12) for number in range(1, 13)]


def test_label_files_of_single_raters_and_shadow_files_are_passed_over(whole):
    source = whole("iemocap")
    labels = source / "Session1/dialog/EmoEvaluation"
    write_text(labels / "Attribute/Ses01F_impro01.txt", (labels / "Ses01F_impro01.txt").read_text())
    (labels / "._Ses01F_impro01.txt").write_bytes(b"\0\5\26\7 Mac OS X")
    write_wav(source / "Session1/sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav")
    write_wav(source / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F999.wav")
    corpus = corpora.open_corpus("iemocap", source)
    assert len(corpus) == 12
    assert "1 wav files without a line in EmoEvaluation were passed over" in corpus.notes


def test_the_rules_of_word_times_are_those_that_prepared_sets_know():
    assert tuple(iemocap.WORD_TIMES) == WORD_TIMES


def test_the_folder_around_the_release_will_do(whole, tmp_path):
    source = whole("iemocap")
    source.rename(tmp_path / "IEMOCAP_full_release")
    assert len(corpora.open_corpus("iemocap", tmp_path)) == 12


def test_the_published_counts_are_asserted(original):
    with pytest.raises(InputError, match=r"12 of 10039 turns, 1 of 1103 ang.*2 of 1708 neu.*3 of 1085 .* in session 1"):
        corpora.open_corpus("iemocap", original("iemocap"))
    assert sum(count for name, count in iemocap.TURNS.items() if len(name) == 3) == iemocap.TURNS["turns"] == 10039
    four = {name: iemocap.TURNS[name] for name in iemocap.FOUR}
    assert four["hap"] + four["exc"] == 1636 and sum(four.values()) == 5531
    assert [iemocap.TURNS[f"ang/hap/exc/neu/sad in session {n}"] for n in range(1, 6)] == [1085, 1023, 1151, 1031, 1241]


def test_a_part_of_the_corpus_passes_only_with_allow_partial(original):
    source = original("iemocap")
    (source / "Session5").rename(source / "later")
    missing = source / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav"
    missing.unlink()
    with pytest.raises(InputError, match=r"missing Session5.*Ses01F_impro01_M002\.wav: no such file"):
        corpora.open_corpus("iemocap", source)
    corpus = corpora.open_corpus("iemocap", source, allow_partial=True)
    assert len(corpus) == 9 and len(corpus.left_out) == 3
    assert {r.seconds for r in corpus.recordings} == {0.4, 1.0, 1.2}
