"""One or more cases of every registered experiment, small enough to be compiled and trained in seconds.

A new experiment adds its cases here and its config's data to `CONFIGS`; every test of this folder then holds
for it too.
"""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import tones
from ml_collections import ConfigDict

from sejax import models
from sejax.core.experiment import Assembly, State
from sejax.core.rng import member_key, root_key
from sejax.engine import placement
from sejax.engine.backend import run_settings
from sejax.engine.ensemble import take_members
from sejax.engine.run import RunSettings
from sejax.engine.segment import Carry, Segment, make_segment
from sejax.experiments import variants
from sejax.experiments.pseudo_labelling.assembly import assemble as assemble_pseudo_labelling
from sejax.experiments.transfer.assembly import assemble as assemble_transfer

CONFIG_FOLDER = Path(__file__).resolve().parents[2] / "configs"


class Case(NamedTuple):
    """An experiment set up small.

    Attributes:
      experiment: its name in the registry.
      build: makes the same assembly in every process; at least two members and two epochs, and two iterations where the
        experiment has any.
      settings: how the driver runs it.
      parts: ``parts(assembly) -> int[M, I]``, which part each example is in: 0, 1, 2, or -1 for none.
      speakers: ``speakers() -> int[I]``.
      overfit_updates: enough to learn eight examples by heart.
      slack: how far a number may be off besides, where sums are taken in another order.
    """

    experiment: str
    build: Callable[[], Assembly]
    settings: RunSettings
    parts: Callable[[Assembly], np.ndarray]
    speakers: Callable[[], np.ndarray]
    overfit_updates: int
    slack: float = 0.0


class Group(NamedTuple):
    """The first group of a case's members, as the driver would train it.

    ``advance(carry, updates)`` gives the next carry; ``first()`` the carry that all starts from.
    """

    assembly: Assembly
    keys: jax.Array
    members: dict[str, jax.Array]
    segment: Segment

    def first(self) -> Carry:
        """A fresh first carry."""
        return self.segment.start(self.keys, self.members, self.assembly.data)

    def advance(self, carry: Carry, *cuts: int) -> Carry:
        """The carry after segments of so many updates; the one given is used up."""
        for updates in cuts:
            carry = self.segment.advance(self.assembly.data, carry, updates)
        return carry

    def alone(self, row: int) -> State:
        """The first state of one member by itself."""
        member = jax.tree.map(lambda x: x[row], self.members)
        return self.assembly.experiment.init(self.keys[row], member, self.assembly.data)


def group_of(case: Case, *, how: str | None = None, devices=None) -> Group:
    """The case's first group on the first device, or spread over ``devices``."""
    assembly = case.build()
    count = case.settings.members_at_once or len(assembly.names)
    place = placement.place(count, assembly.batch_size, devices or jax.devices()[:1])
    assembly = assembly._replace(data=place.shared(assembly.data))
    segment = make_segment(
        assembly, backend=case.settings.backend, how=how or case.settings.ensemble, constrain=place.constrain
    )
    keys = jax.vmap(lambda i: member_key(root_key(0), i))(np.arange(count))
    return Group(assembly, place.members(keys), place.members(take_members(assembly.members, 0, count)), segment)


def load_config(name: str, argument: str | None = None) -> ConfigDict:
    """``get_config(argument)`` of a file in configs/."""
    spec = importlib.util.spec_from_file_location(f"configs_{name}", CONFIG_FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(argument)


def random_variables(name: str, seed: int = 0):
    """A network's variables, drawn by numpy: He's deviation for kernels, zeros for biases."""
    random = np.random.default_rng(seed)
    shapes = jax.eval_shape(models.create(name).init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))

    def draw(leaf):
        deviation = np.sqrt(2 / np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.0
        return (deviation * random.normal(size=leaf.shape)).astype(np.float32)

    return jax.tree.map(draw, shapes)


def _pseudo_labelling_config(trainable: str) -> ConfigDict:
    config = load_config("pseudo_labelling", f"runlocal,corpus=tones,weights=random,trainable={trainable},labelled=0.5")
    config.iterations, config.epochs, config.only_folds, config.batch_size = 2, 2, 2, 8
    config.layer = "fire3"  # two fire modules are enough to compile
    config.threshold = 0.5  # the tones are learned within two epochs: some pseudo-labels, not all
    return config


@functools.cache
def _pseudo_labelling(trainable: str) -> Assembly:
    config = _pseudo_labelling_config(trainable)
    return assemble_pseudo_labelling(config, tones.spectrograms(), random_variables(config.model))


def _pseudo_labelling_case(trainable: str, *, overfit_updates: int) -> Case:
    return Case(
        experiment="pseudo_labelling",
        build=functools.partial(_pseudo_labelling, trainable),
        settings=run_settings(_pseudo_labelling_config(trainable)),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: tones.spectrograms().speaker,
        overfit_updates=overfit_updates,
    )


def _transfer_config(model: str, trainable: str) -> ConfigDict:
    """Two draws of 36, 12 and 12 tones: all of the ten speakers, six train, two validate and two test."""
    argument = f"corpus=tones,classes=anger+boredom+neutral,models={model},weights=random,trainable={trainable},seeds=2"
    config = load_config("transfer", f"{argument},images=36+12+12,epochs=3,size=48,protocol=speaker,rates=1.0")
    config.batch_size = 8
    return variants(config)[model]


@functools.cache
def _transfer(model: str, trainable: str) -> Assembly:
    return assemble_transfer(_transfer_config(model, trainable), tones.spectrograms(), random_variables(model))


def _transfer_case(model: str, trainable: str, *, overfit_updates: int, slack: float = 0.0) -> Case:
    return Case(
        experiment="transfer",
        build=functools.partial(_transfer, model, trainable),
        settings=run_settings(_transfer_config(model, trainable)),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: tones.spectrograms().speaker,
        overfit_updates=overfit_updates,
        slack=slack,
    )


CASES = {
    "pseudo_labelling-head": _pseudo_labelling_case("head", overfit_updates=60),
    "pseudo_labelling-all": _pseudo_labelling_case("all", overfit_updates=100),
    "transfer-head": _transfer_case("squeezenet1_1", "head", overfit_updates=400),
    # Adadelta's first step has one size (4.5e-4 here) however small the gradient: a tenth of it may be round-off.
    "transfer-all": _transfer_case("squeezenet1_1", "all", overfit_updates=50, slack=5e-5),
}

# Per config file: the prepared set that ``get_config("runlocal")`` reads, written under a data folder.
CONFIGS = {
    "transfer": functools.partial(
        tones.write_prepared_set, corpus="emodb", settings=tones.Settings.chunks(), names={"boredom": "fear"}
    ),
    "pseudo_labelling": functools.partial(
        tones.write_prepared_set, corpus="emodb", settings=tones.Settings(voice_activity=0, fmax=(8000.0,))
    ),
}
