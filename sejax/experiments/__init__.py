"""The experiments by name: one package each, whose `assembly` has its Study, STUDY, and `report` its Report, REPORT.

An experiment of another package is one module with STUDY and `get_config`, which an entry point of the group
``sejax.experiments`` names; its name is the entry point's (docs/use.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sejax.core.stores import path_of
from sejax.engine.fields import check_config
from sejax.errors import InputError
from sejax.report import Report, Results

if TYPE_CHECKING:  # reports do without JAX, the pure functions without ml_collections
    from importlib.metadata import EntryPoint

    import numpy as np
    from ml_collections import ConfigDict

    from sejax.core.experiment import Assembly, PyTree
    from sejax.data.store.sets import ExampleSet

EXPERIMENTS = ("pseudo_labelling", "transfer", "cyclegan", "augmentation", "dcgan", "audio_text")


class Transcribed(NamedTuple):
    """How a recording with its transcript becomes a network's inputs, and what a decision about it rests on.

    Attributes:
      pieces: ``pieces(waveform int16[T], rate, text=, types=) -> (start, end, inputs, words)`` of N pieces: seconds
        f64[N], arrays [N, 1, ...], and each one's words; ``types`` are the words of the training corpus.
      explain: ``explain(state, shared, inputs, decided i32[I]) -> dict`` of arrays [I, ...], traceable, with
        state and shared as `Posteriors.apply` takes them.
      describe: ``describe(inputs, row, words, explained) -> dict``, one piece as `sejax.report.utterance` draws it.
      ignored: what makes no difference to the network's answer, "audio" or "text"; "": both make one.
    """

    pieces: Callable[..., tuple]
    explain: Callable[[dict[str, PyTree], PyTree, PyTree, PyTree], dict[str, PyTree]]
    describe: Callable[..., dict[str, Any]]
    ignored: str = ""


class Posteriors(NamedTuple):
    """How a trained member classifies what audio becomes.

    Attributes:
      subtrees: names of the parts of its state that it needs.
      shared: variables that all members share.
      apply: ``apply(state, shared, inputs) -> f32[I, C]``, traceable; ``state`` is a dict of one member's subtrees.
        Inputs are spectrograms f32[I, bands, frames] in dB, or functionals f32[I, F] where it was trained on them.
      rated: where it rates speech instead, the names of the points of each rated dimension; ``apply`` gives
        f32[I, D, C] then, D dimensions in this order. One name alone, "rating": it gives the rating itself, on the
        corpus's own scale.
      crops: where it was trained on crops of whole utterances, ``{"count", "width", "dynamic_range"}``: how many evenly
        spaced ones an utterance is judged by, their frames and dB. Inputs are f32[I, bands, width] then, as from
        `sejax.data.crops.read_crops`.
      transcribed: where it was trained on waveforms with transcripts; inputs are what its ``pieces`` makes then.
      recording: where it hears whole recordings, ``recording(waveform int16[T]) -> arrays [1, 1, ...]``: inputs are
        what that makes then, whose shapes are few.
      together: "speaker" or "corpus" where it takes functionals that are z-normalised by all recordings of one.
    """

    subtrees: tuple[str, ...]
    shared: PyTree
    apply: Callable[[dict[str, PyTree], PyTree, PyTree], PyTree]
    rated: Mapping[str, tuple[str, ...]] = {}
    crops: Mapping[str, Any] = {}
    transcribed: Transcribed | None = None
    together: str = ""
    recording: Callable[..., PyTree] | None = None


class HeldOut(NamedTuple):
    """What the members of a variant were trained, validated and tested on: M members, N examples of U utterances.

    Attributes:
      speech: the prepared set that holds the utterances.
      names: of the members, with the fields that they have in results.json.
      part: i8[M, N], what each example is to each member (`sejax.data.folds`): images, pieces, vectors.
      utterance: i32[N], index of each example's utterance in the set.
      label: i32[U], the right class of each utterance, -1 where there is none; of each rated dimension by its name, or
        of the classes by "".
      trained_on: the set that all members were trained on the whole of, where it is another.
      normalised_by: by all recordings of what features were normalised: "training" (of none), "corpus" or "speaker".
      labelled: bool[M, N], which of the examples that train a member show it their label; None: all of them.
    """

    speech: ExampleSet
    names: tuple[dict[str, Any], ...]
    part: np.ndarray
    utterance: np.ndarray
    label: Mapping[str, np.ndarray]
    trained_on: ExampleSet | None = None
    normalised_by: str = "training"
    labelled: np.ndarray | None = None


def _one_thing(config) -> dict[str, ConfigDict]:
    return {"": config}


def _in_one_go(config) -> dict[str, ConfigDict]:
    del config
    return {}


@dataclass(frozen=True, kw_only=True)
class Study:
    """All that scripts ask of an experiment.

    Attributes:
      build: ``build(config, data_dir) -> Assembly`` of one variant's config, ready to run on prepared data in the
        folder. Where the experiment has stages it takes ``stages=`` too, where each of them was trained. Raises
        InputError for whatever is wrong with config or data.
      report: what its reports have that others have not, the paper's figures among it.
      variants: what a config compares in one run (networks, ways of fusion): a config for each by its name; every one
        is built, trained and resumed by itself. ``{"": config}`` where it is one thing.
      stages: what is trained before a config, in this order: configs by name; {} where it is trained in one go.
      member_fields: fields of a config that list a value for each member: {what the members carry: the field}.
      validation_figures: those that its results hold, as in ``valid/accuracy``, or a function of a config that gives
        them; None where it does not say.
      posteriors: ``posteriors(config, num_classes) -> Posteriors`` of one variant's config, where its trained members
        classify plain audio; None where they do not.
      held_out: ``held_out(config, data_dir) -> HeldOut`` of one variant's config, so that members that classify plain
        audio can be asked about utterances that they test; None where it does not say.
    """

    build: Callable[..., Assembly]
    report: Report = Report()
    variants: Callable[[ConfigDict], dict[str, ConfigDict]] = _one_thing
    stages: Callable[[ConfigDict], dict[str, ConfigDict]] = _in_one_go
    member_fields: Mapping[str, str] = field(default_factory=dict)
    validation_figures: tuple[str, ...] | Callable[[ConfigDict], tuple[str, ...]] | None = None
    posteriors: Callable[[ConfigDict, int], Posteriors] | None = None
    held_out: Callable[[ConfigDict, Path], HeldOut] | None = None

    def assembly(self, config, data_dir: Path, stages: Mapping[str, Path] | None = None) -> Assembly:
        """What `build` makes; ``stages`` says where each of the config's stages was trained.

        Raises:
          InputError: a value that a field of the config may not hold; what `build` raises.
        """
        check_config(config)
        return self.build(config, path_of(data_dir), **({"stages": stages} if stages else {}))

    def validated(self, config) -> tuple[str, ...] | None:
        """The `validation_figures` of a run of a config."""
        return self.validation_figures(config) if callable(self.validation_figures) else self.validation_figures

    def criterion(self, config: ConfigDict) -> str:
        """The validation figure by which a run of a config chooses its epoch, as in ``valid/uar``."""
        return f"valid/{config.get('criterion', self.report.criterion)}"

    def published(self, results: Results, name: Mapping[str, Any]) -> Mapping[str, float]:
        """The paper's figures {metric: value} for a run's setting and a variant's name; {} where it has none."""
        return self.report.published(results, name)


