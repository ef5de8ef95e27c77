"""What was said, as words: transcripts cut into tokens, and the word types that a corpus uses."""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

_TAG = re.compile(r"\[([^\[\]]*)\]")
_APOSTROPHES = "'\u2019\u02bc"  # typewriter, typographic, and the letter that Ukrainian and others use


class _Kept(dict):
    """What becomes of a character: it stays, or a blank takes its place; for `str.translate`, filled as asked."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _APOSTROPHES:
            kept = "'"
        elif category == "Cf":  # soft hyphens, byte-order marks: they stand inside words and are no part of them
            kept = ""
        else:  # marks are the vowel signs of many scripts
            kept = character if category[0] in "LMN" else " "
        self[code] = kept
        return kept


_KEPT = _Kept()


def tokens(text: str) -> tuple[str, ...]:
    """The words of a transcript, in order.

    Words are in lower case (Unicode's composed form, NFC), without punctuation; hyphens part words, apostrophes inside
    a word stay ("don't"). A tag in square brackets is one token: "[LAUGHTER]" gives "[laughter]". Any script will do;
    one that puts no blanks between words (Chinese, Thai) needs them in the transcript, or a clause is one word.
    """
    found: list[str] = []
    for place, part in enumerate(_TAG.split(unicodedata.normalize("NFC", text.lower()))):
        words = [word for word in (piece.strip("'") for piece in part.translate(_KEPT).split()) if word]
        if place % 2:  # what stood between brackets
            found += [f"[{'_'.join(words)}]"] if words else []
        else:
            found += words
    return tuple(found)


def word_types(transcripts: Iterable[str]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Every different word of the transcripts, and the transcripts as indices into these.

    Returns:
      types, sorted by code point, and for each transcript i32[n_u], n_u >= 0 words.
    """
    said = [tokens(text) for text in transcripts]
    types = tuple(sorted({word for words in said for word in words}))
    number = {word: index for index, word in enumerate(types)}
    return types, [np.array([number[word] for word in words], np.int32) for words in said]
