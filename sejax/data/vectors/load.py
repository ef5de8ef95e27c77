"""Prepared sets of feature vectors, one vector an utterance: read, found, and several of them joined into one.

Numpy alone is enough for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from sejax.audio.level import joined
from sejax.audio.opensmile import check_features
from sejax.data.labels import choose_classes, class_facts
from sejax.data.store.sets import UtteranceSet, find_utterances, listed
from sejax.errors import InputError

PITCH = "F0final_sma_amean"  # mean fundamental frequency of the voiced frames, 0 where there are none


@dataclass(frozen=True, eq=False, kw_only=True)
class Vectors(UtteranceSet):
    """A prepared set: U utterances of F features each. `settings`: `features` (the set's name), the openSMILE version.

    Attributes:
      features: f32[U, F], on the raw scale; memory-mapped.
      names: of the F features, in openSMILE's order.
    """

    KIND: ClassVar[str] = "feature vectors"
    LARGE: ClassVar[str] = "features"
    MADE_AS: ClassVar[str] = "emobase2010"
    DETECTOR: ClassVar[str] = "trim"

    features: np.ndarray
    names: tuple[str, ...]

    def _damage(self) -> str:
        shape, labels, names = self.features.shape, len(self.label), len(self.names)
        if shape != (labels, names):
            return f"features {list(shape)} and {labels} labels, {names} names of features"
        return ""

    def _content(self) -> list[str]:
        """The features."""
        of, by, counts = self.settings["features"], self.settings["opensmile"], self.counts
        lines = [
            f"audio       {counts['seconds']:.1f} s",
            f"features    {counts['features']} ({of}, opensmile {by})",
        ]
        if "seconds_kept" in counts:
            kept, without = counts["seconds_kept"], counts["without_speech"]
            lines[0] += f", kept {kept:.1f} s ({kept / counts['seconds']:.1%}) between first and last speech"
            lines += [f"no speech   {listed(without)}, taken whole"] if without else []
        without = self.without_pitch()
        lines += [f"no pitch    {listed(without)}: all columns of F0, jitter and shimmer are 0"] if without else []
        return lines

    def without_pitch(self) -> list[str]:
        """The utterances in which openSMILE found no voiced frame."""
        if PITCH not in self.names:
            return []
        rows = np.flatnonzero(self.features[:, self.names.index(PITCH)] == 0)
        return [self.utterance_ids[row] for row in rows]


def find_vectors(
    data_dir: str | Path, corpus: str, features: str = "emobase2010", *, level: str = "none", trim: str = "none"
) -> Vectors:
    """The finished set of feature vectors of a corpus.

    Args:
      data_dir: as given to `sejax prepare`.
      corpus: its name.
      features: "emobase2010" or "is10".
      level: what recordings were brought to.
      trim: the detector by which pauses at both ends were left out, or "none".

    Raises:
      InputError: an unknown feature set, no such set of vectors (the command that makes it is named), or several (of
        other files or another openSMILE).
    """
    check_features(features)
    how = {"features": features, "called": f"{features} vectors", "level": level, "trim": trim}
    return find_utterances(Vectors, data_dir, corpus, **how)


def emotional(
    sets: Sequence[Vectors], classes: Sequence[str] = ("four",), *, others: Sequence[Vectors] = ()
) -> Vectors:
    """The utterances of some classes, as `sejax.data.labels.choose_classes` has them, of one corpus or several.

    ``others``: sets whose labels the classes may name too.

    Raises:
      InputError: a corpus lacks a class, or the sets cannot be joined.
    """
    known = {label for each in (*sets, *others) for label in each.classes}
    return join([labelled_only(choose_classes(each, classes, elsewhere=known)) for each in sets])


def labelled_only(vectors: Vectors) -> Vectors:
    """The utterances that have a label, in their order; features are read into memory."""
    rows = np.flatnonzero(vectors.label >= 0)
    numbers = np.arange(len(rows), dtype=np.int32)
    return replace(
        vectors,
        features=np.asarray(vectors.features[rows], np.float32),
        utterance_ids=tuple(vectors.utterance_ids[row] for row in rows),
        digests=tuple(vectors.digests[row] for row in rows) if vectors.digests else (),
        traits=tuple(vectors.traits[row] for row in rows) if vectors.traits else (),
        splits=tuple(vectors.splits[row] for row in rows) if vectors.splits else (),
        **{name: getattr(vectors, name)[rows] for name in ("label", "speaker", "session", "seconds")},
        utterance_label=vectors.label[rows],
        utterance=numbers,
        block=numbers,
    )


def join(sets: Sequence[Vectors]) -> Vectors:
    """Sets of equal classes and features as one, in the order given; a set alone is returned as it is.

    Names of utterances, speakers and sessions get the corpus's name before them. Where a corpus has no sessions,
    each of its speakers is one, so that splits by session keep speakers apart.

    Raises:
      InputError: classes or features differ, or a corpus is there twice.
    """
    first = sets[0]
    if len(sets) == 1:
        return first
    for other in sets[1:]:
        if other.classes != first.classes or other.names != first.names:
            raise InputError(
                f"{other.corpus} and {first.corpus} differ in classes or features; prepare both with the same "
                "--features and map their labels to the same classes"
            )
    corpora = [each.corpus for each in sets]
    if len(set(corpora)) < len(corpora):
        raise InputError(f"corpora {'+'.join(corpora)}: give each once")
    utterances = np.arange(sum(len(each.label) for each in sets), dtype=np.int32)
    speakers, speaker = _numbered(f"{each.corpus}:{name}" for each in sets for name in _speakers_of(each))
    sessions, session = _numbered(f"{each.corpus}:{name}" for each in sets for name in _sessions_of(each))
    label = np.concatenate([each.label for each in sets])
    sex = {f"{each.corpus}:{name}": sex for each in sets for name, sex in zip(each.speakers, each.sex, strict=True)}
    return replace(
        first,
        features=np.concatenate([np.asarray(each.features, np.float32) for each in sets]),
        utterance_ids=tuple(f"{each.corpus}:{name}" for each in sets for name in each.utterance_ids),
        digests=tuple(digest for each in sets for digest in each.digests) if all(x.digests for x in sets) else (),
        traits=tuple(traits for each in sets for traits in each.traits) if all(x.traits for x in sets) else (),
        splits=tuple(split for each in sets for split in each.splits) if all(x.splits for x in sets) else (),
        label=label,
        utterance_label=label,
        utterance=utterances,
        block=utterances,
        seconds=np.concatenate([each.seconds for each in sets]),
        speaker=speaker,
        session=session,
        speakers=speakers,
        sessions=sessions,
        sex=tuple(sex[name] for name in speakers),
        corpus="+".join(corpora),
        counts={"recordings": joined(each.counts.get("recordings", {}) for each in sets)}
        | _summed(sets)
        | ({"classes": facts} if (facts := class_facts(*sets)) else {}),
        folder="",
    )


def _summed(sets: Sequence[Vectors]) -> dict[str, float | list[str]]:
    """What `sejax.data.store.sets.heard` counts, of all sets together; {} where one of them was not trimmed."""
    if not all("seconds_kept" in each.counts for each in sets):
        return {}
    seconds = {name: sum(each.counts[name] for each in sets) for name in ("seconds", "seconds_kept")}
    without = [f"{each.corpus}:{name}" for each in sets for name in each.counts["without_speech"]]
    return seconds | {"without_speech": without}


def _numbered(names) -> tuple[tuple[str, ...], np.ndarray]:
    """The different names, sorted, and for each name given its number among them."""
    different, number = np.unique(np.array(list(names)), return_inverse=True)
    return tuple(map(str, different)), number.astype(np.int32)


def _speakers_of(vectors: Vectors) -> list[str]:
    return [vectors.speakers[number] for number in vectors.speaker]


def _sessions_of(vectors: Vectors) -> list[str]:
    names = [vectors.sessions[number] for number in vectors.session]
    return names if any(names) else _speakers_of(vectors)
