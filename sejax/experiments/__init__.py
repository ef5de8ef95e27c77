"""The experiments by name. Each is a package whose `assembly` has ``build(config, data_dir) -> Assembly``.

It also has ``posteriors(config, num_classes) -> Posteriors`` where trained networks classify plain audio.
An experiment that compares several things in one run (networks, ways of fusion) also has ``variants(config)``:
a config for each of them, by its name. Every variant is built, trained and resumed by itself.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sejax.core.experiment import Assembly, PyTree
from sejax.errors import InputError

if TYPE_CHECKING:  # the pure functions do without it
    from ml_collections import ConfigDict

EXPERIMENTS = {
    "pseudo_labelling": "sejax.experiments.pseudo_labelling.assembly",
    "transfer": "sejax.experiments.transfer.assembly",
}


class Posteriors(NamedTuple):
    """How a trained member classifies spectrograms.

    Attributes:
      subtrees: names of the parts of its state that it needs.
      shared: variables that all members share.
      apply: ``apply(state, shared, f32[I, bands, frames] in dB) -> f32[I, C]``, traceable; ``state`` is a dict of the
        subtrees of one member.
    """

    subtrees: tuple[str, ...]
    shared: PyTree
    apply: Callable[[dict[str, PyTree], PyTree, PyTree], PyTree]


def _module(config):
    if config.experiment not in EXPERIMENTS:
        raise InputError(f"experiment {config.experiment!r} is unknown; known are {', '.join(EXPERIMENTS)}")
    return import_module(EXPERIMENTS[config.experiment])


def variants(config) -> "dict[str, ConfigDict]":
    """What a config compares: a config for each, by its name; ``{"": config}`` where it is one thing.

    Raises:
      InputError: unknown experiment, or whatever is wrong with its config.
    """
    module = _module(config)
    return module.variants(config) if hasattr(module, "variants") else {"": config}


def build(config, data_dir: Path) -> Assembly:
    """The experiment that a config (one of `variants`) names, ready to run on prepared data in ``data_dir``.

    Raises:
      InputError: unknown experiment, or whatever is wrong with its config or data.
    """
    return _module(config).build(config, Path(data_dir))


def posteriors(config, num_classes: int) -> Posteriors:
    """How the trained members of a config (one of `variants`) classify spectrograms.

    Raises:
      InputError: unknown experiment, weights that are gone.
    """
    return Posteriors(*_module(config).posteriors(config, num_classes))
