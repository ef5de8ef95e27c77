"""The rules of pseudo-labels, against scipy, against loops, and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from sejax.experiments.pseudo_labelling.pseudo_labels import (
    BINS,
    at_least_by_class,
    by_class,
    by_utterance,
    calibration_error,
    fit_temperature,
    most_confident,
    tempered,
)

CLASSES, IMAGES = 4, 400


@pytest.fixture(scope="module")
def drawn():
    """Posteriors f32[400, 4] that are three times too sharp, labels drawn by the right ones, and half of the images."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(IMAGES, CLASSES)) * 1.5
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    label = np.array([random.choice(CLASSES, p=row) for row in true]).astype(np.int32)
    return np.asarray(jax.nn.softmax(3.0 * logits)).astype(np.float32), label, random.random(IMAGES) < 0.5


def test_the_temperature_has_the_least_negative_log_likelihood(drawn):
    posterior, label, counted = drawn

    def loss(logarithm):
        scaled = np.log(posterior[counted].astype(float)) / np.exp(logarithm)
        scaled -= np.log(np.exp(scaled).sum(1, keepdims=True))
        return -scaled[np.arange(counted.sum()), label[counted]].mean()

    found = float(jax.jit(fit_temperature)(posterior, label, counted))
    best = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-8}).x
    assert found == pytest.approx(np.exp(best), rel=1e-3)
    assert found == pytest.approx(3.0, rel=0.25)
    assert calibration_error(tempered(posterior, found), label, ~counted) < 0.6 * calibration_error(
        posterior, label, ~counted
    )


def test_a_temperature_of_nothing_is_one_and_that_of_faultless_images_finite(drawn):
    posterior, label, counted = drawn
    assert float(fit_temperature(posterior, label, np.zeros(IMAGES, bool))) == 1.0
    assert float(fit_temperature(posterior, np.full(IMAGES, -1), counted)) == 1.0
    right = posterior.argmax(1).astype(np.int32)
    assert 0 < float(fit_temperature(posterior, right, counted)) < 0.1
    certain = np.eye(CLASSES, dtype=np.float32)[(label + 1) % CLASSES]
    assert np.isfinite(tempered(certain, fit_temperature(certain, label, counted))).all()


def test_the_calibration_error_is_the_weighted_gap_of_bins(drawn):
    posterior, label, counted = drawn
    confidence, right = posterior.max(1)[counted], (posterior.argmax(1) == label)[counted]
    expected = 0.0
    for low, high in zip(np.arange(BINS) / BINS, (np.arange(BINS) + 1) / BINS, strict=True):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert float(calibration_error(posterior, label, counted)) == pytest.approx(expected, abs=1e-5)


def test_an_utterance_votes_with_its_counted_images_alone(drawn):
    posterior, _, counted = drawn
    utterance = np.arange(IMAGES) // 3
    voted = np.asarray(by_utterance(posterior, utterance, counted, num_utterances=utterance.max() + 1))
    for image in range(IMAGES):
        rows = counted & (utterance == utterance[image])
        expected = posterior[rows].mean(0) if counted[image] else posterior[image]
        np.testing.assert_allclose(voted[image], expected, rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_of_each_class_the_most_confident_share_is_kept(drawn, share):
    posterior, _, unlabelled = drawn
    kept = np.asarray(jax.jit(most_confident)(posterior, unlabelled, share=share))
    assert not (kept & ~unlabelled).any()
    for number in range(CLASSES):
        rows = unlabelled & (posterior.argmax(1) == number)
        assert kept[rows].sum() == np.ceil(round(share * rows.sum(), 3))
        if kept[rows].any() and not kept[rows].all():
            assert posterior.max(1)[rows & kept].min() >= posterior.max(1)[rows & ~kept].max()


def test_a_share_of_a_class_that_is_predicted_often_leaves_the_rare_one_its_own():
    posterior = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 2, np.float32)
    kept = most_confident(posterior, np.ones(12, bool), share=0.5)
    np.testing.assert_array_equal(np.flatnonzero(kept), [0, 1, 2, 3, 4, 10])


def test_adaptive_thresholds_are_flexmatchs():
    # Of class 0 four images pass 0.8, of class 1 two, of class 2 none; three pass as nothing.
    confidence = [0.95, 0.9, 0.85, 0.8, 0.85, 0.8, 0.5, 0.25, 0.34]
    label = [0, 0, 0, 0, 1, 1, 1, 1, 2]
    posterior = np.zeros((9, 3), np.float32)
    for row, (value, number) in enumerate(zip(confidence, label, strict=True)):
        posterior[row] = (1 - value) / 2
        posterior[row, number] = value
    posterior[7] = (0.2, 0.45, 0.35)
    kept = np.asarray(at_least_by_class(posterior, np.ones(9, bool), threshold=0.8))
    # b = (4, 2, 0) / 4, so thresholds 0.8, 0.8 * 0.5 / 1.5 = 0.267 and 0
    np.testing.assert_array_equal(kept, np.ones(9, bool))
    stricter = np.asarray(at_least_by_class(posterior[[0, 1, 2, 3, 4, 5, 6]], np.ones(7, bool), threshold=0.85))
    # b = (3, 1, 0) / 3: thresholds 0.85, 0.85 * (1/3) / (5/3) = 0.17
    np.testing.assert_array_equal(stricter, [True, True, True, False, True, True, True])
    assert not np.asarray(at_least_by_class(posterior, np.zeros(9, bool), threshold=0.8)).any()


def test_counts_by_class_are_of_the_class_that_is_said():
    predicted, label = jnp.array([0, 0, 1, 1, 1]), jnp.array([0, 1, 1, -1, 0])
    unlabelled, kept = np.array([1, 1, 1, 1, 0], bool), np.array([1, 1, 1, 0, 0], bool)
    counts = by_class(predicted, label, unlabelled, kept, num_classes=3)
    np.testing.assert_array_equal(counts, [[2, 2, 0], [2, 1, 0], [1, 1, 0]])
