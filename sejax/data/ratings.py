"""Valence and activation on a five-point scale: from raters or from an emotion, and as fuzzy labels.

A fuzzy label spreads a mean rating over the two whole points around it (Chang and Scherer, Learning representations
of emotional speech with deep convolutional generative adversarial networks, section 3: 4.5 is [0, 0, 0, .5, .5]).
"""

from typing import NamedTuple

import numpy as np

from sejax.core.rng import namespace
from sejax.errors import InputError

POINTS = 5
MIDDLE = (POINTS + 1) / 2  # of the scale, from 1 on
DIMENSIONS = ("valence", "activation")  # in this order wherever there is an axis of them

# Emotion: (valence, activation), for corpora that nobody has rated. Whole points chosen here by the quadrants of the
# circumplex (Russell: A circumplex model of affect, 1980), fitted to no data: 3 is neither pleasant nor unpleasant,
# neither aroused nor quiet. What is trained on them is marked "derived" wherever it shows.
DERIVED = {
    "aggressive": (1, 5),
    "anger": (1, 5),
    "boredom": (2, 1),
    "calm": (4, 1),
    "cheerful": (5, 4),
    "contempt": (2, 3),
    "disgust": (2, 3),
    "excitement": (5, 5),
    "fear": (2, 5),
    "frustration": (2, 4),
    "happiness": (5, 4),
    "helplessness": (2, 2),
    "high stress": (2, 5),
    "joy": (5, 4),
    "medium stress": (2, 4),
    "nervous": (2, 4),
    "neutral": (3, 3),
    "sadness": (1, 2),
    "screaming": (1, 5),
    "surprise": (4, 4),
    "tired": (3, 1),
}
# As manifests write them.
DERIVED |= {
    adjective: DERIVED[noun]
    for adjective, noun in (
        *(("angry", "anger"), ("bored", "boredom"), ("disgusted", "disgust"), ("excited", "excitement")),
        *(("fearful", "fear"), ("frustrated", "frustration"), ("happy", "happiness"), ("sad", "sadness")),
        ("surprised", "surprise"),
    )
}


class Ratings(NamedTuple):
    """What utterances are trained towards.

    Attributes:
      values: f32[U, 2], valence and activation, 1 to 5, nan in both where unrated.
      derived: whether they are `DERIVED`'s.
    """

    values: np.ndarray
    derived: bool


def fuzzy(mean):
    """A mean rating as a distribution over the points 1 to 5, by linear interpolation between its two neighbours.

    Args:
      mean: f32[...]; below 1 counts as 1, above 5 as 5; nan (unrated) gives nan.

    Returns:
      f32[..., 5], not negative, sums to one, with the expectation `mean`. numpy in, numpy out; otherwise traceable.
    """
    xp = namespace(mean)
    points = xp.arange(1, POINTS + 1, dtype=np.float32)
    mean = xp.clip(xp.asarray(mean, np.float32), 1.0, float(POINTS))
    return xp.maximum(1 - xp.abs(mean[..., None] - points), np.float32(0))


def expected(distribution):
    """The mean rating f32[...], 1 to 5, of distributions [..., 5] over the points; numpy and jax alike."""
    return (distribution * namespace(distribution).arange(1, POINTS + 1, dtype=np.float32)).sum(-1)


def on_scale(points, scale: tuple[float, float]):
    """Ratings [...] from 1 to 5 on a corpus's own scale, whose lowest and highest are given."""
    return scale[0] + (points - 1) * unit(scale)


def unit(scale: tuple[float, float]) -> float:
    """How much of a corpus's own scale one of the five points is."""
    return (scale[1] - scale[0]) / (POINTS - 1)


def ratings_of(spectrograms, *, scale: tuple[float, float] = (1.0, 5.0)) -> Ratings:
    """A prepared set's ratings: its raters' means if it has any, else `DERIVED` from its emotions.

    Args:
      spectrograms: valence, activation f32[U] (nan where unrated), label i32[U] (-1 unlabelled), classes,
        utterance_ids, corpus.
      scale: the corpus's lowest and highest rating, which become 1 and 5.

    An utterance that is rated in one of the two dimensions alone is unrated. No mean of what raters gave lies outside
    the scale: what does is of another one, or counts what nobody gave, as IEMOCAP's own means do (5.5) and sets that
    earlier versions prepared.

    Raises:
      InputError: ratings outside the scale, or in one dimension alone; an emotion that `DERIVED` lacks.
    """
    _check_joined(spectrograms)
    low, high = (float(np.float32(end)) for end in scale)  # as ratings are kept
    corpus = spectrograms.corpus
    if not low < high:
        raise InputError(f"{corpus}: scale={low:g},{high:g} for ratings; give the lowest, then the highest rating")
    values = np.stack([np.asarray(getattr(spectrograms, name), np.float64) for name in DIMENSIONS], -1)  # [U, 2]
    if np.isnan(values).all():
        return _derived(spectrograms)
    _check(spectrograms, values, low, high)
    values[np.isnan(values).any(-1)] = np.nan
    points = 1 + (values - low) * ((POINTS - 1) / (high - low))
    return Ratings(points.astype(np.float32), False)


def _check_joined(spectrograms):
    """Of several corpora all have raters, or none has."""
    sets = getattr(spectrograms, "joined_from", ())
    rated = [one.corpus for one in sets if not np.isnan(one.valence).all()]
    if 0 < len(rated) < len(sets):
        others = [one.corpus for one in sets if one.corpus not in rated]
        raise InputError(
            f"{spectrograms.corpus}: {', '.join(rated)} has ratings and {', '.join(others)} has none, and ratings that "
            "are derived from emotions are on no rater's scale; give corpora of one kind"
        )


def _check(spectrograms, values, low, high):
    """Every rating within the scale, and some utterance rated in both dimensions."""
    for name, column in zip(DIMENSIONS, values.T, strict=True):
        outside = np.flatnonzero((column < low) | (column > high))
        if len(outside):
            raise InputError(
                f"{spectrograms.corpus}: {name} of {spectrograms.utterance_ids[outside[0]]} is {column[outside[0]]:g}, "
                f"outside the scale {low:g} to {high:g} ({len(outside)} such); give the corpus's own scale, mend its "
                "ratings, or prepare it again if an earlier version did"
            )
    if np.isnan(values).any(-1).all():
        counts = " and ".join(f"{name} of {n}" for name, n in zip(DIMENSIONS, (~np.isnan(values)).sum(0), strict=True))
        raise InputError(
            f"{spectrograms.corpus}: raters give {counts} utterances, none both; add the missing ratings, or remove "
            "these to derive both from the emotions"
        )


def _derived(spectrograms) -> Ratings:
    label = np.asarray(spectrograms.label)
    used = np.unique(label[label >= 0])
    lacking = [spectrograms.classes[index] for index in used if spectrograms.classes[index].lower() not in DERIVED]
    if lacking:
        raise InputError(
            f"{spectrograms.corpus}: no valence and activation are known for {', '.join(map(repr, lacking))}; rate the "
            f"utterances, leave the emotion out, or use the names {', '.join(DERIVED)}"
        )
    table = np.full((len(spectrograms.classes) + 1, 2), np.nan, np.float32)  # the last row is for -1
    for index in used:
        table[index] = DERIVED[spectrograms.classes[index].lower()]
    return Ratings(table[label], True)
