"""Timing of several sides in one run: they take turns, so that whatever else the machine does meets all of them."""

import statistics
import time


def medians(calls, rounds, *, clock=time.perf_counter):
    """Median seconds of each call by a clock, after one to warm up; the calls take turns."""
    seconds = [[] for _ in calls]
    for turn in range(rounds + 1):
        for call, taken in zip(calls, seconds, strict=True):
            start = clock()
            call()
            if turn:
                taken.append(clock() - start)
    return [statistics.median(taken) for taken in seconds]
