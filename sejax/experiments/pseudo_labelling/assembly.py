"""From a config and prepared spectrograms to an Assembly that the engine can run."""

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
from sejax.audio.image import render
from sejax.core.experiment import Assembly, PyTree
from sejax.corpora.published import PUBLISHED
from sejax.data.blocks.load import Spectrograms, find_blocks
from sejax.data.blocks.trunk_features import moments, trunk_features
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, Folds, Instead, near_copies_in_training
from sejax.data.labels import choose_classes, class_facts, labelled_subset
from sejax.data.official_folds import SPLIT, described, folds_of
from sejax.data.store.sets import heard
from sejax.engine.run import streamed
from sejax.errors import InputError
from sejax.experiments import HeldOut, Posteriors, Study
from sejax.experiments.classification import PARTS, confusion_metrics
from sejax.experiments.images import (
    augmentation,
    example_images,
    image_parts,
    image_settings,
    load_weights,
    views,
)
from sejax.experiments.methods import experiment_of, settings_of
from sejax.experiments.pseudo_labelling.algorithm import Method, Settings
from sejax.experiments.pseudo_labelling.networks import Network, classifier_network, image_network, linear_head
from sejax.experiments.pseudo_labelling.published import published
from sejax.experiments.pseudo_labelling.report import REPORT
from sejax.models import LAST_LAYER
from sejax.models.pooling import adaptive_average_pool

INSTEAD = Instead(protocols={"protocol=block": "block"})
COUNTS = ("labelled", "unlabelled", "confident", "confident_correct", "unlabelled_correct", "epochs", "best_epoch")


