import numpy as np
import pytest
from reading import figures

from sejax.experiments.augmentation import published as augmentation
from sejax.experiments.pseudo_labelling.published import (
    FULL_SUPERVISION,
    PSEUDO_LABELS,
    SEMI_SUPERVISION,
    condition,
    published,
)
from sejax.experiments.transfer import published as transfer


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


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("resnet50", (0.997, 0.998, 0.0236, 0.023)),
        ("resnet50_keras", (0.997, 0.998, 0.0236, 0.023)),
        ("squeezenet1_0", (0.578, 0.463, 7.2, 9.6)),
        ("squeezenet1_1", (0.578, 0.463, 7.2, 9.6)),
        ("wide_resnet50_2", (0.857, 0.789, 6.12, 6.23)),
        ("inception_v3", (0.385, 0.385, 9.8, 9.8)),
        ("inception_v3_keras", (0.385, 0.385, 9.8, 9.8)),
    ],
)
def test_transfers_figures_are_table_two_at_its_learning_rate_only(model, row):
    metrics = ("train/accuracy", "valid/accuracy", "train/loss", "valid/loss")
    assert transfer.published(model, 1e-4) == dict(zip(metrics, row, strict=True))
    assert transfer.published(model, np.float32(1e-4)) != {}
    assert transfer.published(model, 1e-3) == transfer.published(model, None) == {}


def test_transfer_has_no_figure_for_other_networks():
    assert transfer.published("alexnet", 1e-4) == {}


def test_the_text_that_contradicts_table_two_is_recorded_beside_it():
    for (network, metric), text in transfer.CONTRADICTED.items():
        assert transfer.TABLE[network][transfer.METRICS.index(metric)] != text
    assert transfer.CONTRADICTED == {("ResNet50", "valid/loss"): 0.23, ("SqueezeNet", "valid/accuracy"): 0.467}


def test_figures_are_found_by_experiment_setting_and_name():
    run = {"experiment": "transfer", "config": {}}
    assert figures(run, {"model": "resnet50", "learning_rate": 1e-4})["train/accuracy"] == 0.997
    labelled = {"corpus": "emodb", "scale": "log", "voice_activity": 0, "labelled": 1.0}
    assert figures({"experiment": "pseudo_labelling", "config": labelled}, {}) == {"test/macro_f1": 0.94}
    assert figures({"experiment": "unheard_of", "config": labelled}, {}) == {}


def test_the_cyclegan_papers_figures_are_those_of_its_three_tables():
    run = {"experiment": "cyclegan", "config": {}}
    assert figures(run, {"lambda_cls": 0.0}) == {
        "train/difference_source": 0.084,
        "train/difference_synthetic": 0.013,
    }
    assert figures(run, {"lambda_cls": 2})["train/difference_synthetic"] == 0.049
    assert figures(run, {"lambda_cls": 1.0}) == {"train/difference_source": 0.084}
    names = [("real", None), ("syn", 0.0), ("syn", 2.0), ("real+syn", 0.0), ("real+syn", 2.0)]
    found = {where: [augmentation.uar(where, *name) for name in names] for where in ("within", "cross")}
    assert found["within"] == [(59.48, 0.71), (51.57, 0.60), (46.59, 0.75), (58.79, 0.77), (60.37, 0.70)]
    assert found["cross"] == [(45.58, 0.40), (39.35, 0.33), (41.58, 1.29), (42.61, 0.34), (46.52, 0.43)]
    assert list(augmentation.SAHU["within"].values()) == [59.42, 34.09, 60.29]
    assert list(augmentation.SAHU["cross"].values()) == [45.14, 33.96, 45.40]


def test_the_real_column_stands_for_both_weights_and_other_trainings_have_no_figure():
    run = {"experiment": "augmentation", "config": {"evaluation": "cross"}}
    assert augmentation.uar("cross", "real", 0.0) == augmentation.uar("cross", "real", 2.0) == (45.58, 0.40)
    assert figures(run, {"training": "real"}) == {"test/uar": 0.4558}
    assert figures(run, {"training": "real+syn", "lambda_cls": 2.0}) == {"test/uar": 0.4652}
    assert figures(run, {"training": "real+syn", "lambda_cls": 1.0}) == {}
    assert figures(run, {"training": "real+noise"}) == {}
