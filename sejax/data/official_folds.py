"""The protocol `split`: a corpus's own training, development and test parts, its official folds by name.

A prepared set holds what the corpus's table said of each utterance (`sejax.corpora.splits`). The development part
validates; where a fold has none and one is needed, speakers are held out of its training part, or utterances of each
class where speakers cannot be. Utterances that a fold does not name are left out of it.

Nothing sees to it that parts have no speaker in common: official folds leak at times, and `described` says which.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sejax.corpora.splits import TEST as TESTS
from sejax.corpora.splits import TRAIN as TRAINS
from sejax.corpora.splits import VALID as VALIDATES
from sejax.corpora.splits import parts_of
from sejax.data.cross_folds import cross_folds
from sejax.data.folds import (
    LEFT_OUT,
    TEST,
    TRAIN,
    VALIDATION,
    Folds,
    TooFew,
    corpus_numbers,
    make_folds,
    parts,
    speaker_units,
)
from sejax.data.store.joined import corpora_of
from sejax.errors import InputError

SPLIT = "split"
_PART = {TRAINS: TRAIN, VALIDATES: VALIDATION, TESTS: TEST, None: LEFT_OUT}
_NAMES = {"train": TRAIN, "valid": VALIDATION, "test": TEST}


def folds_of(images, *, protocol: str, names: Sequence[str] = (), **asked) -> Folds:
    """The corpus's own folds for the protocol "split", those of `make_folds` otherwise; of a set of which some corpora
    are tested alone the one of `sejax.data.cross_folds.cross_folds`.

    Args:
      images: as `make_folds` takes them; a prepared set with splits.
      names: the official folds that are asked for, all of them where there is none.
      asked: further arguments of `make_folds`; of these validation and seed matter to official folds.

    Raises:
      InputError: what `make_folds`, `official_folds` and `cross_folds` raise, and names without the protocol.
    """
    if names and protocol != SPLIT:
        raise InputError(f"config: split_folds={'+'.join(names)} are a corpus's own folds; give protocol=split with it")
    if getattr(images, "tested", ()):
        return cross_folds(images, protocol=protocol, validation=asked["validation"], seed=asked["seed"])
    if protocol == SPLIT:
        return official_folds(images, names=names, validation=asked["validation"], seed=asked["seed"])
    return make_folds(images, protocol=protocol, **asked)


def official_folds(
    images, *, names: Sequence[str] = (), validation: float, seed: int, rated: np.ndarray | None = None
) -> Folds:
    """The corpus's own folds.

    Args:
      images: a prepared set with splits.
      names: of the folds that are asked for; () for all.
      validation: share of the training part that validates where there is no development part; 0: none does there.
      seed: of the choice of that share.
      rated: bool[U], utterances with ratings, where they are what is learned; None: labels are.

    Raises:
      InputError: a set without splits, an unknown name, or a class that a fold does not train.
      TooFew: nothing that could be held out for validation.
    """
    if rated is not None:
        images = replace(images, label=np.where(rated, 0, -1).astype(np.int32), classes=("rated",))
    splits = [parts_of(split) for split in getattr(images, "splits", ())]
    known = _known(splits)
    for corpus in _without_splits(images, splits):
        again = f" (if its table has a split, delete {images.folder} and prepare it again)" if _folder(images) else ""
        raise InputError(
            f"{corpus}: nothing says which of its utterances train and which test; prepare it from a table with"
            f" a split{again}, or use another protocol"
        )
    for name in names:
        if name not in known:
            said = ", ".join(filter(None, known)) or "none with a name"
            raise InputError(
                f"{images.corpus}: split_folds={'+'.join(names)}: it has no fold {name!r}; give some of its own, {said}"
            )
    chosen = tuple(name for name in known if not names or name in names)
    utterance, label = np.asarray(images.utterance), np.asarray(images.label)
    found = []
    for name in chosen:
        of_utterance = np.array([_PART[split.get(name, split.get(""))] for split in splits], np.int8)
        part = of_utterance[utterance]
        # What has no label only trains, as a pool; what is not rated is not even that.
        part[label < 0] = LEFT_OUT if rated is not None else np.where(part[label < 0] == TRAIN, TRAIN, LEFT_OUT)
        if validation and not (part == VALIDATION).any():
            part = _with_validation(images, part, validation, seed, name)
        _check(images, part, name)
        found.append(part)
    return Folds(np.stack(found), SPLIT, tuple(name or SPLIT for name in chosen))


def _without_splits(images, splits: Sequence[dict[str, str]]) -> list[str]:
    """The corpora of which no utterance has a part in any fold."""
    origin = getattr(images, "origin", None)
    if not splits or origin is None:
        return [] if any(splits) else [images.corpus]
    having = {int(number) for number, split in zip(origin, splits, strict=True) if split}
    return [name for number, name in enumerate(corpora_of(images.corpus)) if number not in having]


def _folder(images) -> str:
    return getattr(images, "folder", "")


def _known(splits: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """The folds' names, fold_2 before fold_10; "" alone where there are no names."""
    names = {name for split in splits for name in split if name}
    numbered = {name: re.sub(r"\d+", lambda number: f"{int(number[0]):09}", name) for name in names}
    return tuple(sorted(names, key=numbered.__getitem__)) or ("",)


