"""From a config and prepared spectrograms, vectors or recordings, to an Assembly that the engine can run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sejax import models
from sejax.audio.augmentation import Alteration, altered_spectrograms, random_views
from sejax.audio.image import render
from sejax.core.experiment import DIAGNOSTIC, Assembly, Batch, PyTree
from sejax.core.rng import root_key
from sejax.core.rng import stream as key_of
from sejax.corpora.published import PUBLISHED
from sejax.data.blocks.load import Spectrograms, find_blocks
from sejax.data.blocks.trunk_features import moments, trunk_features
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, Folds, Instead, near_copies_in_training
from sejax.data.labels import choose_classes, class_facts, labelled_subset
from sejax.data.official_folds import SPLIT, described, folds_of
from sejax.data.store.joined import JoinedRows, find_corpora
from sejax.data.store.sets import ExampleSet, heard
from sejax.data.vectors.load import Vectors
from sejax.data.waveforms.load import Waveforms
from sejax.engine.run import streamed
from sejax.errors import InputError
from sejax.experiments import HeldOut, Posteriors, Study
from sejax.experiments.classification import PARTS, confusion_metrics
from sejax.experiments.corpora import corpus_figures, corpus_masks, counted, named
from sejax.experiments.feature_vectors import transductive
from sejax.experiments.images import (
    augmentation,
    example_images,
    image_parts,
    image_settings,
    load_weights,
    views,
)
from sejax.experiments.methods import experiment_of, settings_of
from sejax.experiments.pseudo_labelling import inputs as utterance_inputs
from sejax.experiments.pseudo_labelling.algorithm import Method, Settings
from sejax.experiments.pseudo_labelling.inputs import check_inputs, on_encoder, on_utterances, tunes_encoder
from sejax.experiments.pseudo_labelling.networks import (
    Network,
    classifier_network,
    encoder_network,
    image_network,
    linear_head,
    vector_head,
    with_labeller,
)
from sejax.experiments.pseudo_labelling.published import published
from sejax.experiments.pseudo_labelling.report import REPORT
from sejax.experiments.speech_encoders import (
    FROZEN,
    RECORDINGS_AT_ONCE,
    gather_recordings,
    load_encoder,
    trained_states,
)
from sejax.models import LAST_LAYER
from sejax.models.pooling import adaptive_average_pool

INSTEAD = Instead(protocols={"protocol=block": "block"}, unvalidated="validation=0")
VALIDATION_FIGURES = ("valid/accuracy", "valid/uar", "valid/macro_f1", "valid/loss")
COUNTS = ("labelled", "unlabelled", "confident", "confident_correct", "unlabelled_correct", "epochs", "best_epoch")


def summarise(
    history: Sequence[Mapping[str, float]],
    records: Sequence[Mapping[str, Any]],
    *,
    speech: ExampleSet,
    parts: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """Figures of every iteration, by image (block) and by utterance; the last iteration's without prefix.

    Of several corpora that are tested (`sejax.data.store.joined.corpora_tested`) there are the last figures of each.
    """
    figures: dict[str, float] = {}
    iterations = []
    for number, record in enumerate(records, start=1):
        confusions = {part: np.asarray(record[f"confusion/{part}"]) for part in parts}
        for part, confusion in confusions.items():
            figures |= confusion_metrics(confusion, f"iteration_{number}/{part}/")
        iterations.append(
            {"iteration": number}
            | {name: int(record[name]) for name in COUNTS}
            | diagnosed(record)
            | {"confusion": {part: confusion.astype(int).tolist() for part, confusion in confusions.items()}}
        )
    by_corpus, matrices = corpus_figures(records[-1], speech, parts)
    figures |= by_corpus
    last = iterations[-1]["confusion"]
    for part in parts:
        figures |= confusion_metrics(np.asarray(last[part], np.float32), f"{part}/")
    rows = [{name.removeprefix("train/") if "rate" in name else name: row[name] for name in row} for row in history]
    return {"metrics": figures, "history": rows, "iterations": iterations, "confusion": last | matrices}


def diagnosed(record: Mapping[str, Any]) -> dict[str, Any]:
    """What an iteration's entry says of its pseudo-labels; {} where a run of an earlier version recorded nothing.

    {"temperature", "calibration_error": of the unlabelled images before and after it, "by_class": {"unlabelled",
    "kept", "right"}, each a list by the predicted class}.
    """
    calibration = record.get(f"{DIAGNOSTIC}calibration")
    if calibration is None or not calibration[0]:
        return {}
    temperature, before, after = (round(float(x), 4) for x in calibration)
    counts = np.asarray(record[f"{DIAGNOSTIC}by_class"]).astype(int).tolist()
    return {
        "temperature": temperature,
        "calibration_error": {"before": before, "after": after},
        "by_class": dict(zip(("unlabelled", "kept", "right"), counts, strict=True)),
    }


EVALUATION_BATCH = {"head": 1024, "classifier": 256, "all": 64}


def build(config, data_dir: Path) -> Assembly:
    """Pseudo-labelling on the prepared set that a config asks for.

    Raises:
      InputError: no such prepared set, unknown weights, a fold that cannot be made.
    """
    check_inputs(config)
    return assemble(config, _find(config, data_dir), _weights(config))


def _find(config, data_dir: Path) -> Spectrograms | Vectors | Waveforms:
    if on_utterances(config):
        return utterance_inputs.find_inputs(config, data_dir)
    how = {"scale": config.scale, "voice_activity": config.voice_activity, "level": config.level}
    return find_corpora(partial(find_blocks, data_dir, **how), config.corpus, config.test)


def _weights(config) -> PyTree:
    """The pre-trained variables; {} where nothing is pre-trained."""
    if tunes_encoder(config):
        return load_encoder(utterance_inputs.named_encoder(config), seed=config.seed)
    return {} if on_utterances(config) else load_weights(config.model, config.weights, seed=config.seed)


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; see `sejax.experiments.HeldOut`."""
    speech, left_out = with_classes(config, _find(config, data_dir))
    names, members = make_members(config, speech, left_out=left_out)
    label = {"": speech.utterance_label}
    how = {"labelled": members["labelled"], "normalised_by": config.normalise_by}
    return HeldOut(speech, names, members["part"], speech.utterance, label, **how)


