"""Batches of utterances: as the set holds them, in few shapes, by step, in shards, after a restart, however long."""

import dataclasses
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import toy_dialogue

from sejax.core.experiment import Plan
from sejax.data.buckets import choose_buckets, cut
from sejax.data.streams import read_batch, stream_utterances, utterance_batches
from sejax.errors import InputError

pytest.importorskip("grain")
ROOT = Path(__file__).resolve().parents[2]
SPOKEN = toy_dialogue.spoken()
WORDS = [np.arange(len(text.split()), dtype=np.int32) + 1 + 10 * n for n, text in enumerate(SPOKEN.transcripts)]
PIECES = cut(SPOKEN, WORDS, longest=4000, most_words=6)  # some utterances are two
BUCKETS = choose_buckets(PIECES.length, PIECES.word_count, shapes=3)
BUCKETS = dataclasses.replace(BUCKETS, words=(2, 4, 6))  # as different as lengths are
OPTIONS = {"batch_size": 8, "seed": 2}


def by_hand(index, valid, samples, words):
    """The arrays of a batch in a shape, piece by piece."""
    waveform = np.zeros((len(index), samples), np.int16)
    types = np.zeros((len(index), words), np.int32)
    for row, piece in enumerate(index):
        if valid[row]:
            said = SPOKEN.waveform[PIECES.start[piece] : PIECES.start[piece] + PIECES.length[piece]]
            waveform[row, : len(said)] = said
            said = PIECES.words[PIECES.first_word[piece] : PIECES.first_word[piece] + PIECES.word_count[piece]]
            types[row, : len(said)] = said
    return waveform, types