def summarise(history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of every iteration, by image (block) and by utterance; the last iteration's without prefix."""
    figures: dict[str, float] = {}
    iterations = []
    for number, record in enumerate(records, start=1):
        confusions = {part: np.asarray(record[f"confusion/{part}"]) for part in PARTS}
        for part, confusion in confusions.items():
            figures |= confusion_metrics(confusion, f"iteration_{number}/{part}/")
        iterations.append(
            {"iteration": number}
            | {name: int(record[name]) for name in COUNTS}
            | {"confusion": {part: confusion.astype(int).tolist() for part, confusion in confusions.items()}}
        )
    last = iterations[-1]["confusion"]
    for part in PARTS:
        figures |= confusion_metrics(np.asarray(last[part], np.float32), f"{part}/")
    rows = [{name.removeprefix("train/") if "rate" in name else name: row[name] for name in row} for row in history]
    return {"metrics": figures, "history": rows, "iterations": iterations, "confusion": last}


EVALUATION_BATCH = {"head": 1024, "classifier": 256, "all": 64}


def build(config, data_dir: Path) -> Assembly:
    """Pseudo-labelling on the prepared set that a config asks for.

    Raises:
      InputError: no such prepared set, unknown weights, a fold that cannot be made.
    """
    return assemble(config, _find(config, data_dir), load_weights(config.model, config.weights, seed=config.seed))


def _find(config, data_dir: Path) -> Spectrograms:
    how = {"scale": config.scale, "voice_activity": config.voice_activity, "level": config.level}
    return find_blocks(data_dir, config.corpus, **how)


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; see `sejax.experiments.HeldOut`."""
    spectrograms, left_out = with_classes(config, _find(config, data_dir))
    names, members = make_members(config, spectrograms, left_out=left_out)
    label = {"": spectrograms.utterance_label}
    shown = members["labelled"]
    return HeldOut(spectrograms, names, members["part"], spectrograms.utterance, label, labelled=shown)


def with_classes(config, spectrograms: Spectrograms) -> tuple[Spectrograms, np.ndarray]:
    """The images with the classes of a config, and bool[I] those whose label is of none of them.

    They are left out altogether: no pseudo-label of theirs could be right.
    """
    made = choose_classes(spectrograms, tuple(config.classes) or ("all",))
    return made, (spectrograms.label >= 0) & (made.label < 0)


def assemble(config, spectrograms, variables: PyTree) -> Assembly:
    """As `build`, from `sejax.data.blocks.load.Spectrograms` and pre-trained variables at hand."""
    augment = augmentation(config)
    spectrograms, left_out = with_classes(config, spectrograms)
    names, members = make_members(config, spectrograms, left_out=left_out)
    inputs, pretrained_params = make_inputs(config, spectrograms, variables)
    network = trained_network(config, len(spectrograms.classes))
    settings = settings_of(Settings, config, num_classes=len(spectrograms.classes))
    if config.run.input == "tfdata":
        members |= constants_of(network, inputs, members["part"])
    own = {name: getattr(spectrograms, name) for name in ("label", "utterance", "utterance_label")}
    lengths, parts = image_parts(
        own
        | {"inputs": inputs, "pretrained": pretrained_params}
        | views(config, partial(trunk_inputs, config, spectrograms, variables)),
        members["part"],
        batch_size=settings.batch_size,
        evaluated_at_once=EVALUATION_BATCH[config.trainable],
        streamed=streamed(config),
        resident=config.run.input != "tfdata",
    )
    return Assembly(
        experiment=experiment_of(Method(network, settings, **lengths, augment=augment)),
        **parts,
        members=jax.tree.map(jnp.asarray, members),
        names=names,
        iterations=config.iterations,
        epochs=config.epochs,
        batch_size=settings.batch_size,
        summarise=summarise,
        about=about(config, spectrograms, members),
        examples=partial(example_images, image_settings(config.image, config.weights), spectrograms),
    )


def make_members(
    config, spectrograms, *, left_out: np.ndarray | None = None
) -> tuple[tuple[dict[str, int], ...], dict[str, np.ndarray]]:
    """Folds x seeds: their names, and part i8[M, I] and labelled bool[M, I]; ``left_out`` bool[I]: in no part.

    Folds are split once; seeds draw other labelled subsets and other initial heads. Seeds come first, so
    that more seeds leave the earlier members as they were.
    """
    folds = _folds(config, spectrograms)
    # Near-copies of a block share its label or lack of one, unless images are split at random as in the paper.
    unit = None if config.protocol == "image" else spectrograms.block
    names, parts, labelled = [], [], []
    for seed, fold in product(range(config.seeds), range(config.only_folds or len(folds.part))):
        names.append({"fold": fold, "seed": seed})
        part = folds.part[fold]
        parts.append(part if left_out is None else np.where(left_out, LEFT_OUT, part))
        drawn = {"fraction": config.labelled, "seed": (config.seed, seed), "unit": unit}
        labelled.append(labelled_subset(spectrograms.label, parts[-1] == TRAIN, **drawn))
    return tuple(names), {"part": np.stack(parts).astype(np.int8), "labelled": np.stack(labelled)}


def _folds(config, spectrograms) -> Folds:
    asked = {name: config[name] for name in ("protocol", "folds", "validation", "seed")}
    folds = folds_of(spectrograms, names=config.split_folds, **asked, instead=INSTEAD)
    if config.only_folds > len(folds.part):
        raise InputError(f"config: only_folds={config.only_folds}; give 1 to folds={len(folds.part)}, or 0 for all")
    return folds


def trained_network(config, num_classes: int) -> Network:
    """What a config trains, see `sejax.experiments.pseudo_labelling.networks`."""
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
    kept = {name: leaf for name, leaf in variables["params"].items() if name != LAST_LAYER[config.model]}
    if config.trainable == "all":
        return spectrograms.spectrogram, kept
    inputs = trunk_inputs(config, spectrograms, variables)
    return inputs, {name: kept[name] for name in ("fc6", "fc7")} if config.trainable == "classifier" else {}


def trunk_inputs(config, spectrograms, variables: PyTree, *, gain: float = 0.0) -> np.ndarray:
    """Features [I, ...] of a frozen trunk, of the spectrograms so many dB louder."""
    return trunk_features(
        frozen_trunk(config),
        {"params": variables["params"]},
        spectrograms.spectrogram,
        gain=gain,
        cache=Path(spectrograms.folder) if spectrograms.folder else None,
        settings={name: config[name] for name in ("model", "layer", "grid", "trainable")}
        | {"image": asdict(image_settings(config.image, config.weights))},
    )


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
    """How a trained member classifies spectrograms; see `sejax.experiments.Posteriors`."""
    network = trained_network(config, num_classes)
    whole = config.trainable == "all"  # members have their own trunks then
    shared = {} if whole else load_weights(config.model, config.weights, seed=config.seed)

    def apply(state, variables, images):
        inputs = images if whole else frozen_trunk(config)(variables, images)
        return jax.nn.softmax(network.apply(state["params"], state["constants"], inputs))

    return Posteriors(("params", "constants"), shared, apply)


def about(config, spectrograms, members) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    known = PUBLISHED.get(config.corpus)
    official = _folds(config, spectrograms) if config.protocol == SPLIT else None
    folds = len(official.part) if official else config.folds
    near_copies = near_copies_in_training(members["part"], spectrograms.block, labelled=members["labelled"])
    return {
        "corpus": config.corpus,
        "protocol": config.protocol,
        "classes": list(spectrograms.classes),
        "paper": published(config.corpus, config.scale, config.voice_activity, config.labelled),
        "data": {
            "images": len(spectrograms.label),
            "blocks": len(np.unique(spectrograms.block)),
            "utterances": len(spectrograms.utterance_ids),
            "speakers": len(spectrograms.speakers),
            "settings": spectrograms.settings,
            "recordings": spectrograms.counts.get("recordings", {}),
            **class_facts(spectrograms),
            **heard(spectrograms),
            "published_images": known.images if known else None,
            "test_images": [int((part == TEST).sum()) for part in members["part"][:folds]],
            "near_copies_in_training": round(float(near_copies.mean()), 3),
            **(described(official, spectrograms) if official else {}),
        },
    }


STUDY = Study(
    build=build,
    report=REPORT,
    validation_figures=("valid/accuracy", "valid/uar", "valid/macro_f1", "valid/loss"),
    posteriors=posteriors,
    held_out=held_out,
)
