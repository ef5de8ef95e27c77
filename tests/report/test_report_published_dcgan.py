"""The figures of the paper of the four models, against each other."""

import numpy as np
import pytest
from reading import figures, note

from sejax.experiments.dcgan import published as dcgan
from sejax.experiments.dcgan.published import CLAIMS, CONFUSION, COUNTS, METRICS, PARAMETERS, VALENCE, claimed

QUANTITIES = ("recall", "precision", "f1")
POOLS = ([0, 1], [2], [3, 4])


def three_classes(counts):
    return np.mean([counts[np.ix_(pool, pool)].sum() / counts[pool].sum() for pool in POOLS])


def test_a_models_figures_are_found_by_the_keys_of_results():
    run = {"experiment": "dcgan", "config": {}}
    assert figures(run, {"model": "basic_cnn"}) == {"test/uar": 0.3852, "test/uar_3": 0.4659, "test/pearson": 0.1639}
    assert figures(run, {"model": "multitask_cnn"}) == {
        "test/uar": 0.3678,
        "test/uar_3": 0.4057,
        "test/pearson": 0.0737,
    }
    assert list(figures(run, {"model": "basic_dcgan"}).values()) == [0.4388, 0.4980, 0.2618]
    assert list(figures(run, {"model": "multitask_dcgan"}).values()) == [0.4369, 0.4888, 0.2434]
    assert figures(run, {"model": "lstm"}) == {} and "counts behind Table 3" in note(run)


def test_the_models_differ_from_each_other_as_the_text_says():
    gain = {name: np.subtract(VALENCE[f"{name}_dcgan"], VALENCE[f"{name}_cnn"]) for name in ("basic", "multitask")}
    np.testing.assert_allclose(gain["basic"], [0.0536, 0.0321, 0.0979])
    np.testing.assert_allclose(gain["multitask"], [0.0691, 0.0831, 0.1697])
    assert np.all(np.array(VALENCE["multitask_cnn"]) < VALENCE["basic_cnn"])  # "in all three metrics"


def test_parameters_lie_in_the_searched_space():
    for found in PARAMETERS.values():
        assert found["crop"] in (64, 128) and found["batch_size"] in (64, 128, 256)
        assert found["learning_rate"] in (1e-3, 1e-4, 1e-5)
        assert 2 <= found["filter_size"] <= found["crop"] // 8
        assert found["filters"] in range(32, 91, 4)


def test_table_threes_diagonal_gives_table_twos_accuracy():
    shares = np.array(CONFUSION)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1.01e-4)
    assert round(np.diag(shares).mean(), 4) == dict(zip(METRICS, VALENCE["basic_dcgan"], strict=True))["test/uar"]


def test_the_counts_give_every_share_and_both_accuracies_of_basic_dcgan():
    counts = np.array(COUNTS, dtype=float)
    np.testing.assert_array_equal(np.round(counts / counts.sum(1, keepdims=True), 4), CONFUSION)
    assert round(np.mean(np.diag(counts) / counts.sum(1)), 4) == 0.4388
    assert round(three_classes(counts), 4) == 0.4980
    assert counts.sum() == 3520


def test_no_smaller_counts_and_no_other_multiples_of_the_outer_rows_do():
    for row, shares in zip(COUNTS, CONFUSION, strict=True):
        for total in range(1, sum(row)):
            guess = np.round(np.array(shares) * total)
            assert guess.sum() != total or not np.array_equal(np.round(guess / total, 4), shares)
    for first in range(1, 6):
        for last in range(1, 6):
            scaled = np.array(COUNTS, dtype=float) * np.array([first, 1, 1, 1, last])[:, None]
            assert (round(three_classes(scaled), 4) == 0.4980) == (first == last == 1)


def test_the_texts_precision_and_f1_follow_from_the_shares_and_not_from_the_counts():
    of_shares = dict(zip(QUANTITIES, claimed(CONFUSION), strict=True))
    of_counts = dict(zip(QUANTITIES, claimed(COUNTS), strict=True))
    for (place, quantity), figure in CLAIMS.items():
        assert of_shares[quantity][place] == pytest.approx(figure, abs=1e-4)
    assert of_counts["precision"][1] == pytest.approx(0.6046, abs=5e-5)
    assert of_counts["f1"][4] == pytest.approx(0.2846, abs=5e-5)
    assert of_shares["f1"].argmax() == 4  # as the text says, of classes taken as equally frequent
    assert of_counts["f1"].argmax() == 1 and of_counts["f1"][1] == pytest.approx(0.6774, abs=5e-5)
    for told in ("0.3502", "0.5284", "0.6046", "0.2846", "0.6774", "3520"):
        assert told in dcgan.CONFUSION_NOTE