def equal(one, other):
    """Whether two batches have the same arrays."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
        assert one[name].dtype == other[name].dtype


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """The set on the disk, memory-mapped."""
    path = tmp_path_factory.mktemp("set") / "waveform.npy"
    np.save(path, SPOKEN.waveform)
    return np.load(path, mmap_mode="r")


def test_a_batch_holds_the_pieces_samples_and_words_in_the_shape_of_its_largest_bucket(mapped):
    of = BUCKETS.of(PIECES.length, PIECES.word_count)
    middle = np.flatnonzero(of == 1)[:3]
    index = np.array([*middle, np.flatnonzero(of == 0)[0], np.flatnonzero(of == 2)[0]])
    valid = np.array([True, True, True, True, False])
    batch = read_batch(mapped, PIECES, BUCKETS, index, valid)
    waveform, words = by_hand(index, valid, BUCKETS.samples[1], BUCKETS.words[1])
    np.testing.assert_array_equal(batch["waveform"], waveform)
    np.testing.assert_array_equal(batch["words"], words)
    np.testing.assert_array_equal(batch["length"], [*PIECES.length[index[:4]], 0])
    np.testing.assert_array_equal(batch["word_count"], [*PIECES.word_count[index[:4]], 0])
    np.testing.assert_array_equal(batch["index"], index)
    np.testing.assert_array_equal(batch["valid"], valid)
    assert type(batch["waveform"]) is np.ndarray and batch["waveform"].any(axis=1).tolist() == valid.tolist()
    dtypes = {name: batch[name].dtype.name for name in ("waveform", "length", "words", "word_count")}
    assert dtypes == {"waveform": "int16", "length": "int32", "words": "int32", "word_count": "int32"}


def test_a_batch_without_a_valid_row_is_empty_and_short():
    batch = read_batch(SPOKEN.waveform, PIECES, BUCKETS, np.arange(4), np.zeros(4, bool))
    assert batch["waveform"].shape == (4, BUCKETS.samples[0]) and not batch["waveform"].any()
    assert not batch["length"].any() and not batch["word_count"].any()


def test_one_sample_silence_and_an_empty_transcript_are_utterances_like_others():
    odd = SimpleNamespace(offset=np.array([0, 1, 101, 131]), utterance_ids=("one", "silent", "mute"))
    waveform = np.array([-7, *[0] * 100, *range(30)], np.int16)
    pieces = cut(
        odd, [np.array([4], np.int32), np.array([5, 6], np.int32), np.zeros(0, np.int32)], longest=64, most_words=9
    )
    buckets = choose_buckets(pieces.length, pieces.word_count, shapes=2)
    batch = read_batch(waveform, pieces, buckets, np.arange(4), np.ones(4, bool))
    assert batch["waveform"].shape == (4, 50) and batch["length"].tolist() == [1, 50, 50, 30]
    assert batch["waveform"][0].tolist() == [-7] + [0] * 49 and not batch["waveform"][1:3].any()
    np.testing.assert_array_equal(batch["words"], [[4], [5], [6], [0]])
    assert batch["word_count"].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("members", [(), (3,)])
@pytest.mark.parametrize("prefetch", [1, 4])
def test_a_stream_gives_the_batches_of_its_plans_in_their_order(mapped, members, prefetch):
    random = np.random.default_rng(0)
    shape = (*members, 5)
    plans = [Plan(random.integers(0, len(PIECES.length), shape), random.random(shape) < 0.8) for _ in range(9)]
    label = SPOKEN.label[PIECES.utterance]
    streamed = list(
        stream_utterances(iter(plans), waveform=mapped, pieces=PIECES, buckets=BUCKETS, label=label, prefetch=prefetch)
    )
    assert len(streamed) == 9
    for batch, plan in zip(streamed, plans, strict=True):
        whole = read_batch(mapped, PIECES, BUCKETS, plan.index, plan.valid) | {"label": label[plan.index]}
        equal(batch, whole)
        longest = PIECES.length[plan.index][plan.valid].max()  # of all members: they share a shape
        assert batch["waveform"].shape == (*shape, min(end for end in BUCKETS.samples if end >= longest))
        assert batch["label"].dtype == np.int32


def test_parts_of_a_batch_that_several_processes_read_are_its_rows_in_its_shape():
    random, shape = np.random.default_rng(1), (2, 6)  # members, rows
    plans = [Plan(random.integers(0, len(PIECES.length), shape), random.random(shape) < 0.8) for _ in range(7)]
    held = {"waveform": SPOKEN.waveform, "pieces": PIECES, "buckets": BUCKETS, "label": SPOKEN.label[PIECES.utterance]}
    whole = list(stream_utterances(plans, **held))
    for part in ((slice(1), slice(6)), (slice(1, 2), slice(0, 3)), (slice(2), slice(3, 6))):
        own = [Plan(plan.index[part], plan.valid[part], whole=plan) for plan in plans]
        for batch, expected in zip(stream_utterances(own, **held), whole, strict=True):
            equal(batch, {name: array[part] for name, array in expected.items()})


def test_no_plans_give_no_batches():
    nothing = {"waveform": SPOKEN.waveform, "pieces": PIECES, "buckets": BUCKETS, "label": SPOKEN.label}
    assert list(stream_utterances([], **nothing)) == []


def batches_of(**changes):
    return utterance_batches(SPOKEN, PIECES, BUCKETS, **OPTIONS | changes)


def test_an_epoch_holds_every_active_piece_once_and_epochs_differ():
    active = np.arange(len(PIECES.length)) % 3 > 0
    batches, epochs = -(-int(active.sum()) // 8), []
    found = batches_of(active=active)
    for epoch in range(2):
        rows = [found[epoch * batches + place] for place in range(batches)]
        epochs.append([row["index"][row["valid"]].tolist() for row in rows])
        assert sorted(sum(epochs[-1], [])) == np.flatnonzero(active).tolist()
        assert sum((~row["valid"]).sum() for row in rows) == 8 * batches - active.sum()
    assert epochs[0] != epochs[1]
    shapes = {found[step]["waveform"].shape for step in range(4 * batches)}
    assert len(shapes) == 3 and {rows for rows, _ in shapes} == {8}


def test_labels_are_those_of_the_utterances_that_the_pieces_are_of():
    batch = batches_of()[3]
    np.testing.assert_array_equal(batch["label"], SPOKEN.label[PIECES.utterance[batch["index"]]])


def test_steps_can_be_asked_for_in_any_order_and_seeds_differ():
    found = batches_of()
    late, first = found[40], found[0]
    equal(found[40], late)
    equal(batches_of()[40], late)
    assert (batches_of(seed=3)[0]["index"] != first["index"]).any()
    equal(next(iter(found[40:50].to_iter_dataset())), late)
    assert len(found) == 2**31 and found[2**31 - 1]["index"].shape == (8,)


def test_a_fresh_iterator_goes_on_in_the_middle_of_an_epoch_from_its_state():
    import grain

    reading = grain.ReadOptions(num_threads=2, prefetch_buffer_size=3)
    whole = [batch for batch, _ in zip(batches_of().to_iter_dataset(reading), range(20), strict=False)]
    interrupted = iter(batches_of().to_iter_dataset(reading))
    for expected in whole[:7]:
        equal(next(interrupted), expected)
    state = interrupted.get_state()
    restored = iter(batches_of().to_iter_dataset(reading))
    restored.set_state(state)
    for expected in whole[7:]:
        equal(next(restored), expected)


def test_a_fresh_process_gives_the_same_batch():
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/data']\n"
        "from test_streams_utterances import batches_of\n"
        "batch = batches_of(seed=5)[77]\n"
        "print(batch['index'].tolist(), batch['waveform'].sum(), batch['words'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    batch = batches_of(seed=5)[77]
    assert done.stdout.strip() == f"{batch['index'].tolist()} {batch['waveform'].sum()} {batch['words'].tolist()}"


@pytest.mark.parametrize("shards", [2, 4, 8])
def test_the_shards_batches_together_are_the_whole_ones(shards):
    whole, parts = batches_of(), [batches_of(shard=shard, shards=shards) for shard in range(shards)]
    for step in (0, 1, 5, 30):
        shares = [part[step] for part in parts]
        equal({name: np.concatenate([share[name] for share in shares]) for name in shares[0]}, whole[step])


def test_memory_is_bounded_by_the_bucket_however_long_an_utterance_is(tmp_path):
    samples = 1800 * 16000
    waveform = np.memmap(tmp_path / "sparse", np.int16, "w+", shape=(samples + 16000,))  # half an hour, and a second
    waveform[-1] = 5
    offset = np.array([0, samples, samples + 16000])
    made = dataclasses.replace(SPOKEN, waveform=waveform, offset=offset, label=np.array([0, 1], np.int32))
    pieces = cut(made, [np.arange(4500, dtype=np.int32), np.zeros(2, np.int32)], longest=320000, most_words=128)
    buckets = choose_buckets(pieces.length, pieces.word_count, shapes=2)
    batches = utterance_batches(made, pieces, buckets, batch_size=4, seed=0)
    assert len(pieces.length) == 91 and buckets.samples == (16000, 320000)
    tracemalloc.start()
    found, most = 0, 0
    for step in range(23):
        batch = batches[step]
        found, most = found + int(batch["length"].sum()), max(most, batch["waveform"].nbytes)
        assert int(batch["waveform"].astype(bool).sum()) == (16000 in batch["length"].tolist())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == samples + 16000 and most == 4 * 320000 * 2
    assert peak < 4 * most  # the batch, the one before it and this test's copy; the samples are 57.6 MB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"active": np.zeros(len(PIECES.length))}, "no piece is active"),
        ({"shards": 3}, "shards=3; shards must divide the batch"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"shard": 2, "shards": 2}, "shard=2"),
        ({"shard": -1, "shards": 2}, "shard=-1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_batched_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        batches_of(**change)
