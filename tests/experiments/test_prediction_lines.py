"""Predictions as lines: the utterance, its blocks where they are asked for, and who answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from sejax.experiments.prediction import Prediction
from sejax.experiments.prediction_lines import lines_of, names_of, who_answers

EACH = np.float32([[0.7, 0.2, 0.1], [0.5, 0.1, 0.4]])
FOUND = Prediction(np.array([0.0, 0.99]), np.array([1.0, 1.99]), EACH, EACH.mean(0))
PREDICT = SimpleNamespace(
    classes=("anger", "joy", "a very long name"), rated={}, members=[{"fold": 0, "seed": 0}, {"fold": 1, "seed": 0}]
)


def test_the_utterance_is_one_line_and_blocks_are_there_when_asked_for():
    header, line = lines_of(FOUND, PREDICT)
    assert line.split("%")[0].split() == ["utterance", "60.0"]
    assert line.endswith("-> anger   (2 blocks, 0.00 - 1.99 s)") and "expected" not in header
    assert header.index("anger") + len("anger") == line.index("60.0%") + len("60.0%")
    with_blocks = list(lines_of(FOUND, PREDICT, blocks=True))
    assert [with_blocks[0], with_blocks[-1]] == [header, line] and len(with_blocks) == 4
    assert with_blocks[2].startswith("    0.99 -   1.99 s") and "50.0%" in with_blocks[2]
    one = FOUND._replace(start=FOUND.start[:1], end=FOUND.end[:1], posteriors=EACH[:1])
    assert list(lines_of(one, PREDICT))[-1].endswith("-> anger")


def test_each_rated_dimension_has_its_own_lines_with_the_expected_rating():
    rated = {"valence": ("very low", "low", "medium", "high", "very high"), "activation": tuple("12345")}
    low = np.float32([0.7, 0.2, 0.1, 0.0, 0.0])
    found = FOUND._replace(utterance=np.stack([low, low[::-1]]), posteriors=np.stack([[low, low[::-1]]] * 2))
    lines = list(lines_of(found, SimpleNamespace(**(vars(PREDICT) | {"rated": rated}))))
    assert [line.split()[0] for line in lines] == ["valence", "utterance", "activation", "utterance"]
    assert " 1.40  most probable: very low" in lines[1] and " 4.60  most probable: 5" in lines[3]


def test_what_a_decision_rests_on_is_said_of_every_piece():
    piece = {"attention": 0.25, "words": ["no", "way"], "word_importance": [0.1, 0.2]}
    pieces = (piece, piece | {"attention": None, "word_importance": None})
    lines = list(lines_of(FOUND._replace(pieces=pieces), PREDICT))
    assert lines[2].endswith("s  attention: audio 0.250, text 0.750; words: way +20.0, no +10.0")
    assert lines[3].endswith("s  sound alone")


@pytest.mark.parametrize(
    ("ignored", "text", "said"),
    [("", True, []), ("text", False, []), ("text", True, ["sound alone"]), ("audio", False, ["text alone"])],
)
def test_who_answers_and_what_changes_nothing(ignored, text, said):
    predict = SimpleNamespace(**vars(PREDICT), ignored=ignored)
    first, *others = who_answers(predict, text=text)
    assert first == "mean of 2 members: fold 0, 1; seed 0" and names_of(PREDICT.members) in first
    assert len(others) == len(said) and all(one in other for one, other in zip(said, others, strict=True))
