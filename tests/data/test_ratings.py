"""Ratings, what stands in for them, and fuzzy labels."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_speech
from hypothesis import given
from hypothesis import strategies as st

from sejax.corpora import crema_d, iemocap, msp_improv, nemo, ravdess, savee, synthetic
from sejax.corpora.published import PUBLISHED
from sejax.data.ratings import DERIVED, POINTS, expected, fuzzy, ratings_of
from sejax.errors import InputError

means = st.floats(1, 5, width=32)


def test_the_papers_example():
    np.testing.assert_array_equal(fuzzy(np.float32(4.5)), [0, 0, 0, 0.5, 0.5])


@given(means)
def test_a_label_is_a_distribution_with_the_mean_rating(mean):
    label = fuzzy(np.float32(mean))
    assert label.shape == (POINTS,) and label.dtype == np.float32
    assert (label >= 0).all() and (label > 0).sum() <= 2
    assert abs(label.sum() - 1) <= 1e-6
    assert abs(expected(label) - mean) <= 2e-6


@given(st.integers(1, 4))
def test_a_perfect_split_is_two_halves(point):
    label = fuzzy(np.float32(point + 0.5))
    assert label[point - 1] == label[point] == 0.5 and label.sum() == 1


@given(st.integers(1, 5))
def test_a_whole_point_is_certain(point):
    np.testing.assert_array_equal(fuzzy(np.float32(point)), np.arange(1, 6) == point)


@given(means, means)
def test_a_higher_mean_leaves_less_below_every_point(one, other):
    low, high = sorted((one, other))
    assert (np.cumsum(fuzzy(np.float32(low))) >= np.cumsum(fuzzy(np.float32(high))) - 1e-6).all()


@given(st.lists(st.floats(-2, 9, width=32), min_size=8, max_size=8))
def test_numpy_and_jax_give_equal_labels(values):
    mean = np.array(values, np.float32)
    on_device = jax.jit(fuzzy)(jnp.asarray(mean))
    np.testing.assert_array_equal(on_device, fuzzy(mean))
    np.testing.assert_allclose(expected(on_device), np.clip(mean, 1, 5), rtol=1e-6)


def test_beyond_the_scale_is_its_end_and_unrated_stays_unrated():
    np.testing.assert_array_equal(fuzzy(np.array([0.2, 7.0], np.float32)), np.eye(5)[[0, 4]])
    assert np.isnan(fuzzy(np.array([np.nan], np.float32))).all()


def test_the_raters_own_ratings_are_taken_where_there_are_any():
    speech = toy_speech.rated()
    found = ratings_of(speech)
    assert not found.derived
    np.testing.assert_array_equal(found.values, np.stack([speech.valence, speech.activation], -1))


def test_another_scale_is_mapped_onto_one_to_five():
    speech = toy_speech.rated()
    other = replace(speech, valence=(speech.valence - 3) / 2, activation=(speech.activation - 3) / 2)
    found = ratings_of(other, scale=(-1, 1))
    np.testing.assert_allclose(found.values, ratings_of(speech).values, rtol=1e-6)


def test_an_utterance_rated_in_one_dimension_alone_is_unrated():
    speech = toy_speech.rated()
    activation = speech.activation.copy()
    activation[3] = np.nan
    values = ratings_of(replace(speech, activation=activation)).values
    np.testing.assert_array_equal(np.isnan(values), np.arange(60)[:, None].repeat(2, 1) == 3)


def test_emotions_stand_in_where_nobody_rated():
    speech = toy_speech.rated(ratings=False)
    label = speech.label.copy()
    label[0] = -1
    found = ratings_of(replace(speech, label=label))
    assert found.derived
    assert np.isnan(found.values[0]).all()
    for row in range(1, 60):
        assert tuple(found.values[row]) == DERIVED[speech.classes[label[row]]]


def test_every_emotion_of_the_importers_has_whole_points():
    emotions = {"anger", "happiness", "sadness", "neutral", *synthetic.CLASSES, *PUBLISHED["emodb"].classes}
    emotions |= {*crema_d.EMOTIONS.values(), *nemo.EMOTIONS.values()}
    emotions |= {name for _, name in (*ravdess.EMOTIONS.values(), *savee.EMOTIONS.values())}
    emotions |= {*iemocap.EMOTIONS.values(), *msp_improv.EMOTIONS.values()} - {"", "other"}
    assert emotions <= set(DERIVED)
    assert set(np.ravel(list(DERIVED.values()))) <= {1, 2, 3, 4, 5}


def test_quadrants_of_the_circumplex():
    centred = {name: np.sign(np.subtract(point, 3)) for name, point in DERIVED.items()}
    for names, quadrant in (
        (("happiness", "joy", "excitement", "surprise"), (1, 1)),
        (("anger", "fear", "frustration"), (-1, 1)),
        (("sadness", "boredom"), (-1, -1)),
        (("calm",), (1, -1)),
        (("neutral",), (0, 0)),
    ):
        assert all(tuple(centred[name]) == quadrant for name in names)


def test_manifests_may_write_adjectives_and_capitals():
    speech = replace(toy_speech.rated(ratings=False), classes=("Angry", "happy", "NEUTRAL", "Sadness"))
    np.testing.assert_array_equal(ratings_of(speech).values, ratings_of(toy_speech.rated(ratings=False)).values)


def test_an_emotion_that_nobody_placed_is_named():
    speech = replace(toy_speech.rated(ratings=False), classes=("anger", "loi1", "neutral", "sadness"))
    with pytest.raises(InputError, match=r"^rated: no valence and activation are known for 'loi1'; rate"):
        ratings_of(speech)
    without = np.where(speech.label == 1, -1, speech.label)
    assert ratings_of(replace(speech, label=without)).derived  # a class that no utterance has is none of our business


def test_ratings_outside_the_scale_are_named():
    valence = toy_speech.rated().valence.copy()
    valence[7] = 6.5
    said = r"rated: valence of rated007 is 6.5, outside the scale 1 to 5 \(1 such\); .*prepare it again"
    with pytest.raises(InputError, match=said):
        ratings_of(replace(toy_speech.rated(), valence=valence))
    with pytest.raises(InputError, match="rated: scale=5,1 for ratings"):
        ratings_of(toy_speech.rated(), scale=(5, 1))


@pytest.mark.parametrize("scale", [(1, 5), (-1, 1), (0, 0.1)])
def test_the_scales_ends_are_taken_as_they_are_and_nothing_beyond_them(scale):
    speech, (low, high) = toy_speech.rated(), scale
    within = {
        name: (low + (getattr(speech, name) - 1) / 4 * (high - low)).astype(np.float32)
        for name in ("valence", "activation")
    }
    within["valence"][[3, 4]], within["activation"][4] = (high, low), high
    found = ratings_of(replace(speech, **within), scale=scale)
    np.testing.assert_array_equal(found.values[[3, 4, 4], [0, 0, 1]], [5, 1, 5])
    assert found.values.min() >= 1 and found.values.max() <= 5 and not found.derived
    for name, row, beyond in (("valence", 3, high + (high - low) / 100), ("activation", 9, low - (high - low) / 100)):
        values = within | {name: within[name].copy()}
        values[name][row] = beyond
        with pytest.raises(InputError, match=rf"{name} of rated00{row} .*outside the scale .*\(1 such\)"):
            ratings_of(replace(speech, **values), scale=scale)


def test_ratings_of_one_dimension_alone_are_refused():
    speech = toy_speech.rated()
    with pytest.raises(InputError, match="valence of 60 and activation of 0 utterances, none both"):
        ratings_of(replace(speech, activation=np.full(60, np.nan, np.float32)))
