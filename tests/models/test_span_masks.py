"""Random spans of time: how many, how long, where, and that padding has no say. Against transformers': tests/parity."""

import jax
import jax.numpy as jnp
import numpy as np

from sejax.models.span_masks import span_mask


def spans(row):
    """(begin, end) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return edges.reshape(-1, 2)


def test_spans_lie_within_each_rows_frames_and_are_as_long_as_asked():
    frames = jnp.array([50, 23, 5, 4, 0], jnp.int32)
    for seed in range(20):
        masks = np.asarray(span_mask(jax.random.key(seed), frames, 50, share=0.3, length=5, least=2))
        assert not (masks & (np.arange(50) >= np.asarray(frames)[:, None])).any()
        assert all(end - begin >= 5 for row in masks for begin, end in spans(row))
        assert masks[0].any() and masks[1].any() and masks[2].sum() == 5
        assert not masks[3:].any()  # fewer frames than a span


def test_the_mean_number_of_spans_is_the_share_asked_for():
    frames = jnp.full(2000, 97, jnp.int32)
    masks = span_mask(jax.random.key(0), frames, 97, share=0.025, length=1)
    assert abs(float(masks.sum(1).mean()) - 0.025 * 97) < 0.05
    assert set(np.unique(masks.sum(1))) == {2, 3}


def test_rows_differ_and_neither_padding_nor_other_rows_change_one():
    both, longer = (
        np.asarray(span_mask(jax.random.key(1), jnp.array(frames), places, share=0.3, length=4))
        for frames, places in (([40, 40, 31], 40), ([40, 12, 31], 64))
    )
    np.testing.assert_array_equal(both[[0, 2]], longer[[0, 2], :40])
    assert not longer[:, 40:].any() and (both[0] != both[1]).any()


def test_nothing_is_masked_without_a_share():
    assert not span_mask(jax.random.key(0), jnp.array([40]), 40, share=0.0, length=4).any()
