import numpy as np
import pytest

from sejax.report.published import FULL_SUPERVISION, PSEUDO_LABELS, SEMI_SUPERVISION, condition, published


@pytest.mark.parametrize(
    ("setting", "figures"),
    [
        (("emodb", "log", "none", 1.0), (None, 0.96)),
        (("emodb", "log", 0, 1.0), (None, 0.94)),
        (("emodb", "mel", 3, 1.0), (None, 0.92)),
        (("emodb", "log", "none", 0.3), (0.77, 0.80)),
        (("emodb", "log", 0, 0.3), (0.70, 0.72)),
        (("emodb", "mel", 0, 0.3), (0.66, 0.72)),
        (("emodb", "log", 2, 0.2), (0.61, 0.67)),
        (("susas", "mel", 1, 0.2), (0.76, 0.78)),
        (("vam", "mel", 0, 1.0), (None, 0.45)),
        (("eNTERFACE", "log", 0, 0.3), (0.56, 0.62)),
    ],
)
def test_figures_are_those_of_the_papers_tables(setting, figures):
    first, last = figures
    found = published(*setting)
    assert found["test/macro_f1"] == last
    assert found.get("iteration_1/test/macro_f1") == first
    assert found.get("iteration_3/test/macro_f1") == (None if first is None else last)


@pytest.mark.parametrize(
    "setting",
    [("emodb", "mel", "none", 1.0), ("abc", "log", 0, 0.2), ("ravdess", "log", 0, 1.0), ("emodb", "log", 0, 0.5)],
)
def test_settings_that_the_paper_did_not_run_have_no_figure(setting):
    assert published(*setting) == {}


def test_every_corpus_of_the_paper_stands_in_its_tables():
    nine = {"abc", "avic", "des", "emodb", "enterface", "sal", "smartkom", "susas", "vam"}
    assert set(FULL_SUPERVISION) == set(SEMI_SUPERVISION[0.3]) == nine
    assert set(SEMI_SUPERVISION[0.2]) == {"avic", "emodb", "susas"}


def test_column_sums_are_those_of_the_printed_tables():
    np.testing.assert_allclose(np.sum(list(FULL_SUPERVISION.values()), axis=0), [8.00, 8.33, 7.71])
    thirty = np.sum(list(SEMI_SUPERVISION[0.3].values()), axis=0)
    np.testing.assert_allclose(thirty, [[5.59, 6.12], [5.75, 6.14], [5.45, 5.93]])
    twenty = np.sum(list(SEMI_SUPERVISION[0.2].values()), axis=0)
    np.testing.assert_allclose(twenty, [[2.09, 2.12], [2.11, 2.19], [1.99, 2.10]])


def test_the_baseline_is_the_log_scale_without_voice_activity():
    assert condition("log", "none") == condition("log", None) == "baseline"
    assert condition("log", 0) == "log"
    assert condition("mel", "3") == "mel"
    assert condition("mel", "none") is None
    assert condition("linear", 0) is None


def test_pseudo_labels_of_susas_are_right_more_often_than_those_of_vam():
    susas, vam = (right / confident for right, confident in (PSEUDO_LABELS["susas"], PSEUDO_LABELS["vam"]))
    assert susas == pytest.approx(0.887, abs=1e-3)
    assert vam == pytest.approx(0.774, abs=1e-3)
