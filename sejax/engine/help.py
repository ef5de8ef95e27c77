"""What ``--help`` says of a command: its docstring, its flags and, where ``--config`` names one, its fields."""

import inspect
import io
import re
import runpy
import sys
import textwrap
import tokenize
from collections.abc import Iterable
from pathlib import Path

from absl import flags

from sejax.engine.fields import Field, fields_of, written

_WIDTH = 110


def command_help(module: str, config: str = "") -> str:
    """Of the command that a module defines; ``config``: a config's file, with its argument after a colon."""
    doc = inspect.cleandoc(sys.modules[module].__doc__ or "")
    known = flags.FLAGS.get_key_flags_for_module(sys.argv[0] if module == "__main__" else module)
    told = f"{doc}\n\nFlags (--helpfull lists those of the libraries too):\n\n{''.join(map(_flag, known))}"
    if config:
        return f"{told}\n{config_help(config)}"
    if any(flag.name == "config" for flag in known):
        return f"{told}\nWith --config=NAME, --help lists the fields of that config too.\n"
    return told


def _flag(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    default = "" if flag.default in (None, "", []) else f" (default: {flag.default_as_str})"
    return f"  {name}\n{_indented([f'{flag.help}{default}'])}"


def config_help(config: str) -> str:
    """A config's fields: the value of each, what it may hold, and the comment that stands beside it in the file.

    Args:
      config: the config's file, with its argument after a colon; the values are those that it gives.
    """
    file, _, argument = config.partition(":")
    made = runpy.run_path(file)["get_config"](argument or None)
    about = comments_of(Path(__file__).with_name("run.py")) | comments_of(Path(file))
    lines = [
        f"Fields of {file}, with their values{f' for {argument}' * bool(argument)}. --config.NAME=VALUE sets any, and",
        "--config=CONFIG:NAME=VALUE,NAME=VALUE those without a dot, or by the name in brackets:\n\n",
    ]
    return "\n".join(lines) + "".join(
        _field(name, field, made, about.get(name, "")) for name, field in fields_of(made).items()
    )


def _field(name: str, field: Field, config, about: str) -> str:
    value = config
    for part in name.split("."):
        value = value[part]
    called = f" ({field.argument})" * bool(field.argument)
    return f"  {name}{called} = {written(value) or 'nothing'}\n{_indented([field.wanted(), about])}"


def _indented(paragraphs: Iterable[str]) -> str:
    how = {"width": _WIDTH, "initial_indent": " " * 6, "subsequent_indent": " " * 6, "break_on_hyphens": False}
    return "".join(textwrap.fill(" ".join(text.split()), **how) + "\n" for text in paragraphs if text)


def comments_of(file: Path) -> dict[str, str]:
    """The comments of a file's fields by their names: what stands behind ``"name": Field(...)``, or right above it."""
    source = file.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    said = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    found: dict[str, list[str]] = {}
    above: list[str] = []
    name = ""
    for number, line in enumerate(source.splitlines(), start=1):
        comment = [said[number]] if number in said else []
        if line.lstrip().startswith("#"):
            above += comment
            continue
        if field := re.match(r'\s+"([\w.]+)": Field\(', line):
            name = field[1]
            found[name] = above
        elif not line.startswith(" "):  # the table's end
            name = ""
        if name:
            found[name] = found[name] + comment
        above = []
    return {name: " ".join(comments) for name, comments in found.items()}
