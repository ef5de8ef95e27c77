"""Metrics against scikit-learn, and their algebra: any split of the data merges to the same figures."""

import functools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sejax.core import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the reference here")


def _draw(seed, number=200, classes=5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, number)
    predicted = np.where(rng.random(number) < 0.5, truth, rng.integers(0, classes, number))
    return truth, predicted


CASES = {
    "random": _draw(0),
    "few of many classes": (np.array([0, 0, 3]), np.array([0, 3, 3])),
    "class predicted but never true": (np.array([0, 0, 1, 1]), np.array([0, 2, 1, 2])),
    "class true but never predicted": (np.array([0, 1, 2, 2]), np.array([0, 1, 1, 0])),
    "all wrong": (np.array([0, 1, 2]), np.array([1, 2, 0])),
    "one example": (np.array([4]), np.array([4])),
    "one example, wrong": (np.array([4]), np.array([0])),
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@pytest.mark.parametrize("case", CASES)
def test_figures_equal_scikit_learns(case):
    truth, predicted = CASES[case]
    confusion = metrics.Confusion.from_predictions(truth, predicted, num_classes=5)
    figures = confusion.compute()
    every = list(range(5))
    np.testing.assert_array_equal(
        figures["confusion"], sklearn_metrics.confusion_matrix(truth, predicted, labels=every)
    )
    np.testing.assert_allclose(figures["accuracy"], sklearn_metrics.accuracy_score(truth, predicted), rtol=1e-6)
    np.testing.assert_allclose(figures["uar"], sklearn_metrics.balanced_accuracy_score(truth, predicted), rtol=1e-6)
    macro = sklearn_metrics.f1_score(truth, predicted, average="macro", labels=np.unique(truth), zero_division=0)
    np.testing.assert_allclose(figures["macro_f1"], macro, rtol=1e-6)
    per_class = sklearn_metrics.precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0)
    ours = (metrics.precision, metrics.recall, metrics.f1)
    for function, expected in zip(ours, per_class[:3], strict=True):
        np.testing.assert_allclose(function(confusion.counts), expected, rtol=1e-6)


