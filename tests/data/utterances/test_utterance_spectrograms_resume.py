"""Kills and long recordings: what a preparation of whole-utterance spectrograms survives, and what it costs."""

import tracemalloc

import numpy as np
import pytest
import speech_like
from kills import Preparation, interrupted

from sejax.corpora import builder
from sejax.data.utterances import prepare as module
from sejax.data.utterances.frames import FRAMES, frame_batches
from sejax.data.utterances.load import UtteranceSettings, UtteranceSpectrograms

SET = "*/utterance_spectrograms-*/*"
LENGTHS = (1.5, 2.2, 1.3, 3.0, 1.1, 2.6, 1.9)

PREPARATION = Preparation(
    setup="""
from sejax.corpora import builder
from sejax.data.store import writing
from sejax.data.utterances import prepare

builder.LEAST = 2.0
""",
    places="""
    "frames": (prepare, "spans_of"),
    "append": (writing.GrowingArray, "append"),
    "journal": (writing.Journal, "append"),
    "finish": (writing.GrowingArray, "finish"),
    "column": (writing, "write_npy"),
""",
    call="""prepare.prepare_utterances("manifest", source, data)""",
)


@pytest.mark.slow
def test_kills_at_every_stage_lead_to_the_same_bytes_as_no_kill(tmp_path):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    places = [("frames", 3), ("append", 1), ("journal", 1), ("finish", 0), ("column", 4)]
    finished = "*/utterance_spectrograms-*[!d]/settings.json"
    killed, whole = PREPARATION.killed_and_whole(source, tmp_path, places, finished=finished, pattern=SET)
    assert len(whole) == 16 and killed == whole


def test_utterances_of_noted_groups_are_not_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "LEAST", 2.0)
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "spans_of", 3)
        module.prepare_utterances("manifest", source, tmp_path / "data")
    with monkeypatch.context() as patch:
        seen = interrupted(patch, module, "spans_of", 99)
        made = module.prepare_utterances("manifest", source, tmp_path / "data")
    # Groups of at least 2 s: 1.5 + 2.2 | 1.3 + 3.0 | 1.1 + 2.6 | 1.9; the second was interrupted in its middle.
    assert [utterance.id for utterance in seen] == ["u2", "u3", "u4", "u5", "u6"]
    assert UtteranceSpectrograms.load(made).utterance_ids == tuple(f"u{number}" for number in range(7))


def test_half_an_hour_passes_in_pieces_of_bounded_size():
    settings = UtteranceSettings(bands=8)
    minute = np.random.default_rng(0).integers(-3000, 3000, 60 * 16000).astype(np.int16)
    half_hour = np.tile(minute, 30)
    tracemalloc.start()
    count = most = 0
    for part, _ in frame_batches([half_hour], settings):
        count, most = count + len(part), max(most, len(part))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1 + len(half_hour) // 256 and most < FRAMES
    assert peak < 20e6  # bytes, on numpy's side: two buffers, not the 57 MB of the samples once more
