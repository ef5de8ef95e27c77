"""When each word of a transcript was said, from words that were aligned with the sound, which may be fewer."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from sejax.data.transcripts import tokens


def word_times(
    words: Sequence[str], aligned: Sequence[str], start: Sequence[float], end: Sequence[float], *, seconds: float
) -> tuple[list[float], list[float]] | None:
    """Start and end of each word in seconds; None where fewer than half of the words were aligned.

    Alignments lack what is no word (laughter, breath) and may spell otherwise. Words that were not aligned share the
    time between their neighbours equally.

    Args:
      words: as `sejax.data.transcripts.tokens` gives them.
      aligned: words in any spelling, with their start and end in seconds.
      seconds: of the recording.
    """
    said = [" ".join(tokens(word)) for word in aligned]
    begin, stop = np.full(len(words), np.nan), np.full(len(words), np.nan)
    for ours, theirs, size in SequenceMatcher(None, list(words), said, autojunk=False).get_matching_blocks():
        begin[ours : ours + size], stop[ours : ours + size] = start[theirs : theirs + size], end[theirs : theirs + size]
    lacking = np.isnan(begin)
    if not len(words) or 2 * lacking.sum() > len(words):
        return None
    place = 0
    while place < len(words):
        last = place + 1
        if lacking[place]:
            while last < len(words) and lacking[last]:
                last += 1
            before = stop[place - 1] if place else 0.0
            after = max(begin[last] if last < len(words) else seconds, before)
            edges = np.linspace(before, after, last - place + 1)
            begin[place:last], stop[place:last] = edges[:-1], edges[1:]
        place = last
    return begin.round(3).tolist(), stop.round(3).tolist()
