"""One or more cases of every registered experiment, small enough to be compiled and trained in seconds.

A new experiment adds its cases here and its config's data to `CONFIGS`; every test of this folder then holds
for it too.
"""

import functools
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import jax
import numpy as np
import tones
import toy_dialogue
import toy_speech
import toy_vectors
from ml_collections import ConfigDict

from sejax import models
from sejax.core.experiment import Assembly, State
from sejax.core.rng import member_key, root_key
from sejax.data.crops import crop_data
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.vectors.load import emotional
from sejax.engine.ensemble import place as place_members
from sejax.engine.ensemble import take_members
from sejax.engine.run import RunSettings, run_settings
from sejax.engine.segment import Carry, Segment, make_segment
from sejax.experiments import study
from sejax.experiments.audio_text.assembly import assemble as assemble_audio_text
from sejax.experiments.augmentation.assembly import assemble as assemble_augmentation
from sejax.experiments.cyclegan.assembly import assemble as assemble_cyclegan
from sejax.experiments.dcgan.assembly import assemble as assemble_dcgan
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
      overfit_updates: enough to learn eight examples by heart; 0: they cannot be learned so.
      slack: how far a number may be off besides, where sums are taken in another order.
      kinds: the parts that a fold has.
      learned: training metrics, and to which share of the first update's each has fallen when eight examples are
        learned; a name stands for the mean of all metrics that begin with it.
      compiler_options: for a step that is compiled to be compared with another one.
    """

    experiment: str
    build: Callable[[], Assembly]
    settings: RunSettings
    parts: Callable[[Assembly], np.ndarray]
    speakers: Callable[[], np.ndarray]
    overfit_updates: int
    slack: float = 0.0
    kinds: tuple[int, ...] = (TRAIN, VALIDATION, TEST)
    learned: Mapping[str, float] = MappingProxyType({"loss": 0.02})
    compiler_options: Mapping[str, int] | None = None


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
    place = place_members(count, assembly.batch_size, devices or jax.devices()[:1])
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


_RULES = (
    "labeller=speaker,vote=utterance,calibration=temperature,selection=balanced,targets=soft,pseudo_weight=0.5,ema=0.9,"
    "strong_views=2"
)


def _pseudo_labelling_config(trainable: str, rules: str = "") -> ConfigDict:
    argument = f"runlocal,corpus=tones,level=none,random_gain=-6+6,weights=random,trainable={trainable},labelled=0.5"
    argument += f",{rules}" * bool(rules)
    config = load_config("pseudo_labelling", argument)
    config.iterations, config.epochs, config.only_folds, config.batch_size = 2, 2, 2, 8
    config.layer = "fire3"  # two fire modules are enough to compile
    config.image.size = (32, 32)
    config.threshold = 0.5  # the tones are learned within two epochs: some pseudo-labels, not all
    return config


@functools.cache
def _pseudo_labelling(trainable: str, rules: str = "") -> Assembly:
    config = _pseudo_labelling_config(trainable, rules)
    return assemble_pseudo_labelling(config, tones.spectrograms(), random_variables(config.model))


def _pseudo_labelling_case(trainable: str, rules: str = "", *, overfit_updates: int) -> Case:
    return Case(
        experiment="pseudo_labelling",
        build=functools.partial(_pseudo_labelling, trainable, rules),
        settings=run_settings(_pseudo_labelling_config(trainable, rules)),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: tones.spectrograms().speaker,
        overfit_updates=overfit_updates,
    )


def _functionals_config() -> ConfigDict:
    argument = "runlocal,features=functionals,labelled=0.5,hidden=32,batch_size=8,threshold=0.5,dropout=0.05"
    config = load_config("pseudo_labelling", argument)
    config.epochs, config.only_folds = 3, 2
    return config


@functools.cache
def _functionals() -> Assembly:
    return assemble_pseudo_labelling(_functionals_config(), toy_vectors.emotional(), {})


def _transfer_config(model: str, trainable: str) -> ConfigDict:
    """Two draws of 36, 12 and 12 tones: all of the ten speakers, six train, two validate and two test."""
    argument = f"corpus=tones,classes=anger+boredom+neutral,models={model},weights=random,trainable={trainable},seeds=2"
    size = 48 if trainable == "head" else 24  # a frozen trunk sees every image once
    config = load_config("transfer", f"{argument},images=36+12+12,epochs=3,size={size},protocol=speaker,rates=1.0")
    config.batch_size = 8
    return study(config.experiment).variants(config)[model]


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


def _trained_rows(assembly: Assembly, parts: np.ndarray) -> np.ndarray:
    """Parts i8[M, T] with TRAIN wherever a member's batches come from, whatever stood there."""
    parts, rows, count = np.array(parts), *(np.asarray(assembly.members[name]) for name in ("rows", "count"))
    rows, count = rows.reshape(len(parts), -1, rows.shape[-1]), count.reshape(len(parts), -1)
    for part, of_member, counts in zip(parts, rows, count, strict=True):
        for table, number in zip(of_member, counts, strict=True):
            part[table[:number]] = TRAIN
    return parts


