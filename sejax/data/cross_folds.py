"""The fold of a run across corpora: some train and validate, all of others tests.

The validation part, by which schedules and epochs are chosen, is held out of the corpora that train, so that nothing of
a tested corpus has a say in what is tested: there is no development share of it. The protocol says how it is held out:
`speaker` takes whole speakers (or sessions), `utterance`, `block` and `image` units of each class.
"""

from dataclasses import replace

import numpy as np

from sejax.data.folds import (
    LEFT_OUT,
    PROTOCOLS,
    TEST,
    TRAIN,
    VALIDATION,
    Folds,
    TooFew,
    corpus_numbers,
    units_of,
    validation_units,
)
from sejax.data.store.joined import corpora_of
from sejax.errors import InputError

ADVICE = "a training corpus with more speakers, or protocol=utterance or block where the config has it"


def cross_folds(images, *, protocol: str, validation: float, seed: int) -> Folds:
    """One fold of a set that `sejax.data.store.joined` made of corpora that train and of some that are `tested` alone.

    Args:
      images: the set, with the labels of the run.
      protocol: "speaker", "utterance", "block" or "image".
      validation: share of what does not test that validates, as in `sejax.data.folds.make_folds`; 0: none.
      seed: of the choice of what validates.

    Returns:
      Folds of one part: unlabelled examples of the training corpora train (as a pool), but for those of what
      validates; those of tested corpora are left out.

    Raises:
      InputError: another protocol, nothing labelled to train or test, a class that is not trained.
      TooFew: too little to hold a validation part out of.
    """
    if protocol not in PROTOCOLS:
        raise InputError(
            f"config: protocol={protocol} with test={'+'.join(images.tested)}: all of a corpus is tested, and the"
            f" protocol says what of the others validates; give one of {', '.join(PROTOCOLS)}, or leave test out"
        )
    numbers = [number for number, name in enumerate(corpora_of(images.corpus)) if name in images.tested]
    tests = np.isin(corpus_numbers(images), numbers)
    label = np.asarray(images.label)
    for what, rows in (("trained", ~tests), ("tested", tests)):
        if not (label[rows] >= 0).any():
            raise InputError(f"{images.corpus}: there is no labelled example of what is {what}; check the labels")
    lacking = np.setdiff1d(np.arange(len(images.classes)), label[~tests])
    if len(lacking):
        raise InputError(
            f"{images.corpus}: class {images.classes[lacking[0]]!r} has no example in what trains; give classes without"
            " it, or another corpus"
        )
    trains = replace(images, label=np.where(tests, -1, label).astype(np.int32))
    part = np.where(tests, TEST, TRAIN).astype(np.int8)
    if validation:
        try:
            unit = units_of(trains, protocol)
            chosen = validation_units(trains, unit, protocol=protocol, validation=validation, seed=seed)
        except TooFew as error:
            raise TooFew(f"{error}; use {ADVICE}") from None
        part[chosen[unit] & ~tests] = VALIDATION
    part[label < 0] = np.where(part[label < 0] == TRAIN, TRAIN, LEFT_OUT)
    return Folds(part[None], protocol)