def with_classes(config, speech: ExampleSet) -> tuple[Any, np.ndarray]:
    """The examples with the classes of a config, and bool[I] those whose label is of none of them.

    They are left out altogether: no pseudo-label of theirs could be right.
    """
    made = choose_classes(speech, tuple(config.classes) or ("all",))
    return made, (speech.label >= 0) & (made.label < 0)


def assemble(config, speech, variables: PyTree) -> Assembly:
    """As `build`, from a prepared set and pre-trained variables at hand.

    Args:
      speech: `sejax.data.blocks.load.Spectrograms`; or vectors or waveforms, as
        `sejax.experiments.pseudo_labelling.inputs.find_inputs` gives them.
      variables: those of the network of images; with vectors {}; with waveforms those of the encoder that is trained.
    """
    check_inputs(config)
    augment = augmentation(config)
    speech, left_out = with_classes(config, speech)
    names, members = make_members(config, speech, left_out=left_out)
    if isinstance(speech, Vectors):
        members |= utterance_inputs.scalings(speech.features, members["part"])
    inputs, serving = _served(config, speech, variables)
    network = trained_network(config, len(speech.classes))
    if config.labeller == "speaker":
        how = {"dropout_rate": config.dropout, "gain": config.feature_gain}
        network = with_labeller(network, len(speech.classes), **how)
    settings = settings_of(Settings, config, num_classes=len(speech.classes))
    if config.run.input == "tfdata":
        members |= {} if on_utterances(config) else constants_of(network, inputs["inputs"], members["part"])
    own = {name: getattr(speech, name) for name in ("label", "utterance", "utterance_label")}
    lengths, parts = image_parts(
        own
        | inputs
        | corpus_masks(speech)
        | views(config, partial(trunk_inputs, config, speech, variables))
        | strong_views(config, speech, variables)
        | own_scale(config, speech, inputs["inputs"]),
        members["part"],
        batch_size=settings.batch_size,
        **serving,
    )
    method = Method(network, settings, **lengths, augment=augment, strengthen=strengthening(config))
    return Assembly(
        experiment=experiment_of(method),
        **parts,
        members=jax.tree.map(jnp.asarray, members),
        names=names,
        iterations=config.iterations,
        epochs=config.epochs,
        batch_size=settings.batch_size,
        summarise=partial(summarise, speech=speech, parts=PARTS[:1] if on_utterances(config) else PARTS),
        about=about(config, speech, members),
        examples=_examples(config, speech),
    )


