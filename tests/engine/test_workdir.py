"""A workdir belongs to one config and one environment."""

import copy
import json

import numpy as np
import pytest

from sejax.engine.workdir import (
    claim,
    claimed,
    differences,
    environment,
    moved,
    only_run,
    read_claim,
    release,
    write_finished,
)
from sejax.errors import InputError

CONFIG = {
    "corpus": "emodb",
    "learning_rate": 1e-2,
    "image": {"size": (224, 224)},
    "run": {"backend": "scan", "save_seconds": 20.0, "keep": 1, "tensorboard": True, "compilation_cache": "~/x"},
}
HERE = environment("scan", {"devices": 1, "member": 1, "data": 1})


def _changed(**fields):
    config = copy.deepcopy(CONFIG)
    for path, value in fields.items():
        *parents, name = path.split("__")
        place = config
        for parent in parents:
            place = place[parent]
        place[name] = value
    return config


def test_the_same_config_is_recognised_and_nothing_is_rewritten(tmp_path):
    assert claim(tmp_path / "run", CONFIG, HERE) is False
    written = (tmp_path / "run" / "config.json").read_bytes()
    assert claim(tmp_path / "run", copy.deepcopy(CONFIG), HERE) is True
    assert (tmp_path / "run" / "config.json").read_bytes() == written
    assert read_claim(tmp_path / "run")["config"]["image"] == {"size": [224, 224]}


def test_another_config_is_refused_with_every_field_that_differs(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    with pytest.raises(InputError) as error:
        claim(tmp_path, _changed(corpus="nemo", image__size=(64, 64), learning_rate=1e-3), HERE)
    for text in (str(tmp_path), "corpus: 'emodb' -> 'nemo'", "image.size: [224, 224] -> [64, 64]", "0.01 -> 0.001"):
        assert text in str(error.value)
    assert "run." not in str(error.value) and "--workdir" in str(error.value)


def test_fields_that_came_or_went_are_differences_too(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    with pytest.raises(InputError, match="dropout: None -> 0.5"):
        claim(tmp_path, CONFIG | {"dropout": 0.5}, HERE)
    without = {name: value for name, value in CONFIG.items() if name != "corpus"}
    with pytest.raises(InputError, match="corpus: 'emodb' -> None"):
        claim(tmp_path, without, HERE)


def test_a_field_that_earlier_versions_had_not_means_there_what_they_did(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    assert claim(tmp_path, CONFIG | {"level": "none"}, HERE) is True
    with pytest.raises(InputError, match="level: 'none' -> 'rms'"):
        claim(tmp_path, CONFIG | {"level": "rms"}, HERE)


@pytest.mark.parametrize(("corpus", "unlabelled"), [("iemocap", []), ("msp_improv", ["ami", "iemocap"])])
def test_word_times_of_earlier_runs_are_those_of_the_frames_numbers(tmp_path, corpus, unlabelled):
    config = CONFIG | {"corpus": corpus, "unlabelled": unlabelled}
    claim(tmp_path, config, HERE)
    assert claim(tmp_path, config | {"word_times": "frame"}, HERE) is True
    with pytest.raises(InputError, match="word_times: 'frame' -> 'note'"):
        claim(tmp_path, config | {"word_times": "note"}, HERE)
    assert read_claim(tmp_path)["config"]["word_times"] == "frame"


def test_word_times_say_nothing_of_corpora_without_a_rule(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    assert claim(tmp_path, CONFIG | {"word_times": "note"}, HERE) is True


@pytest.mark.parametrize(
    "free", [{"run__save_seconds": 1.0}, {"run__keep": 3}, {"run__tensorboard": False}, {"run__compilation_cache": ""}]
)
def test_what_changes_no_result_may_differ(tmp_path, free):
    claim(tmp_path, CONFIG, HERE)
    assert claim(tmp_path, _changed(**free), HERE) is True


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"backend": "loop"}, "backend: 'scan' -> 'loop'"),
        ({"platform": "gpu"}, "platform: 'cpu' -> 'gpu'"),
        ({"versions": HERE["versions"] | {"jax": "0.0.1"}}, "jax: .* -> '0.0.1'"),
    ],
)
def test_a_change_of_what_the_last_bits_depend_on_is_refused(tmp_path, other, message):
    claim(tmp_path, CONFIG, HERE)
    with pytest.raises(InputError, match=message):
        claim(tmp_path, CONFIG, HERE | other)


