"""Crops read by tf.data from memory-mapped frames."""

import importlib.util

import jax
import numpy as np
import pytest
import toy_speech

from sejax.core.experiment import Plan
from sejax.data.crops import crop_data, crop_starts, read_crops, stream_crops

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="tensorflow is not installed")

WIDTH = 48


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two sets whose frames lie on the disk."""
    made = {}
    for name, speech in (("labelled", toy_speech.rated()), ("unlabelled", toy_speech.unlabelled())):
        file = tmp_path_factory.mktemp("frames") / f"{name}.npy"
        np.save(file, speech.frames)
        made[name] = crop_data(speech) | {"frames": np.load(file, mmap_mode="r")}
    return made


def plans_of(parts, *, count=5, members=2):
    """Plans of 6 labelled and 4 unlabelled crops for each member."""
    random = np.random.default_rng(0)
    for number in range(count):
        index = {}
        for name, size in (("labelled", 6), ("unlabelled", 4)):
            utterance = random.integers(0, len(parts[name]["length"]), (members, size)).astype(np.int32)
            place = np.arange(number * size, (number + 1) * size, dtype=np.int32)
            start = crop_starts(np.uint32(1), place, utterance, parts[name], width=WIDTH)
            index[name] = {"utterance": utterance, "start": start}
        yield Plan(index, random.random((members, 6)) < 0.8)


def test_batches_equal_those_gathered_on_the_device_bit_for_bit(parts):
    resident = jax.device_put(parts)

    @jax.jit
    def gather(index):
        return {
            name: read_crops(resident[name], at["utterance"], at["start"], width=WIDTH) for name, at in index.items()
        }

    plans = list(plans_of(parts))
    batches = list(stream_crops(iter(plans), sets=parts, width=WIDTH))
    assert len(batches) == len(plans)
    for plan, batch in zip(plans, batches, strict=True):
        assert set(batch) == {"labelled", "unlabelled", "index", "valid"}
        for name, crops in gather(plan.index).items():
            assert batch[name].dtype == np.float32 and batch[name].shape == crops.shape
            np.testing.assert_array_equal(batch[name].view(np.int32), np.asarray(crops).view(np.int32))
        jax.tree.map(np.testing.assert_array_equal, batch["index"], plan.index)
        np.testing.assert_array_equal(batch["valid"], plan.valid)


def test_only_the_frames_asked_for_are_read(parts):
    read = []

    class Recorded(np.memmap):
        """Keeps what is asked of the file."""

        def __getitem__(self, rows):
            found = np.asarray(super().__getitem__(rows))
            read.append(len(found))
            return found

    recorded = {name: data | {"frames": data["frames"].view(Recorded)} for name, data in parts.items()}
    plans = list(plans_of(parts, count=2))
    assert len(list(stream_crops(plans, sets=recorded, width=WIDTH))) == 2
    assert 0 < sum(read) <= 2 * 2 * (6 + 4) * WIDTH


def test_no_plans_are_no_batches(parts):
    assert list(stream_crops(iter(()), sets=parts, width=WIDTH)) == []
