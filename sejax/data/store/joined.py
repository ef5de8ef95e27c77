"""Several prepared sets as one: their examples one after the other, read where they lie, each of a known corpus.

    speech = find_corpora(find, "emodb+nemo", "ravdess")   # two corpora train, all of a third is tested
    speech = choose_classes(speech, ("four",))             # sejax.data.labels: what each corpus calls them

Names of utterances, speakers and sessions get the corpus's name before them, so that none is taken for another's.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from sejax.audio.level import joined as joined_ranges
from sejax.data.store.sets import ExampleSet, Prepared, check_apart
from sejax.errors import InputError

BETWEEN = "+"  # the names of a run's corpora
KNOWN_OF_ALL = ("digests", "traits")  # or of none: sets of earlier versions have none


class JoinedRows:
    """Arrays [n_i, ...] of equal rows one after the other, read as one array: only what is asked for is copied.

    It takes a number, a slice or whole numbers i[...] as an index of its rows, and `numpy.asarray` copies it all.
    """

    def __init__(self, arrays: Sequence[Any]):
        parts = [array.arrays if isinstance(array, JoinedRows) else [array] for array in arrays]
        self.arrays = [array for part in parts for array in part]
        self.dtype, self.ndim = self.arrays[0].dtype, self.arrays[0].ndim
        self._edges = np.cumsum([0, *map(len, self.arrays)])
        self.shape = (int(self._edges[-1]), *self.arrays[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._slice(*index.indices(len(self)))
        rows = np.asarray(index)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        rows = np.where(rows < 0, rows + len(self), rows)
        part = np.searchsorted(self._edges, rows, side="right") - 1
        if rows.size and (part.min() < 0 or part.max() >= len(self.arrays)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        found = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for number in np.unique(part):
            own = part == number
            found[own] = self.arrays[number][rows[own] - self._edges[number]]
        return found

    def _slice(self, start: int, stop: int, step: int) -> np.ndarray:
        if step != 1:
            return self[np.arange(start, stop, step)]
        ends = [(max(start - first, 0), stop - first) for first in self._edges[:-1]]
        parts = zip(self.arrays, ends, strict=True)
        found = [array[low:high] for array, (low, high) in parts if high > low < len(array)]
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.asarray(self.arrays[0][:0])

    def __array__(self, dtype=None, copy=None):
        del copy  # it always is one
        return np.concatenate(self.arrays).astype(dtype or self.dtype, copy=False)


def corpora_of(names: str) -> tuple[str, ...]:
    """The corpora that a config's field names, as in ``emodb+nemo``; () for ""."""
    return tuple(filter(None, names.split(BETWEEN)))


def find_corpora(find: Callable[[str], Prepared], corpus: str, test: str = "") -> Prepared:
    """The prepared sets of a run as one.

    Args:
      find: finds a corpus's set by its name.
      corpus: names joined by +, what trains; each is tested on its own folds too where ``test`` is "".
      test: names joined by +, what is tested alone and as a whole.

    Raises:
      InputError: what ``find`` and `join` raise, and what `check_cross` does.
    """
    trained, tested = ([find(name) for name in corpora_of(names)] for names in (corpus, test))
    check_cross(trained, tested)
    return join([*trained, *tested], tested=corpora_of(test))


def check_cross(trained: Sequence[ExampleSet], tested: Sequence[ExampleSet]) -> None:
    """Raises InputError where a corpus, or a recording of the same samples, is trained on and tested."""
    names = {each.corpus for each in trained}
    for other in tested:
        if other.corpus in names:
            raise InputError(
                f"config: test={other.corpus} is trained on too; leave test empty for tests within a corpus"
            )
        for one in trained:
            check_apart(one, other)


def join(sets: Sequence[Prepared], *, tested: Sequence[str] = ()) -> Prepared:
    """Sets of one kind, prepared alike, as one in the order given; a set alone is returned as it is.

    Classes are those of all sets, in the order in which they first occur. What lies on the disk stays there. A corpus
    whose labelled examples are of one session, or of none with a name, has no sessions here: its speakers are apart.

    Args:
      tested: the names of those that are tested alone.

    Raises:
      InputError: settings (or the names of features) differ, or a corpus is there twice.
    """
    first = sets[0]
    if len(sets) == 1:
        return first
    _check_alike(sets)
    classes = tuple(dict.fromkeys(name for each in sets for name in each.classes))
    counts = [len(each.utterance_ids) for each in sets]
    speakers, of_speaker = _renamed([_named(each, each.speakers) for each in sets])
    sessions, of_session = _renamed([_named(each, _sessions(each)) for each in sets])
    sex = {name: sex for each in sets for name, sex in zip(_named(each, each.speakers), each.sex, strict=True)}
    made: dict[str, Any] = {
        "classes": classes,
        "speakers": speakers,
        "sessions": sessions,
        "sex": tuple(sex[name] for name in speakers),
        "utterance_ids": tuple(name for each in sets for name in _named(each, each.utterance_ids)),
        "corpus": BETWEEN.join(each.corpus for each in sets),
        "settings": first.settings,
        "counts": _counts(sets, tested),
        "folder": "",
        "origin": np.repeat(np.arange(len(sets), dtype=np.int32), counts),
        "joined_from": tuple(sets),
        "tested": tuple(tested),
        "splits": tuple(split for each in sets for split in each.splits or ("",) * len(each.utterance_ids)),
    }
    if not any(made["splits"]):
        made["splits"] = ()
    numbers = {"label": [_places(each.classes, classes) for each in sets]}
    numbers |= {"utterance_label": numbers["label"], "speaker": of_speaker, "utterance_speaker": of_speaker}
    numbers["session"] = of_session
    rows = {"utterance": np.cumsum([0, *counts[:-1]]), "block": np.cumsum([0, *map(_blocks, sets[:-1])])}
    for field in fields(first):
        name, columns = field.name, [getattr(each, field.name) for each in sets]
        if name in made or name in first.ALIKE:
            continue
        if name in numbers:
            made[name] = np.concatenate([table[column] for table, column in zip(numbers[name], columns, strict=True)])
        elif name in rows:
            made[name] = np.concatenate([column + start for start, column in zip(rows[name], columns, strict=True)])
            made[name] = made[name].astype(np.int32)
        elif name in first.EDGES:
            made[name] = _edges(columns)
        elif isinstance(columns[0], tuple):
            known = all(columns) or name not in KNOWN_OF_ALL
            made[name] = tuple(entry for column in columns for entry in column) if known else ()
        else:
            on_disk = any(isinstance(column, np.memmap | JoinedRows) for column in columns)
            made[name] = JoinedRows(columns) if on_disk else np.concatenate(columns)
    return replace(first, **made)


