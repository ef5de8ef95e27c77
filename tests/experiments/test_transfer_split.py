"""Which chunks train, validate and test, and which label of a corpus stands for which class."""

import numpy as np
import pytest
import tones

from sejax.errors import InputError
from sejax.experiments.transfer.split import balanced_split, class_mapping, only

IMAGES = (36, 12, 12)


def shared(of, part, a, b):
    return set(of[part == a]) & set(of[part == b])


@pytest.mark.parametrize("protocol", ["utterance", "chunk", "speaker"])
@pytest.mark.parametrize("draw", [0, 3, 7])
def test_every_part_has_as_many_chunks_as_asked_for_and_as_many_of_each_class(protocol, draw):
    chunks = tones.spectrograms(120)
    part = balanced_split(chunks, images=IMAGES, protocol=protocol, seed=0, draw=draw)
    for kind, number in enumerate(IMAGES):
        np.testing.assert_array_equal(np.bincount(chunks.label[part == kind]), [number // 3] * 3)
    assert (part == -1).sum() == 120 - sum(IMAGES)


def test_utterances_and_speakers_are_kept_apart_where_the_protocol_says_so():
    chunks = tones.spectrograms(120)
    parts = {name: balanced_split(chunks, images=IMAGES, protocol=name, seed=0, draw=0) for name in
             ("utterance", "speaker", "chunk")}
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not shared(chunks.utterance, parts["utterance"], a, b)
        assert not shared(chunks.speaker, parts["speaker"], a, b)
        assert shared(chunks.utterance, parts["chunk"], a, b)


def test_draws_differ_and_repeat():
    chunks = tones.spectrograms(120)
    draws = [balanced_split(chunks, images=IMAGES, protocol="utterance", seed=0, draw=draw) for draw in range(7)]
    again = balanced_split(chunks, images=IMAGES, protocol="utterance", seed=0, draw=3)
    np.testing.assert_array_equal(draws[3], again)
    assert len({draw.tobytes() for draw in draws}) == 7
    tested = [set(chunks.utterance[draw == 2]) for draw in draws[:5]]
    assert all(not tested[a] & tested[b] for a in range(5) for b in range(a))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protocol": "block"}, "utterance, chunk, speaker"),
        ({"images": (36, 12)}, "three multiples of 3"),
        ({"images": (37, 12, 12)}, "three multiples of 3"),
        ({"images": (600, 12, 12)}, "asks for 200 chunks of class 'anger' and there are"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_numbers(options, said):
    with pytest.raises(InputError, match=said):
        balanced_split(
            tones.spectrograms(120), **{"images": IMAGES, "protocol": "utterance", "seed": 0, "draw": 0} | options
        )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("anger", "boredom", "fear", "neutral"), ("anger", "fear", "neutral")),  # emoDB
        (("ang", "exc", "fru", "hap", "neu", "sad"), ("ang", "fru", "neu")),  # IEMOCAP
        (("anger", "fear", "frustration", "neutral"), ("anger", "frustration", "neutral")),
    ],
)
def test_a_corpus_brings_the_papers_classes_or_what_stands_for_them(labels, expected):
    assert class_mapping("any", (), labels) == dict(zip(("anger", "stress", "neutral"), expected, strict=True))


def test_a_mapping_can_be_given():
    assert class_mapping("any", ("high:joy", "sad"), ("joy", "sad", "x")) == {"high": "joy", "sad": "sad"}


@pytest.mark.parametrize(
    ("given", "labels", "said"),
    [
        ((), ("anger", "happiness", "neutral"), "no label for stress; its labels are anger, happiness, neutral"),
        (("anger", "stress:worry"), ("anger", "neutral"), "no label for stress"),
        (("anger", "anger"), ("anger",), "each class once"),
        ((":anger",), ("anger",), "each class once"),
    ],
)
def test_a_class_without_a_label_is_refused_with_the_labels_there_are(given, labels, said):
    with pytest.raises(InputError, match=said):
        class_mapping("emo", given, labels)


def test_labels_are_renumbered_and_those_of_no_class_are_left_out():
    chunks = only(tones.spectrograms(), {"low": "neutral", "high": "anger"})
    original = tones.spectrograms()
    assert chunks.classes == ("low", "high")
    np.testing.assert_array_equal(chunks.label, np.array([1, -1, 0])[original.label])
    np.testing.assert_array_equal(chunks.utterance_label, np.array([1, -1, 0])[original.utterance_label])
