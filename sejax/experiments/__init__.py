"""The experiments by name. Each is a package with ``build(config, data_dir) -> Assembly``."""

from importlib import import_module
from pathlib import Path

from sejax.core.experiment import Assembly
from sejax.errors import InputError

EXPERIMENTS = {"pseudo_labelling": "sejax.experiments.pseudo_labelling.assembly"}


def build(config, data_dir: Path) -> Assembly:
    """The experiment that ``config.experiment`` names, ready to run on prepared data in ``data_dir``.

    Raises:
      InputError: unknown experiment, or whatever is wrong with its config or data.
    """
    if config.experiment not in EXPERIMENTS:
        raise InputError(f"experiment {config.experiment!r} is unknown; known are {', '.join(EXPERIMENTS)}")
    return import_module(EXPERIMENTS[config.experiment]).build(config, Path(data_dir))
