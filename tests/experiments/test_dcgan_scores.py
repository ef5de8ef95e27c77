"""Scores of ratings: cases worked by hand, and a slow version in plain Python over random answers."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sejax.core.metrics import accuracy, uar
from sejax.data.ratings import fuzzy
from sejax.experiments.dcgan.results import accepted, confusion, named, pooled, rating_scores

POOL = {1: 1, 2: 1, 3: 2, 4: 3, 5: 3}


def answers(points):
    """Posteriors f32[B, 5] whose most probable point is the one given."""
    return (0.1 + 0.5 * np.eye(5)[np.array(points) - 1]).astype(np.float32)


def scored(means, points, weights=None):
    means = np.array(means, np.float32)
    weights = np.ones(len(means)) if weights is None else np.array(weights)
    return rating_scores(jnp.array(answers(points)), jnp.array(fuzzy(means)), jnp.array(means), jnp.array(weights))


def counted(cells, size=5):
    """The matrix with {(true, answered): count}, points from 1 on."""
    counts = np.zeros((size, size))
    for (true, answered), count in cells.items():
        counts[true - 1, answered - 1] = count
    return counts


@pytest.mark.parametrize(
    ("mean", "right"), [(1, [1]), (2.4, [2]), (2.5, [2, 3]), (4.5, [4, 5]), (4.51, [5]), (10 / 3, [3]), (5, [5])]
)
def test_both_points_of_a_perfect_split_are_right_and_one_of_any_other_mean(mean, right):
    found = accepted(jnp.array(fuzzy(np.float32(mean))))
    assert list(np.flatnonzero(found) + 1) == right


@pytest.mark.parametrize(
    ("mean", "answer", "five", "three"),
    [
        (2.0, 4, {(2, 4): 1}, {(1, 3): 1}),
        (4.5, 4, {(4, 4): 1}, {(3, 3): 1}),
        (4.5, 5, {(5, 5): 1}, {(3, 3): 1}),
        (4.5, 1, {(4, 1): 0.5, (5, 1): 0.5}, {(3, 1): 1}),
        # The border of negative and neutral: 1 is wrong of five points, and negative is right of three.
        (2.5, 3, {(3, 3): 1}, {(2, 2): 1}),
        (2.5, 1, {(2, 1): 0.5, (3, 1): 0.5}, {(1, 1): 1}),
        (2.5, 5, {(2, 5): 0.5, (3, 5): 0.5}, {(1, 3): 0.5, (2, 3): 0.5}),
        (3.5, 5, {(3, 5): 0.5, (4, 5): 0.5}, {(3, 3): 1}),
    ],
)
def test_an_answer_counts_as_by_hand(mean, answer, five, three):
    found = scored([mean], [answer])
    np.testing.assert_array_equal(found["confusion"].counts, counted(five))
    np.testing.assert_array_equal(found["pooled/confusion"].counts, counted(three, 3))


def slow(means, points, weights, pool):
    """{(true, answered): weight} in plain Python; `pool` says what a point is called."""
    cells = {}
    for mean, answer, weight in zip(means, points, weights, strict=True):
        closest = min(abs(mean - point) for point in range(1, 6))
        right = sorted({pool[point] for point in range(1, 6) if abs(mean - point) < closest + 1e-3})
        answer = pool[answer]
        for true in [answer] if answer in right else right:
            cells[true, answer] = cells.get((true, answer), 0.0) + weight / (1 if answer in right else len(right))
    return cells


def test_scores_equal_a_slow_count_of_random_answers():
    random = np.random.default_rng(0)
    means = random.integers(6, 31, 300) / 6  # of two and of three raters
    points, weights = random.integers(1, 6, 300), random.integers(0, 2, 300)
    found = scored(means, points, weights)
    five, three = counted(slow(means, points, weights, {p: p for p in range(1, 6)})), slow(means, points, weights, POOL)
    np.testing.assert_allclose(found["confusion"].counts, five, atol=1e-4)
    np.testing.assert_allclose(found["pooled/confusion"].counts, counted(three, 3), atol=1e-4)
    recalls = np.diag(five) / five.sum(1)
    np.testing.assert_allclose(uar(found["confusion"].counts), recalls.mean(), rtol=1e-5)
    np.testing.assert_allclose(accuracy(found["confusion"].counts), np.trace(five) / weights.sum(), rtol=1e-5)
    kept = weights > 0
    expected = (answers(points) @ np.arange(1, 6))[kept]
    np.testing.assert_allclose(found["pearson"].compute(), stats.pearsonr(expected, means[kept]).statistic, atol=1e-5)
    entropy = -(fuzzy(means.astype(np.float32)) * np.log(answers(points))).sum(1)
    np.testing.assert_allclose(found["loss"].compute(), entropy[kept].mean(), rtol=1e-5)


def test_what_does_not_count_may_be_anything():
    nothing = rating_scores(
        jnp.full((1, 5), 0.2), jnp.zeros((1, 5)), jnp.array([jnp.nan]), jnp.array([False])
    )
    for name in ("confusion", "pooled/confusion"):
        assert not nothing[name].counts.any()
    assert not nothing["pearson"].sums.any() and nothing["loss"].count == 0


def test_three_points_are_right_where_any_of_theirs_is():
    found = pooled(jnp.eye(5, dtype=bool))
    np.testing.assert_array_equal(found, np.eye(3, dtype=bool)[[0, 0, 1, 2, 2]])


def test_names_say_part_and_dimension():
    scores = {"loss": 1, "pooled/confusion": 2}
    assert named(scores, "valence") == scores
    assert named(scores, "activation", "test") == {"test/activation/loss": 1, "test/activation/pooled/confusion": 2}


def test_confusion_is_of_as_many_points_as_are_given():
    found = confusion(jnp.array([[True, False, True]]), jnp.array([1]), jnp.array([2.0]))
    np.testing.assert_array_equal(found.counts, [[0, 1, 0], [0, 0, 0], [0, 1, 0]])
