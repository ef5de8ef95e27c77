"""The anchor of a run: a linear support vector machine on openSMILE's functionals, trained and tested on its own folds.

Which part of a figure is the network's is seen beside what this system reaches, which every laboratory can rebuild.
Vectors are those of recordings as they are, `emobase2010`: UAR 0.790 on emoDB, a speaker left out at a time.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sejax.core.files import read_json, write_json
from sejax.core.results import spread
from sejax.core.stores import path_of
from sejax.data.folds import LEFT_OUT, TEST, TRAIN
from sejax.data.level_statistics import Fold, distinct, recalls
from sejax.data.store.sets import ExampleSet
from sejax.data.vectors.load import find_vectors
from sejax.errors import InputError

FEATURES = "emobase2010"
PENALTY = 1e-3  # C of the support vector machine
CLASSIFIER = "linear SVM, C 0.001, balanced classes, columns standardised by the training part"
FOLDER = "anchors"  # beside a corpus's prepared sets: scores that were computed once


class Matched(NamedTuple):
    """Vectors f32[U, F] of a prepared set's utterances and which of them have one, bool[U]; openSMILE's version."""

    values: np.ndarray
    known: np.ndarray
    opensmile: str


def anchor(
    data_dir: str | Path,
    speech: ExampleSet,
    part: np.ndarray,
    *,
    label: Mapping[str, np.ndarray],
    trained_on: ExampleSet | None = None,
) -> dict[str, Any]:
    """What the support vector machine reaches on the folds of a run, computed once for equal folds and vectors.

    An utterance trains where an example of it does, and is tested where one is. Nothing is fitted on a test part.

    Args:
      data_dir: as given to launch/prepare.py; the vectors of the same corpus are looked for there.
      speech: a prepared set of N examples of U utterances, whose ids tell which vector is whose.
      part: i8[M, N] of members, as `sejax.data.folds` has them.
      label: i32[U], -1: unlabelled; of the classes by "", or of each rated dimension by its name.
      trained_on: the set that all members train on the whole of, where it is another.

    Returns:
      {"features", "opensmile", "classifier", "without_vectors": utterances of the folds that were left out for want of
      a vector, "of": how many there are, "scores": {name: {"uar": mean and deviation over folds, "per_fold",
      "trained_too": the share of tested utterances that train in the same fold}}}; or {"missing": why there is none,
      and how to get it}.
    """
    try:
        import sklearn
    except ImportError:
        return {"missing": "it needs scikit-learn: pip install 'sejax[classify]'"}
    try:
        tested = matched(data_dir, speech)
        trained = tested if trained_on is None else matched(data_dir, trained_on)
    except InputError as error:
        return {"missing": str(error)}
    scores = {}
    for name, right in label.items():
        masks, own = list(_masks(speech, part, right, tested.known)), right
        if trained_on is not None:
            own = trained_on.utterance_label
            masks = [(trained.known & (own >= 0), tests) for _, tests in masks]
        chosen = [np.array(masks)] if trained_on is None else [mask for pair in masks for mask in pair]
        digest = _digest(sklearn.__version__, trained.values, own, tested.values, right, *chosen)
        file = path_of(data_dir) / speech.corpus / FOLDER / f"{digest}.json"
        folds = (Fold((trained.values[fits], own[fits]), (tested.values[tests], right[tests])) for fits, tests in masks)
        found = _kept(file) or _computed(folds, len(masks), file)
        if not found:
            return {"missing": "a part that trains has one class alone, or one that tests has no vector"}
        overlap = [(fits & tests).sum() / max(tests.sum(), 1) for fits, tests in masks] if trained_on is None else [0]
        scores[name] = found | {"trained_too": round(float(np.mean(overlap)), 4)}
    used = [tested.known[np.unique(speech.utterance[(part != LEFT_OUT).any(0)])]]
    used += [] if trained_on is None else [trained.known[trained_on.utterance_label >= 0]]
    counts = {"without_vectors": sum(int((~known).sum()) for known in used), "of": sum(map(len, used))}
    about = {"features": FEATURES, "opensmile": tested.opensmile, "classifier": CLASSIFIER}
    return about | counts | {"scores": scores}


def matched(data_dir: str | Path, speech: ExampleSet) -> Matched:
    """The vectors of a prepared set's utterances, by their ids.

    Raises:
      InputError: no set of vectors of a corpus, several, or none of the utterances is in it.
    """
    corpora = speech.corpus.split("+")
    sets = {corpus: find_vectors(data_dir, corpus, FEATURES) for corpus in corpora}
    places = {
        f"{corpus}:{name}" if len(corpora) > 1 else name: (corpus, row)
        for corpus, found in sets.items()
        for row, name in enumerate(found.utterance_ids)
    }
    first = next(iter(sets.values()))
    values = np.zeros((len(speech.utterance_ids), len(first.names)), np.float32)
    known = np.zeros(len(values), bool)
    for row, name in enumerate(speech.utterance_ids):
        if name in places:
            corpus, place = places[name]
            values[row], known[row] = sets[corpus].features[place], True
    if not known.any():
        raise InputError(f"{first.folder} has no vector of an utterance of {speech.folder or speech.corpus}")
    return Matched(values, known, str(first.settings["opensmile"]))


def _masks(speech, part, label, known) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each distinct fold, which utterances train and which are tested, bool[U]."""
    usable = known & (label >= 0)
    for fold in distinct(part):
        masks = []
        for kind in (TRAIN, TEST):
            mask = np.zeros(len(known), bool)
            mask[speech.utterance[fold == kind]] = True
            masks.append(mask & usable)
        yield masks[0], masks[1]


def _digest(version: str, *arrays: np.ndarray) -> str:
    """16 hex digits that change with any vector, label or row of a fold, with the classifier and its library."""
    digest = hashlib.sha256(json.dumps([CLASSIFIER, PENALTY, version]).encode())
    for array in arrays:
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _kept(file: Path) -> dict[str, Any]:
    """The scores that an earlier run left; {} where there are none, or a damaged file, which is then written anew."""
    try:
        return read_json(file, "") if file.is_file() else {}
    except InputError:
        return {}


def _computed(folds: Iterable[Fold], count: int, file: Path) -> dict[str, Any]:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    def machine(columns, label, tested):
        fitted = make_pipeline(StandardScaler(), SVC(kernel="linear", C=PENALTY, class_weight="balanced"))
        return fitted.fit(columns, label).predict(tested)

    print(f"{CLASSIFIER} on {FEATURES}: {count} folds", file=sys.stderr)  # minutes where a corpus is large
    found = recalls(folds, machine)
    if not found:
        return {}
    scores = {"uar": spread(found), "per_fold": found}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, scores)
    except OSError:  # prepared sets that may be read alone: the scores are for this run
        pass
    return scores
