"""Prepared sets of feature vectors, one vector an utterance: read, found, and what has a class of several as one.

Numpy alone is enough for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from sejax.audio.opensmile import check_features
from sejax.data.labels import choose_classes
from sejax.data.store.joined import join
from sejax.data.store.sets import UtteranceSet, find_utterances, listed

# mean fundamental frequency of the voiced frames, 0 where there are none; eGeMAPS has it in semitones
PITCH = ("F0final_sma_amean", "F0semitoneFrom27.5Hz_sma3nz_amean")


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
    ALIKE: ClassVar[tuple[str, ...]] = ("names",)

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
        columns = [self.names.index(name) for name in PITCH if name in self.names]
        rows = np.flatnonzero((self.features[:, columns] == 0).any(axis=1))
        return [self.utterance_ids[row] for row in rows]


def find_vectors(
    data_dir: str | Path, corpus: str, features: str = "emobase2010", *, level: str = "none", trim: str = "none"
) -> Vectors:
    """The finished set of feature vectors of a corpus.

    Args:
      data_dir: as given to `sejax prepare`.
      corpus: its name.
      features: one of `sejax.audio.opensmile.FEATURE_SETS`.
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
    known = {label for each in others for label in each.classes}
    return labelled_only(choose_classes(join(sets), classes, elsewhere=known))


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
        origin=None if vectors.origin is None else vectors.origin[rows],
        joined_from=(),
    )