def _with_validation(images, part: np.ndarray, validation: float, seed: int, name: str) -> np.ndarray:
    """The part with a share of the training examples held out: of speakers, or else of each class's utterances."""
    trains = part == TRAIN
    view = replace(images, label=np.where(trains, images.label, -1).astype(np.int32))
    labelled = view.label >= 0
    ways = []
    with contextlib.suppress(TooFew):  # a speaker is not known
        ways.append(("speaker", len(np.unique(speaker_units(view)[labelled]))))
    pairs = np.unique(np.stack([view.label[labelled], np.asarray(images.utterance)[labelled]]), axis=1)
    ways.append(("utterance", int(np.bincount(pairs[0], minlength=len(images.classes)).min(initial=len(pairs[0])))))
    for protocol, most in ways:
        if (folds := min(max(2, round(1 / validation)), most)) >= 2:
            with contextlib.suppress(TooFew):
                held = parts(view, protocol=protocol, folds=folds, validation=0.0, seed=seed)[0]
                validates, beside = trains & (held == TEST), trains & (held == LEFT_OUT)
                return np.select([validates, beside], [VALIDATION, LEFT_OUT], part).astype(np.int8)
    raise TooFew(
        f"{images.corpus}: {_called(name)} has no development part, and too few speakers and utterances of each class"
        " train to hold some out; add dev to the table's split"
    )


def _check(images, part: np.ndarray, name: str) -> None:
    """Raises InputError for a fold without a training or test part, or with a class that it does not train."""
    label = np.asarray(images.label)
    for called, kind in _NAMES.items():
        if kind != VALIDATION and not ((part == kind) & (label >= 0)).any():
            raise InputError(
                f"{images.corpus}: {_called(name)} has no labelled {called} part; mend the table's split, or give other"
                " split_folds"
            )
    if (origin := corpus_numbers(images)) is not None:
        there = origin[part != LEFT_OUT]
        for number, corpus in enumerate(corpora_of(images.corpus)):
            if number not in there:
                raise InputError(
                    f"{images.corpus}: {_called(name)} is none of {corpus}'s; give split_folds that all corpora have"
                )
    lacking = np.setdiff1d(np.arange(len(images.classes)), label[part == TRAIN])
    if len(lacking):
        raise InputError(
            f"{images.corpus}: class {images.classes[lacking[0]]!r} has no example in the training part of"
            f" {_called(name)}; relabel or leave out that class, or give other split_folds"
        )


def _called(name: str) -> str:
    return f"fold {name}" if name else "the split"


def described(folds: Folds, images) -> dict[str, Any]:
    """What results.json says of official folds, ``{"splits": [...]}``; {} for folds of another protocol.

    Of each fold its name, how many examples each part has, ``left_out`` of those with a label; ``shared_speakers``,
    who is tested and trained (or validated) on; ``shared_recordings``, tested utterances whose samples are also those
    of a training one; ``unknown_speakers``, tested utterances of nobody known.
    """
    if folds.protocol != SPLIT:
        return {}
    return {"splits": [_fold(name, part, images) for name, part in zip(folds.names, folds.part, strict=True)]}


def _fold(name: str, part: np.ndarray, images) -> dict[str, Any]:
    speaker, utterance = np.asarray(images.speaker), np.asarray(images.utterance)
    tests, seen = part == TEST, (part == TRAIN) | (part == VALIDATION)
    both = np.intersect1d(speaker[tests], speaker[seen])
    tested = {int(row) for row in np.unique(utterance[tests])}
    who = dict(zip(utterance.tolist(), speaker.tolist(), strict=True))
    digests = getattr(images, "digests", ())
    heard = {digests[row] for row in np.unique(utterance[seen])} if digests else set()
    return {
        "fold": name,
        **{called: int((part == kind).sum()) for called, kind in _NAMES.items()},
        "left_out": int(((part == LEFT_OUT) & (np.asarray(images.label) >= 0)).sum()),
        "shared_speakers": [images.speakers[number] for number in both if images.speakers[number]],
        "shared_recordings": sum(digests[row] in heard for row in tested) if digests else 0,
        "unknown_speakers": sum(not images.speakers[who[row]] for row in tested),
    }