def _served(config, speech, variables: PyTree) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and pre-trained weights as the data of `image_parts` has them, and how it serves them."""
    if tunes_encoder(config):
        found = utterance_inputs.recordings(config, speech) | {"pretrained": variables["params"]}
        return found, {"evaluated_at_once": RECORDINGS_AT_ONCE, "gather": gather_recordings}
    inputs, pretrained_params = make_inputs(config, speech, variables)
    how = {"streamed": streamed(config), "resident": config.run.input != "tfdata"}
    found = {"inputs": inputs, "pretrained": pretrained_params}
    return found, how | {"evaluated_at_once": EVALUATION_BATCH[config.trainable]}


def _examples(config, speech) -> Callable[[], dict[str, Any]]:
    if on_utterances(config):
        return dict
    return partial(example_images, image_settings(config.image, config.weights), speech)


def make_members(
    config, speech, *, left_out: np.ndarray | None = None
) -> tuple[tuple[dict[str, int], ...], dict[str, np.ndarray]]:
    """Folds x seeds: their names, and part i8[M, I] and labelled bool[M, I]; ``left_out`` bool[I]: in no part.

    Folds are split once; seeds draw other labelled subsets and other initial heads. Seeds come first, so
    that more seeds leave the earlier members as they were.
    """
    folds = _folds(config, speech)
    # Near-copies of a block share its label or lack of one, unless images are split at random as in the paper.
    unit = None if config.protocol == "image" else speech.block
    names, parts, labelled = [], [], []
    for seed, fold in product(range(config.seeds), range(config.only_folds or len(folds.part))):
        names.append({"fold": fold, "seed": seed})
        part = folds.part[fold]
        parts.append(part if left_out is None else np.where(left_out, LEFT_OUT, part))
        drawn = {"fraction": config.labelled, "seed": (config.seed, seed), "unit": unit}
        labelled.append(labelled_subset(speech.label, parts[-1] == TRAIN, **drawn))
    return tuple(names), {"part": np.stack(parts).astype(np.int8), "labelled": np.stack(labelled)}


def _folds(config, speech) -> Folds:
    asked = {name: config[name] for name in ("protocol", "folds", "validation", "seed")}
    instead = utterance_inputs.INSTEAD if on_utterances(config) else INSTEAD
    folds = folds_of(speech, names=config.split_folds, **asked, instead=instead)
    if config.only_folds > len(folds.part):
        raise InputError(f"config: only_folds={config.only_folds}; give 1 to folds={len(folds.part)}, or 0 for all")
    return folds


def trained_network(config, num_classes: int) -> Network:
    """What a config trains, see `sejax.experiments.pseudo_labelling.networks`."""
    if on_utterances(config):
        how = {"hidden": tuple(config.hidden), "dropout_rate": config.dropout, "gain": config.feature_gain}
        if not tunes_encoder(config):
            return vector_head(num_classes, **how)
        named = utterance_inputs.named_encoder(config)
        how |= {"states": (len(named.layers), named.architecture.width), "trunk_rate": config.trunk_rate}
        return encoder_network(num_classes, trained_states(named), frozen=FROZEN, **how)
    if config.trainable == "head":
        return linear_head(num_classes, dropout_rate=config.dropout, gain=config.feature_gain)
    model = models.create(config.model, num_classes=num_classes)
    if config.trainable == "classifier":
        return classifier_network(config.model, model, trunk_rate=config.trunk_rate)
    return image_network(
        config.model,
        model,
        image=image_settings(config.image, config.weights),
        layer=config.layer,
        grid=config.grid,
        dropout_rate=config.dropout,
        gain=config.feature_gain,
        trunk_rate=config.trunk_rate,
    )


def constants_of(network: Network, inputs: np.ndarray, part: np.ndarray) -> dict[str, PyTree]:
    """{"constants": what the network fits to the training part of each member}, the inputs read in pieces."""
    if network.fit_moments is None:
        return {"constants": {}}
    folds, fold = np.unique(part, axis=0, return_inverse=True)
    mean, variance = (values.astype(np.float32) for values in moments(inputs, folds == TRAIN))
    fitted = jax.vmap(network.fit_moments)(mean, variance)
    return {"constants": jax.tree.map(lambda x: np.asarray(x)[fold.reshape(-1)], fitted)}


def make_inputs(config, spectrograms, variables: PyTree) -> tuple[np.ndarray, PyTree]:
    """The network's inputs [I, ...], and the pre-trained weights that it starts from."""
    if on_utterances(config):
        return spectrograms.features, {}
    kept = {name: leaf for name, leaf in variables["params"].items() if name != LAST_LAYER[config.model]}
    if config.trainable == "all":
        return spectrograms.spectrogram, kept
    inputs = trunk_inputs(config, spectrograms, variables)
    return inputs, {name: kept[name] for name in ("fc6", "fc7")} if config.trainable == "classifier" else {}


