"""Utterances to openSMILE functionals, in order, on all cores: one extractor in each process."""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sejax.audio.opensmile import Extractor, NoFeatures
from sejax.corpora.problems import Problem
from sejax.corpora.utterance import Utterance
from sejax.data.rows import Row
from sejax.errors import InputError

_AHEAD = 4  # utterances for each process that wait for it or for their turn to be written
_AHEAD_BYTES = 64 * 2**20  # and never more samples than this, however long the recordings are


@dataclass(frozen=True, eq=False)
class Outcome:
    """An utterance's functionals f32[F], or the problem that leaves it without."""

    row: Row
    values: np.ndarray | None = None
    problem: Problem | None = None


def extract(utterances: Iterable[Utterance], *, features: str, workers: int | None = None) -> Iterator[Outcome]:
    """Functionals of utterances, in their order.

    Args:
      utterances: read one at a time, a few ahead of the processes.
      features: the name of an openSMILE feature set.
      workers: processes; None takes one for each core that this process may use, 1 none beside this one.

    With several workers the calling script must start its work under `if __name__ == "__main__":`, since a fresh
    process imports it. Raises InputError when a worker process dies.
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 1:
        raise InputError(f"workers={workers}: use at least 1 process")
    if workers == 1:
        extractor = Extractor(features)
        for utterance in utterances:
            yield outcome(utterance, extractor)
        return
    try:
        yield from _in_processes(utterances, features, workers)
    except concurrent.futures.process.BrokenProcessPool as error:
        raise InputError(
            "a worker process died: stopped from outside (for want of memory, say), or the script that asked for it"
            ' does not guard its work with `if __name__ == "__main__":`; run it again and it goes on where it was, or'
            " pass workers=1"
        ) from error


def outcome(utterance: Utterance, extractor: Extractor) -> Outcome:
    """The functionals of one utterance, in this process."""
    return _join(Row.of(utterance), _functionals(utterance.waveform, utterance.rate, extractor), utterance)


def _join(row: Row, found: np.ndarray | tuple[str, str], utterance) -> Outcome:
    if isinstance(found, tuple):
        return Outcome(row, problem=Problem(utterance.path or utterance.id, *found))
    return Outcome(row, found)


def _functionals(waveform: np.ndarray, rate: int, extractor: Extractor) -> np.ndarray | tuple[str, str]:
    """f32[F], or what is wrong and its remedy."""
    try:
        return extractor(waveform, rate)
    except NoFeatures as error:
        return error.what, error.remedy


def _in_processes(utterances: Iterable[Utterance], features: str, workers: int) -> Iterator[Outcome]:
    """As `extract`: a window of utterances is with the processes, its oldest is handed on first."""
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(features,)
    )
    window: collections.deque = collections.deque()
    held = 0
    with contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        for utterance in utterances:
            window.append((utterance, pool.submit(_in_worker, utterance.waveform, utterance.rate)))
            held += utterance.waveform.nbytes
            while len(window) > _AHEAD * workers or (held > _AHEAD_BYTES and len(window) > 1):
                first, future = window.popleft()
                held -= first.waveform.nbytes
                yield _join(Row.of(first), future.result(), first)
        for first, future in window:
            yield _join(Row.of(first), future.result(), first)


_extractor: Extractor | None = None  # of this worker process


def _begin(features: str) -> None:
    """Get a worker process ready; it ends with the process that started it, even when that one is killed."""
    global _extractor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted parent stops its workers itself
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    _extractor = Extractor(features)


def _end_with(parent) -> None:
    parent.join()
    os._exit(1)


def _in_worker(waveform: np.ndarray, rate: int) -> np.ndarray | tuple[str, str]:
    return _functionals(waveform, rate, _extractor)
