"""grain pipelines over vectors: equal to a gather, random access by step, passes, shards."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sejax.core.experiment import Plan
from sejax.data.streams import stream_pairs, unpaired_batches
from sejax.errors import InputError

pytest.importorskip("grain")
ROOT = Path(__file__).resolve().parents[2]


def rows(count, first):
    """f32[count, 3] whose first column numbers the rows from `first`."""
    return np.stack([np.arange(first, first + count), np.zeros(count), np.ones(count)], axis=1).astype(np.float32)


SOURCE = rows(50, 0)
TARGETS = [rows(7, 1000), rows(20, 2000), rows(33, 3000)]


@pytest.fixture
def mapped(tmp_path):
    """Source and target on the disk, memory-mapped."""
    np.save(tmp_path / "source.npy", SOURCE)
    np.save(tmp_path / "target.npy", np.concatenate(TARGETS))
    return [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("source", "target")]


@pytest.mark.parametrize("members", [(), (4,)])
@pytest.mark.parametrize("prefetch", [1, 4])
def test_a_stream_equals_the_gather_batch_for_batch(mapped, members, prefetch):
    random = np.random.default_rng(0)
    shape = (*members, 3, 5)
    plans = [
        Plan(
            {"source": random.integers(0, 50, shape, np.int32), "target": random.integers(0, 60, shape, np.int32)}, None
        )
        for _ in range(11)
    ]
    source, target = mapped
    streamed = list(stream_pairs(iter(plans), source=source, target=target, prefetch=prefetch))
    assert len(streamed) == 11
    for batch, plan in zip(streamed, plans, strict=True):
        assert set(batch) == {"source", "target"}
        for name, array in (("source", SOURCE), ("target", np.concatenate(TARGETS))):
            assert type(batch[name]) is np.ndarray and batch[name].dtype == np.float32
            np.testing.assert_array_equal(batch[name], array[plan.index[name]])


def test_no_plans_give_no_batches():
    assert list(stream_pairs([], source=SOURCE, target=SOURCE)) == []


def test_batches_have_an_axis_of_targets():
    batches = unpaired_batches(SOURCE, TARGETS, batch_size=8, seed=0)
    batch = batches[123]
    assert batch["source"].shape == batch["target"].shape == (3, 8, 3)
    assert batch["source"].dtype == np.float32 and batch["source"][..., 0].max() < 1000
    np.testing.assert_array_equal(batch["target"][..., 0] // 1000, [[1] * 8, [2] * 8, [3] * 8])


def drawn(batches, steps):
    """First columns of the first steps: source and target [E, steps * B]."""
    found = [batches[step] for step in range(steps)]
    return [np.concatenate([batch[name][..., 0] for batch in found], axis=1) for name in ("source", "target")]


def test_every_row_occurs_once_before_any_occurs_twice():
    source, target = drawn(unpaired_batches(SOURCE, TARGETS, batch_size=5, seed=3), 20)
    for order in source:
        for start in (0, 50):
            assert sorted(order[start : start + 50]) == list(range(50))
    for order, array in zip(target, TARGETS, strict=True):
        count = len(array)
        for start in range(0, 100 - count, count):
            assert sorted(order[start : start + count]) == array[:, 0].tolist()


def test_source_and_targets_are_unpaired_and_each_target_has_its_own_order_of_the_source():
    source, target = drawn(unpaired_batches(SOURCE, [SOURCE, SOURCE], batch_size=50, seed=3), 1)
    for one, other in ((source[0], source[1]), (target[0], target[1]), (source[0], target[0]), (source[1], target[1])):
        assert (one == other).mean() < 0.2


def test_seeds_differ_and_steps_can_be_asked_for_in_any_order():
    batches = unpaired_batches(SOURCE, TARGETS, batch_size=8, seed=0)
    first, late = batches[0], batches[7]
    np.testing.assert_array_equal(batches[7]["source"], late["source"])
    assert (unpaired_batches(SOURCE, TARGETS, batch_size=8, seed=1)[0]["source"] != first["source"]).any()
    assert (late["source"] != first["source"]).any()
    iterated = [batch["target"] for batch, _ in zip(batches[5:9].to_iter_dataset(), range(4), strict=True)]
    np.testing.assert_array_equal(iterated[2], late["target"])


def test_a_fresh_process_gives_the_same_batch():
    script = (
        "import sys; sys.path.insert(0, 'tests/data')\n"
        "from test_streams_vectors import SOURCE, TARGETS, unpaired_batches\n"
        "batch = unpaired_batches(SOURCE, TARGETS, batch_size=8, seed=5)[77]\n"
        "print(batch['source'][..., 0].astype(int).tolist(), batch['target'][..., 0].astype(int).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    batch = unpaired_batches(SOURCE, TARGETS, batch_size=8, seed=5)[77]
    expected = [batch[name][..., 0].astype(int).tolist() for name in ("source", "target")]
    assert done.stdout.strip() == " ".join(map(str, expected))


@pytest.mark.parametrize("shards", [1, 2, 3, 6])
def test_the_shards_batches_together_are_the_whole_ones(shards):
    options = {"batch_size": 6, "seed": 2}
    whole = unpaired_batches(SOURCE, TARGETS, **options)
    parts = [unpaired_batches(SOURCE, TARGETS, shard=shard, shards=shards, **options) for shard in range(shards)]
    for step in (0, 1, 40):
        for name in ("source", "target"):
            joined = np.concatenate([part[step][name] for part in parts], axis=1)
            np.testing.assert_array_equal(joined, whole[step][name])


def test_the_last_step_has_places(mapped):
    batches = unpaired_batches(mapped[0], TARGETS, batch_size=64, seed=0)
    assert len(batches) == 2**25 - 1
    assert batches[len(batches) - 1]["source"].shape == (3, 64, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": []}, "targets is empty"),
        ({"targets": [TARGETS[0], rows(0, 0)]}, r"targets\[1\] has the shape \[0, 3\]"),
        ({"targets": [TARGETS[0][:, :2]]}, r"targets\[0\] has the shape \[7, 2\].*\[50, 3\]"),
        ({"batch_size": 8, "shards": 3}, "shards=3; shards must divide the batch"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"shard": 2, "shards": 2}, "shard=2"),
        ({"shard": -1, "shards": 2}, "shard=-1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_batched_is_refused(change, message):
    options = {"source": SOURCE, "targets": TARGETS, "batch_size": 8, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        unpaired_batches(**options)
