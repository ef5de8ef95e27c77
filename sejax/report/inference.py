"""Intervals and tests of a few paired differences, one for each fold: numbers alone, with scipy.

Folds of one corpus share most of their training data, so their scores are not independent. Nothing makes up for that
exactly: there is no unbiased estimate of the variance of k-fold cross-validation (Bengio and Grandvalet, "No unbiased
estimator of the variance of k-fold cross-validation", JMLR 5, 2004). docs/comparing.md says what stands here and why.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEAST = 3  # folds that an interval or a test stands on
CONFIDENCE = 0.95
RESAMPLES = 9_999
SEED = 0  # of resamples and of random signs
NEEDS = "it needs scipy: pip install 'sejax[report]'"

Interval = tuple[float, float]


class Inference(NamedTuple):
    """What differences d_1 ... d_n say of their mean.

    Attributes:
      n: differences. mean, std: of them, std with n - 1 in its denominator (0.0 for n = 1).
      bootstrap: `bootstrap_interval`. corrected, p: `corrected_t`. flips: `sign_flips`. All None where `why` is given.
      why: why there is neither interval nor test, "" where there are.
    """

    n: int
    mean: float
    std: float
    bootstrap: Interval | None = None
    corrected: Interval | None = None
    p: float | None = None
    flips: float | None = None
    why: str = ""


def infer(differences: Sequence[float], ratio: float) -> Inference:
    """Everything of some differences; `ratio` as for `corrected_t`. Raises ImportError, saying the extra."""
    values = np.asarray(differences, float)
    about = len(values), float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if len(values) < LEAST:
        return Inference(*about, why=f"fewer than {LEAST} folds")
    if _degenerate(values):
        return Inference(*about, why="all differences are equal")
    p, corrected = corrected_t(values, ratio)
    return Inference(*about, bootstrap_interval(values), corrected, p, sign_flips(values))


def bootstrap_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the mean by the bias-corrected and accelerated bootstrap (BCa).

    `RESAMPLES` resamples of the values with the fixed `SEED`, `scipy.stats.bootstrap`. None for fewer than `LEAST`
    values, or where all are equal. It takes values for independent, and is too narrow for few of them.

    Source: Efron, "Better bootstrap confidence intervals", JASA 82, 1987. Raises ImportError, saying the extra.
    """
    values = np.asarray(values, float)
    if len(values) < LEAST or _degenerate(values):
        return None
    stats, random = _stats(), np.random.default_rng(SEED)
    options = {"n_resamples": RESAMPLES, "confidence_level": CONFIDENCE, "method": "BCa", "rng": random}
    low, high = stats.bootstrap((values,), np.mean, **options).confidence_interval
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None


def corrected_t(values: Sequence[float], ratio: float) -> tuple[float, Interval]:
    """The corrected resampled t-test that the mean of n differences is 0: two-sided p, and the 95 % interval.

    t = mean / sqrt((1/n + ratio) s^2) with n - 1 degrees of freedom, s^2 the sample variance. `ratio` is the size of a
    test part over that of its training part: by so much do folds that share training data vary together. 0 gives
    Student's test. At least two values that are not all equal.

    Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003. Raises ImportError,
    saying the extra.
    """
    values, stats = np.asarray(values, float), _stats()
    mean, freedom = float(values.mean()), len(values) - 1
    error = math.sqrt((1 / len(values) + ratio) * float(values.var(ddof=1)))
    margin = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * error
    return float(2 * stats.t.sf(abs(mean) / error, freedom)), (mean - margin, mean + margin)


def sign_flips(values: Sequence[float]) -> float:
    """The two-sided p of the permutation test that turns the signs of differences over: as large a mean, or larger.

    Exact where `RESAMPLES` allows for all 2^n signs, up to 13 differences; of more, `RESAMPLES` random signs with the
    fixed `SEED`, and those that were observed. Means that differ by rounding alone count as equal, which
    `scipy.stats.permutation_test` does not see where the mean is 0.

    Source: Fisher, "The Design of Experiments", 1935; Phipson and Smyth, "Permutation p-values should never be zero",
    Stat. Appl. Genet. Mol. Biol. 9, 2010, for random signs.
    """
    values = np.asarray(values, float)
    exact = least_p(len(values)) is not None
    if exact:
        bits = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1  # [2^n, n]
    else:
        bits = np.random.default_rng(SEED).integers(0, 2, size=(RESAMPLES, len(values)))
    observed, rounding = abs(values.sum()), 1e-9 * np.abs(values).sum()
    reached = np.abs((2 * bits - 1) @ values) >= observed - rounding
    return float(reached.mean()) if exact else float((reached.sum() + 1) / (RESAMPLES + 1))


def least_p(n: int) -> float | None:
    """The least p that `sign_flips` can give for n differences, 2 / 2^n; None where it draws signs at random."""
    return 2.0 ** (1 - n) if 2**n <= RESAMPLES else None


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, adjusted so that the chance of any false finding among them stays below the level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted, so_far = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = so_far
    return adjusted


def _degenerate(values):
    return float(np.ptp(values)) <= 1e-12 * max(1.0, float(np.abs(values).max()))


def _stats():
    try:
        from scipy import stats
    except ImportError:
        raise ImportError(NEEDS) from None
    return stats
