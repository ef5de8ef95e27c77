"""What the generator makes is kept epoch by epoch, and held against the nearest real speech that it could have seen."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import toy_speech

from sejax.core.results import unpack
from sejax.data.crops import crop_data, evaluation_starts, read_crops
from sejax.experiments.dcgan.gallery import Wall, hung, hung_epochs, levels, nearest

WIDTH = 16
PART = np.repeat([1, 2, 0], [6, 6, 48])  # of the rated utterances: the first two speakers are held out


@pytest.mark.parametrize("snapshots", [1, 2, 4])
@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 7, 8, 9])
def test_rows_hold_the_epochs_that_are_named(snapshots, epochs):
    gallery = jnp.zeros((snapshots, 1, 2, 2), jnp.uint8)
    for epoch in range(1, epochs + 1):
        gallery = hung(gallery, jnp.full((1, 2, 2), epoch / 100), epoch=jnp.int32(epoch))
    rows, at = hung_epochs(snapshots, epochs)
    assert at == sorted(set(at)) and at[-1] == epochs
    assert set(at[:-1]) == {1, 2, 4, 8} & set(range(epochs)) & set(2 ** np.arange(snapshots - 1))
    for row, epoch in zip(rows, at, strict=True):
        assert (gallery[row] == levels(np.array(epoch / 100))).all()


def test_nothing_is_hung_without_a_generator():
    empty = jnp.zeros((0, 0, 2, 2), jnp.uint8)
    assert hung(empty, jnp.zeros((0, 2, 2)), epoch=jnp.int32(1)) is empty


def test_levels_are_0_at_the_floor_and_255_at_the_maximum():
    np.testing.assert_array_equal(levels(np.array([-2, -1, 0.0, 1, 2])), [0, 0, 128, 255, 255])
    crops = np.linspace(-1, 1, 500).astype(np.float32)
    np.testing.assert_array_equal(levels(crops), levels(jnp.array(crops)))
    assert np.abs(levels(crops) / 127.5 - 1 - crops).max() <= 1 / 255 + 1e-6


def test_the_nearest_is_found_by_looking_at_all():
    random = np.random.default_rng(0)
    crops, parts = random.normal(size=(6, 4, 3)), [random.normal(size=(n, 4, 3)) for n in (5, 1, 9)]
    distance, place = nearest(crops, parts)
    everything = np.concatenate(parts)
    wanted = np.sqrt(((crops[:, None] - everything) ** 2).mean((2, 3)))
    np.testing.assert_array_equal(place, wanted.argmin(1))
    assert len(set(place)) > 2
    np.testing.assert_allclose(distance, wanted.min(1), rtol=1e-5)


def record(crops, *, draw=0, epochs=3):
    """A member's last record whose latest gallery row holds crops [N, 128, WIDTH]."""
    gallery = np.zeros((4, *crops.shape), np.uint8)
    gallery[0], gallery[-1] = 7, levels(crops)
    return {"gallery": gallery, "draw": np.int32(draw), "epochs": np.int32(epochs)}


def crop_of(speech, row, number, count=4):
    """One of the evenly spaced crops of an utterance."""
    data = crop_data(speech)
    starts = evaluation_starts(data["length"][row], count=count, width=WIDTH)
    return read_crops(data, np.array([row]), starts[number : number + 1], width=WIDTH)[0]


def wall(**changes):
    sets = [toy_speech.rated(), toy_speech.unlabelled()]
    return Wall(sets, PART, width=WIDTH, dynamic_range=80.0, **changes)


def test_planted_copies_of_training_crops_are_found_and_named():
    crops = np.stack([crop_of(toy_speech.rated(), 30, 1), crop_of(toy_speech.unlabelled(), 5, 3)])
    found = wall().describe(record(crops))
    assert found["neighbour_corpora"] == ["rated", "plain"]
    assert found["neighbour_ids"] == ["rated030", "plain005"]
    assert max(found["distance"]) < 2 / 255  # of the levels
    assert found["distance_real"] > 10 * max(found["distance"])
    np.testing.assert_array_equal(unpack(found["neighbours"]), levels(crops))
    assert found["epochs"] == [1, 2, 3]
    generated = unpack(found["generated"])
    assert generated.shape == (3, 2, 128, WIDTH) and (generated[0] == 7).all()
    np.testing.assert_array_equal(generated[2], levels(crops))


def test_a_copy_of_a_held_out_crop_has_a_neighbour_elsewhere():
    crops = np.stack([crop_of(toy_speech.rated(), row, 2) for row in (0, 7)])
    found = wall().describe(record(crops))
    held_out = {f"rated{row:03}" for row in np.flatnonzero(PART > 0)}
    assert not held_out & set(found["neighbour_ids"])
    assert min(found["distance"]) > 0.05


def test_the_distance_of_real_speech_is_the_held_out_crops():
    found = wall().describe(record(np.zeros((1, 128, WIDTH), np.float32)))
    candidates = [crop_of(toy_speech.rated(), row, k) for row in np.flatnonzero(PART == 0) for k in range(4)]
    candidates += [crop_of(toy_speech.unlabelled(), row, k) for row in range(24) for k in range(4)]
    of_held = [crop_of(toy_speech.rated(), row, 0, count=1) for row in np.flatnonzero(PART > 0)]
    distances = [min(np.sqrt(((crop - other) ** 2).mean()) for other in candidates) for crop in of_held]
    assert found["distance_real"] == pytest.approx(np.median(distances), rel=1e-4)


def test_utterances_in_no_part_are_no_neighbours():
    part = np.where(np.arange(60) == 30, -1, PART)
    one = Wall([toy_speech.rated()], part, width=WIDTH, dynamic_range=80.0)
    assert one.describe(record(crop_of(toy_speech.rated(), 30, 1)[None]))["neighbour_ids"] != ["rated030"]


def test_a_large_set_is_searched_in_part():
    found = wall(most=10)
    for number in range(2):
        crops, owners = found._crops(number)
        assert len(crops) == len(owners) == 10 == len(set(owners))


def test_only_the_first_member_of_a_gan_is_shown():
    crops = np.zeros((1, 128, WIDTH), np.float32)
    assert wall().describe(record(crops, draw=1)) is None
    assert wall().describe(record(crops, epochs=0)) is None
    empty = record(crops) | {"gallery": np.zeros((0, 0, 128, WIDTH), np.uint8)}
    assert wall().describe(empty) is None


def test_names_are_the_corpus_and_utterance_that_the_set_says():
    speech = toy_speech.rated()
    named = replace(speech, corpus="other", utterance_ids=tuple(f"u{row}" for row in range(60)))
    shown = Wall([named], PART, width=WIDTH, dynamic_range=80.0)
    found = shown.describe(record(crop_of(speech, 20, 0)[None]))
    assert (found["neighbour_corpora"], found["neighbour_ids"]) == (["other"], ["u20"])
