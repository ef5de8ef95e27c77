"""Wrong values, each given to its script: one line, status 2, before any work (bad_values.py lists and runs them)."""

import json
import subprocess
import sys

import bad_values
import pytest

COMMANDS = bad_values.commands()


@pytest.fixture(scope="module")
def outcomes():
    """How every command ended, all of them in one process: wrong ones and right ones."""
    command = [sys.executable, bad_values.__file__, "--json"]
    done = subprocess.run(command, cwd=bad_values.ROOT, capture_output=True, text=True, check=True)
    return [[bad_values.Outcome(**one) for one in found] for found in json.loads(done.stdout)]


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=lambda number: " ".join(COMMANDS[number][0]))
def test_a_wrong_value_is_refused_in_one_line_that_names_it(outcomes, number):
    assert outcomes[0][number].kind == "clear", outcomes[0][number]


def test_right_values_are_not_refused(outcomes):
    assert [one.kind for one in outcomes[1]] == ["accepted"] * len(bad_values.RIGHT)