def study(name: str) -> Study:
    """The Study of an experiment by its name, of sejax or of another package.

    Raises:
      InputError: unknown experiment, or one whose package cannot be imported.
    """
    if name in EXPERIMENTS:
        return import_module(f"sejax.experiments.{name}.assembly").STUDY
    if name not in elsewhere():
        known = ", ".join((*EXPERIMENTS, *elsewhere()))
        raise InputError(f"experiment {name!r} is unknown; known are {known}: install the package that has it")
    point = elsewhere()[name]
    try:
        found = getattr(import_module(point.module), "STUDY", None)
    except ImportError as error:
        why = f"{error}; install what {point.dist.name if point.dist else 'its package'} needs"
        raise InputError(f"experiment {name!r}: {point.module} cannot be imported: {why}") from error
    if not isinstance(found, Study):
        raise InputError(f"experiment {name!r}: {point.module} has no Study called STUDY; give it one")
    return found


def report_of(results: Results) -> Report:
    """The Report of the experiment that a run's results name; that of any run for an experiment that is not here."""
    name = results["experiment"]
    if name in EXPERIMENTS:
        found = import_module(f"sejax.experiments.{name}.report").REPORT
    else:
        found = study(name).report if name in elsewhere() else Report()
    return found.instead(results) or found


@functools.cache
def elsewhere() -> Mapping[str, EntryPoint]:
    """The experiments of other packages that are installed: their entry points by name."""
    from importlib.metadata import entry_points  # here, since few ask and it takes a while to import

    return {point.name: point for point in entry_points(group="sejax.experiments") if point.name not in EXPERIMENTS}
