"""What --help says of a config: each field with its value, what it may hold and the comment beside it."""

import pytest

from sejax.engine.fields import fields_of
from sejax.engine.help import comments_of, config_help
from sejax.errors import InputError
from sejax.experiments import EXPERIMENTS
from sejax.experiments.configs import config_file, config_names, load_config

FILE = '''"""A config."""

from sejax.engine.fields import Field, make_config

TEXTS = ("a # b",)
FIELDS = {
    "scale": Field("log", choices=("log", "mel")),  # of the frequencies
    # what a long comment
    # says, above
    "image.level": Field(30.0, argument="level"),
    "bare": Field(False),
    "text": Field("a # b", choices=TEXTS),  # after a text with a mark
    "wide": Field(
        (1, 2), least=1
    ),  # behind the end
}
# of nothing
OTHER = 1  # of nothing


def get_config(argument=None):
    return make_config("foo", FIELDS, argument)
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "foo.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_the_comments_of_fields_stand_behind_them_or_above(file):
    assert comments_of(file) == {
        "scale": "of the frequencies",
        "image.level": "what a long comment says, above",
        "bare": "",
        "text": "after a text with a mark",
        "wide": "behind the end",
    }


def test_a_field_is_shown_with_its_value_what_it_may_hold_and_its_comment(file):
    said = config_help(f"{file}:scale=mel,level=2")
    assert "  scale = mel\n      one of log, mel\n      of the frequencies\n" in said
    assert "  image.level (level) = 2.0\n      a finite number\n      what a long comment says, above\n" in said
    assert "  bare = False\n      true or false\n  text = a # b\n" in said
    with pytest.raises(InputError, match="scale=bark; give one of log, mel"):
        config_help(f"{file}:scale=bark")


@pytest.mark.parametrize("name", [name for name in config_names() if name in EXPERIMENTS])
def test_every_field_of_a_config_of_ours_is_shown(name):
    said = config_help(str(config_file(name)))
    fields = fields_of(load_config(name))
    shown = [line.split()[0] for line in said.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert shown == list(fields) and len(fields) > 25
    assert "  run.keep = 2\n      a whole number from 1 on\n      the latest, and the one before it" in said
