"""Kills, errors and long corpora: what a preparation of vectors survives, and what it costs."""

import threading
import tracemalloc

import numpy as np
import pytest
import speech_like
from kills import Preparation

from sejax.audio.opensmile import Extractor, size
from sejax.corpora.corpus import Utterance
from sejax.corpora.problems import Problem
from sejax.data.store import writing
from sejax.data.store.writing import UtteranceRow
from sejax.data.vectors import extraction, prepare
from sejax.data.vectors.extraction import Outcome
from sejax.data.vectors.load import Vectors

SET = "*/emo*/*"
LENGTHS = (0.6, 0.7, 0.03, 0.6, 0.5, 0.7, 0.6)

PREPARATION = Preparation(
    setup="""
from sejax.data.store import writing
from sejax.data.vectors import extraction, prepare

prepare.GROUP = 2
""",
    places="""
    "extract": (extraction, "outcome"),
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
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):  # at the utterance after the one that was interrupted
            thread.join()
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


def noise(count, seconds=0.3):
    random = np.random.default_rng(0)
    for number in range(count):
        waveform = random.integers(-999, 999, round(16000 * seconds)).astype(np.int16)
        yield Utterance(id=f"u{number}", waveform=waveform, rate=16000)


def test_an_error_in_a_thread_ends_the_extraction(opensmile_installed, monkeypatch):
    def runs_out(extractor, waveform, rate):
        raise MemoryError("no room")

    outcomes = extraction.extract(noise(100), features="is10", workers=2)
    next(outcomes)
    monkeypatch.setattr(Extractor, "extract", runs_out)
    with pytest.raises(MemoryError, match="no room"):
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
    values = np.zeros(size("is10"), np.float32)
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
    prepare._compute(Corpus(), Corpus(), tmp_path, through, lambda done: None, columns=size("is10"))
    tracemalloc.stop()
    assert len(sizes) == 6
    assert max(sizes[2:]) - sizes[1] < 200_000  # bytes; the rows of 4000 utterances would be millions
    array = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert array.shape == (4951, size("is10"))
    assert sum(len(group["left_out"]) for group in writing.Journal(tmp_path / "journal.jsonl")) == 50
