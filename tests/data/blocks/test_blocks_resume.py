"""Kills: a preparation that is killed at any place goes on where it was, and ends with the same bytes."""

from pathlib import Path

import pytest
import speech_like
from kills import Preparation, interrupted

from sejax import corpora
from sejax.corpora import builder
from sejax.data.blocks import prepare as module
from sejax.data.blocks.load import Spectrograms
from sejax.data.blocks.prepare import prepare_blocks
from sejax.data.store import writing
from sejax.errors import InputError

LENGTHS = (1.5, 2.2, 1.3, 3.0, 1.1, 2.6, 1.9)

PREPARATION = Preparation(
    setup="""
from sejax.corpora import builder, corpus
from sejax.data.blocks import prepare
from sejax.data.store import writing

builder.LEAST = 2.0
""",
    places="""
    "decode": (corpus, "decode"),
    "shard": (builder, "write_json"),
    "link": (builder.os, "link"),
    "block": (prepare, "voiced_blocks"),
    "append": (writing.GrowingArray, "append"),
    "journal": (writing.Journal, "append"),
    "index": (writing, "write_npy"),
    "rename": (writing.os, "replace"),
""",
    call="""prepare.prepare_blocks("manifest", source, data)""",
)


@pytest.mark.slow
def test_kills_at_every_stage_lead_to_the_same_bytes_as_no_kill(tmp_path):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    places = [("decode", 3), ("shard", 1), ("link", 1), ("block", 1), ("append", 1), ("journal", 1), ("index", 4)]
    finished = "*/spectrograms-*[!d]/settings.json"
    killed, whole = PREPARATION.killed_and_whole(source, tmp_path, places, finished=finished)
    assert killed.keys() == whole.keys()
    assert not [name for name in killed if "unfinished" in name or "shards" in name or "incomplete" in name]
    # TFDS notes the time of writing; everything else is equal byte for byte.
    assert [name for name in whole if killed[name] != whole[name] and not name.endswith("dataset_info.json")] == []


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(builder, "LEAST", 2.0)


def test_utterances_of_finished_shards_are_not_decoded_again(tmp_path, small_groups, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, corpora.corpus, "decode", 5)
        prepare_blocks("manifest", source, tmp_path / "data")
    with monkeypatch.context() as patch:
        seen = interrupted(patch, corpora.corpus, "decode", 99)
        prepare_blocks("manifest", source, tmp_path / "data")
    # Groups of at least 2 s: 1.5 + 2.2 | 1.3 + 3.0 | 1.1 + 2.6 | 1.9; the third was interrupted in its middle.
    assert [Path(path).stem for path in seen] == ["f4", "f5", "f6"]


def test_blocks_of_finished_groups_are_not_computed_again(tmp_path, small_groups, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "voiced_blocks", 3)
        prepare_blocks("manifest", source, tmp_path / "data")
    with monkeypatch.context() as patch:
        seen = interrupted(patch, module, "voiced_blocks", 99)
        made = prepare_blocks("manifest", source, tmp_path / "data")
    assert len(seen) == 5
    assert Spectrograms.load(made).utterance_ids == tuple(f"u{number}" for number in range(7))


def test_a_half_written_journal_line_is_cut_off(tmp_path, small_groups, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    whole = Spectrograms.load(prepare_blocks("manifest", source, tmp_path / "whole"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "voiced_blocks", 3)
        prepare_blocks("manifest", source, tmp_path / "data")
    (unfinished,) = (tmp_path / "data").glob("*/spectrograms-*.unfinished")
    with open(unfinished / "journal.jsonl", "a") as file:
        file.write('[{"id": "u2", "spea')
    with open(unfinished / "spectrogram.npy", "ab") as file:
        file.write(b"rows that no journal line vouches for")
    made = Spectrograms.load(prepare_blocks("manifest", source, tmp_path / "data"))
    assert (made.spectrogram == whole.spectrogram).all()
    assert made.utterance_ids == whole.utterance_ids


def test_images_that_the_journal_counts_but_the_disk_lost_are_an_error(tmp_path, small_groups, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "voiced_blocks", 3)
        prepare_blocks("manifest", source, tmp_path / "data")
    (unfinished,) = (tmp_path / "data").glob("*/spectrograms-*.unfinished")
    with open(unfinished / "spectrogram.npy", "r+b") as file:
        file.truncate(5000)
    with pytest.raises(InputError, match=r"holds fewer than the \d+ rows its journal counts; delete"):
        prepare_blocks("manifest", source, tmp_path / "data")


@pytest.mark.parametrize(("name", "place"), [("journal.jsonl", 30), ("spectrogram.npy", 400)])
def test_half_a_preparation_that_was_damaged_is_not_gone_on_with(tmp_path, small_groups, monkeypatch, name, place):
    source = speech_like.corpus(tmp_path / "source", LENGTHS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "voiced_blocks", 3)
        prepare_blocks("manifest", source, tmp_path / "data")
    (unfinished,) = (tmp_path / "data").glob("*/spectrograms-*.unfinished")
    content = bytearray((unfinished / name).read_bytes())
    content[place] ^= 1
    (unfinished / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.* is damaged .* digest.*; delete {unfinished}"):
        prepare_blocks("manifest", source, tmp_path / "data")


def test_two_preparations_of_one_set_do_not_mix(tmp_path, monkeypatch):
    source = speech_like.corpus(tmp_path / "source", (1.5,))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted(patch, module, "voiced_blocks", 0)
        prepare_blocks("manifest", source, tmp_path / "data")
    (unfinished,) = (tmp_path / "data").glob("*/spectrograms-*.unfinished")
    with writing.only_one(unfinished / "lock"), pytest.raises(InputError, match="by another process"):
        prepare_blocks("manifest", source, tmp_path / "data")
