"""The protocol split: a corpus's own parts and folds, what validates, what leaks, and what cannot be had."""

from dataclasses import make_dataclass, replace

import numpy as np
import pytest
from toy_images import Images, crossed_images, toy_images

from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, make_folds
from sejax.data.official_folds import described, folds_of, official_folds
from sejax.errors import InputError

Split = make_dataclass(
    "Split", [("utterance", object, None), ("splits", tuple, ()), ("digests", tuple, ())], bases=(Images,)
)


def with_splits(images, splits, **more):
    """The images, each block of them an utterance, with what a corpus says of its utterances."""
    return Split(**vars(images), utterance=images.block, splits=tuple(splits), **more)


def by_speaker(parts, people=6, classes=3):
    """Two utterances of each class by everybody; `parts` is what the corpus says of each speaker's."""
    images = crossed_images(people, classes)
    return with_splits(images, [parts[speaker] for speaker in images.speaker[::3]])


def test_parts_are_those_of_the_corpus_and_its_development_part_validates():
    images = by_speaker(["train", "train", "train", "valid", "test", ""])
    folds = folds_of(images, protocol="split", folds=5, validation=0.1, seed=3)
    assert (folds.names, folds.protocol, folds.part.dtype) == (("split",), "split", np.int8)
    wanted = np.array([TRAIN, TRAIN, TRAIN, VALIDATION, TEST, LEFT_OUT])
    np.testing.assert_array_equal(folds.part[0], wanted[images.speaker])


def test_folds_come_by_name_in_the_order_of_their_numbers():
    names = ["fold_10", "fold_2", "fold_1"]
    said = [
        ";".join(f"{name}={'test' if held == n % 3 else 'train'}" for n, name in enumerate(names)) for held in range(3)
    ]
    images = by_speaker(said * 2)
    folds = official_folds(images, validation=0.0, seed=0)
    assert folds.names == ("fold_1", "fold_2", "fold_10")
    np.testing.assert_array_equal(
        np.where(folds.part == TEST)[1].reshape(3, -1) // 18 % 3, [[2] * 36, [1] * 36, [0] * 36]
    )
    some = official_folds(images, names=("fold_10", "fold_1"), validation=0.0, seed=0)
    assert some.names == ("fold_1", "fold_10")
    np.testing.assert_array_equal(some.part, folds.part[[0, 2]])


def test_a_part_without_a_name_holds_in_every_fold_and_others_are_left_out():
    images = by_speaker(["train", "train", "valid", "test1=test", "test2=test", "test2=test"])
    folds = official_folds(images, validation=0.1, seed=0)
    assert folds.names == ("test1", "test2")
    of_speaker = folds.part[:, ::18]
    np.testing.assert_array_equal(of_speaker[0], [TRAIN, TRAIN, VALIDATION, TEST, LEFT_OUT, LEFT_OUT])
    np.testing.assert_array_equal(of_speaker[1], [TRAIN, TRAIN, VALIDATION, LEFT_OUT, TEST, TEST])


@pytest.mark.parametrize("seed", [0, 1])
def test_without_a_development_part_speakers_are_held_out_of_training(seed):
    images = by_speaker(["train"] * 5 + ["test"])
    part = official_folds(images, validation=0.2, seed=seed).part[0]
    assert (part[images.speaker == 5] == TEST).all()
    held = [set(part[images.speaker == speaker]) for speaker in range(5)]
    assert sorted(map(len, held)) == [1] * 5 and held.count({VALIDATION}) == 1
    without = official_folds(images, validation=0.0, seed=seed).part[0]
    assert not (without == VALIDATION).any()


def test_where_speakers_are_unknown_utterances_of_each_class_are_held_out():
    images = replace(by_speaker(["train"] * 5 + ["test"]), speakers=("",) * 6)
    part = official_folds(images, validation=0.1, seed=0).part[0]
    np.testing.assert_array_equal(part == TEST, images.speaker == 5)
    for label in range(3):
        assert len(set(images.utterance[(part == VALIDATION) & (images.label == label)])) == 1
    parts_of_utterance = [set(part[images.utterance == number]) for number in range(36)]
    assert all(len(found) == 1 for found in parts_of_utterance)


