"""A run of several corpora, or across corpora: what its results say of them, and figures of each that is tested."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from sejax.core.results import BY_CORPUS
from sejax.data.store.joined import BETWEEN, corpora_of, corpora_tested
from sejax.data.store.sets import ExampleSet
from sejax.experiments.classification import MASKS, confusion_metrics

CROSS, CROSS_MIXED = "cross_corpus", "cross_corpus_mixed"


def named(config, speech: ExampleSet, protocol: str) -> dict[str, str]:
    """The corpora and the protocol of a run: "corpus", "protocol", and "test_corpus" where others are tested.

    ``protocol``: of the folds, where no corpus is tested alone; with one it is `CROSS`, or `CROSS_MIXED` where speakers
    who validate may train too.
    """
    if not speech.tested:
        return {"corpus": config.corpus, "protocol": protocol}
    kind = CROSS if config.protocol == "speaker" else CROSS_MIXED
    return {"corpus": config.corpus, "test_corpus": BETWEEN.join(speech.tested), "protocol": kind}


def counted(speech: ExampleSet) -> dict[str, dict[str, dict[str, int]]]:
    """What the description of the data says of several corpora: {"corpora": {name: labelled utterances, speakers}}."""
    if speech.origin is None:
        return {}
    found = {}
    for number, name in enumerate(corpora_of(speech.corpus)):
        rows = (speech.origin == number)[speech.utterance] & (speech.label >= 0)
        utterances, speakers = (len(np.unique(column[rows])) for column in (speech.utterance, speech.speaker))
        found[name] = {"utterances": utterances, "speakers": speakers}
    return {"corpora": found}


def corpus_masks(speech: ExampleSet) -> dict[str, np.ndarray]:
    """What makes `sejax.experiments.classification.test_confusions` count corpora apart: {`MASKS`: bool[K, U]}.

    {} where one corpus is tested.
    """
    found = corpora_tested(speech)
    return {MASKS: np.stack([*found.values()])} if found else {}


def corpus_figures(
    record: Mapping[str, jax.Array], speech: ExampleSet, parts: Iterable[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Figures and confusion matrices of each corpus that is tested, two times {} where it is one.

    Args:
      record: with `BY_CORPUS` and a part's name f32[K, C, C], as `corpus_masks` had the corpora counted.
      parts: names of test parts.

    Returns:
      {"test:emodb/uar": ...} and {"test:emodb": counts [C][C]}.
    """
    figures: dict[str, float] = {}
    confusions: dict[str, Any] = {}
    for part in parts:
        for number, name in enumerate(corpora_tested(speech)):
            counts = np.asarray(record[f"{BY_CORPUS}{part}"][number], np.float32)
            figures |= confusion_metrics(counts, f"{part}:{name}/")
            confusions[f"{part}:{name}"] = counts.astype(int).tolist()
    return figures, confusions
