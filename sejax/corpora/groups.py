"""Consecutive records grouped by duration: the unit that a preparation finishes before it starts the next."""

import numpy as np

LEAST = 600.0  # seconds of audio in a group: a kill loses a second or two of work
MOST_GROUPS = 1000  # and a large corpus does not come as a hundred thousand files


def groups(seconds: np.ndarray) -> list[range]:
    """Split records of the given durations (s) into consecutive ranges; depends on the durations alone."""
    least = max(LEAST, float(seconds.sum()) / MOST_GROUPS)
    found, first, held = [], 0, 0.0
    for index, duration in enumerate(seconds):
        held += float(duration)
        if held >= least:
            found.append(range(first, index + 1))
            first, held = index + 1, 0.0
    if first < len(seconds):
        found.append(range(first, len(seconds)))
    return found
