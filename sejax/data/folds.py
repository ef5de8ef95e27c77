"""Which images train, validate and test in each fold, under three protocols.

`speaker`: no speaker is in two parts of a fold. Where labelled images come from two or more named sessions
    (recordings in which speakers meet), no session is either. Speakers are dealt so that folds have about
    equal numbers of images of each class and of speakers of each sex.
`block`: speakers are mixed; the near-copies of one block (its images at several maximum frequencies) stay
    together. Blocks of one utterance may fall in different parts: that is this protocol.
`utterance`: speakers are mixed; the images of one utterance stay together.
`image`: images are split at random, near-copies too. This leaks speakers and near-copies into the test part
    (see `near_copies_in_training`); published figures of Venkateswaran et al. can be had in no other way.

`utterance`, `block` and `image` are stratified by class. Every labelled image is in the test part of exactly one
fold, and a validation part is cut out of the rest. Unlabelled images only ever train (as a pool for pseudo-labels), and
in a fold in which their speaker or block tests or validates they are left out.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sejax.data.speaker_folds import speaker_parts, speaker_units
from sejax.errors import InputError

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, -1
PROTOCOLS = ("speaker", "utterance", "block", "image")


class Images(Protocol):
    """What folds are made from: the index arrays of prepared features, I images.

    label i32[I] (index into `classes`, -1 unlabelled), block i32[I] (near-copies share it), utterance i32[I]
    (asked for by the protocol of that name alone), speaker i32[I] (index into `speakers`), session i32[I]
    (index into `sessions`), sex: per speaker "male", "female" or "",
    corpus: the name that errors give. Names may be "" where unknown.
    """

    label: np.ndarray
    block: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    sex: tuple[str, ...]
    sessions: tuple[str, ...]
    corpus: str


@dataclass(frozen=True)
class Folds:
    """part i8[F, I]: 0 training, 1 validation, 2 test, -1 left out; protocol: how images were split."""

    part: np.ndarray
    protocol: str

    @property
    def train(self) -> np.ndarray:
        """bool[F, I], labelled and unlabelled training images."""
        return self.part == TRAIN

    @property
    def validation(self) -> np.ndarray:
        """bool[F, I]."""
        return self.part == VALIDATION

    @property
    def test(self) -> np.ndarray:
        """bool[F, I]; each labelled image in exactly one fold."""
        return self.part == TEST


def make_folds(
    images: Images, *, protocol: str = "speaker", folds: int = 5, validation: float = 0.1, seed: int = 0
) -> Folds:
    """Split images into training, validation and test parts, `folds` times.

    Args:
      images: see `Images`.
      protocol: "speaker", "utterance", "block" or "image", see the module.
      folds: number of folds F >= 2.
      validation: share of what does not test that validates: of each class in all others than `speaker` (at
        least one), of the speakers (sessions) in `speaker` (at least one; two, a man and a woman, where they can be
        had); 0 for no validation part.
      seed: of the random choices; the same seed gives the same folds on every machine. Few speakers have one
        most even deal, which every seed then finds.

    Raises:
      InputError: an argument out of range; no labelled image; images without speakers, fewer speakers or
        sessions than folds, or a class that some fold cannot train (`speaker`); a class with fewer blocks or
        images than folds.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r} is unknown; the protocols are {', '.join(PROTOCOLS)}")
    if folds < 2:
        raise InputError(f"folds={folds}: a split into training and test parts needs at least 2 folds")
    if not 0 <= validation < 1:
        raise InputError(f"validation={validation}: give a share of the training images, from 0 to below 1")
    label = np.asarray(images.label)
    if not (label >= 0).any():
        raise InputError(f"{images.corpus}: there is no labelled image to split; check the labels")
    missing = np.setdiff1d(np.arange(len(images.classes)), label)
    if len(missing):
        raise InputError(
            f"{images.corpus}: class {images.classes[missing[0]]!r} has no image; check the labels, or "
            f"whether voice activity detection left anything of them"
        )
    if protocol == "speaker":
        unit = speaker_units(images)
        deal = speaker_parts
    else:
        unit = np.arange(len(label)) if protocol == "image" else np.asarray(getattr(images, protocol))
        unit = np.unique(unit, return_inverse=True)[1]
        deal = stratified_parts
    tests, validates = deal(images, unit, folds=folds, validation=validation, seed=seed)
    part = np.where(tests, TEST, np.where(validates, VALIDATION, TRAIN)).astype(np.int8)[:, unit]
    part[:, label < 0] = np.where(part[:, label < 0] == TRAIN, TRAIN, LEFT_OUT)
    return Folds(part, protocol)


def stratified_parts(images, unit, *, folds, validation, seed) -> tuple[np.ndarray, np.ndarray]:
    """Which units test and which validate, two bool[F, units]: each class's units dealt out at random.

    `unit` i32[I], from 0, names the block (or the image itself) of each image. Units without a labelled image
    do neither. Raises InputError for a class with too few units.
    """
    label = np.asarray(images.label)
    class_of_unit = np.full(unit.max() + 1, -1)
    np.maximum.at(class_of_unit, unit, label)
    tests = np.zeros((folds, len(class_of_unit)), bool)
    validates = np.zeros_like(tests)
    random = np.random.default_rng(seed)
    dealt = 0  # the next class goes on where the last one ended, so that folds differ by one unit at most
    for number, name in enumerate(images.classes):
        members = random.permutation(np.flatnonzero(class_of_unit == number))
        if len(members) < folds:
            raise InputError(
                f"{images.corpus}: class {name!r} has {len(members)} examples (utterances, blocks or images, "
                f"as the protocol says), fewer than folds={folds}; use fewer folds, or leave the class out"
            )
        fold = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
        for f in range(folds):
            tests[f, members[fold == f]] = True
            rest = random.permutation(members[fold != f])
            validates[f, rest[: _share(validation, len(rest), images, name, f)]] = True
    return tests, validates


def _share(validation, number, images, name, fold):
    """How many of a class's `number` units that do not test validate: at least one, and one must train."""
    if validation == 0:
        return 0
    if number < 2:
        raise InputError(
            f"{images.corpus}: class {name!r} has {number} example beside the test part of fold {fold}, and "
            f"training and validation need one each; use validation=0, more folds, or leave the class out"
        )
    return min(max(1, math.floor(validation * number + 0.5)), number - 1)


def near_copies_in_training(part, block, *, labelled=None) -> np.ndarray:
    """Share of the test images that have a near-copy (an image of the same block) in the training part.

    The leak behind published figures: with three near-copies to a block and five folds of images split at
    random, no validation part, it is 1 - 0.2**2 = 0.96; under the protocols `speaker` and `block` it is 0.

    Args:
      part: i8[..., I], as in `Folds`.
      block: i32[I].
      labelled: bool[..., I], the training images whose labels are used; None: all.

    Returns:
      f64[...], NaN where nothing tests.
    """
    part = np.asarray(part)
    block = np.unique(np.asarray(block), return_inverse=True)[1]
    trains = part == TRAIN if labelled is None else (part == TRAIN) & np.asarray(labelled)
    shares = []
    for train, test in zip(trains.reshape(-1, len(block)), part.reshape(-1, len(block)) == TEST, strict=True):
        in_training = np.bincount(block[train], minlength=block.max() + 1) > 0
        shares.append(in_training[block[test]].mean() if test.any() else np.nan)
    return np.array(shares).reshape(part.shape[:-1])
