"""Several prepared sets of vectors as one, and the labelled or emotional part of a set."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sejax.data.emotions import FOUR, four_classes, relabel
from sejax.data.vectors import Vectors
from sejax.errors import InputError


def emotional(sets: Sequence[Vectors]) -> Vectors:
    """The utterances of the four emotions, of one corpus or several.

    Raises:
      InputError: a corpus lacks an emotion, or the sets cannot be joined.
    """
    return join([labelled_only(relabel(one, four_classes(one.classes), FOUR)) for one in sets])


def labelled_only(vectors: Vectors) -> Vectors:
    """The utterances that have a label, in their order; features are read into memory."""
    rows = np.flatnonzero(vectors.label >= 0)
    numbers = np.arange(len(rows), dtype=np.int32)
    return replace(
        vectors,
        features=np.asarray(vectors.features[rows], np.float32),
        utterance_ids=tuple(vectors.utterance_ids[row] for row in rows),
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
    corpora = [one.corpus for one in sets]
    if len(set(corpora)) < len(corpora):
        raise InputError(f"corpora {'+'.join(corpora)}: give each once")
    utterances = np.arange(sum(len(one.label) for one in sets), dtype=np.int32)
    speakers, speaker = _numbered(f"{one.corpus}:{name}" for one in sets for name in _speakers_of(one))
    sessions, session = _numbered(f"{one.corpus}:{name}" for one in sets for name in _sessions_of(one))
    label = np.concatenate([one.label for one in sets])
    sex = {f"{one.corpus}:{name}": sex for one in sets for name, sex in zip(one.speakers, one.sex, strict=True)}
    return replace(
        first,
        features=np.concatenate([np.asarray(one.features, np.float32) for one in sets]),
        utterance_ids=tuple(f"{one.corpus}:{name}" for one in sets for name in one.utterance_ids),
        label=label,
        utterance_label=label,
        utterance=utterances,
        block=utterances,
        seconds=np.concatenate([one.seconds for one in sets]),
        speaker=speaker,
        session=session,
        speakers=speakers,
        sessions=sessions,
        sex=tuple(sex[name] for name in speakers),
        corpus="+".join(corpora),
        counts={},
        folder="",
    )


def _numbered(names) -> tuple[tuple[str, ...], np.ndarray]:
    """The different names, sorted, and for each name given its number among them."""
    different, number = np.unique(np.array(list(names)), return_inverse=True)
    return tuple(map(str, different)), number.astype(np.int32)


def _speakers_of(vectors: Vectors) -> list[str]:
    return [vectors.speakers[number] for number in vectors.speaker]


def _sessions_of(vectors: Vectors) -> list[str]:
    names = [vectors.sessions[number] for number in vectors.session]
    return names if any(names) else _speakers_of(vectors)