def _target_speakers() -> np.ndarray:
    return emotional([toy_vectors.emotional()]).speaker


def _cyclegan_config(stage: str) -> ConfigDict:
    """Small networks and few epochs; rows of the history of three epochs, the last one shorter."""
    config = load_config("cyclegan", f"runlocal,source=unlabelled,target=emodb,whole=False,input={_INPUT[stage]}")
    config.stage, config.folds, config.dropout, config.classifier_dropout = stage, _FOLDS[stage], 0.05, 0.05
    config.epochs, config.row_epochs, config.sample, config.learning_rate = 8, 3, 16, 2e-3
    config.pretraining.epochs = 8 if stage == "pretraining" else 0
    config.pretraining.row_epochs, config.pretraining.learning_rate = 3, 2e-3
    config.generator_hidden, config.discriminator_hidden, config.classifier_hidden = (32,), (8,), (8,)
    return config


# Three members leave two devices to the batch, two take one each.
_INPUT, _FOLDS = {"pretraining": "grain", "gan": "resident"}, {"pretraining": 3, "gan": 2}


@functools.cache
def _cyclegan(stage: str) -> Assembly:
    return assemble_cyclegan(_cyclegan_config(stage), toy_vectors.unlabelled(), [toy_vectors.emotional()])


def _cyclegan_case(stage: str, *, overfit_updates: int, learned: Mapping[str, float]) -> Case:
    speakers = _target_speakers()
    return Case(
        experiment="cyclegan",
        build=functools.partial(_cyclegan, stage),
        settings=run_settings(_cyclegan_config(stage)),
        parts=lambda assembly: _trained_rows(assembly, np.full((len(assembly.names), len(speakers)), TEST)),
        speakers=lambda: speakers,
        overfit_updates=overfit_updates,
        slack=2e-4,  # a tenth of Adam's first step
        kinds=(TRAIN, TEST),
        learned=learned,
        compiler_options={"xla_backend_optimization_level": 1},  # at 0 a mapped step differs in its last bits
    )


def _augmentation_config(training: str) -> ConfigDict:
    config = load_config("augmentation", "runlocal,real=emodb,synthetic=somewhere,lambdas=2.0")
    config.training, config.updates, config.rows, config.extra = training, 18, 2, 10
    config.trainings = ("real", training)  # the support vector machine stands with the first one
    return config


@functools.cache
def _augmentation(training: str) -> Assembly:
    with tempfile.TemporaryDirectory() as folder:
        synthetic = toy_vectors.synthetic(Path(folder, "synthetic"))
        return assemble_augmentation(_augmentation_config(training), [toy_vectors.emotional()], None, synthetic)


def _augmentation_case(training: str, *, overfit_updates: int) -> Case:
    return Case(
        experiment="augmentation",
        build=functools.partial(_augmentation, training),
        settings=run_settings(_augmentation_config(training)),
        parts=lambda assembly: _trained_rows(assembly, assembly.members["part"]),
        speakers=_target_speakers,
        overfit_updates=overfit_updates,
        slack=2e-4,
        kinds=(TRAIN, TEST),
    )


def _dcgan_config() -> ConfigDict:
    """All four losses in turn, on crops of 16 frames; two folds of three updates to an epoch."""
    argument = "runlocal,corpus=rated,unlabelled=plain,models=multitask_dcgan,learning_rates=0.002,balance=0.0"
    config = load_config("dcgan", argument)
    config.models, config.epochs, config.folds, config.side, config.batch_size = ("multitask_dcgan",), 5, 5, 2, 16
    return study(config.experiment).variants(config)["multitask_dcgan"]


def _regression_config() -> ConfigDict:
    """Ratings as numbers, of both dimensions, on crops of 16 frames."""
    argument = "runlocal,corpus=rated,models=multitask_cnn,learning_rates=0.005,balance=0.0,target=regression"
    config = load_config("dcgan", argument)
    config.models, config.epochs, config.folds, config.side, config.batch_size = ("multitask_cnn",), 5, 5, 2, 16
    return study(config.experiment).variants(config)["multitask_cnn"]


@functools.cache
def _regression() -> Assembly:
    return assemble_dcgan(_regression_config(), toy_speech.rated(), [])


