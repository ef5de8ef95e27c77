"""What of an experiment's config a sweep takes: one thing, and what its experiment says of members and figures."""

import runpy
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from sejax.engine.fields import config_with
from sejax.engine.space import parse_space
from sejax.engine.sweep import plan, trial_values
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.training import one_variant

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def config_of(name, argument):
    return runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"](argument)


def test_a_config_of_several_networks_is_refused_until_one_is_asked_for():
    with pytest.raises(InputError, match="compares squeezenet1_1, squeezenet1_0, and each has best values of its own"):
        one_variant(config_of("transfer", "models=squeezenet1_1+squeezenet1_0,weights=random"))
    assert one_variant(config_of("transfer", "models=squeezenet1_0,weights=random")).model == "squeezenet1_0"


def test_a_config_of_several_learning_rates_is_refused_unless_they_are_what_is_swept():
    config = config_of("transfer", "models=squeezenet1_1,weights=random,rates=0.1+1.0")
    with pytest.raises(InputError, match=r"compares rates=0.1\+1.0; give one of them, or sweep learning_rate"):
        one_variant(config, {"batch_size"})
    assert one_variant(config, {"learning_rate"}).rates == (0.1, 1.0)


@pytest.mark.parametrize(
    ("name", "argument", "text", "expected"),
    [
        ("transfer", "models=squeezenet1_1,weights=random", "learning_rate=0.1|1.0", {"rates": (0.1, 1.0)}),
        ("cyclegan", None, "lambda_cls=0.5|2.0", {"lambdas": (0.5, 2.0)}),
        ("augmentation", "trainings=real", "lambda_cls=0.5|2.0", {"lambdas": (0.5, 2.0)}),
    ],
)
def test_members_fields_are_lists_of_the_configs(name, argument, text, expected):
    config = config_of(name, argument)
    fields = study(config.experiment).member_fields
    trials = trial_values(parse_space(text, config, fields), "grid", seed=0, count=None)
    (run,) = plan(trials, [len(trials)], fields)
    assert run.values == expected
    (field,) = expected
    assert config_with(config, run.values)[field] == expected[field]


def test_the_published_space_of_the_dcgans_is_one_of_their_config():
    module = runpy.run_path(str(CONFIGS / "dcgan.py"))
    config = module["get_config"]("models=multitask_dcgan")
    fields = study(config.experiment).member_fields
    space = parse_space(module["SPACE"], one_variant(config, {"learning_rate"}), fields)
    found = trial_values(space, "random", seed=0, count=100)
    assert {values["width"] for values in found} == {64, 128}
    assert all(2 <= values["side"] <= values["width"] // 8 for values in found)
    run = plan(found, [100], fields)[0]
    assert one_variant(config_with(config, run.values), set(found[0])).filters == found[0]["filters"]


def test_experiments_say_which_validation_figures_they_have():
    assert "valid/accuracy" in study("transfer").validation_figures
    assert study("cyclegan").validated(None) == ()
    for target, known in (("points", "valid/uar"), ("regression", "valid/ccc")):
        figures = study("dcgan").validated(ConfigDict({"target": target}))
        assert known in figures and not {"valid/uar", "valid/ccc"} - {known} & set(figures)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("pseudo_labelling", None, "valid/accuracy"),
        ("augmentation", None, "valid/uar"),
        ("audio_text", None, "valid/uar"),
        ("audio_text", "criterion=accuracy", "valid/accuracy"),
        ("dcgan", "target=regression", "valid/ccc"),
    ],
)
def test_trials_are_ranked_by_what_the_run_itself_chooses_by(name, argument, expected):
    config = config_of(name, argument)
    assert study(name).criterion(config) == expected
    assert expected in study(name).validated(config)
