"""The experiments by name. Each is a package whose `assembly` has ``build(config, data_dir) -> Assembly``.

It also has ``posteriors(config, num_classes) -> Posteriors`` where trained networks classify plain audio.
An experiment that compares several things in one run (networks, ways of fusion) also has ``variants(config)``:
a config for each of them, by its name. Every variant is built, trained and resumed by itself. One that trains in
stages has ``stages(config)``: configs of what is trained before it, and its ``build`` is told where.
For sweeps it may say ``MEMBER_FIELDS``, which list fields hold a value for each member, by the name that members carry,
and ``VALIDATION_FIGURES``, those of its results.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sejax.core.experiment import Assembly, PyTree
from sejax.errors import InputError

if TYPE_CHECKING:  # the pure functions do without it
    from ml_collections import ConfigDict

EXPERIMENTS = {
    "pseudo_labelling": "sejax.experiments.pseudo_labelling.assembly",
    "transfer": "sejax.experiments.transfer.assembly",
    "cyclegan": "sejax.experiments.cyclegan.assembly",
    "augmentation": "sejax.experiments.augmentation.assembly",
    "dcgan": "sejax.experiments.dcgan.assembly",
    "audio_text": "sejax.experiments.audio_text.assembly",
}


class Transcribed(NamedTuple):
    """How a recording with its transcript becomes a network's inputs, and what a decision about it rests on.

    Attributes:
      pieces: ``pieces(waveform int16[T], rate, text=, types=) -> (start, end, inputs, words)`` of N pieces: seconds
        f64[N], arrays [N, 1, ...], and each one's words; ``types`` are the words of the training corpus.
      explain: ``explain(state, inputs, decided i32[I]) -> dict`` of arrays [I, ...], traceable.
      describe: ``describe(inputs, row, words, explained) -> dict``, one piece as `sejax.report.utterance` draws it.
    """

    pieces: Callable[..., tuple]
    explain: Callable[[dict[str, PyTree], PyTree, PyTree], dict[str, PyTree]]
    describe: Callable[..., dict[str, Any]]


class Posteriors(NamedTuple):
    """How a trained member classifies what audio becomes.

    Attributes:
      subtrees: names of the parts of its state that it needs.
      shared: variables that all members share.
      apply: ``apply(state, shared, inputs) -> f32[I, C]``, traceable; ``state`` is a dict of one member's subtrees.
        Inputs are spectrograms f32[I, bands, frames] in dB, or functionals f32[I, F] where it was trained on them.
      rated: where it rates speech instead, the names of the points of each rated dimension; ``apply`` gives
        f32[I, D, C] then, D dimensions in this order.
      crops: where it was trained on crops of whole utterances, ``{"count", "width", "dynamic_range"}``: how many evenly
        spaced ones an utterance is judged by, their frames and dB. Inputs are f32[I, bands, width] then, as from
        `sejax.data.crops.read_crops`.
      transcribed: where it was trained on waveforms with transcripts; inputs are what its ``pieces`` makes then.
    """

    subtrees: tuple[str, ...]
    shared: PyTree
    apply: Callable[[dict[str, PyTree], PyTree, PyTree], PyTree]
    rated: Mapping[str, tuple[str, ...]] = {}
    crops: Mapping[str, Any] = {}
    transcribed: Transcribed | None = None


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


def stages(config) -> "dict[str, ConfigDict]":
    """What is trained before a config, in this order: configs by name; {} where it is trained in one go.

    Raises:
      InputError: unknown experiment, or whatever is wrong with its config.
    """
    module = _module(config)
    return module.stages(config) if hasattr(module, "stages") else {}


def member_fields(config) -> dict[str, str]:
    """Fields of a config that list a value for each member: {what the members carry: the field}, {} for none.

    Raises:
      InputError: unknown experiment.
    """
    return dict(getattr(_module(config), "MEMBER_FIELDS", {}))


def validation_figures(config) -> tuple[str, ...] | None:
    """The validation figures that a config's results hold, as in ``valid/accuracy``; None where it does not say.

    Raises:
      InputError: unknown experiment.
    """
    return getattr(_module(config), "VALIDATION_FIGURES", None)


def build(config, data_dir: Path, stages: Mapping[str, Path] | None = None) -> Assembly:
    """The experiment that a config (one of `variants`) names, ready to run on prepared data in ``data_dir``.

    ``stages`` says where each of the config's `stages` was trained.

    Raises:
      InputError: unknown experiment, or whatever is wrong with its config or data.
    """
    given = {"stages": stages} if stages else {}
    return _module(config).build(config, Path(data_dir), **given)


def posteriors(config, num_classes: int) -> Posteriors:
    """How the trained members of a config (one of `variants`) classify spectrograms, functionals or crops.

    Raises:
      InputError: unknown experiment, one that classifies nothing, weights that are gone.
    """
    module = _module(config)
    if not hasattr(module, "posteriors"):
        raise InputError(
            f"a run of {config.experiment} classifies nothing: make vectors with launch/synthesise.py, train "
            "classifiers with configs/augmentation.py, and give the workdir of that run"
        )
    return Posteriors(*module.posteriors(config, num_classes))