def test_a_run_goes_on_on_other_devices_and_says_so(tmp_path):
    other = HERE | {"placement": {"devices": 2, "member": 1, "data": 2}}
    claim(tmp_path, CONFIG, HERE)
    assert claim(tmp_path, CONFIG, other) is True
    assert moved(tmp_path, other) == "data: 1 -> 2; devices: 1 -> 2"
    assert moved(tmp_path, HERE) == ""


def test_a_run_goes_on_with_other_flags_of_xla_and_says_so(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    other = HERE | {"xla_flags": "--xla_some=1"}
    assert claim(tmp_path, CONFIG, other) is True
    assert moved(tmp_path, other) == f"XLA_FLAGS: {HERE['xla_flags']!r} -> '--xla_some=1'"


def test_runs_of_versions_that_noted_no_flags_had_none(tmp_path):
    claim(tmp_path, CONFIG, {name: value for name, value in HERE.items() if name != "xla_flags"})
    assert moved(tmp_path, HERE | {"xla_flags": ""}) == ""
    assert moved(tmp_path, HERE | {"xla_flags": "--xla_some=1"}) == "XLA_FLAGS: '' -> '--xla_some=1'"


def test_versions_without_influence_on_the_bits_may_change(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    assert claim(tmp_path, CONFIG, HERE | {"versions": HERE["versions"] | {"sejax": "9.9.9"}, "python": "3.99"})


def test_the_environment_names_versions_and_device():
    assert HERE["versions"]["numpy"] == np.__version__
    assert HERE["platform"] == "cpu" and HERE["backend"] == "scan"


def test_a_folder_without_a_run_or_with_a_broken_one_is_an_error_that_names_it(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path} holds no run"):
        read_claim(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG)[:-5])
    with pytest.raises(InputError, match=f"{tmp_path}/config.json is damaged .it is not JSON"):
        read_claim(tmp_path)


def test_differences_are_named_by_path():
    assert list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})) == ["a.c: 2 -> 3"]


def test_a_folder_that_is_released_may_be_another_runs(tmp_path):
    claim(tmp_path, CONFIG, HERE)
    with pytest.raises(InputError, match="another config"):
        claim(tmp_path, _changed(corpus="ravdess"), HERE)
    release(tmp_path)
    assert claim(tmp_path, _changed(corpus="ravdess"), HERE) is False
    assert claim(tmp_path, _changed(corpus="ravdess"), HERE) is True


@pytest.mark.parametrize("error", [InputError("refused late"), KeyboardInterrupt(), OSError("full")])
def test_what_fails_before_anything_is_kept_leaves_the_folder_free(tmp_path, error):
    with pytest.raises(type(error)), claimed(tmp_path, CONFIG, HERE) as known:
        assert not known
        raise error
    assert claim(tmp_path, _changed(corpus="ravdess"), HERE) is False


@pytest.mark.parametrize("kept", ["checkpoints/members_0-2/7", "variants/a/checkpoints/members_0-0/12"])
def test_what_fails_later_keeps_it(tmp_path, kept):
    with pytest.raises(InputError, match="late"), claimed(tmp_path, CONFIG, HERE):
        (tmp_path / kept).mkdir(parents=True)
        raise InputError("late")
    assert claim(tmp_path, CONFIG, HERE) is True
    (tmp_path / kept).rmdir()
    with pytest.raises(InputError, match="late"), claimed(tmp_path, CONFIG, HERE):
        write_finished(tmp_path / "stages" / "first", [], {})
        raise InputError("late")
    assert claim(tmp_path, CONFIG, HERE) is True


def test_two_trainings_in_one_folder_are_one_too_many(tmp_path):
    with only_run(tmp_path), pytest.raises(InputError, match=f"{tmp_path} is in use by another"), only_run(tmp_path):
        pass
    with only_run(tmp_path):
        pass
