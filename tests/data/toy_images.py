"""Index arrays of small made-up corpora, as folds need them."""

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np


@dataclass
class Images:
    label: np.ndarray
    block: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    classes: tuple
    speakers: tuple
    sex: tuple
    sessions: tuple
    corpus: str = "toy"


def toy_images(blocks, *, sex=None, sessions=None):
    """Three images to a block from (speaker, class) per block, class -1: unlabelled; sex, session per speaker."""
    speaker, label = np.repeat(np.array(blocks).reshape(-1, 2), 3, axis=0).T
    people = speaker.max() + 1
    of_speaker = np.zeros(people, int) if sessions is None else np.array(sessions)
    return Images(
        label=label,
        block=np.repeat(np.arange(len(blocks)), 3),
        speaker=speaker,
        session=of_speaker[speaker],
        classes=tuple(ascii_lowercase[: label.max() + 1]),
        speakers=tuple(f"s{number}" for number in range(people)),
        sex=tuple(sex or [""] * people),
        sessions=("",) if sessions is None else tuple(f"Ses{number}" for number in range(of_speaker.max() + 1)),
    )


def crossed_images(people, classes, repeats=2, **options):
    """`repeats` blocks of every class by every speaker."""
    return toy_images([(s, c) for s in range(people) for c in range(classes) for _ in range(repeats)], **options)
