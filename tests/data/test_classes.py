"""Which classes a run has of a corpus's labels: named sets, given ones, what is left out, what is refused."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tones
import toy_speech
import toy_vectors

from sejax.data.folds import LEFT_OUT
from sejax.data.labels import choose_classes, class_facts, class_labels
from sejax.data.ratings import DERIVED, ratings_of
from sejax.data.vectors.load import emotional
from sejax.errors import InputError
from sejax.experiments.pseudo_labelling.assembly import make_members, with_classes

ROOT = Path(__file__).resolve().parents[2]

EMODB = ("anger", "boredom", "disgust", "fear", "joy", "neutral", "sadness")
IEMOCAP = ("anger", "excitement", "frustration", "happiness", "neutral", "sadness")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("anger", "boredom", "fear", "neutral"), ("anger", "fear", "neutral")),  # emoDB
        (("ang", "exc", "fru", "hap", "neu", "sad"), ("ang", "fru", "neu")),  # IEMOCAP
        (("anger", "fear", "frustration", "neutral"), ("anger", "frustration", "neutral")),
    ],
)
def test_stress_is_what_a_corpus_calls_so_or_the_one_label_that_stands_for_it(labels, expected):
    found = class_labels(("stress",), labels, corpus="any")
    assert found == {name: (label,) for name, label in zip(("anger", "stress", "neutral"), expected, strict=True)}


def test_the_four_of_iemocap_have_excited_speech_as_happy_or_left_out():
    assert class_labels(("four",), IEMOCAP, corpus="iemocap")["happy"] == ("happiness", "excitement")
    assert class_labels(("four_without_excited",), IEMOCAP, corpus="iemocap")["happy"] == ("happiness",)


def test_classes_are_given_in_their_order_with_one_label_or_several():
    given = ("low:sadness/boredom", "anger", "good:joy")
    found = class_labels(given, EMODB, corpus="emodb")
    assert found == {"low": ("sadness", "boredom"), "anger": ("anger",), "good": ("joy",)}
    assert list(found) == ["low", "anger", "good"]
    assert class_labels(("all",), EMODB, corpus="emodb") == {label: (label,) for label in EMODB}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("stress",), "any has no label for anger, stress; its labels are joy, neutral: give classes=anger:LABEL"),
        (("joy", "good:bliss"), "any has no label 'bliss'; its labels are joy, neutral"),
        (("joy", "joy"), "each class and each label once"),
        (("a:joy", "b:joy"), "each class and each label once"),
        ((":joy",), "each class and each label once"),
        (("a:joy/",), "each class and each label once"),
        (("joy/neutral",), "each class and each label once"),
        (("joy/neutral", "neutral"), "each class and each label once"),
        (("joy",), "two classes or more"),
        (("four", "joy"), "any has no label 'four'"),
    ],
)
def test_classes_that_cannot_be_are_refused_with_the_labels_there_are(given, said):
    with pytest.raises(InputError, match=said):
        class_labels(given, ("joy", "neutral"), corpus="any")


def test_labels_are_renumbered_and_what_is_left_out_is_counted_by_utterances():
    original = tones.spectrograms()
    chosen = choose_classes(original, ("low:neutral", "high:anger"))
    assert chosen.classes == ("low", "high")
    np.testing.assert_array_equal(chosen.label, np.array([1, -1, 0])[original.label])
    np.testing.assert_array_equal(chosen.utterance_label, np.array([1, -1, 0])[original.utterance_label])
    assert class_facts(chosen) == {"class_mapping": {"low": "neutral", "high": "anger"}, "left_out": {"boredom": 10}}
    assert choose_classes(original, ("all",)) is original and class_facts(original) == {}


def test_corpora_that_call_a_class_otherwise_are_joined():
    one = toy_vectors.emotional()
    other = replace(toy_vectors.emotional("other", seed=1), classes=tuple(name.upper() for name in one.classes))
    both = emotional([one, other], ("cross:anger/ANGER", "calm:neutral/NEUTRAL/BOREDOM"))
    assert both.classes == ("cross", "calm")
    count = {name: int((one.label == one.classes.index(name)).sum()) for name in one.classes}
    assert np.bincount(both.label).tolist() == [
        count["anger"] + int((other.label == 0).sum()),
        count["neutral"] + int(np.isin(other.label, (1, 5)).sum()),
    ]
    facts = class_facts(both)
    assert facts["class_mapping"] == {"cross": "anger/ANGER", "calm": "neutral/NEUTRAL/BOREDOM"}
    assert "boredom" in facts["left_out"] and "BOREDOM" not in facts["left_out"]
    with pytest.raises(InputError, match="other has no label for calm"):
        emotional([one, other], ("cross:anger/ANGER", "calm:neutral"))


def test_pseudo_labels_are_given_to_no_image_of_a_label_that_was_left_out():
    get_config = runpy.run_path(str(ROOT / "configs" / "pseudo_labelling.py"))["get_config"]
    config = get_config("corpus=tones,labelled=0.5,folds=2,classes=anger+rest:neutral")
    label = tones.spectrograms().label
    made, left_out = with_classes(config, tones.spectrograms())
    _, members = make_members(config, made, left_out=left_out)
    assert made.classes == ("anger", "rest")
    assert (members["part"][:, label == 1] == LEFT_OUT).all() and (members["part"][:, label != 1] != LEFT_OUT).all()
    assert not members["labelled"][:, label == 1].any()


def test_ratings_are_derived_of_the_emotions_that_classes_name_alone():
    speech = toy_speech.rated(ratings=False)
    chosen = choose_classes(speech, ("joy:happiness", "sadness"))
    values = ratings_of(chosen).values
    np.testing.assert_array_equal(values[speech.label == 1], np.tile(DERIVED["joy"], ((speech.label == 1).sum(), 1)))
    assert np.isnan(values[np.isin(speech.label, (0, 2))]).all()
