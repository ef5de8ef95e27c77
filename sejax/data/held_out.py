"""What each fold of a run tests, for results.json: its speakers, its size, and a digest of its very utterances.

Whoever compares two runs fold by fold has to know that both tested the same speech.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sejax.core.files import digest_of
from sejax.core.results import REPEATS
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.store.sets import ExampleSet

COUNTED = {"train": TRAIN, "valid": VALIDATION, "test": TEST}


def held_out_parts(
    speech: ExampleSet,
    names: Sequence[Mapping[str, Any]],
    part: np.ndarray,
    utterance: np.ndarray,
    label: Mapping[str, np.ndarray],
    trained_on: ExampleSet | None = None,
) -> list[dict[str, Any]]:
    """One entry for each fold of a run; for each fold and seed where seeds test different speech.

    Args, those of `sejax.experiments.HeldOut`:
      speech: the prepared set that holds the U utterances of the N examples.
      names: of M members, with their "fold" and "seed" where they have them.
      part: i8[M, N], as `sejax.data.folds` has it.
      utterance: i32[N]; label: i32[U] by name, -1 where there is none.
      trained_on: the set that all members train on the whole of, where it is another.

    Returns:
      [{"fold", "seed", "speakers": names of those who test, "utterances": how many test, "examples": labelled ones in
      each part, "digest": 32 hex digits}]. Digests are equal where the same utterances, by their ids and labels, are
      tested, and the same examples of each where not all of them are.
    """
    described: dict[bytes, dict[str, Any]] = {}
    for row in part:
        if row.tobytes() not in described:
            described[row.tobytes()] = _described(row, speech, utterance, label, trained_on)
    found: dict[Any, dict[Any, dict[str, Any]]] = {}
    for name, row in zip(names, part, strict=True):
        found.setdefault(name.get("fold"), {})[name.get("seed")] = described[row.tobytes()]
    entries = []
    for fold, seeds in found.items():
        alike = len({entry["digest"] for entry in seeds.values()}) == 1
        for seed, entry in list(seeds.items())[:1] if alike else seeds.items():
            place = zip(REPEATS, (fold, None if alike else seed), strict=True)
            entries.append({field: value for field, value in place if value is not None} | entry)
    return entries


def _described(row, speech: ExampleSet, utterance, label, trained_on) -> dict[str, Any]:
    """What one part i8[N] tests."""
    labels = np.stack(list(label.values()))  # [D, U]
    known = (labels >= 0).any(0)[utterance]
    tests = (row == TEST) & known
    examples = {name: int(((row == kind) & known).sum()) for name, kind in COUNTED.items()}
    if trained_on is not None:
        examples["train"] = int((trained_on.label >= 0).sum())
    order = np.argsort(utterance, kind="stable")
    place = np.empty(len(utterance), np.int64)  # of each example in its utterance
    place[order] = np.arange(len(utterance)) - np.searchsorted(utterance[order], utterance[order])
    rows = order[tests[order]]  # by utterance
    own, starts, counts = np.unique(utterance[rows], return_index=True, return_counts=True)
    whole = np.bincount(utterance, minlength=labels.shape[1])[own] == counts
    lines = []
    for number, places, complete in zip(own, np.split(place[rows], starts)[1:], whole, strict=True):
        which = "all" if complete else places.tolist()
        lines.append(repr((speech.utterance_ids[number], labels[:, number].tolist(), which)))
    speaking = np.unique(np.asarray(speech.speaker)[np.isin(speech.utterance, own)])
    named = {speech.speakers[number] for number in speaking if number >= 0}
    return {
        "speakers": sorted(named - {""}),
        "utterances": len(own),
        "examples": examples,
        "digest": digest_of("\n".join(sorted(lines)).encode(errors="surrogateescape")),
    }
