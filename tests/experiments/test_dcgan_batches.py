"""Which crops updates of the DCGANs see: shuffled passes over an epoch's rows, crops that are never drawn twice."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_speech

from sejax.data.crops import crop_data, read_crops
from sejax.experiments.dcgan.batches import crop_source, evaluation_gather, labels_of, resolve

BATCH, UNLABELLED, UTTERANCES, COUNT = 8, 3, 5, 20
ROWS = np.array([*range(100, 115), *range(100, 105), 7, 7], np.int32)  # the last two are beyond the count


def make_state(epoch_start=0, count=COUNT):
    """An epoch of 20 places: 15 rows, five of them twice."""
    return SimpleNamespace(
        seeds={"labelled": jnp.array([1, 2], jnp.uint32), "unlabelled": jnp.array([3, 4], jnp.uint32)},
        rows=jnp.array(ROWS),
        count=jnp.int32(count),
        epoch_start=jnp.int32(epoch_start),
    )


@functools.cache
def planner(unlabelled):
    """All plans of an epoch of 200 updates."""
    source = crop_source(BATCH, unlabelled, utterances=UTTERANCES, width=16, dynamic_range=80.0)
    return jax.jit(lambda start: jax.vmap(source.plan_at, (None, 0))(make_state(start), jnp.arange(200)))


def plans(updates, *, unlabelled=UNLABELLED, first=0):
    """The plans of some updates of one epoch, {part: {"utterance", "place", "seed"}} of numpy arrays [updates, B]."""
    made = planner(unlabelled)(first)
    assert np.asarray(made.valid).all()
    return jax.tree.map(lambda x: np.asarray(x)[:updates], made.index)


def test_every_row_of_the_table_is_seen_once_in_a_pass():
    seen = plans(15)["labelled"]["utterance"].reshape(-1, COUNT)  # six passes of 20 places
    table = np.sort(ROWS[:COUNT])
    for of_pass in seen:
        np.testing.assert_array_equal(np.sort(of_pass), table)
    assert len({tuple(of_pass) for of_pass in seen}) == len(seen)


def test_unlabelled_speech_goes_in_passes_of_its_own():
    found = plans(10)["unlabelled"]
    assert found["utterance"].shape == (10, UNLABELLED)
    for of_pass in found["utterance"].reshape(-1, UTTERANCES):
        np.testing.assert_array_equal(np.sort(of_pass), np.arange(UTTERANCES))
    assert "unlabelled" not in plans(1, unlabelled=0)


@pytest.mark.parametrize(("part", "size"), [("labelled", BATCH), ("unlabelled", UNLABELLED)])
def test_places_of_consecutive_epochs_follow_each_other(part, size):
    epochs = [plans(3, first=start)[part]["place"].ravel() for start in (0, 3, 6)]
    np.testing.assert_array_equal(np.concatenate(epochs), np.arange(9 * size))


def test_labelled_and_unlabelled_crops_have_seeds_of_their_own():
    found = plans(1)
    assert (found["labelled"]["seed"], found["unlabelled"]["seed"]) == (2, 4)


def test_an_utterance_that_comes_again_is_cropped_anew():
    data = crop_data(toy_speech.rated())
    made = plans(200)["labelled"]
    index = made | {"utterance": made["utterance"] % 60, "seed": np.broadcast_to(made["seed"], (200,))}
    at = resolve(index, data, width=16)
    longest = 40 + data["length"][40:45].argmax()  # one of the rows that stand twice in a pass
    starts = at["start"][at["utterance"] == longest]
    assert data["length"][longest] > 60 and len(starts) == 160
    assert len(set(starts.tolist())) > 10


def test_a_plan_depends_on_the_updates_done_however_epochs_divide_them():
    whole, later = plans(9), plans(4, first=5)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[5:9], b), whole, later)


def test_a_batch_holds_the_crops_and_labels_of_its_plan():
    speech, plain = crop_data(toy_speech.rated()), crop_data(toy_speech.unlabelled())
    random = np.random.default_rng(0)
    labels = {"target": random.random((60, 2, 5)), "rating": random.random((60, 2))}
    labels["rated"] = labels["rating"] > 0.5
    data = {"labelled": speech, "unlabelled": plain} | labels
    source = crop_source(BATCH, UNLABELLED, utterances=24, width=16, dynamic_range=80.0)
    state = make_state()
    state.rows = jnp.array(ROWS % 60)
    plan = jax.tree.map(np.asarray, source.plan_at(state, jnp.int32(1)))
    batch = source.gather(data, plan)
    for part, size in (("labelled", BATCH), ("unlabelled", UNLABELLED)):
        at = resolve(plan.index[part], data[part], width=16)
        assert batch[part].shape == (size, 128, 16)
        np.testing.assert_array_equal(batch[part], read_crops(data[part], at["utterance"], at["start"], width=16))
    rows = plan.index["labelled"]["utterance"]
    for name, values in labels.items():
        np.testing.assert_array_equal(batch[name], values[rows])
    assert labels_of(data, rows).keys() == labels.keys()


def test_evaluation_sees_crops_from_the_first_frame_to_the_last():
    data = {"labelled": crop_data(toy_speech.rated())}
    data |= {name: np.zeros(60) for name in ("target", "rating", "rated")}
    speech, rows = toy_speech.rated(), np.array([3, 17])
    gather = evaluation_gather(crops=3, width=16, dynamic_range=80.0)
    batch = gather(data, SimpleNamespace(index=rows, valid=np.ones(2, bool)))
    assert batch["labelled"].shape == (2, 3, 128, 16)
    for crops, row in zip(batch["labelled"], rows, strict=True):
        own = speech.frames[speech.offset[row] : speech.offset[row + 1]].astype(np.float32) - speech.maximum[row]
        wanted = 1 + np.maximum(own.T, -80) / 40
        np.testing.assert_allclose(crops[0], wanted[:, :16], atol=1e-6)
        np.testing.assert_allclose(crops[2], wanted[:, -16:], atol=1e-6)
