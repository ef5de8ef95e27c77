"""Rules of pseudo-labelling, pure jnp: which unlabelled images get which label, and how far that can be trusted.

I images, C classes, U utterances. Posteriors are f32[I, C], rows that sum to 1. Rules look at the rows that they are
told to and at no others; the truth of an unlabelled image enters diagnostics alone.

    posterior = by_utterance(posterior, utterance, unlabelled, num_utterances=U)
    temperature = fit_temperature(posterior, label, validates)
    kept = most_confident(tempered(posterior, temperature), unlabelled, share=0.5)

With one posterior for each image and `at_least` alone this is Venkateswaran et al., section 4.4 (and Lee,
"Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks", ICML workshop 2013).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from sejax.core.metrics import utterance_posteriors

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int32

SELECTIONS = ("threshold", "adaptive", "balanced")
BINS = 15  # of the calibration error, as Guo et al. have it
HOTTEST = 100.0  # temperatures are sought between its inverse and it
HALVINGS = 40  # of that range, on a scale of logarithms: to the last bits of float32
LEAST = 1e-37  # a posterior of 0 counts as this


def by_utterance(
    posterior: Float[Array, "images classes"],
    utterance: Int32[Array, " images"],
    counted: Bool[Array, " images"],
    *,
    num_utterances: int,
) -> Float[Array, "images classes"]:
    """Each counted image gets the mean posterior of its utterance's counted images; others keep their own.

    All images of an utterance have one label, and which utterance an image is cut from is known without it.
    """
    voted = utterance_posteriors(posterior, utterance, num_utterances=num_utterances, mask=counted).posteriors
    return jnp.where(counted[:, None], voted[utterance], posterior)


def tempered(
    posterior: Float[Array, "images classes"], temperature: Float[Array, ""]
) -> Float[Array, "images classes"]:
    """softmax(logits / T) of the posteriors softmax(logits), f32[I, C]."""
    return jax.nn.softmax(jnp.log(jnp.maximum(posterior, LEAST)) / temperature)


def fit_temperature(
    posterior: Float[Array, "images classes"], label: Int32[Array, " images"], counted: Bool[Array, " images"]
) -> Float[Array, ""]:
    """The temperature T, f32[], at which the counted images have the least negative log-likelihood.

    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2. In 1 / T the
    likelihood is concave, so its slope changes sign once, and halving the range finds where. 1 where nothing counts;
    where all counted images are right the best T is 0, and the range's lower end is given.
    """
    logits = jnp.log(jnp.maximum(posterior, LEAST))  # up to a number for each image, which softmax takes off again
    truth = jnp.take_along_axis(logits, jnp.maximum(label, 0)[:, None], axis=-1)[:, 0]
    counted = counted & (label >= 0)

    def slope(inverse):
        """Of the negative log-likelihood, by 1 / T."""
        expected = (jax.nn.softmax(inverse * logits) * logits).sum(-1)
        return jnp.where(counted, expected - truth, 0.0).sum()

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        beyond = slope(jnp.exp(middle)) > 0
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    end = jnp.log(jnp.float32(HOTTEST))
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (-end, end))
    return jnp.where(counted.any(), jnp.exp(-(low + high) / 2), 1.0)


def at_least(
    posterior: Float[Array, "images classes"], unlabelled: Bool[Array, " images"], *, threshold: float
) -> Bool[Array, " images"]:
    """The unlabelled images with a largest posterior of at least the threshold (Venkateswaran et al., section 4.4)."""
    return unlabelled & (posterior.max(-1) >= threshold)


def at_least_by_class(
    posterior: Float[Array, "images classes"], unlabelled: Bool[Array, " images"], *, threshold: float
) -> Bool[Array, " images"]:
    """As `at_least`, with a threshold for each class that is lower the fewer images pass the common one.

    Zhang et al., "FlexMatch: boosting semi-supervised learning with curriculum pseudo labeling", NeurIPS 2021,
    equations 5 to 12: with n_c images that pass it as class c and n_0 that pass it as none, b_c = n_c / max(n_0, max n)
    and the threshold is b_c / (2 - b_c) times the common one. A class of which nothing passes takes all that is
    predicted as it.
    """
    classes = posterior.shape[-1]
    predicted = posterior.argmax(-1)
    passing = at_least(posterior, unlabelled, threshold=threshold)
    learned = _counts(predicted, passing, classes)  # [C]
    most = jnp.maximum(learned.max(), unlabelled.sum() - passing.sum())
    share = learned / jnp.maximum(most, 1.0)
    return unlabelled & (posterior.max(-1) >= (threshold * share / (2.0 - share))[predicted])


def most_confident(
    posterior: Float[Array, "images classes"], unlabelled: Bool[Array, " images"], *, share: Float[Array, ""]
) -> Bool[Array, " images"]:
    """Of the unlabelled images predicted as each class the most confident, a share of them (rounded up).

    Zou, Yu, Kumar and Wang, "Unsupervised domain adaptation for semantic segmentation via class-balanced
    self-training", ECCV 2018, section 4.2; a share that grows with the iterations is the curriculum of
    Cascante-Bonilla, Tan, Qi and Ordonez, "Curriculum labeling: revisiting pseudo-labeling for semi-supervised
    learning", AAAI 2021. Images of equal confidence at the limit: those that come first.
    """
    images, classes = posterior.shape
    predicted = jnp.where(unlabelled, posterior.argmax(-1), classes)
    order = jnp.lexsort((-posterior.max(-1), predicted))  # by class, and by falling confidence within it
    counts = _counts(predicted, unlabelled, classes + 1)
    first = jnp.cumsum(counts) - counts  # where each class begins in that order
    rank = jnp.zeros(images).at[order].set(jnp.arange(images, dtype=jnp.float32)) - first[predicted]
    return unlabelled & (rank < jnp.ceil(share * counts[predicted] - 1e-4))


def calibration_error(
    posterior: Float[Array, "images classes"], label: Int32[Array, " images"], counted: Bool[Array, " images"]
) -> Float[Array, ""]:
    """Expected calibration error f32[] of the counted images whose label is known, in `BINS` equal bins of confidence.

    Guo et al., equation 3: the mean over images of |share right - mean confidence| of their bin. 0 where none counts.
    """
    counted = (counted & (label >= 0)).astype(jnp.float32)
    confidence, right = posterior.max(-1), posterior.argmax(-1) == label
    place = jnp.minimum((confidence * BINS).astype(jnp.int32), BINS - 1)
    gap = jnp.zeros(BINS, jnp.float32).at[place].add(counted * (right - confidence))  # bin's images times its gap
    return jnp.abs(gap).sum() / jnp.maximum(counted.sum(), 1.0)


def by_class(
    predicted: Int32[Array, " images"],
    label: Int32[Array, " images"],
    unlabelled: Bool[Array, " images"],
    kept: Bool[Array, " images"],
    *,
    num_classes: int,
) -> Float[Array, "3 classes"]:
    """Counts f32[3, C]: unlabelled images predicted as each class, those kept, and those kept and right."""
    right = kept & (predicted == label)
    return jnp.stack([_counts(predicted, rows, num_classes) for rows in (unlabelled, kept, right)])


def _counts(predicted, counted, classes: int):
    return jnp.zeros(classes, jnp.float32).at[predicted].add(counted.astype(jnp.float32))
