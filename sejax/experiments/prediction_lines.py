"""Predictions as lines of text: an utterance's posteriors, its blocks', and what its decisions rest on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sejax.data.ratings import expected
from sejax.experiments.prediction import Prediction, Predictor

MOST_WORDS = 5  # that a decision rests on most
_UTTERANCE = f"  {'utterance':16}"  # how its line begins


def lines_of(prediction: Prediction, predict: Predictor, *, blocks: bool = False) -> Iterator[str]:
    """The lines of one recording: posteriors in per cent of the utterance, under the names of the classes.

    Where speech is rated a table for each dimension; where transcripts are read what each piece's decision rests on.

    Args:
      prediction: what `predict` gave.
      blocks: a line for each block too.
    """
    if not predict.rated:
        yield from _table("", prediction, prediction.posteriors, prediction.utterance, predict.classes, blocks=blocks)
    for row, (dimension, points) in enumerate(predict.rated.items()):
        each, mean = prediction.posteriors[:, row], prediction.utterance[row]
        yield from _table(dimension, prediction, each, mean, points, blocks=blocks, rated=True)
    for start, end, piece in zip(prediction.start, prediction.end, prediction.pieces, strict=False):
        yield f"{_span(start, end)}  {_rests_on(piece)}"


def _table(title, prediction, posteriors, utterance, classes, *, blocks, rated=False) -> Iterator[str]:
    """Posteriors [N, C] and [C]; ``rated``: the classes are points, and each line ends with the mean.

    One point is no share of anything, but the rating itself.
    """
    itself = rated and len(classes) == 1

    def numbers(row):
        if itself:
            return f"{row[0]:{_width(classes) + 1}.2f}"
        return _per_cent(row, classes) + (f"{expected(row):10.2f}" if rated else "")

    yield header_line(title, classes) + ("  expected" if rated and not itself else "")
    if blocks:
        for start, stop, row in zip(prediction.start, prediction.end, posteriors, strict=True):
            yield _span(start, stop) + numbers(row)
    arrow = "most probable:" if rated else "->"  # of points the expected one, their mean, may be another
    decision = "" if itself else f"  {arrow} {classes[int(utterance.argmax())]}"
    count = len(prediction.start)
    of = f"   ({count} blocks, {prediction.start[0]:.2f} - {prediction.end[-1]:.2f} s)" if count > 1 else ""
    yield f"{_UTTERANCE}{numbers(utterance)}{decision}{of}"


def header_line(title: str, classes: Sequence[str]) -> str:
    """The names of the classes above their posteriors."""
    return f"  {title:16}" + "".join(f"{name:>{_width(classes) + 1}}" for name in classes)


def block_line(start: float, end: float, posterior: np.ndarray, classes: Sequence[str]) -> str:
    """When a block was, in seconds, and its posterior [C] in per cent."""
    return _span(start, end) + _per_cent(posterior, classes)


def utterance_line(posterior: np.ndarray, classes: Sequence[str]) -> str:
    """An utterance's posterior [C] in per cent."""
    return _UTTERANCE + _per_cent(posterior, classes)


def _span(start: float, end: float) -> str:
    return f"  {start:6.2f} - {end:6.2f} s"


def _per_cent(posterior: np.ndarray, classes: Sequence[str]) -> str:
    return "".join(f"{100 * p:{_width(classes)}.1f}%" for p in posterior)


def _width(classes: Sequence[str]) -> int:
    """Characters of a posterior in a table of these classes."""
    return max(8, *(len(name) for name in classes))


def _rests_on(piece: Mapping[str, Any]) -> str:
    """Attention to sound and words, and the words without which the decision would be least probable."""
    parts = []
    if piece["attention"] is not None:
        parts.append(f"attention: audio {piece['attention']:.3f}, text {1 - piece['attention']:.3f}")
    found = sorted(zip(piece["word_importance"] or (), piece["words"], strict=False), reverse=True)[:MOST_WORDS]
    if found:
        parts.append("words: " + ", ".join(f"{word} {100 * fall:+.1f}" for fall, word in found))
    return "; ".join(parts) or "sound alone"


def names_of(members: Sequence[Mapping[str, Any]]) -> str:
    """Names and values of some members in one line: "fold 0, 1; seed 0"."""
    values = {name: dict.fromkeys(str(member[name]) for member in members) for name in members[0]}
    return "; ".join(f"{name} {', '.join(found)}" for name, found in values.items())


def who_answers(predict: Predictor, *, text: bool) -> Iterator[str]:
    """Which members answer, and what of a recording they make nothing of; ``text``: whether one is given."""
    yield f"mean of {len(predict.members)} members: {names_of(predict.members)}"
    if predict.ignored == "text" and text:
        yield "these members hear the sound alone: the text changes nothing; --member names others"
    if predict.ignored == "audio":
        yield "these members read the text alone: the sound changes nothing; --member names others"