def test_a_class_that_is_never_true_counts_in_neither_mean_and_in_scikit_learns_macro_f1_alone():
    truth, predicted = CASES["class predicted but never true"]
    figures = metrics.Confusion.from_predictions(truth, predicted, num_classes=5).compute()
    assert figures["uar"] == 0.5
    np.testing.assert_allclose(figures["macro_f1"], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(sklearn_metrics.f1_score(truth, predicted, average="macro"), 4 / 9, rtol=1e-6)


def test_weights_equal_scikit_learns():
    truth, predicted = _draw(1)
    weights = np.random.default_rng(2).random(len(truth)).astype(np.float32)
    figures = metrics.Confusion.from_predictions(truth, predicted, num_classes=5, weights=weights).compute()
    expected = sklearn_metrics.confusion_matrix(truth, predicted, sample_weight=weights)
    np.testing.assert_allclose(figures["confusion"], expected, rtol=1e-5)
    macro = sklearn_metrics.f1_score(truth, predicted, average="macro", sample_weight=weights)
    np.testing.assert_allclose(figures["macro_f1"], macro, rtol=1e-5)


def test_nothing_counted_is_not_a_number_and_poisons_no_merge():
    nothing = {
        "loss": metrics.Mean.from_values(np.zeros(3), np.zeros(3)),
        "confusion": metrics.Confusion.from_predictions(
            np.zeros(3, int), np.zeros(3, int), num_classes=2, weights=np.zeros(3)
        ),
    }
    figures = metrics.compute(nothing)
    assert all(np.isnan(figures[name]) for name in ("loss", "accuracy", "uar", "macro_f1"))
    something = {
        "loss": metrics.Mean.from_values(np.array([2.0, 4.0])),
        "confusion": metrics.Confusion.from_predictions(np.array([0, 1]), np.array([0, 0]), num_classes=2),
    }
    figures = metrics.compute(metrics.merge(nothing, something))
    assert figures["loss"] == 3.0 and figures["accuracy"] == 0.5


def test_unlabelled_examples_are_not_counted():
    confusion = metrics.Confusion.from_predictions(np.array([-1, 0, 1, 2]), np.array([0, 0, 1, 1]), num_classes=2)
    np.testing.assert_array_equal(confusion.counts, [[1, 0], [0, 1]])


def test_a_padded_row_that_is_nan_does_not_count_but_a_real_one_does():
    values, mask = np.array([1.0, 3.0, np.nan]), np.array([True, True, False])
    assert metrics.Mean.from_values(values, mask).compute() == 2.0
    assert metrics.Sum.from_values(values, mask).compute() == 4.0
    assert np.isnan(metrics.Mean.from_values(values).compute())
    outputs = metrics.Scatter.from_outputs(np.array([0, 1, 1]), values[:, None], size=2, weights=mask)
    np.testing.assert_array_equal(outputs.compute(), [[1.0], [3.0]])


def _batch(truth, predicted, index, mask, size):
    posteriors = jax.nn.one_hot(predicted, 5) * 0.5 + 0.1
    return {
        "loss": metrics.Mean.from_values(truth * 0.25, mask),
        "seen": metrics.Sum.from_values(mask),
        "confusion": metrics.Confusion.from_predictions(truth, predicted, num_classes=5, weights=mask),
        "posteriors": metrics.Scatter.from_outputs(index, posteriors, size=size, weights=mask),
    }


def test_merged_scanned_and_stacked_batches_equal_the_whole():
    truth, predicted = _draw(3, number=30)
    order = np.random.default_rng(4).permutation(30)
    index = np.concatenate([order, order[:2]])  # 32 rows in batches of 8, the last two only fill
    mask = np.arange(32) < 30
    whole = metrics.compute(_batch(truth, predicted, np.arange(30), np.ones(30, bool), 30))
    rows = (truth[index], predicted[index], index, mask)
    batches = [jnp.asarray(row).reshape(4, 8) for row in rows]
    each = list(zip(*batches, strict=True))
    make = jax.jit(lambda rows: _batch(*rows, 30))

    one_by_one = functools.reduce(metrics.merge, map(make, each))
    start = metrics.empty(jax.eval_shape(make, each[0]))
    scanned, _ = jax.jit(
        lambda rows: jax.lax.scan(lambda sums, row: (metrics.merge(sums, make(row)), None), start, rows)
    )(batches)
    stacked = metrics.merge_stacked(jax.vmap(make)(batches))
    for merged in (one_by_one, scanned, stacked):
        figures = metrics.compute(merged)
        assert figures.keys() == whole.keys()
        for name, value in figures.items():
            np.testing.assert_allclose(value, whole[name], rtol=1e-6, err_msg=name)
    assert whole["seen"] == 30


def test_figures_of_many_members_equal_those_of_each():
    counts = np.stack([sklearn_metrics.confusion_matrix(*_draw(seed)) for seed in range(6)]).astype(np.float32)
    counts[1, 2] = 0.0
    together = metrics.Confusion(jnp.asarray(counts.reshape(2, 3, 5, 5))).compute()
    mapped = jax.vmap(metrics.macro_f1)(counts)
    for member in range(6):
        alone = metrics.Confusion(jnp.asarray(counts[member])).compute()
        for name in ("accuracy", "uar", "macro_f1"):
            assert together[name].reshape(6)[member] == alone[name]
        assert mapped[member] == alone["macro_f1"]


def test_names_of_a_confusion_matrix():
    confusion = metrics.Confusion(jnp.eye(2))
    figures = metrics.compute({"confusion": confusion, "test/confusion": confusion, "valid": confusion})
    names = ("accuracy", "confusion", "macro_f1", "uar")
    assert sorted(figures) == sorted(prefix + name for prefix in ("", "test/", "valid/") for name in names)


def test_metrics_of_other_names_do_not_merge():
    one = metrics.Sum.from_values(np.ones(1))
    with pytest.raises(ValueError, match=r"\['a'\].*\['b'\]"):
        metrics.merge({"a": one}, {"b": one})


def test_counts_are_exact_to_the_documented_bound():
    one = metrics.Sum.from_values(np.ones(1))
    assert metrics.Sum(jnp.float32(2**24 - 1)).merge(one).compute() == 2**24
    assert metrics.Sum(jnp.float32(2**24)).merge(one).compute() == 2**24  # the next one is lost


def test_utterance_posteriors_are_the_means_of_the_blocks_kept():
    rng = np.random.default_rng(5)
    posteriors = rng.dirichlet(np.ones(3), 12).astype(np.float32)
    utterance = np.array([0, 0, 0, 3, 3, 1, 1, 1, 1, 3, 0, 4])
    mask = np.ones(12, bool)
    mask[[2, 11]] = False
    result = jax.jit(lambda p, u, m: metrics.utterance_posteriors(p, u, num_utterances=5, mask=m))(
        posteriors, utterance, mask
    )
    for number in range(5):
        kept = posteriors[mask & (utterance == number)]
        assert result.count[number] == len(kept)
        expected = kept.mean(0) if len(kept) else np.zeros(3)
        np.testing.assert_allclose(result.posteriors[number], expected, rtol=1e-6)


def test_importing_metrics_needs_jax_and_numpy_alone():
    code = "import json, sys, sejax.core.metrics; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "jax" in loaded
    assert not loaded & {"flax", "optax", "torch", "tensorflow", "grain", "librosa", "matplotlib"}


def test_correlation_equals_scipys_whatever_the_split():
    random = np.random.default_rng(3)
    x = random.normal(size=90).astype(np.float32)
    y = (0.6 * x + random.normal(size=90)).astype(np.float32)
    wanted = stats.pearsonr(x, y).statistic
    whole = metrics.Correlation.from_pairs(x, y)
    np.testing.assert_allclose(whole.compute(), wanted, atol=1e-6)
    halves = [metrics.Correlation.from_pairs(x[part], y[part]) for part in (slice(0, 31), slice(31, None))]
    np.testing.assert_allclose(halves[0].merge(halves[1]).compute(), wanted, atol=1e-6)
    stacked = jax.vmap(metrics.Correlation.from_pairs)(x.reshape(9, 10), y.reshape(9, 10))
    rows = [stats.pearsonr(*pair).statistic for pair in zip(x.reshape(9, 10), y.reshape(9, 10), strict=True)]
    np.testing.assert_allclose(stacked.compute(), rows, atol=1e-6)
    np.testing.assert_allclose(metrics.merge_stacked({"rho": stacked})["rho"].compute(), wanted, atol=1e-6)


def test_weights_of_a_correlation_repeat_its_pairs():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(2, 40)).astype(np.float32)
    times = random.integers(0, 4, 40)
    wanted = stats.pearsonr(np.repeat(x, times), np.repeat(y, times)).statistic
    x[times == 0] = np.nan  # padding
    np.testing.assert_allclose(metrics.Correlation.from_pairs(x, y, times).compute(), wanted, atol=1e-6)


@pytest.mark.parametrize(("x", "y"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2]), ([], [])])
def test_a_correlation_without_deviation_is_not_a_number(x, y):
    assert np.isnan(metrics.Correlation.from_pairs(np.array(x, float), np.array(y, float)).compute())
