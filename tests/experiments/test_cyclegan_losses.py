"""The CycleGANs' losses and schedule by hand."""

from math import exp, log
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sejax.experiments.cyclegan.algorithm import (
    adversarial_loss,
    classification_loss,
    cycle_loss,
    discriminator_loss,
)
from sejax.experiments.cyclegan.stage import Schedule, all_finite, next_row, overall, rate_at


def sigmoid(x):
    return 1.0 / (1.0 + exp(-x))


def test_a_generator_wants_the_label_one_and_the_discriminator_one_sided_smooth_labels():
    real, fake = [0.3, 2.0], [-1.0, 0.5]
    fooled = -np.mean([log(sigmoid(x)) for x in fake])
    np.testing.assert_allclose(adversarial_loss(jnp.array(fake)[:, None]), fooled, rtol=1e-6)
    judged = -np.mean([0.9 * log(sigmoid(x)) + 0.1 * log(1 - sigmoid(x)) for x in real])
    judged -= np.mean([log(1 - sigmoid(x)) for x in fake])
    found = discriminator_loss(jnp.array(real)[:, None], jnp.array(fake)[:, None])
    np.testing.assert_allclose(found, judged, rtol=1e-6)


def test_an_undecided_discriminator_costs_two_logarithms_of_two_and_is_best_at_the_smooth_label():
    undecided = jnp.zeros((5, 1))
    np.testing.assert_allclose(discriminator_loss(undecided, undecided), 2 * log(2), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda x: adversarial_loss(x, 0.9))(jnp.array([[log(9.0)]])), 0.0, atol=1e-7)


def test_sure_discriminators_leave_generators_a_gradient_and_no_infinity():
    logits = jnp.array([[-200.0], [200.0]])
    np.testing.assert_allclose(adversarial_loss(logits), 100.0, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(adversarial_loss)(logits), [[-0.5], [0.0]], atol=1e-6)


def test_cycle_loss_is_the_mean_square_over_batch_and_features():
    found = cycle_loss(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, 13 / 3, rtol=1e-6)


def test_classification_loss_is_the_cross_entropy_of_the_emotion():
    even = jnp.zeros((3, 4))
    np.testing.assert_allclose(classification_loss(even, jnp.int32(2)), log(4), rtol=1e-6)
    logits = [[2.0, -1.0, 0.0, 1.0], [0.0, 0.0, 3.0, 0.0]]
    expected = np.mean([log(sum(map(exp, row))) - row[3] for row in logits])
    np.testing.assert_allclose(classification_loss(jnp.array(logits), jnp.int32(3)), expected, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite_finds_the_emotion(bad):
    kernel = np.ones((4, 3, 2), np.float32)
    kernel[1, 2, 0] = bad
    np.testing.assert_array_equal(all_finite({"bias": jnp.ones(4), "kernel": kernel}), [True, False, True, True])


def test_the_mean_loss_counts_the_living_and_is_nan_without_any():
    values, alive = jnp.array([1.0, jnp.nan, 3.0]), jnp.array([True, False, True])
    assert float(overall(values, alive).compute()) == 2.0
    assert np.isnan(overall(values, jnp.zeros(3, bool)).compute())


def test_the_rate_falls_to_four_fifths_every_fifty_epochs():
    schedule = Schedule(epochs=2000, row_epochs=50, decay=0.8)
    for step, falls in ((0, 0), (50 * 18 - 1, 0), (50 * 18, 1), (100 * 18 - 1, 1), (100 * 18, 2), (1999 * 18, 39)):
        state = SimpleNamespace(step=jnp.int32(step), epoch_updates=jnp.int32(18), learning_rate=jnp.float32(2e-4))
        np.testing.assert_allclose(rate_at(state, schedule), 2e-4 * 0.8**falls, rtol=1e-5)


def test_the_last_row_of_the_history_holds_the_epochs_that_are_left():
    class Row(SimpleNamespace):
        def replace(self, **changes):
            return Row(**vars(self) | changes)

    schedule = Schedule(epochs=11, row_epochs=4)
    row, lengths = Row(step=jnp.int32(0), epoch_updates=jnp.int32(3), epoch_steps=jnp.int32(12)), []
    while not getattr(row, "stopped", False):
        lengths.append(int(row.epoch_steps))
        row = next_row(row.replace(step=row.step + row.epoch_steps), schedule)
        assert int(row.epoch_start) == sum(lengths)
    assert lengths == [12, 12, 9]
