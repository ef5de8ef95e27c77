"""The one writer of prepared sets: what it holds of a long corpus, and what is read ahead."""

import gc
from types import SimpleNamespace

import numpy as np

from sejax.corpora import records
from sejax.corpora.builder import SPLIT
from sejax.corpora.corpus import Corpus, Utterance
from sejax.data.store.writing import UtteranceRow, write_array

SHARDS = (50,) * 4


class Utterances:
    """As much of a builder as `write_array` looks at; notes what is read, and how many are held as a shard begins."""

    info = SimpleNamespace(splits={SPLIT: SimpleNamespace(shard_lengths=SHARDS)})

    def __init__(self):
        self.read, self.held = [], []
        self._waveform = np.random.default_rng(0).integers(-999, 999, 1600).astype(np.int16)

    def as_data_source(self, split, deserialize_method):
        return self

    def __getitem__(self, number):
        if number % SHARDS[0] == 0:
            self.held.append(sum(type(each) in (UtteranceRow, Utterance) for each in gc.get_objects()))
        self.read.append(number)
        utterance = Utterance(id=f"u{number:05}", speaker="s", waveform=self._waveform + np.int16(number), rate=16000)
        return records.to_record(utterance, Corpus("made", ()))


def written(utterances, folder, *, report=lambda done: None):
    return write_array(
        utterances,
        folder,
        lambda utterance: (UtteranceRow.of(utterance), utterance.waveform[:1]),
        array="first",
        shape=(),
        dtype="<i2",
        row=UtteranceRow,
        length=lambda row: 1,
        seconds_each=0.1,
        level="none",
        report=report,
    )


def test_nothing_of_a_shard_is_held_when_the_next_begins(tmp_path):
    utterances = Utterances()
    rows = written(utterances, tmp_path)
    assert utterances.held == [0] * len(SHARDS)
    assert [row.id for row in rows] == [f"u{number:05}" for number in range(sum(SHARDS))]
    np.testing.assert_array_equal(
        np.load(tmp_path / "first.npy"), [utterances._waveform[0] + number for number in range(sum(SHARDS))]
    )


def test_no_utterance_is_read_from_the_shard_after(tmp_path):
    utterances, ahead = Utterances(), []
    written(utterances, tmp_path, report=lambda done: ahead.append(len(utterances.read)))
    assert ahead[-1] == sum(SHARDS) and utterances.read == list(range(sum(SHARDS)))
    assert ahead[0] == SHARDS[0]  # 5 s of audio, less than the 300 that may be ahead