def trunk_inputs(
    config,
    spectrograms,
    variables: PyTree,
    *,
    gain: float = 0.0,
    alter: Callable[[jax.Array], jax.Array] | None = None,
    about: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Features [I, ...] of a frozen trunk, of the spectrograms so many dB louder, or altered as ``about`` says.

    They are kept beside each corpus's set.
    """
    if spectrograms.joined_from:
        how = {"gain": gain, "alter": alter, "about": about}
        return JoinedRows([trunk_inputs(config, one, variables, **how) for one in spectrograms.joined_from])
    trunk = frozen_trunk(config)
    return trunk_features(
        (lambda variables, spectrogram: trunk(variables, alter(spectrogram))) if alter else trunk,
        {"params": variables["params"]},
        spectrograms.spectrogram,
        gain=gain,
        cache=Path(spectrograms.folder) if spectrograms.folder else None,
        settings={name: config[name] for name in ("model", "layer", "grid", "trainable")}
        | {"image": asdict(image_settings(config.image, config.weights))}
        | dict(about or {}),
    )


def strong_views(config, spectrograms, variables: PyTree) -> dict[str, np.ndarray]:
    """{"strong_views": f32[I, V, ...]}, a frozen trunk's features of altered spectrograms; {} where none are asked for.

    They are drawn by an image's place in a batch of `trunk_features`: of one view 64 images in a row differ in theirs.
    """
    if not config.strong_views or config.trainable == "all":
        return {}
    if config.run.input == "tfdata":
        raise InputError("config: strong_views of a frozen trunk stay on the device; leave run.input=tfdata out")
    found = []
    for view in range(config.strong_views):
        drawn = key_of(root_key(config.seed), "strong view", view)
        about = {"alteration": config.alteration.to_dict(), "view": view, "seed": config.seed}
        found.append(trunk_inputs(config, spectrograms, variables, alter=altering(config, drawn), about=about))
    return {"strong_views": np.stack(found, axis=1)}


def own_scale(config, speech, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """{"own_scale": f32[I, D]}, what the head that labels sees; {} where the network itself labels."""
    if config.labeller != "speaker":
        return {}
    if config.run.input == "tfdata":
        raise InputError("config: what labeller=speaker sees stays on the device; leave run.input=tfdata out")
    return {"own_scale": utterance_inputs.on_own_scale(inputs, speech.speaker)}


def altering(config, key: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """``alter(spectrogram f32[B, bands, frames] in dB)``, as a config has it."""
    return partial(altered_spectrograms, key, most=Alteration(**config.alteration.to_dict()))


def strengthening(config) -> Callable[[jax.Array, Batch], jax.Array] | None:
    """What pseudo-labelled images are trained on, see `Method`: cached views, or with a whole network ever new ones."""
    if not config.strong_views:
        return None
    if config.trainable == "all":
        return lambda key, batch: altering(config, key)(batch["inputs"])
    return lambda key, batch: random_views(key, batch["strong_views"])


def frozen_trunk(config) -> Callable[[PyTree, jax.Array], jax.Array]:
    """``trunk(variables, spectrogram f32[B, bands, frames] in dB) -> features`` of a config with a frozen trunk.

    For `trainable=head` a map is averaged onto ``config.grid`` and flattened, [B, D]; `classifier` (AlexNet)
    takes the last map as it is.
    """
    if config.trainable == "classifier" and config.model != "alexnet":
        raise InputError(
            f"trainable='classifier' needs a network with dense layers before its last one; {config.model} has none: "
            "use trainable=head or trainable=all, or model=alexnet"
        )
    image = image_settings(config.image, config.weights)
    model = models.create(config.model)

    def trunk(variables, spectrogram):
        _, activations = model.apply(variables, render(spectrogram, image), activations=True)
        if config.trainable == "classifier":
            return activations["features"]
        if config.layer not in activations:
            known = ", ".join(activations)
            raise InputError(f"config: layer={config.layer!r} of {config.model}; choose one of {known}")
        layer = activations[config.layer]
        return layer if layer.ndim == 2 else adaptive_average_pool(layer, config.grid).reshape(layer.shape[0], -1)

    return trunk


def posteriors(config, num_classes: int) -> Posteriors:
    """How a trained member classifies spectrograms, or vectors; see `sejax.experiments.Posteriors`."""
    network = trained_network(config, num_classes)
    together = "" if config.normalise_by == "training" else config.normalise_by
    how, shared = {"together": together}, {}
    if on_encoder(config):
        how["recording"] = partial(utterance_inputs.recording, longest=config.longest)
    if on_encoder(config) and not tunes_encoder(config):
        shared = load_encoder(utterance_inputs.named_encoder(config), seed=config.seed)
        see = utterance_inputs.hearing(config)
    elif on_utterances(config) or config.trainable == "all":  # members have their own trunks then
        see = _as_given
    else:
        shared, see = _weights(config), frozen_trunk(config)

    def apply(state, variables, given):
        return jax.nn.softmax(network.apply(state["params"], state["constants"], see(variables, given)))

    return Posteriors(("params", "constants"), shared, apply, **how)


def _as_given(variables, given):
    del variables
    return given


def about(config, speech, members) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    official = _folds(config, speech) if config.protocol == SPLIT else None
    found = {
        **named(config, speech, config.protocol),
        **transductive(config),
        "classes": list(speech.classes),
        "paper": {},
    }
    counts = {
        **counted(speech),
        "utterances": len(speech.utterance_ids),
        "speakers": len(speech.speakers),
        "settings": speech.settings,
        "recordings": speech.counts.get("recordings", {}),
        **class_facts(speech),
        **heard(speech),
    }
    official = described(official, speech) if official else {}
    if on_utterances(config):
        return found | {"unit": "utterance", "data": utterance_inputs.facts(config, speech) | counts | official}
    images = {"images": len(speech.label), "blocks": len(np.unique(speech.block))}
    known = None if config.test else PUBLISHED.get(config.corpus)
    folds = len(members["part"]) // config.seeds
    near_copies = near_copies_in_training(members["part"], speech.block, labelled=members["labelled"])
    counts |= {
        "published_images": known.images if known else None,
        "test_images": [int((part == TEST).sum()) for part in members["part"][:folds]],
        "near_copies_in_training": round(float(near_copies.mean()), 3),
    }
    paper = {} if config.test else published(config.corpus, config.scale, config.voice_activity, config.labelled)
    return found | {"paper": paper, "data": images | counts | official}


STUDY = Study(
    build=build,
    report=REPORT,
    validation_figures=lambda config: VALIDATION_FIGURES if config.validation else (),
    posteriors=posteriors,
    held_out=held_out,
)