def _check_alike(sets: Sequence[ExampleSet]) -> None:
    first, corpora = sets[0], [each.corpus for each in sets]
    if len(set(corpora)) < len(corpora):
        raise InputError(f"corpora {BETWEEN.join(corpora)}: give each once")
    for other in sets[1:]:
        if other.settings != first.settings:
            raise InputError(
                f"{other.corpus} and {first.corpus} were prepared with different settings, {other.settings} and "
                f"{first.settings}; prepare both alike"
            )
        if any(getattr(other, name) != getattr(first, name) for name in first.ALIKE):
            raise InputError(
                f"{other.corpus} and {first.corpus} differ in features; prepare both with the same --features"
            )


def _named(one: ExampleSet, names: Sequence[str]) -> list[str]:
    """Names with the corpus before them; what is not known stays so."""
    return [f"{one.corpus}:{name}" if name else "" for name in names]


def _renamed(names: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """All names, sorted, and of each set the places i32[n + 1] of its own among them, -1 for -1."""
    every = tuple(sorted({name for own in names for name in own}))
    return every, [_places(own, every) for own in names]


def _places(own: Sequence[str], every: Sequence[str]) -> np.ndarray:
    return np.array([*(every.index(name) for name in own), -1], np.int32)


def _sessions(one: ExampleSet) -> Sequence[str]:
    used = {one.sessions[number] for number in np.unique(one.session[one.label >= 0])} - {""}
    return one.sessions if len(used) > 1 else [""] * len(one.sessions)


def _blocks(one: ExampleSet) -> int:
    return int(one.block.max(initial=-1)) + 1


def _edges(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Where what belongs together begins and ends, of all sets one after the other."""
    starts = np.cumsum([0, *(int(column[-1]) for column in columns[:-1])])
    moved = [column[1:] + start for column, start in zip(columns, starts, strict=True)]
    return np.concatenate([columns[0][:1], *moved]).astype(columns[0].dtype)


def _counts(sets: Sequence[ExampleSet], tested: Sequence[str]) -> dict[str, Any]:
    """What recordings that train are like, and what `sejax.data.store.sets.heard` counts where all sets have it."""
    ranges = [each.counts.get("recordings", {}) for each in sets if each.corpus not in tested]
    found: dict[str, Any] = {"recordings": joined_ranges(ranges)}
    for name in ("seconds_kept", "seconds_speech"):
        if all(name in each.counts for each in sets):
            found[name] = sum(each.counts[name] for each in sets)
            found["seconds"] = sum(each.counts.get("seconds_heard", each.counts["seconds"]) for each in sets)
            without = [_named(each, each.counts.get("without_speech", ())) for each in sets]
            found["without_speech"] = [name for own in without for name in own]
    return found


def corpora_tested(speech: ExampleSet) -> dict[str, np.ndarray]:
    """bool[U] of each corpus that a run tests by its name, which utterances are of it; {} where that is one corpus."""
    if speech.origin is None:
        return {}
    names = corpora_of(speech.corpus)
    found = {name: speech.origin == number for number, name in enumerate(names)}
    found = {name: own for name, own in found.items() if not speech.tested or name in speech.tested}
    return found if len(found) > 1 else {}


def by_part(speech: Prepared, rows: np.ndarray | None = None) -> list[tuple[Prepared, np.ndarray]]:
    """The sets that a set was joined of (itself alone), each with its own of some rows of examples i[R], ascending.

    What is computed of each set and kept beside it, joined in this order, is that of the rows.
    """
    parts = speech.joined_from or (speech,)
    first = np.cumsum([0, *(len(one.label) for one in parts)])
    rows = np.arange(first[-1]) if rows is None else np.asarray(rows)
    ends = zip(parts, first[:-1], first[1:], strict=True)
    return [(one, rows[(rows >= low) & (rows < high)] - low) for one, low, high in ends]
