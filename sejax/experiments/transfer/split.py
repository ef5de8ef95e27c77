"""Which chunks train, validate and test: so many of each class, drawn from parts that share nothing.

Protocols: `utterance` (the default) keeps the chunks of one utterance together, `speaker` those of one speaker, `chunk`
splits chunks at random, as the paper's description reads: neighbours of 30 ms then lie in different parts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sejax.data.blocks.load import Spectrograms
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, Instead, make_folds
from sejax.errors import InputError

PROTOCOLS = {"utterance": "utterance", "chunk": "image", "speaker": "speaker"}  # ours: that of sejax.data.folds
INSTEAD = Instead(folds=False, protocols={"protocol=utterance": "utterance", "protocol=chunk": "image"})
PARTS = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
FOLDS = 5  # 1800, 600 and 600 images are three, one and one fifth

def balanced_split(chunks: Spectrograms, *, images: Sequence[int], protocol: str, seed: int, draw: int) -> np.ndarray:
    """Parts i8[I] of one draw: ``images`` (training, validation, test) chunks, as many of each class; -1: not drawn.

    Args:
      chunks: with the classes of the comparison as labels.
      images: numbers of chunks in the three parts, multiples of the number of classes.
      protocol: "utterance", "chunk" or "speaker".
      seed: of all draws. draw: 0, 1, ...; the first five test different fifths of the corpus.

    Raises:
      InputError: an unknown protocol, numbers that cannot be balanced, or a class with too few chunks for a part.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r} is unknown; the protocols are {', '.join(PROTOCOLS)}")
    count = len(chunks.classes)
    if len(images) != 3 or any(number < count or number % count for number in images):
        raise InputError(
            f"config: images={'+'.join(map(str, images))}; give three multiples of {count}, the number of classes: "
            "training, validation and test images"
        )
    labelled = np.flatnonzero(chunks.label >= 0)
    pool = replace(chunks, **{name: getattr(chunks, name)[labelled] for name in _COLUMNS})
    fold, again = draw % FOLDS, draw // FOLDS
    asked = {"folds": FOLDS, "validation": 0.25, "seed": seed + again}
    folds = make_folds(pool, protocol=PROTOCOLS[protocol], **asked, instead=INSTEAD)
    random = np.random.default_rng((seed, draw))
    part = np.full(len(chunks.label), LEFT_OUT, np.int8)
    for (kind, name), number in zip(PARTS.items(), images, strict=True):
        for label in range(count):
            rows = np.flatnonzero((folds.part[fold] == kind) & (pool.label == label))
            if len(rows) < number // count:
                raise InputError(
                    f"{chunks.corpus}: the {name} part asks for {number // count} chunks of class "
                    f"{chunks.classes[label]!r} and there are {len(rows)} under protocol={protocol}; use smaller "
                    "images=TRAINING+VALIDATION+TEST"
                )
            part[labelled[random.choice(rows, number // count, replace=False)]] = kind
    return part


_COLUMNS = ("label", "utterance", "block", "fmax", "start", "end", "speaker", "session")
