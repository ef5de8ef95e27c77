"""The word analysis: counts of each fold added up, ratios and mutual information against scikit-learn's."""

import json

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from sejax.data.text import word_types
from sejax.experiments.audio_text.words import Word, class_words, word_counts

CLASSES = 3


def member(said, predicted, **changes):
    """A member of results.json whose test utterances are texts with the classes that were predicted for them."""
    types, ids = word_types(said)
    found = {
        "failed": None,
        "words": word_counts(types, ids, np.array(predicted, np.int32), CLASSES),
        "utterances": len(said),
        "predicted": np.bincount(np.array(predicted, int), minlength=CLASSES).tolist(),
    }
    return json.loads(json.dumps(found | changes))


def folds():
    """Three folds of random utterances, whose words differ between folds; class 0 likes "oh"."""
    random, made = np.random.default_rng(1), []
    for fold in range(3):
        words = ["oh", "the", "um", "so", f"fold{fold}"]
        said = [" ".join(random.choice(words, random.integers(0, 7))) for _ in range(25)]
        predicted = [0 if "oh" in text.split() and random.random() < 0.7 else int(random.integers(3)) for text in said]
        made.append((said, predicted))
    return made


def test_an_utterance_counts_once_however_often_it_says_a_word():
    types, ids = word_types(["no no no", "no yes", "", "maybe", "yes"])
    counts = word_counts(("a", *types), [words + 1 for words in ids], np.array([2, 0, 1, 2, 2]), 3)
    assert counts == {
        "text": ["maybe", "no", "yes"],
        "present": [1, 2, 2],
        "predicted": [[0, 0, 1], [1, 0, 1], [1, 0, 1]],
    }
    assert word_counts((), [np.zeros(0, np.int32)], np.array([1]), 3) == {"text": [], "present": [], "predicted": []}


def test_ratios_and_information_are_those_of_all_folds_together():
    made = folds()
    found = class_words([member(*fold) for fold in made], top=99, minimum=1)
    said = [set(text.split()) for texts, _ in made for text in texts]
    predicted = np.concatenate([choices for _, choices in made])
    types = sorted(set().union(*said))
    assert [len(words) for words in found] == [len(types)] * CLASSES == [7] * 3
    for number, words in enumerate(found):
        for word in words:
            holds = np.array([word.text in words for words in said])
            assert word.present == holds.sum()
            assert word.ratio == pytest.approx((predicted[holds] == number).mean())
            assert word.information == pytest.approx(mutual_info_score(holds, predicted == number), abs=1e-12)
        assert words == sorted(words, key=lambda word: -round(word.information, 12))
    assert found[0][0].text == "oh" and found[0][0].ratio > 0.5


def test_the_top_words_by_hand():
    said = ["haha yes"] * 3 + ["no"] * 2 + ["once yes"] + [""] * 2
    found = class_words([member(said, [1, 1, 1, 0, 0, 0, 0, 0])], top=2)
    sure = -(3 / 8 * np.log(3 / 8) + 5 / 8 * np.log(5 / 8))  # the entropy of the prediction: "haha" tells it all
    assert [word.text for word in found[0]] == [word.text for word in found[1]] == ["haha", "yes"]
    assert found[1][0] == Word("haha", 3, 1.0, pytest.approx(sure))
    assert found[0][0] == Word("haha", 3, 0.0, pytest.approx(sure))
    assert found[2] == []  # never predicted
    assert {word.text for word in class_words([member(said, [1, 1, 1, 0, 0, 0, 0, 0])], top=9, minimum=1)[0]} == {
        *("haha", "yes", "no", "once")
    }


def test_a_word_in_every_utterance_tells_nothing_and_equals_are_ordered_by_count_then_text():
    said = ["the b a", "the d", "the c d", "the c d"]
    found = class_words([member(said, [0, 1, 1, 1])], top=9, minimum=1)
    assert [word.text for word in found[0]] == ["d", "a", "b", "c"]


def test_members_without_words_are_passed_over():
    good = member(["yes", "yes", "no"], [0, 0, 1])
    without = member(["yes", "yes", "no"], [1, 1, 0], words=None)
    failed = member(["yes", "yes", "no"], [1, 1, 0], failed="loss is not finite")
    assert class_words([good, without, failed]) == class_words([good]) != []
    assert class_words([without, failed]) == class_words([]) == []
    silent = member(["", ""], [0, 1])
    assert class_words([silent]) == [[], [], []]
    assert class_words([good, silent])[0][0].information < class_words([good])[0][0].information
