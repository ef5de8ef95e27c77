"""The fields of a config: the argument that gives them, and the check of their values wherever those come from."""

import copy

import numpy as np
import pytest
from ml_collections import ConfigDict

from sejax.engine.fields import Field, check_config, config_with, make_config, parse_arguments, wanted
from sejax.errors import InputError

FIELDS = {
    "corpus": Field("emodb", name=True),
    "others": Field((), of=str, name=True, distinct=True),
    "labelled": Field(1.0, above=0, most=1),
    "rates": Field((1e-4,), above=0, distinct=True),
    "folds": Field(5, least=2),
    "scale": Field("log", choices=("log", "mel")),
    "width": Field(0, least=16, multiple=16, zero=True),
    "iterations": Field(0, least=1),
    "grid": Field((6, 4), least=1, length=2),
    "runlocal": Field(False),
    "note": Field(""),
    "limits": Field((0.0, 0.0), length=2, ordered=True),
    "image.level": Field(30.0),
    "image.size": Field(224, least=16, most=4096, argument="size"),
}


def made(argument=None):
    config = make_config("foo", FIELDS, argument)
    config.iterations = config.iterations or 3
    return config


@pytest.mark.parametrize("argument", [None, ""])
def test_no_argument_gives_the_defaults(argument):
    assert parse_arguments(argument, FIELDS) == {name: field.default for name, field in FIELDS.items()}


def test_values_take_the_types_of_the_defaults():
    text = "corpus=nemo,others=ami+tedlium,labelled=0.3,folds=2,runlocal,grid=3+2,rates=1,size=64"
    found = parse_arguments(text, FIELDS)
    wanted = {"corpus": "nemo", "others": ("ami", "tedlium"), "labelled": 0.3, "folds": 2, "runlocal": True}
    wanted |= {"grid": (3, 2), "rates": (1.0,), "image.size": 64}
    assert {name: found[name] for name in wanted} == wanted
    assert type(found["rates"][0]) is float and type(found["grid"][0]) is int


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("1", True), ("no", False), ("0", False)])
def test_spellings_of_true_and_false(text, value):
    assert parse_arguments(f"runlocal={text}", FIELDS)["runlocal"] is value


def test_the_last_of_two_values_counts_and_a_value_may_hold_an_equals_sign():
    assert parse_arguments("folds=2,folds=3", FIELDS)["folds"] == 3
    assert parse_arguments("note=a=b", FIELDS)["note"] == "a=b"
    assert parse_arguments("others=", FIELDS)["others"] == ()


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(InputError, match="unknown name 'fold'.*corpus, folds, grid"):
        parse_arguments("fold=2", FIELDS)
    with pytest.raises(InputError, match="unknown name 'image.size'.*size"):
        parse_arguments("image.size=64", FIELDS)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("folds=2.5", "folds=2.5; give a whole number from 2 on"),
        ("folds", "folds=; give a whole number from 2 on"),
        ("folds=1", "folds=1; give a whole number from 2 on"),
        ("labelled=most", "labelled=most; give a finite number above 0 and up to 1"),
        ("labelled=nan", "labelled=nan; give a finite number above 0"),
        ("runlocal=maybe", "runlocal=maybe; give true or false"),
        ("grid=6+wide", r"grid=6\+wide; give 2 entries joined by \+: each a whole number from 1 on"),
        ("limits=3+-3", r"limits=3.0\+-3.0; give 2 entries joined by \+, the smallest first: each a finite number"),
        ("size=8", "size=8; give a whole number from 16 and up to 4,096"),
        ("scale=bark", "scale=bark; give one of log, mel"),
        ("width=17", "width=17; give a whole number from 16 on, a multiple of 16, or 0"),
        ("corpus=a/b", "corpus=a/b; give the name of a corpus"),
    ],
)
def test_an_error_names_field_value_and_what_to_give(argument, message):
    with pytest.raises(InputError, match=f"^config: {message}"):
        made(argument)


def test_a_config_holds_the_values_alone_in_their_sections():
    config = made("runlocal,size=64")
    assert config.to_dict()["image"] == {"level": 30.0, "size": 64}
    assert set(config.to_dict()) == {"experiment", "image", *(name for name in FIELDS if "." not in name)}
    assert config == ConfigDict(config.to_dict())
    check_config(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("labelled", value) for value in (float("nan"), float("inf"), 0.0, -1.0, 1.5, 1e-60)),
        *(("folds", value) for value in (0, 1, True, 2**31)),
        *(("rates", value) for value in ((), (0.0,), (0.1, 0.1), (0.1, float("nan")), ("a",), (True,))),
        *(("grid", value) for value in ((6,), (6, 4, 2), (6, 0), (6, 4.0), (6, "4"))),
        *(("limits", value) for value in ((1.0, 0.0), (0.0,))),
        *(("corpus", value) for value in ("", "..", "a/b", "A b")),
        *(("others", value) for value in (("",), ("ami", "ami"), (1,))),
        *(("scale", value) for value in ("", "bark")),
        *(("image.level", value) for value in (float("-inf"), 1e39)),
        *(("image.size", 8), ("iterations", 0), ("width", 8)),
    ],
)
def test_whoever_sets_a_wrong_value_is_told_when_work_begins(name, value):
    config = made()
    place, last = (config.image, name[6:]) if name.startswith("image.") else (config, name)
    place[last] = value
    for given in (config, config_with(made(), {name: value})):
        with pytest.raises(InputError, match=f"^config: {name}=.*; give "):
            check_config(given)


def test_a_value_of_another_type_is_refused_where_the_config_lets_it_in():
    config = made()
    with config.ignore_type():
        config.folds = 2.0
    with pytest.raises(InputError, match="folds=2.0"):
        check_config(config)
    del config.folds
    with pytest.raises(InputError, match="folds is missing; give a whole number"):
        check_config(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [("folds", 2), ("rates", (1,)), ("rates", [np.float32(0.5)]), ("width", 0), ("width", 32), ("note", "")]
    + [("limits", (2.0, 2.0))],
)
def test_what_a_field_allows_passes(name, value):
    check_config(config_with(made(), {name: value}))


def test_a_copy_with_other_values_leaves_the_config_as_it_is():
    config = made()
    changed = config_with(config, {"folds": 3, "image.level": 3.0, "model": "small"})
    assert (changed.folds, changed.image.level, changed.model) == (3, 3.0, "small")
    assert config == made() and "model" not in config
    assert wanted(changed, "folds") == wanted(config, "folds") == "a whole number from 2 on"


def test_a_config_without_fields_passes_as_it_is():
    check_config(ConfigDict({"experiment": "foo", "folds": -1}))
    assert "like the one" in wanted(copy.deepcopy(ConfigDict({"folds": 1})), "folds")


def test_a_field_of_several_corpora_takes_their_names_joined_each_once():
    field = Field("", name=True, several=True)
    assert all(field.allows(value) for value in ("", "emodb", "emodb+nemo", "emodb+nemo+ravdess"))
    assert not any(field.allows(value) for value in ("emodb+emodb", "emodb+", "+", "emodb+Nemo", "emodb nemo"))
    assert not Field("emodb", name=True).allows("emodb+nemo") and not Field("emodb", name=True, several=True).allows("")
