"""What examples are called: which classes a run has of a corpus's labels, which labels are used, what a class weighs.

    prepared = choose_classes(prepared, ("four",))
    prepared = choose_classes(prepared, ("low:sadness/boredom", "high:anger/joy", "neutral"))

The four are angry, happy (excited speech counts as happy), neutral and sad, the classes of Bao, Neumann and Vu
(CycleGAN-based emotion style transfer as data augmentation for speech emotion recognition, Interspeech 2019): IEMOCAP's
5531 turns with "hap" and "exc" as one class.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

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
_EXCITED = ("excited", "excitement", "exc")

# Sets of classes that a config can name. Of each class the labels, in small letters, that stand for it in a corpus.
SETS = {
    "four": SPELLINGS,
    # IEMOCAP's 4490 turns: excited speech is left out, which other papers do
    "four_without_excited": SPELLINGS | {"happy": tuple(x for x in SPELLINGS["happy"] if x not in _EXCITED)},
    # Kapoor and Kumar's. "stress" is no label of IEMOCAP: frustration stands for it there, fear where there is none.
    "stress": {
        "anger": ("anger", "ang"),
        "stress": ("stress", "frustration", "fru", "fear"),
        "neutral": ("neutral", "neu"),
    },
}
ALL = "all"
_FIRST_ALONE = ("stress",)  # of a class the first label that a corpus has stands for it, and no other


def class_labels(
    given: Sequence[str], labels: Sequence[str], *, corpus: str, elsewhere: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """The labels of a corpus that make up each class of a run.

    Args:
      given: "all", a name of `SETS`, or the classes in their order: ``LABEL``, ``CLASS:LABEL`` or ``CLASS:LABEL/LABEL``
        for each. What no class names is left out.
      labels: those of the corpus.
      corpus: its name.
      elsewhere: labels of the other corpora of a run; a class may name them too.

    Raises:
      InputError: entries that cannot be, or a class for which the corpus has no label.
    """
    asked = "+".join(given)
    if tuple(given) == (ALL,):
        return {label: (label,) for label in labels}
    if len(given) == 1 and given[0] in SETS:
        found = {
            name: tuple(label for word in words for label in labels if label.lower() == word)
            for name, words in SETS[given[0]].items()
        }
        if given[0] in _FIRST_ALONE:
            found = {name: own[:1] for name, own in found.items()}
    else:
        wanted = check_classes(given)
        unknown = [x for own in wanted.values() for x in own if x not in {*labels, *elsewhere}]
        if unknown:
            raise InputError(
                f"config: classes={asked}: {corpus} has no label {', '.join(map(repr, unknown))}; its labels are "
                f"{', '.join(labels) or 'none'}"
            )
        found = {name: tuple(label for label in own if label in labels) for name, own in wanted.items()}
    lacking = [name for name, own in found.items() if not own]
    if lacking:
        raise InputError(
            f"config: classes={asked}: {corpus} has no label for {', '.join(lacking)}; its labels are "
            f"{', '.join(labels) or 'none'}: give classes={'+'.join(f'{name}:LABEL' for name in found)}"
        )
    return found


def check_classes(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The labels of each class as a config lists them; {} for a named set, or none.

    Raises:
      InputError: entries that no corpus could have, before one is looked for.
    """
    if not any(given) or (len(given) == 1 and given[0] in (ALL, *SETS)):
        return {}
    pairs = [(name, label if colon else name) for name, colon, label in (entry.partition(":") for entry in given)]
    found = {name: tuple(label.split("/")) for name, label in pairs}
    every = [label for own in found.values() for label in own]
    once = len(found) == len(pairs) > 1 and len(set(every)) == len(every)
    if not once or "/" in "".join(found) or not all([*found, *every]):
        raise InputError(
            f"config: classes={'+'.join(given)}; give two classes or more, each class and each label once, as in "
            f"sad:sadness/boredom+anger+neutral, or one of {', '.join((ALL, *SETS))}"
        )
    return found


