import math
from itertools import product

import numpy as np
import pytest

from sejax.report import inference
from sejax.report.inference import bootstrap_interval, corrected_t, holm, infer, least_p, sign_flips

pytest.importorskip("scipy")
VALUES = [0.05, 0.01, -0.02, 0.04, 0.03]


def test_the_corrected_t_test_is_nadeau_and_bengios_by_hand():
    # mean 0.022; squares of deviations 0.000784 + 0.000144 + 0.001764 + 0.000324 + 0.000064 = 0.00308; variance 0.00077
    p, (low, high) = corrected_t(VALUES, 0.25)
    error = math.sqrt((1 / 5 + 0.25) * 0.00077)
    assert (low + high) / 2 == pytest.approx(0.022)
    assert (high - low) / 2 == pytest.approx(2.7764451 * error, rel=1e-6)  # the table's t of 4 degrees at 97.5 %
    t = 0.022 / error
    assert p == pytest.approx(1 - t * (t**2 + 6) / (t**2 + 4) ** 1.5, rel=1e-9)  # the distribution for 4 degrees


def test_without_a_correction_it_is_students_test():
    from scipy import stats

    assert corrected_t(VALUES, 0.0)[0] == pytest.approx(stats.ttest_1samp(VALUES, 0.0).pvalue)


@pytest.mark.parametrize("values", [VALUES, [0.3, 0.1, 0.2, 0.25, 0.05], [0.1, -0.1, 0.2], [0.2] * 3 + [-0.2] * 3])
def test_sign_flips_count_all_signs(values):
    mean = abs(np.mean(values))
    flipped = [abs(np.mean(np.multiply(signs, values))) for signs in product((-1, 1), repeat=len(values))]
    assert sign_flips(values) == pytest.approx(np.mean(np.array(flipped) >= mean - 1e-12))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_sign_flips_are_those_of_scipy(n):
    from scipy import stats

    values = np.random.default_rng(n).normal(0.3, 1.0, n)
    asked = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(values) == pytest.approx(asked.pvalue)


def test_five_folds_of_one_sign_have_the_least_p_there_is():
    assert sign_flips([0.3, 0.1, 0.2, 0.25, 0.05]) == least_p(5) == 0.0625
    assert sign_flips(np.arange(1, 11) / 100) == least_p(10) == 2 / 1024
    assert least_p(14) is None and 0 < sign_flips(np.arange(1, 15) / 100) < 0.002


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_bootstrap_covers_the_mean_of_many_values_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(inference, "RESAMPLES", 499)
    random = np.random.default_rng(0)
    intervals = [bootstrap_interval(random.exponential(size=40)) for _ in range(200)]
    assert 0.89 < np.mean([low <= 1.0 <= high for low, high in intervals]) < 0.98


def test_the_bootstrap_of_five_folds_is_too_narrow_and_the_corrected_interval_is_not(monkeypatch):
    monkeypatch.setattr(inference, "RESAMPLES", 499)
    samples = np.random.default_rng(1).normal(size=(200, 5))
    boot = np.mean([low <= 0 <= high for low, high in map(bootstrap_interval, samples)])
    corrected = np.mean([low <= 0 <= high for _, (low, high) in (corrected_t(values, 0.25) for values in samples)])
    student = np.mean([low <= 0 <= high for _, (low, high) in (corrected_t(values, 0.0) for values in samples)])
    assert boot < 0.91 < student < corrected


def test_the_same_values_have_the_same_interval_every_time():
    assert bootstrap_interval(VALUES) == bootstrap_interval(VALUES)
    low, high = bootstrap_interval(VALUES)
    assert min(VALUES) < low < np.mean(VALUES) < high < max(VALUES)


def test_two_folds_and_equal_differences_have_neither_interval_nor_test():
    few = infer([0.1, 0.2], 0.25)
    assert few[:3] == (2, pytest.approx(0.15), pytest.approx(math.sqrt(0.005)))
    assert few[3:] == (None, None, None, None, "fewer than 3 folds")
    equal = infer([0.25] * 5, 0.25)
    assert (equal.bootstrap, equal.corrected, equal.p, equal.why) == (None, None, None, "all differences are equal")
    assert infer([0.1 + 0.2, 0.3, 0.3], 0.25).p is None  # of rounding alone
    assert bootstrap_interval([0.1, 0.2]) is None


def test_without_scipy_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"sejax\[report\]"):
        infer(VALUES, 0.25)
