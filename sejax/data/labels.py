"""What examples are called: the four emotions that corpora share, which labels are used, and how much a class weighs.

    prepared = relabel(prepared, four_classes(prepared.classes), FOUR)

The four are angry, happy (excited speech counts as happy), neutral and sad, the classes of Bao, Neumann and Vu
(CycleGAN-based emotion style transfer as data augmentation for speech emotion recognition, Interspeech 2019): IEMOCAP's
5531 turns with "hap" and "exc" as one class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from sejax.errors import InputError

Prepared = TypeVar("Prepared")  # a prepared set, of blocks or of utterances

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


def labelled_subset(label, train, *, fraction: float, seed: int | Sequence[int], unit=None) -> np.ndarray:
    """Draw `fraction` of each class of the training part; the labels of the rest are not used.

    Venkateswaran et al. (section 4.3) use the labels of 20 % or 30 % of each class across all training data,
    drawn anew for each fold: images one by one, unless `unit` binds them. The number of each class is rounded
    to the nearest, and at least one. With one seed a smaller fraction's subset lies inside a larger one's.

    Args:
      label: i32[I], -1 for images that have no label: never drawn.
      train: bool[I], the images of the fold's training part.
      fraction: over 0, at most 1.
      seed: a number, or several: (seed, fold) draws anew in each fold, a seed alone much the same images.
      unit: i32[I] or None. Images of one unit (their block, so that near-copies stay together, or their
        utterance) are drawn together, and `fraction` counts units.

    Returns:
      bool[I], the training images whose labels are used.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"labelled={fraction}: give a fraction of each class, over 0 and at most 1")
    label, train = np.asarray(label), np.asarray(train, bool)
    unit = np.arange(len(label)) if unit is None else np.unique(np.asarray(unit), return_inverse=True)[1]
    rank = np.random.default_rng(seed).permutation(unit.max() + 1)[unit] if len(unit) else unit
    drawn = np.zeros(len(label), bool)
    for number in np.unique(label[train & (label >= 0)]):
        members = train & (label == number)
        ranks = np.unique(rank[members])  # ascending: a random order of the class's units
        keep = max(1, int(np.floor(fraction * len(ranks) + 0.5)))
        drawn |= members & (rank <= ranks[keep - 1])
    return drawn


def balanced_weights(label, active, num_classes: int):
    """Class weights f32[num_classes] that give every class the same total weight.

    n / (C n_c) with n active examples, n_c of them of class c, and C classes that occur: scikit-learn's
    `compute_class_weight("balanced")`. An absent class weighs 0. The weights of all active examples sum to n.
    Pure jax.numpy: jits and vmaps.

    Args:
      label: i32[N]; examples outside 0 .. num_classes - 1 are not counted.
      active: bool[N], the examples that count.
      num_classes: length of the result.
    """
    import jax.numpy as jnp  # here, since sets are read and relabelled without

    label = jnp.asarray(label, jnp.int32)
    known = jnp.asarray(active, bool) & (label >= 0) & (label < num_classes)
    counts = jnp.zeros((num_classes,), jnp.float32).at[jnp.where(known, label, 0)].add(known)
    present = counts > 0
    return jnp.where(present, counts.sum() / (present.sum() * jnp.maximum(counts, 1.0)), 0.0)
