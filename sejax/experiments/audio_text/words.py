"""In how many test utterances each word stood, and what the model made of these."""

from collections.abc import Sequence

import numpy as np


def word_counts(
    types: Sequence[str], ids: Sequence[np.ndarray], predicted: np.ndarray, num_classes: int
) -> dict[str, list]:
    """Counts for the word analysis of Lima and Bak (2018), section 4.2: they add up over folds.

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
