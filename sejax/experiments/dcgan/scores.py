"""How ratings are scored: the paper's section 5, "Evaluation Strategy".

A rating is a distribution over five points; its answer is the most probable one. Where the raters' mean lies halfway
between two points both answers count as right. On three points 1 and 2 are negative, 3 is neutral, 4 and 5 positive.
"""

import jax
import jax.numpy as jnp

from sejax.core.metrics import Confusion, Correlation, Mean, Metrics
from sejax.data.ratings import POINTS, expected

POOLED = (0, 0, 1, 2, 2)  # which of the three points each of the five belongs to
THREE = 3
_TIE = 1e-4  # shares of a perfect split are equal but for rounding


def accepted(target: jax.Array) -> jax.Array:
    """The right answers of fuzzy labels f32[..., 5]: bool[..., 5], one, or both points of a perfect split."""
    return target > target.max(-1, keepdims=True) - _TIE


def pooled(accept: jax.Array) -> jax.Array:
    """Right answers bool[..., 5] on three points: bool[..., 3], a pooled point is right where any of its own is."""
    return jnp.stack([accept[..., :2].any(-1), accept[..., 2], accept[..., 3:].any(-1)], axis=-1)


def confusion(accept: jax.Array, answer: jax.Array, weights: jax.Array) -> Confusion:
    """Answers i32[B] against the right ones bool[B, P].

    A right answer counts for the point it names; a wrong one for all right points, in equal shares.
    """
    points = accept.shape[-1]
    given = jax.nn.one_hot(answer, points)  # [B, P]
    hit = (given * accept).sum(-1, keepdims=True)
    shares = accept / jnp.maximum(accept.sum(-1, keepdims=True), 1)
    truth = jnp.where(hit > 0, given, shares) * weights.astype(jnp.float32)[:, None]
    return Confusion(jnp.einsum("bt,bp->tp", truth, given, precision=jax.lax.Precision.HIGHEST))


def rating_scores(posterior: jax.Array, target: jax.Array, rating: jax.Array, weights: jax.Array) -> Metrics:
    """Scores of one dimension.

    Args:
      posterior: f32[B, 5].
      target: f32[B, 5], fuzzy labels.
      rating: f32[B], the raters' mean, 1 to 5.
      weights: [B], 0 for what does not count.

    Returns:
      "confusion" on five points, "pooled/confusion" on three, "pearson" of the expected value and the rating, and
      "loss", the cross-entropy.
    """
    accept, answer = accepted(target), posterior.argmax(-1)
    losses = -(target * jnp.log(jnp.maximum(posterior, jnp.finfo(jnp.float32).tiny))).sum(-1)
    return {
        "loss": Mean.from_values(losses, weights),
        "confusion": confusion(accept, answer, weights),
        "pooled/confusion": confusion(pooled(accept), jnp.array(POOLED)[answer], weights),
        # Around the scale's middle, where sums of squares lose least.
        "pearson": Correlation.from_pairs(
            expected(posterior) - (POINTS + 1) / 2, rating - (POINTS + 1) / 2, weights
        ),
    }


def named(scores: Metrics, dimension: str, part: str = "") -> Metrics:
    """Scores under the names that results give them: valence's plain, activation's with "activation/" before them."""
    prefix = (f"{part}/" if part else "") + ("" if dimension == "valence" else f"{dimension}/")
    return {f"{prefix}{name}": metric for name, metric in scores.items()}
