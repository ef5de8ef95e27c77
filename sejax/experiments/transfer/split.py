"""Which chunks train, validate and test: so many of each class, drawn from parts that share nothing.

Protocols: `utterance` (the default) keeps the chunks of one utterance together, `speaker` those of one speaker, `chunk`
splits chunks at random, as the paper's description reads: neighbours of 30 ms then lie in different parts. `split`
draws from the corpus's own parts, its official folds in turn.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sejax.data.blocks.load import Spectrograms
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, Folds, Instead
from sejax.data.official_folds import SPLIT, folds_of
from sejax.errors import InputError

# ours: that of sejax.data.folds
PROTOCOLS = {"utterance": "utterance", "chunk": "image", "speaker": "speaker", SPLIT: SPLIT}
INSTEAD = Instead(folds=False, protocols={"protocol=utterance": "utterance", "protocol=chunk": "image"})
PARTS = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
FOLDS = 5  # 1800, 600 and 600 images are three, one and one fifth

def fifths(chunks: Spectrograms, *, protocol: str, names: Sequence[str] = (), seed: int) -> tuple[np.ndarray, Folds]:
    """The labelled chunks, i32[L], and the folds of these that draws come from: five, or the corpus's own.

    Raises:
      InputError: an unknown protocol, or folds that cannot be had.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r} is unknown; the protocols are {', '.join(PROTOCOLS)}")
    labelled = np.flatnonzero(chunks.label >= 0)
    pool = replace(chunks, **{name: getattr(chunks, name)[labelled] for name in _COLUMNS})
    asked = {"folds": FOLDS, "validation": 0.25, "seed": seed}
    return labelled, folds_of(pool, protocol=PROTOCOLS[protocol], names=names, **asked, instead=INSTEAD)


def balanced_split(
    chunks: Spectrograms,
    *,
    images: Sequence[int],
    protocol: str,
    names: Sequence[str] = (),
    seed: int,
    draw: int,
) -> np.ndarray:
    """Parts i8[I] of one draw: ``images`` (training, validation, test) chunks, as many of each class; -1: not drawn.

    Args:
      chunks: with the classes of the comparison as labels.
      images: numbers of chunks in the three parts, multiples of the number of classes.
      protocol: "utterance", "chunk", "speaker" or "split".
      names: with "split", the official folds that are drawn from; () for all.
      seed: of all draws. draw: 0, 1, ...; the first five test different fifths of the corpus.

    Raises:
      InputError: an unknown protocol, numbers that cannot be balanced, or a class with too few chunks for a part.
    """
    count = len(chunks.classes)
    if len(images) != 3 or any(number < count or number % count for number in images):
        raise InputError(
            f"config: images={'+'.join(map(str, images))}; give three multiples of {count}, the number of classes: "
            "training, validation and test images"
        )
    labelled, folds = fifths(chunks, protocol=protocol, names=names, seed=seed)
    again, fold = divmod(draw, len(folds.part))
    if again:
        folds = fifths(chunks, protocol=protocol, names=names, seed=seed + again)[1]
    random = np.random.default_rng((seed, draw))
    part = np.full(len(chunks.label), LEFT_OUT, np.int8)
    for (kind, name), number in zip(PARTS.items(), images, strict=True):
        for label in range(count):
            rows = np.flatnonzero((folds.part[fold] == kind) & (chunks.label[labelled] == label))
            if len(rows) < number // count:
                raise InputError(
                    f"{chunks.corpus}: the {name} part asks for {number // count} chunks of class "
                    f"{chunks.classes[label]!r} and there are {len(rows)} under protocol={protocol}; use smaller "
                    "images=TRAINING+VALIDATION+TEST"
                )
            part[labelled[random.choice(rows, number // count, replace=False)]] = kind
    return part


_COLUMNS = ("label", "utterance", "block", "fmax", "start", "end", "speaker", "session")
