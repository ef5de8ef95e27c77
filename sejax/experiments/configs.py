"""Configs by name: those of sejax, and those of other packages' experiments; any other is a file."""

import difflib
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from sejax.errors import InputError
from sejax.experiments import elsewhere

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_PACKAGE = Path(__file__).resolve().parents[1]
# What is installed has configs/ in the package; in a checkout it stands beside the package.
_FOLDER = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / "configs"


def config_names() -> tuple[str, ...]:
    """The names of all configs."""
    return (*sorted(file.stem for file in _FOLDER.glob("*.py")), *elsewhere())


def config_file(name: str) -> Path:
    """The file of a config, from its name or from a path.

    Raises:
      InputError: neither a file nor a name.
    """
    if Path(name).is_file():
        return Path(name)
    if name in elsewhere():
        module = elsewhere()[name].module
        try:
            spec = find_spec(module)
        except ImportError as error:
            raise InputError(f"--config={name}: {module} cannot be imported: {error}; install what it needs") from error
        if spec is not None and spec.origin:
            return Path(spec.origin)
        raise InputError(f"--config={name}: its module {module} is not there; install its package again")
    if name in config_names():
        return _FOLDER / f"{name}.py"
    near = difflib.get_close_matches(Path(name).stem, config_names(), n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(
        f"--config={name}: there is no such file and no such config; {hint}give a file or one of "
        f"{', '.join(config_names())}"
    )


def load_config(given: str) -> "ConfigDict":
    """The config that ``--config=GIVEN`` asks for: a name or a file, and after a colon its argument.

    Raises:
      InputError: no such config, or an argument that it does not take.
    """
    name, _, argument = given.partition(":")
    spec = spec_from_file_location("sejax_config", config_file(name))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(argument or None)
