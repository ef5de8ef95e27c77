"""Members of the DCGANs: who trains on what, how often, and what tells them apart."""

from types import SimpleNamespace

import numpy as np
import pytest
import toy_speech

from sejax.data.ratings import Ratings, ratings_of
from sejax.errors import InputError
from sejax.experiments.dcgan.assembly import make_members, rated_by, training_rows


def make_config(**changes):
    usual = {"model": "basic_cnn", "folds": 5, "seed": 0, "swap": False, "seeds": 1, "balance": 1.0}
    usual |= {"learning_rates": (1e-3,), "protocol": "speaker", "split_folds": ()}
    return SimpleNamespace(**usual | changes)


def members_of(**changes):
    speech = toy_speech.rated()
    return make_members(make_config(**changes), speech, ratings_of(speech))


def points_of(rows):
    """How many rows each valence has, by the nearest point: the upper one of a half."""
    valence = toy_speech.rated().valence[rows].astype(np.float64)
    return [int(((valence >= point - 0.5) & (valence < point + 0.5)).sum()) for point in range(1, 6)]


def test_an_epoch_holds_training_utterances_alone_each_valence_as_often_as_the_commonest():
    _, members = members_of()
    speech = toy_speech.rated()
    assert members["part"].shape == (5, 60)
    for part, rows, count in zip(members["part"], members["rows"], members["count"], strict=True):
        trains = np.flatnonzero(part == 0)
        table = rows[:count]
        assert set(table) == set(trains)
        assert set(rows) <= set(trains)  # what fills up as well
        assert points_of(table) == [max(points_of(trains))] * 5
        speakers = [set(speech.speaker[part == kind]) for kind in range(3)]
        assert [len(of) for of in speakers] == [8, 1, 1]
        assert not set(speech.session[part == 0]) & set(speech.session[part > 0])
        assert len(set(speech.session[part > 0])) == 1


def test_without_balance_every_training_utterance_stands_once():
    _, members = members_of(balance=0.0)
    for part, rows, count in zip(members["part"], members["rows"], members["count"], strict=True):
        np.testing.assert_array_equal(np.sort(rows[:count]), np.flatnonzero(part == 0))


def test_a_half_belongs_to_the_upper_point():
    ratings = Ratings(np.array([[2.5, 1], [3, 1], [3, 1], [2, 1], [2, 1], [2, 1], [4, 1]], np.float32), False)
    part = np.array([0, 0, 0, 0, 0, 0, 2])
    counts = np.bincount(training_rows(part, ratings, balance=1.0), minlength=7)
    np.testing.assert_array_equal(counts, [1, 1, 1, 1, 1, 1, 0])  # three of 3, three of 2


def test_members_are_folds_by_seeds_by_learning_rates():
    names, members = members_of(folds=2, seeds=2, learning_rates=(1e-3, 1e-4))
    assert names[0] == {"model": "basic_cnn", "fold": 0, "seed": 0, "learning_rate": 1e-3}
    order = [(name["fold"], name["seed"], name["learning_rate"]) for name in names]
    assert order == [(fold, seed, rate) for fold in range(2) for seed in range(2) for rate in (1e-3, 1e-4)]
    np.testing.assert_array_equal(members["draw"], [0, 0, 1, 1, 2, 2, 3, 3])
    np.testing.assert_allclose(members["learning_rate"], [1e-3, 1e-4] * 4)
    for name in ("part", "rows", "count"):
        of_fold = members[name].reshape(2, 4, -1)
        assert (of_fold == of_fold[:, :1]).all()
    assert (members["part"][0] != members["part"][4]).any()


def test_one_learning_rate_is_no_part_of_the_name():
    names, _ = members_of()
    assert names == tuple({"model": "basic_cnn", "fold": fold, "seed": 0} for fold in range(5))


def test_swapped_folds_exchange_the_two_speakers():
    _, members = members_of(swap=True)
    assert len(members["part"]) == 10
    np.testing.assert_array_equal(members["part"][:5] == 1, members["part"][5:] == 2)
    np.testing.assert_array_equal(members["part"][:5] == 2, members["part"][5:] == 1)
    assert ((members["part"] == 2).sum(0) == 1).all()


def test_utterances_without_ratings_are_in_no_part():
    speech, ratings = toy_speech.rated(), ratings_of(toy_speech.rated())
    values = ratings.values.copy()
    values[[0, 13], 1] = np.nan
    ratings = ratings._replace(values=values)
    np.testing.assert_array_equal(np.flatnonzero(~rated_by(ratings)), [0, 13])
    _, members = make_members(make_config(), speech, ratings)
    assert (members["part"][:, [0, 13]] == -1).all() and (members["part"][:, 1:13] >= 0).all()
    assert not np.isin(members["rows"], [0, 13]).any()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"folds": 6}, "folds=6"),
        ({"balance": 1.5}, "balance=1.5"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes, told):
    with pytest.raises(InputError, match=told):
        members_of(**changes)
