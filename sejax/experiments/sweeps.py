"""What a sweep needs of an experiment: a config of one thing, and runs of which it sees the validation part alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sejax.engine.validation import validation_part
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.training import finished_run, train_run


def one_variant(config, swept: Iterable[str] = ()):
    """The config of the only variant that a config has, with all of its values filled in.

    Args:
      config: an experiment's.
      swept: names of `sejax.experiments.Study.member_fields` whose list holds a value for each trial.

    Raises:
      InputError: a config that compares several things. A sweep looks for the values of one: ask for that one.
    """
    found = study(config.experiment).variants(config)
    if len(found) > 1:
        raise InputError(
            f"the config compares {', '.join(found)}, and each has best values of its own: sweep one at a time, asking "
            "for it in --config, as in models=NAME"
        )
    (variant,) = found.values()
    for name, field in study(config.experiment).member_fields.items():
        if name not in swept and len(variant[field]) > 1:
            raise InputError(
                f"the config compares {field}={'+'.join(map(str, variant[field]))}; give one of them, or sweep {name}"
            )
    return variant


def train_members(config, folder: Path, data_dir: Path, *, command: str) -> list[dict[str, Any]]:
    """Trains a config in ``folder``, goes on there or reads what is finished; its members' validation parts.

    Raises:
      InputError, Interrupted: see `sejax.experiments.training.train_run`.
    """
    results = finished_run(config, folder) or train_run(config, folder, data_dir, command=command)
    names = study(config.experiment).member_fields
    return [validation_part(member, names) for member in results["members"]]