@functools.cache
def _dcgan() -> Assembly:
    assembly = assemble_dcgan(_dcgan_config(), toy_speech.rated(), [toy_speech.unlabelled()])
    # Streamed frames are not on the device: here they are beside it, to be gathered and compared.
    return assembly._replace(data=assembly.data | {"unlabelled": crop_data(toy_speech.unlabelled())})


def _audio_text_config() -> ConfigDict:
    """Batches of two shapes; two folds of six updates to an epoch."""
    config = load_config("audio_text", "runlocal,corpus=spoken,fusions=att_d_1,only_folds=2,l2=1e-4,dropout=0.05")
    config.random_gain = (-3.0, 3.0)
    config.fusions, config.folds, config.epochs, config.learning_rates = ("att_d_1",), 5, 3, (5e-3,)
    return study(config.experiment).variants(config)["att_d_1"]


@functools.cache
def _audio_text() -> Assembly:
    assembly = assemble_audio_text(_audio_text_config(), toy_dialogue.spoken())
    # Batches come from the disk: here the samples are beside them, to be gathered and compared.
    return assembly._replace(data=assembly.data | {"waveform": toy_dialogue.spoken().waveform})


CASES = {
    "pseudo_labelling-head": _pseudo_labelling_case("head", overfit_updates=100),
    "pseudo_labelling-rules": _pseudo_labelling_case("head", _RULES, overfit_updates=100),
    "pseudo_labelling-all": _pseudo_labelling_case("all", overfit_updates=100),
    "pseudo_labelling-functionals": Case(
        experiment="pseudo_labelling",
        build=_functionals,
        settings=run_settings(_functionals_config()),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: toy_vectors.emotional().speaker,
        overfit_updates=200,
    ),
    "transfer-head": _transfer_case("squeezenet1_1", "head", overfit_updates=400),
    # Adadelta's first step has one size (4.5e-4 here) however small the gradient: a tenth of it may be round-off.
    "transfer-all": _transfer_case("squeezenet1_1", "all", overfit_updates=80, slack=5e-5),
    "cyclegan-pretraining": _cyclegan_case("pretraining", overfit_updates=400, learned={"loss": 0.1, "cycle/": 0.1}),
    # The discriminators want something else: what they and the generators learn of a batch is not their loss.
    "cyclegan-gan": _cyclegan_case("gan", overfit_updates=400, learned={"cycle/": 0.2, "classification/": 0.1}),
    "augmentation-syn": _augmentation_case("syn", overfit_updates=200),
    # Mixed anew in every update: there is nothing to learn by heart.
    "augmentation-mixup": _augmentation_case("real+mixup", overfit_updates=0),
    "dcgan": Case(
        experiment="dcgan",
        build=_dcgan,
        settings=run_settings(_dcgan_config()),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: toy_speech.rated().speaker,
        overfit_updates=150,
        slack=2e-4,  # a tenth of Adam's first step
        learned={"loss": 0.6, "activation/loss": 0.6},  # fuzzy labels leave a loss of their own
        compiler_options={"xla_backend_optimization_level": 0},
    ),
    "dcgan-regression": Case(
        experiment="dcgan",
        build=_regression,
        settings=run_settings(_regression_config()),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: toy_speech.rated().speaker,
        overfit_updates=150,
        slack=5e-4,  # a tenth of Adam's first step
        learned={"loss": 0.2, "activation/loss": 0.2},
        compiler_options={"xla_backend_optimization_level": 0},
    ),
    "audio_text": Case(
        experiment="audio_text",
        build=_audio_text,
        settings=run_settings(_audio_text_config()),
        parts=lambda assembly: np.asarray(assembly.members["part"]),
        speakers=lambda: toy_dialogue.spoken().speaker,
        overfit_updates=150,
        slack=5e-4,  # a tenth of Adam's first step
        learned={"loss": 0.2},
        compiler_options={"xla_backend_optimization_level": 0},
    ),
}


def _write_speech(data_dir: Path) -> None:
    """The rated set under the name that the config asks for."""
    toy_speech.write_prepared_set(data_dir, toy_speech.rated("iemocap"))


# Per config file: the prepared set that ``get_config("runlocal")`` reads, written under a data folder.
CONFIGS = {
    "transfer": functools.partial(
        tones.write_prepared_set, corpus="emodb", settings=tones.BlockSettings.chunks(), names={"boredom": "fear"}
    ),
    "pseudo_labelling": functools.partial(
        tones.write_prepared_set,
        corpus="emodb",
        settings=tones.BlockSettings(voice_activity=0, fmax=(8000.0,), level="rms"),
    ),
    "cyclegan": toy_vectors.write_both,
    "augmentation": toy_vectors.write_both,
    "dcgan": _write_speech,
    "audio_text": lambda data_dir: toy_dialogue.write_prepared_set(data_dir, toy_dialogue.spoken("iemocap")),
}
