"""Which words go with which predictions: Lima and Bak (2018), section 4.2, from counts that add up over folds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_NOTHING = 1e-12  # nats: what rounding leaves of a word that tells nothing


def word_counts(
    types: Sequence[str], ids: Sequence[np.ndarray], predicted: np.ndarray, num_classes: int
) -> dict[str, list]:
    """In how many test utterances each word stood, and what the model made of these.

    Args:
      types: word types.
      ids: for each of n test utterances, i32[n_u] of its words; an utterance counts once however often it says one.
      predicted: i32[n], the class that the model chose, 0 to C - 1.
      num_classes: C.

    Returns:
      As results.json has it: "text", the types that occur, in their order; "present", the utterances with each;
      "predicted", per type C numbers, how many of these were taken for each class.
    """
    counts = np.zeros((len(types), num_classes), np.int64)
    for words, choice in zip(ids, predicted, strict=True):
        counts[np.unique(words), choice] += 1
    present = counts.sum(1)
    rows = np.flatnonzero(present)
    return {
        "text": [types[row] for row in rows],
        "present": present[rows].tolist(),
        "predicted": counts[rows].tolist(),
    }


@dataclass(frozen=True)
class Word:
    """A word beside one class.

    present: test utterances that hold it; ratio: the share of these that were predicted as the class; information:
    mutual information, in nats, of holding the word and being predicted as the class, over all test utterances.
    """

    text: str
    present: int
    ratio: float
    information: float


def class_words(members: Iterable[Mapping], *, top: int = 3, minimum: int = 2) -> list[list[Word]]:
    """The words of highest mutual information with the predictions of each class, as in Table 6.

    A word may tell of a class by its absence: its ratio is low then. Words that tell nothing are left out, so a class
    that was never predicted has none.

    Args:
      members: of one fusion, as results.json has them: "words" {"text", "present", "predicted"}, "utterances" and
        "predicted", which add up here. Where several seeds share a fold, an utterance counts once for each. Members
        that failed or hold no words are passed over.
      top: words of a class at most.
      minimum: utterances that a word stands in at least, 1 or more.

    Returns:
      For each class its words, the most telling first (of equals the more frequent, then by text); [] where no member
      holds words.
    """
    members = [member for member in members if member.get("words") and not member.get("failed")]
    if not members:
        return []
    texts, present, predicted = _added(members)
    utterances, total = (np.sum([member[name] for member in members], 0) for name in ("utterances", "predicted"))
    information = mutual_information(present, predicted, utterances, total)
    found = []
    for hits, nats in zip(predicted.T, information.T, strict=True):
        rows = np.flatnonzero((present >= minimum) & (nats > _NOTHING))
        words = [Word(texts[row], int(present[row]), float(hits[row] / present[row]), float(nats[row])) for row in rows]
        found.append(sorted(words, key=_order)[:top])
    return found


def _order(word: Word) -> tuple[float, int]:
    return -round(word.information, 12), -word.present  # equals may differ by rounding


def mutual_information(present: np.ndarray, predicted: np.ndarray, utterances: int, total: np.ndarray) -> np.ndarray:
    """f64[S, C] in nats: of holding a word, or not, and being predicted as a class, or as another.

    Args:
      present: i64[S], utterances with each word.
      predicted: i64[S, C], those of them that were predicted as each class.
      utterances: all of them, at least 1.
      total: i64[C], all that were predicted as each class.
    """
    with_word, of_class = present[:, None], total[None, :]
    cells = (
        (predicted, with_word, of_class),
        (with_word - predicted, with_word, utterances - of_class),
        (of_class - predicted, utterances - with_word, of_class),
        (utterances - with_word - of_class + predicted, utterances - with_word, utterances - of_class),
    )
    nats = np.zeros(predicted.shape)
    for both, one, other in cells:
        some = both > 0  # an empty cell adds nothing, the limit of p log p
        ratio = np.where(some, both * float(utterances), 1) / np.where(some, one * other, 1)
        nats += both / utterances * np.log(ratio)
    return np.maximum(nats, 0)


def _added(members: list[Mapping]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """S sorted texts, and over all members the utterances with each, i64[S], and their predictions, i64[S, C]."""
    texts = sorted({text for member in members for text in member["words"]["text"]})
    number = {text: row for row, text in enumerate(texts)}
    classes = len(members[0]["predicted"])
    present, predicted = np.zeros(len(texts), np.int64), np.zeros((len(texts), classes), np.int64)
    for member in members:
        words = member["words"]
        rows = np.array([number[text] for text in words["text"]], np.int64)
        present[rows] += np.array(words["present"], np.int64)
        predicted[rows] += np.array(words["predicted"], np.int64).reshape(len(rows), classes)
    return texts, present, predicted
