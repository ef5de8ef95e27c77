"""Runs that were begun before a field was there go on: its absence means what it did, today's default.

fields_of_0_1.json lists the fields of every config as they once were; what came since stands in `workdir.ADDED`.
"""

import json
import runpy
from pathlib import Path

import pytest

from sejax.engine.workdir import claim, read_claim

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EARLIER = json.loads(Path(__file__).with_name("fields_of_0_1.json").read_text())


def without(config, fields):
    """A config as a plain dict with these fields alone; sections that have none of them are left out."""
    found = {}
    for name in fields:
        section, _, field = name.rpartition(".")
        target, source = (found.setdefault(section, {}), config[section]) if section else (found, config)
        target[field] = source[field]
    return found


@pytest.mark.parametrize("name", EARLIER)
def test_an_earlier_run_goes_on_with_the_config_of_today(tmp_path, name):
    config = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]().to_dict()
    machine = {"platform": "cpu", "device": "", "backend": "scan", "versions": {"jax": "1"}}
    claim(tmp_path, without(config, EARLIER[name]) | {"experiment": name}, machine)
    claim(tmp_path, config, machine)  # does not refuse the workdir
    plain = json.loads(json.dumps(config))
    assert {field: value for field, value in read_claim(tmp_path)["config"].items() if field in plain} == plain
