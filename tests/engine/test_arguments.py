"""The argument of a config file."""

import pytest

from sejax.engine.command import parse_arguments
from sejax.errors import InputError

DEFAULTS = {"corpus": "emodb", "labelled": 1.0, "folds": 5, "runlocal": False, "size": (224, 224)}


@pytest.mark.parametrize("argument", [None, ""])
def test_no_argument_gives_the_defaults(argument):
    assert parse_arguments(argument, DEFAULTS) == DEFAULTS


def test_values_take_the_types_of_the_defaults():
    found = parse_arguments("corpus=nemo,labelled=0.3,folds=2,runlocal,size=64+96", DEFAULTS)
    assert found == {"corpus": "nemo", "labelled": 0.3, "folds": 2, "runlocal": True, "size": (64, 96)}
    assert [type(value) for value in found.values()] == [str, float, int, bool, tuple]
    assert parse_arguments("labelled=1", DEFAULTS)["labelled"] == 1.0


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("1", True), ("no", False), ("0", False)])
def test_spellings_of_true_and_false(text, value):
    assert parse_arguments(f"runlocal={text}", DEFAULTS)["runlocal"] is value


def test_the_last_of_two_values_counts_and_a_value_may_hold_an_equals_sign():
    assert parse_arguments("folds=2,folds=3", DEFAULTS)["folds"] == 3
    assert parse_arguments("corpus=a=b", DEFAULTS)["corpus"] == "a=b"


def test_the_defaults_are_not_changed():
    before = dict(DEFAULTS)
    parse_arguments("folds=2", DEFAULTS)
    assert before == DEFAULTS


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(InputError, match="unknown name 'fold'.*corpus, folds, labelled, runlocal, size"):
        parse_arguments("fold=2", DEFAULTS)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("folds=2.5", "folds='2.5' is not a int"),
        ("labelled=most", "labelled='most' is not a float"),
        ("folds", "folds='true' is not a int"),
        ("runlocal=maybe", "runlocal='maybe' is not a bool"),
        ("size=64+wide", r"size='64\+wide' is not a list joined by \+"),
    ],
)
def test_a_value_of_another_type_is_an_error_with_name_value_and_default(argument, message):
    with pytest.raises(InputError, match=message + r".*default"):
        parse_arguments(argument, DEFAULTS)


def test_a_value_that_is_not_among_the_choices_is_an_error_that_lists_them():
    with pytest.raises(InputError, match="corpus='timit'; choose one of emodb, nemo"):
        parse_arguments("corpus=timit", DEFAULTS, choices={"corpus": ("emodb", "nemo")})
