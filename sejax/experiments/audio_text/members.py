"""The members of a run: folds x seeds x learning rates, each fold with the words of its own training utterances."""

from typing import Any, NamedTuple

import numpy as np

from sejax.data.buckets import Pieces
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, Folds, Instead
from sejax.data.official_folds import folds_of
from sejax.data.text import Vocabulary, drop_probability, vocabulary
from sejax.data.waveforms.load import Waveforms
from sejax.errors import InputError
from sejax.experiments.methods import rate_members

INSTEAD = Instead(
    unvalidated="validation=0,keep=last,patience=0", protocols={"protocol=utterance": "utterance"}
)


class Split(NamedTuple):
    """The folds of a run: part i8[F, U] of each utterance, and the vocabulary of each fold's training utterances.

    folds: those they were taken from.
    """

    part: np.ndarray
    vocabularies: tuple[Vocabulary, ...]
    folds: Folds


def split(config, speech: Waveforms, ids: list[np.ndarray], types: int) -> Split:
    """Which utterances train, validate and test in each fold, and which words each fold knows.

    Args:
      config: protocol "speaker" (sessions held out where a corpus has them), "utterance" (at random, as published) or
        "split" (the corpus's own).
      speech: its labels are those of the run. ids: word types of each utterance; types: how many there are.

    Raises:
      InputError: folds that the corpus does not allow, no validation part where the best epoch is to be kept.
    """
    if not config.validation and (config.keep == "best" or config.patience):
        raise InputError(
            "config: validation=0 leaves nothing to choose the best epoch by; use keep=last and patience=0, or "
            "validation=0.1"
        )
    asked = {name: config[name] for name in ("protocol", "folds", "validation", "seed")}
    folds = folds_of(speech, names=config.split_folds, **asked, instead=INSTEAD)
    if not 0 <= config.only_folds <= len(folds.part):
        raise InputError(f"config: only_folds={config.only_folds}; give 1 to folds={len(folds.part)}, or 0 for all")
    part = np.where(speech.label >= 0, folds.part, LEFT_OUT).astype(np.int8)[: config.only_folds or None]
    known = tuple(vocabulary(ids, rows == TRAIN, types=types, minimum=config.minimum) for rows in part)
    return Split(part, known, folds)


def make_members(
    config, split: Split, pieces: Pieces, examples: np.ndarray
) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray]]:
    """Names of the members, and their arrays: part i8[M, N], lookup i32[M, types], drop f32[M, types],
    example i32[M, E], draw i32[M], learning_rate f32[M].

    Args:
      examples: i32[F, E], which of the example utterances each fold explains.
    """
    folds = []
    for part, words, example in zip(split.part, split.vocabularies, examples, strict=True):
        drop = drop_probability(words.counts, t=config.frequent) if config.frequent else np.zeros(len(words.counts))
        own = {"part": part[pieces.utterance], "lookup": words.lookup, "drop": drop.astype(np.float32)}
        folds.append(own | {"example": example})
    return rate_members({"fusion": config.fusion}, folds, seeds=config.seeds, rates=tuple(config.learning_rates))


def choose_examples(
    speech: Waveforms, pieces: Pieces, part: np.ndarray, *, each: int
) -> tuple[np.ndarray, np.ndarray]:
    """Test utterances to explain: ``each`` of every class in every fold, of about the usual length, none in pieces.

    Returns:
      rows i32[P] of pieces, and example i32[F, each C], which of them each fold explains. A class without such an
      utterance is stood in for by another.
    """
    whole = np.bincount(pieces.utterance, minlength=len(speech.label))[pieces.utterance] == 1
    chosen = []
    for of_fold in part[:, pieces.utterance]:
        tests = np.flatnonzero((of_fold == TEST) & whole)
        tests = tests if len(tests) else np.flatnonzero(of_fold == TEST)
        usual = np.median(pieces.length[tests])
        tests = tests[np.argsort(np.abs(pieces.length[tests] - usual), kind="stable")]
        label = speech.label[pieces.utterance[tests]]
        rows = [tests[label == number][:each] for number in range(len(speech.classes))]
        rows = [np.resize(found if len(found) else tests, each) for found in rows]
        chosen.append(np.concatenate(rows))
    rows, example = np.unique(np.stack(chosen), return_inverse=True)
    return rows.astype(np.int32), example.reshape(len(part), -1).astype(np.int32)
