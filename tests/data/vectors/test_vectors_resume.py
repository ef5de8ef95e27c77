"""Kills, dead workers and long corpora: what a preparation of vectors survives, and what it costs."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import speech_like
from kills import Preparation

from sejax.audio.opensmile import SIZE, Extractor
from sejax.corpora.corpus import Utterance
from sejax.corpora.problems import Problem
from sejax.data.store import writing
from sejax.data.store.writing import UtteranceRow
from sejax.data.vectors import extraction, prepare
from sejax.data.vectors.extraction import Outcome
from sejax.data.vectors.load import Vectors
from sejax.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
SET = "*/emo*/*"
LENGTHS = (0.6, 0.7, 0.03, 0.6, 0.5, 0.7, 0.6)

PREPARATION = Preparation(
    setup="""
from sejax.data.store import writing
from sejax.data.vectors import extraction, prepare

prepare.GROUP = 2
""",
    places="""
    "extract": (extraction, "_functionals"),
    "append": (writing.GrowingArray, "append"),
    "journal": (writing.Journal, "append"),
    "finish": (writing.GrowingArray, "finish"),
    "column": (writing, "write_npy"),
    "index": (writing, "write_json"),
    "left out": (prepare, "write_text"),
""",
    call="""prepare.prepare_vectors("manifest", source, data, workers=1, allow_partial=True)""",
)


@pytest.mark.slow
def test_kills_at_every_stage_lead_to_the_same_bytes_as_no_kill(tmp_path, opensmile_installed):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    places = [("extract", 1), ("append", 0), ("append", 1), ("journal", 1), ("finish", 0), ("column", 2)]
    places += [("index", 1), ("left out", 0)]
    finished = "*/emobase2010-*[!d]/features.npy"
    killed, whole = PREPARATION.killed_and_whole(source, tmp_path, places, finished=finished, pattern=SET)
    assert len(whole) == 8 and killed == whole
    assert Vectors.load(next((tmp_path / "whole").glob("*/emo*"))).utterance_ids == ("u0", "u1", "u3", "u4", "u5", "u6")


def test_what_was_noted_is_not_extracted_again(tmp_path, opensmile_installed, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    monkeypatch.setattr(prepare, "GROUP", 2)
    original, calls = Extractor.extract, []

    def counted(extractor, *arguments):
        if len(calls) == limit:
            raise KeyboardInterrupt
        calls.append(arguments)
        return original(extractor, *arguments)

    monkeypatch.setattr(Extractor, "extract", counted)
    limit = 5
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare_vectors("manifest", source, tmp_path / "data", workers=1, allow_partial=True)
    limit, calls = 99, []
    made = prepare.prepare_vectors("manifest", source, tmp_path / "data", workers=1, allow_partial=True)
    assert len(calls) == len(LENGTHS) - 4
    whole = prepare.prepare_vectors("manifest", source, tmp_path / "whole", workers=1, allow_partial=True)
    np.testing.assert_array_equal(Vectors.load(made).features, Vectors.load(whole).features)


def test_the_progress_goes_on_where_it_was_and_ends_at_the_whole(tmp_path, opensmile_installed):
    source = speech_like.corpus(tmp_path / "source", (0.6, 0.7, 0.6))
    told = []
    prepare.prepare_vectors("manifest", source, tmp_path, workers=1, progress=lambda *values: told.append(values))
    of_vectors = [(done, total) for stage, done, total in told if stage == "emobase2010"]
    assert of_vectors[0] == (0, pytest.approx(1.9)) and of_vectors[-1] == (pytest.approx(1.9), pytest.approx(1.9))


ORPHANS = """
import multiprocessing, sys
import numpy as np
from sejax.corpora.corpus import Utterance
from sejax.data.vectors.extraction import extract

def utterances():
    while True:
        yield Utterance(id="u", waveform=np.random.default_rng(0).integers(-999, 999, 4000, np.int16), rate=16000)

for number, _ in enumerate(extract(utterances(), features="is10", workers=2)):
    if number == 0:
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks for processes in /proc")
def test_workers_end_with_the_process_that_started_them_even_if_it_is_killed(opensmile_installed):
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while (left := [pid for pid in workers if _runs(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def _runs(pid):
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def noise(count, seconds=0.3):
    random = np.random.default_rng(0)
    for number in range(count):
        waveform = random.integers(-999, 999, round(16000 * seconds)).astype(np.int16)
        yield Utterance(id=f"u{number}", waveform=waveform, rate=16000)


def test_a_worker_that_dies_is_an_error_that_says_how_to_go_on(opensmile_installed):
    outcomes = extraction.extract(noise(100), features="is10", workers=2)
    next(outcomes)
    import multiprocessing

    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(InputError, match="a worker process died.*goes on where it was"):
        list(outcomes)


def test_utterances_are_read_a_few_ahead_and_no_more(opensmile_installed, monkeypatch):
    read = []

    def counted():
        for utterance in noise(60, seconds=0.2):
            read.append(utterance)
            yield utterance

    outcomes = extraction.extract(counted(), features="is10", workers=2)
    for done, found in enumerate(outcomes):
        assert found.row.id == f"u{done}"
        assert len(read) <= done + 1 + 2 * extraction._AHEAD
    assert len(read) == 60
    monkeypatch.setattr(extraction, "_AHEAD_BYTES", 1000)  # an utterance has 6400
    read.clear()
    for done, _ in enumerate(extraction.extract(counted(), features="is10", workers=2)):
        assert len(read) <= done + 2


class Corpus:
    """As much of a corpus, and of a builder, as `_compute` looks at."""

    recordings = ()


def outcomes_of(count, sizes):
    """Outcomes without openSMILE, noting the memory in use at the start of each thousand."""
    values = np.zeros(SIZE, np.float32)
    for number in range(count):
        if number % 1000 == 0:
            sizes.append(tracemalloc.get_traced_memory()[0])
        row = UtteranceRow(f"utterance-{number:06}", f"s{number % 7}", "", "", "", 3.0)
        problem = Problem("file", "is bad", "mend it") if number % 100 == 99 else None
        yield Outcome(row, None if problem else values, problem)


def test_memory_stays_flat_however_long_the_corpus_is(tmp_path):
    sizes = []
    tracemalloc.start()
    through = lambda utterances, first, folder, told: outcomes_of(5001, sizes)  # noqa: E731
    prepare._compute(Corpus(), Corpus(), tmp_path, through, lambda done: None)
    tracemalloc.stop()
    assert len(sizes) == 6
    assert max(sizes[2:]) - sizes[1] < 200_000  # bytes; the rows of 4000 utterances would be millions
    array = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert array.shape == (4951, SIZE)
    assert sum(len(group["left_out"]) for group in writing.Journal(tmp_path / "journal.jsonl")) == 50
