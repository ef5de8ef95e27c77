"""What cannot be split is refused, in one line that names the class, the fold and the remedy."""

from dataclasses import replace

import pytest
from toy_images import crossed_images, toy_images

from sejax.data.folds import make_folds
from sejax.errors import InputError

ERRORS = {
    "unknown protocol": (crossed_images(6, 2), dict(protocol="session"), "'session'.*speaker, utterance, block, image"),
    "one fold": (crossed_images(6, 2), dict(folds=1), "folds=1"),
    "all validates": (crossed_images(6, 2), dict(validation=1.0), "validation=1.0"),
    "nothing labelled": (toy_images([(s, -1) for s in range(6)]), {}, "no labelled image"),
    "a class without an image": (
        replace(crossed_images(6, 2), classes=("a", "b", "fear")),
        {},
        "toy: class 'fear' has no image",
    ),
    "labelled images without a speaker": (
        replace(crossed_images(6, 2), speakers=("", *"bcdef")),
        {},
        "toy: 12 labelled images have no speaker.*protocol=block",
    ),
    "fewer speakers than folds": (crossed_images(4, 2), {}, "toy: 4 speakers.*folds=5.*at least 5.*fewer folds"),
    "two speakers, one to validate": (crossed_images(2, 2), dict(folds=2), "2 speakers.*at least 3.*validation=0"),
    "fewer sessions than folds": (
        crossed_images(6, 2, sessions=[0, 0, 0, 1, 1, 1]),
        dict(folds=3),
        "6 speakers in 2 separate sessions",
    ),
    "a class of one speaker": (
        toy_images([(s, c) for s in range(6) for c in range(2)] + [(3, 2)] * 4),
        dict(folds=3),
        r"class 'c' has no speaker left for the training part of fold \d beside the test part.*1 in all",
    ),
    "a class of two speakers, one to validate": (
        toy_images([(0, 0), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]),
        dict(folds=3),
        r"class '[bc]' has no speaker left .* fold \d beside the test and validation parts",
    ),
    "fewer blocks than folds": (
        toy_images([(s, 0) for s in range(9)] + [(1, 1)] * 4),
        dict(protocol="block"),
        "class 'b' has 4 examples.*folds=5",
    ),
    "nothing to train on beside validation": (
        toy_images([(s, 0) for s in range(9)] + [(1, 1)] * 2),
        dict(protocol="block", folds=2),
        "class 'b' has 1 example beside the test part of fold 0.*validation=0",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_split_is_a_clear_error(case):
    images, options, message = ERRORS[case]
    with pytest.raises(InputError, match=message) as error:
        make_folds(images, **options)
    assert "\n" not in str(error.value)