def choose_classes(data: Prepared, given: Sequence[str], *, elsewhere: Iterable[str] = ()) -> Prepared:
    """A prepared set with the classes that a config asks for; what is of none of them is unlabelled (-1).

    Of several sets as one each has labels of its own for a class. Arguments and errors are those of `class_labels`; an
    error too where all labels are asked for and theirs differ. `class_facts` tells what became of the labels.
    """
    if data.joined_from:
        return _choose_of_each(data, given, elsewhere)
    if tuple(given) == (ALL,):
        return data
    found = class_labels(given, data.classes, corpus=data.corpus, elsewhere=elsewhere)
    made = relabel(data, {label: name for name, own in found.items() for label in own}, tuple(found))
    gone = (data.utterance_label >= 0) & (made.utterance_label < 0)
    gone = np.bincount(data.utterance_label[gone], minlength=len(data.classes))
    facts = {
        "class_mapping": {name: "/".join(own) for name, own in found.items()},
        "left_out": {name: int(count) for name, count in zip(data.classes, gone, strict=True) if count},
    }
    return replace(made, counts=made.counts | class_counts(facts))


def _choose_of_each(data: Prepared, given: Sequence[str], elsewhere: Iterable[str]) -> Prepared:
    """The same of sets that were joined."""
    sets = data.joined_from
    if tuple(given) == (ALL,):
        if any({*one.classes} != {*sets[0].classes} for one in sets):
            each = "; ".join(f"{one.corpus} has {', '.join(one.classes) or 'none'}" for one in sets)
            raise InputError(
                f"config: {data.corpus}: the corpora's labels differ ({each}); give the classes that they have in "
                f"common with the labels of each, as in classes={in_common([one.classes for one in sets])}"
            )
        return data
    known = {*data.classes, *elsewhere}
    chosen = tuple(choose_classes(one, given, elsewhere=known) for one in sets)
    label, of_utterance = (
        np.concatenate([getattr(one, name) for one in chosen]) for name in ("label", "utterance_label")
    )
    made = replace(data, label=label, utterance_label=of_utterance, classes=chosen[0].classes, joined_from=chosen)
    return replace(made, counts=made.counts | class_counts(class_facts(*chosen)))


def class_counts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `class_facts` says, as an entry of a set's counts."""
    return {"classes": dict(facts)} if facts else {}


def in_common(labels: Sequence[Sequence[str]]) -> str:
    """What a config's ``classes`` may be for corpora of these labels: those that all have, by some spelling."""
    spelt = {}
    for name in dict.fromkeys(label for own in labels for label in own):
        spelt.setdefault(_CLASS_OF.get(name.lower(), name.lower()), []).append(name)
    found = [(name, own) for name, own in spelt.items() if all(set(own) & {*each} for each in labels)]
    entries = [own[0] if len(own) == 1 else f"{name}:{'/'.join(own)}" for name, own in found]
    return "+".join(entries) if len(entries) > 1 else "CLASS:LABEL/LABEL+CLASS:LABEL/LABEL"


def class_facts(*sets: Any) -> dict[str, dict[str, Any]]:
    """What `choose_classes` did with the labels of some sets, for the results' description of the data.

    ``{"class_mapping": {class: labels joined by /}, "left_out": {label: utterances}}``; the latter only where some were
    left out, {} where classes are the corpus's own labels.
    """
    found = [each.counts["classes"] for each in sets if "classes" in each.counts]
    if not found:
        return {}
    names = {name: [one["class_mapping"][name].split("/") for one in found] for name in found[0]["class_mapping"]}
    mapping = {name: "/".join(dict.fromkeys(label for one in own for label in one)) for name, own in names.items()}
    gone = sum((Counter(one.get("left_out", {})) for one in found), Counter())
    return {"class_mapping": mapping} | ({"left_out": dict(gone)} if gone else {})


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
