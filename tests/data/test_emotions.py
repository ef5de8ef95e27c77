"""Corpus labels as the four shared classes: every spelling, excited as happy, and what belongs to no class."""

from dataclasses import replace

import numpy as np
import pytest
import tones

from sejax.corpora import PUBLISHED
from sejax.data.labels import FOUR, SPELLINGS, four_classes, relabel
from sejax.errors import InputError

CORPORA = {
    "emodb": (PUBLISHED["emodb"].classes, {"anger": "angry", "joy": "happy", "neutral": "neutral", "sadness": "sad"}),
    "iemocap": (
        ("anger", "happiness", "excitement", "sadness", "frustration", "neutral"),
        {"anger": "angry", "happiness": "happy", "excitement": "happy", "sadness": "sad", "neutral": "neutral"},
    ),
    "codes": (
        ("ang", "hap", "exc", "neu", "sad", "fru", "xxx"),
        {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"},
    ),
    "capitals": (("ANGRY", "Excited", "fear"), {"ANGRY": "angry", "Excited": "happy"}),
}


@pytest.mark.parametrize("name", CORPORA)
def test_every_spelling_finds_its_class_and_other_labels_none(name):
    labels, classes = CORPORA[name]
    assert four_classes(labels) == classes


def test_no_spelling_stands_for_two_classes():
    spellings = [spelling for words in SPELLINGS.values() for spelling in words]
    assert len(set(spellings)) == len(spellings)
    assert tuple(SPELLINGS) == FOUR


def test_several_labels_become_one_class_and_the_others_are_unlabelled():
    data = replace(
        tones.spectrograms(),
        classes=("excitement", "fear", "happiness"),
        label=np.array([0, 1, 2, -1], np.int32),
        utterance_label=np.array([2, -1, 1], np.int32),
    )
    new = relabel(data, {"happiness": "happy", "excitement": "happy"}, ("happy",))
    assert new.classes == ("happy",)
    np.testing.assert_array_equal(new.label, [0, -1, 0, -1])
    np.testing.assert_array_equal(new.utterance_label, [0, -1, -1])
    assert new.label.dtype == new.utterance_label.dtype == np.int32
    assert new.spectrogram is data.spectrogram


def test_the_classes_keep_the_order_asked_for():
    data = replace(tones.spectrograms(), classes=("sadness", "anger", "joy", "neutral"), label=np.arange(4))
    np.testing.assert_array_equal(relabel(data, four_classes(data.classes), FOUR).label, [3, 0, 1, 2])


def test_a_class_without_a_label_is_named_with_the_labels_there_are():
    data = replace(tones.spectrograms(), corpus="loud", classes=("anger", "joy", "neutral"))
    with pytest.raises(InputError, match=r"loud: no label for class sad \(its labels are anger, joy, neutral\)"):
        relabel(data, four_classes(data.classes), FOUR)


def test_a_label_mapped_to_something_that_is_no_class_is_named():
    with pytest.raises(InputError, match="glad is none of angry"):
        relabel(tones.spectrograms(), {"anger": "angry", "boredom": "glad"}, FOUR)