def test_what_has_no_label_only_trains():
    blocks = [(0, 0), (0, 1), (1, 0), (1, 1), (2, -1), (2, -1), (2, -1), (0, -1)]
    images = with_splits(toy_images(blocks), ["train", "train", "test", "test", "train", "test", "", "train"])
    part = official_folds(images, validation=0.0, seed=0).part[0]
    np.testing.assert_array_equal(part[::3], [TRAIN, TRAIN, TEST, TEST, TRAIN, LEFT_OUT, LEFT_OUT, TRAIN])


def test_ratings_are_split_without_labels():
    images = replace(by_speaker(["train"] * 3 + ["valid", "test", "test"]), label=np.full(108, -1), classes=())
    rated = np.arange(108) % 3 > 0
    part = official_folds(images, validation=0.1, seed=0, rated=rated).part[0]
    wanted = np.array([TRAIN, TRAIN, TRAIN, VALIDATION, TEST, TEST])[images.speaker]
    np.testing.assert_array_equal(part, np.where(rated, wanted, LEFT_OUT))


def test_what_leaks_is_described():
    images = by_speaker(["train", "train", "train", "valid", "test", "test"])
    clean = official_folds(images, validation=0.1, seed=0)
    (fold,) = described(clean, images)["splits"]
    assert fold == {
        "fold": "split",
        **{"train": 54, "valid": 18, "test": 36, "left_out": 0},
        **{"shared_speakers": [], "shared_recordings": 0, "unknown_speakers": 0},
    }
    splits = ["train"] * 30 + ["test"] * 5 + ["valid"]  # speaker 4 trains alone, speaker 5 has all three
    leaking = with_splits(crossed_images(6, 3), splits, digests=tuple(f"{n % 35}" for n in range(36)))
    (fold,) = described(official_folds(leaking, validation=0.1, seed=0), leaking)["splits"]
    assert fold["shared_speakers"] == ["s5"] and fold["shared_recordings"] == 0
    copied = replace(leaking, digests=tuple(f"{n % 30}" for n in range(36)))
    (fold,) = described(official_folds(copied, validation=0.1, seed=0), copied)["splits"]
    assert fold["shared_recordings"] == 5
    nameless = replace(leaking, speakers=(*leaking.speakers[:5], ""))
    (fold,) = described(official_folds(nameless, validation=0.1, seed=0), nameless)["splits"]
    assert fold["shared_speakers"] == [] and fold["unknown_speakers"] == 5


def test_folds_of_other_protocols_are_made_as_ever_and_not_described():
    images = by_speaker(["train"] * 6)
    asked = {"protocol": "speaker", "folds": 3, "validation": 0.1, "seed": 0}
    folds = folds_of(images, **asked)
    np.testing.assert_array_equal(folds.part, make_folds(images, **asked).part)
    assert described(folds, images) == {}
    with pytest.raises(InputError, match=r"split_folds=fold_1 are a corpus's own folds; give protocol=split"):
        folds_of(images, names=("fold_1",), **asked)


@pytest.mark.parametrize(
    ("parts", "asked", "words"),
    [
        ([""] * 6, {}, "nothing says which of its utterances train .* a table with a split, or use another protocol"),
        (["train"] * 6, {}, "the split has no labelled test part; mend the table's split"),
        (["test"] * 6, {}, "the split has no labelled train part; mend the table's split"),
        (["a=train", "a=test"] * 3, {"names": ("b",)}, "split_folds=b: it has no fold 'b'; give some of its own, a"),
        (["train", "test"] * 3, {"names": ("b",)}, "it has no fold 'b'; give some of its own, none with a name"),
    ],
)
def test_what_cannot_be_had_is_told_with_what_to_do(parts, asked, words):
    with pytest.raises(InputError, match=words):
        official_folds(by_speaker(parts), validation=0.0, seed=0, **asked)


def test_a_class_that_a_fold_does_not_train_and_nothing_to_validate_on_are_told():
    images = with_splits(toy_images([(0, 0), (0, 0), (1, 1), (1, 0)]), ["train", "train", "test", "test"])
    with pytest.raises(InputError, match=r"class 'b' has no example in the training part of the split"):
        official_folds(images, validation=0.0, seed=0)
    images = with_splits(toy_images([(0, 0), (0, 1), (1, 1), (1, 0)]), ["train", "train", "test", "test"])
    with pytest.raises(InputError, match=r"the split has no development part, and too few .*add dev to the table's"):
        official_folds(images, validation=0.1, seed=0)
