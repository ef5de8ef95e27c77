"""The four emotions that corpora share: angry, happy (excited speech counts as happy), neutral, sad.

    prepared = emotions.relabel(prepared, emotions.four_classes(prepared.classes), emotions.FOUR)

These are the classes of Bao, Neumann and Vu (CycleGAN-based emotion style transfer as data augmentation for speech
emotion recognition, Interspeech 2019): IEMOCAP's 5531 turns with "hap" and "exc" as one class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from sejax.errors import InputError

Prepared = TypeVar("Prepared")  # sejax.data.features.Spectrograms or sejax.data.vectors.Vectors

FOUR = ("angry", "happy", "neutral", "sad")

# How corpora and manifests spell each class, in small letters. "joy" is emoDB's Freude and eNTERFACE's joy.
SPELLINGS = {
    "angry": ("angry", "anger", "ang", "wut"),
    "happy": ("happy", "happiness", "hap", "joy", "freude", "excited", "excitement", "exc"),
    "neutral": ("neutral", "neu"),
    "sad": ("sad", "sadness", "trauer"),
}
_CLASS_OF = {spelling: name for name, spellings in SPELLINGS.items() for spelling in spellings}


def four_classes(labels: Sequence[str]) -> dict[str, str]:
    """The class of `FOUR` for each of a corpus's labels; labels of no class (fear, say) are absent."""
    return {label: _CLASS_OF[label.lower()] for label in labels if label.lower() in _CLASS_OF}


def relabel(data: Prepared, mapping: Mapping[str, str], classes: tuple[str, ...]) -> Prepared:
    """The same prepared set with other classes; what belongs to none of them becomes unlabelled (-1).

    Args:
      data: a prepared set: `label` and `utterance_label` i32, indices into its `classes` or -1.
      mapping: the set's label -> one of ``classes``, many to one; labels that the set lacks are no error.
      classes: the new class list.

    Raises:
      InputError: a class for which the set has no label, or a mapping to something that is no class.
    """
    unknown = sorted(set(mapping.values()) - set(classes))
    if unknown:
        raise InputError(f"classes: {', '.join(unknown)} is none of {', '.join(classes)}; map labels to those alone")
    lacking = [name for name in classes if name not in {mapping.get(label) for label in data.classes}]
    if lacking:
        labels = ", ".join(data.classes) or "none"
        raise InputError(
            f"{data.corpus}: no label for class {', '.join(lacking)} (its labels are {labels}); use a corpus that has "
            "one, or other classes"
        )
    number = np.full(len(data.classes) + 1, -1, np.int32)  # the last entry is for -1
    for index, label in enumerate(data.classes):
        if label in mapping:
            number[index] = classes.index(mapping[label])
    return replace(data, label=number[data.label], utterance_label=number[data.utterance_label], classes=tuple(classes))
