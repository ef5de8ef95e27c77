"""From a config and prepared chunks to one Assembly for each network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from sejax import models
from sejax.audio.image import ImageSettings, render
from sejax.core.experiment import Assembly, PyTree
from sejax.data.blocks.load import Spectrograms, find_blocks
from sejax.data.blocks.trunk_features import trunk_features
from sejax.data.labels import choose_classes, class_facts
from sejax.data.official_folds import SPLIT, described
from sejax.data.store.joined import JoinedRows, by_part, find_corpora
from sejax.data.store.sets import heard
from sejax.data.waveforms.load import Waveforms, find_waveforms
from sejax.engine.run import streamed
from sejax.errors import InputError
from sejax.experiments import HeldOut, Posteriors, Study
from sejax.experiments.classification import PARTS, confusion_metrics
from sejax.experiments.corpora import corpus_figures, corpus_masks, counted, named
from sejax.experiments.images import (
    augmentation,
    describe_weights,
    example_images,
    find_weights,
    image_parts,
    image_settings,
    load_weights,
    views,
)
from sejax.experiments.methods import compared, dtype_of, experiment_of, settings_of
from sejax.experiments.speech_encoders import RECORDINGS_AT_ONCE, gather_recordings, is_encoder, load_encoder
from sejax.experiments.transfer import encoders
from sejax.experiments.transfer.algorithm import Method, Network, Settings, head_network, image_network
from sejax.experiments.transfer.report import REPORT
from sejax.experiments.transfer.split import balanced_split, fifths

CURVES = ("train/accuracy", "train/loss", "valid/accuracy", "valid/loss")


def summarise(
    history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]], *, speech: Spectrograms
) -> dict[str, Any]:
    """The last epoch's accuracies and losses, as the paper's Table II, and the test part by chunk and by utterance.

    ``train/`` is the mean over an epoch's batches as they were trained on, which is how Keras reports it. Of several
    corpora that are tested (see `sejax.data.store.joined.corpora_tested`) there are the figures of each too.
    """
    confusions = {part: np.asarray(records[-1][f"confusion/{part}"], np.float32) for part in (*PARTS, "valid")}
    figures: dict[str, float] = {}
    for part in PARTS:
        figures |= confusion_metrics(confusions[part], f"{part}/")
    by_corpus, matrices = corpus_figures(records[-1], speech, PARTS)
    figures |= by_corpus
    if history:
        figures = {name: history[-1][name] for name in CURVES} | figures
    kept = ("iteration", "epoch", *CURVES)
    return {
        "metrics": figures,
        "history": [{name: row[name] for name in kept} for row in history],
        "confusion": {part: counts.astype(int).tolist() for part, counts in confusions.items()} | matrices,
    }


EVALUATION_BATCH = {"head": 1024, "all": 50}


def variants(config) -> dict[str, ConfigDict]:
    """A config for each network of a run, by its name.

    Raises:
      InputError: a network twice, an unknown one, weights that are not there, or a gain that no image shows.
    """
    augmentation(config)  # refuses a gain that no image shows
    heard = tuple(name for name in config.models if is_encoder(name))
    found = compared(config, "models", "model", known=(*models.names(), *heard))
    weights = tuple(config.weights)
    if len(weights) not in (1, len(found)):
        raise InputError(f"config: weights={'+'.join(weights)}; give one for all networks, or {len(found)}")
    weights = weights * len(found) if len(weights) == 1 else weights
    for (name, own), source in zip(found.items(), weights, strict=True):
        own.model_weights = encoders.checked(own, source).weights if name in heard else find_weights(name, source)
    return found


def build(config, data_dir: Path) -> Assembly:
    """One network of the comparison (a config of `variants`) on the prepared chunks that it asks for.

    Raises:
      InputError: no such prepared set, weights that do not fit, parts that cannot be filled.
    """
    if is_encoder(config.model):
        found, chunks = encoders.checked(config, config.model_weights), _find(config, data_dir)
        waveforms = find_corpora(partial(find_waveforms, data_dir, level=config.level), config.corpus, config.test)
        return assemble(config, chunks, load_encoder(found, seed=config.seed), waveforms)
    return assemble(config, _find(config, data_dir), load_weights(config.model, config.model_weights, seed=config.seed))


def _find(config, data_dir: Path) -> Spectrograms:
    how = {"scale": config.scale, "voice_activity": config.voice_activity, "level": config.level}
    return find_corpora(partial(find_blocks, data_dir, features="chunks", **how), config.corpus, config.test)


def _with_classes(config, chunks: Spectrograms) -> Spectrograms:
    """The chunks with the classes of a config, the paper's where it names none."""
    return choose_classes(chunks, tuple(filter(None, config.classes)) or ("stress",))


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; see `sejax.experiments.HeldOut`."""
    chunks = _with_classes(config, _find(config, data_dir))
    names, members = make_members(config, chunks)
    return HeldOut(chunks, names, members["part"], chunks.utterance, {"": chunks.utterance_label})


def assemble(
    config, chunks: Spectrograms, variables: PyTree, waveforms: Waveforms | None = None
) -> Assembly:
    """As `build`, from prepared chunks and the network's variables at hand; ``waveforms`` are what an encoder hears."""
    augment = augmentation(config)
    chunks = _with_classes(config, chunks)
    names, members = make_members(config, chunks)
    rows = np.flatnonzero((members["part"] >= 0).any(0))  # what no member uses is neither read nor kept
    members = members | {"part": members["part"][:, rows]}
    settings = settings_of(Settings, config)
    own = {"label": chunks.label[rows].astype(np.int32), "utterance": chunks.utterance[rows]}
    if is_encoder(config.model):
        inputs, how = _heard(config, chunks, rows, variables, waveforms)
    else:
        inputs, how = _seen(config, chunks, rows, variables)
    lengths, parts = image_parts(
        own | inputs | {"utterance_label": chunks.utterance_label} | corpus_masks(chunks),
        members["part"],
        batch_size=settings.batch_size,
        **how,
    )
    return Assembly(
        experiment=experiment_of(
            Method(trained_network(config, len(chunks.classes)), settings, **lengths, augment=augment)
        ),
        **parts,
        members=jax.tree.map(jnp.asarray, members),
        names=names,
        iterations=1,
        epochs=config.epochs,
        batch_size=settings.batch_size,
        summarise=partial(summarise, speech=chunks),
        about=about(config, chunks, members["part"], variables),
        examples=dict if is_encoder(config.model) else partial(example_images, _image(config), chunks),
    )


def _seen(config, chunks: Spectrograms, rows, variables: PyTree) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a network of images takes of the chunks ``rows``, and how `image_parts` serves it."""
    inputs, pretrained = make_inputs(config, chunks, rows, variables)
    found = {"inputs": inputs, "pretrained": pretrained}
    found |= views(config, partial(pooled_features, config, chunks, rows, variables))
    how = {"streamed": streamed(config), "resident": config.run.input != "tfdata"}
    return found, how | {"evaluated_at_once": EVALUATION_BATCH[config.trainable]}


def _heard(config, chunks: Spectrograms, rows, variables: PyTree, waveforms) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same of an encoder; recordings stay on the device."""
    named = encoders.checked(config, config.model_weights)
    found = encoders.recordings(config, chunks, rows, waveforms, named, variables)
    whole = config.trainable == "all"
    at_once = RECORDINGS_AT_ONCE if whole else EVALUATION_BATCH["head"]
    data = {"inputs": found.place, "recordings": found.heard, "pretrained": variables if whole else {}}
    return data, {"evaluated_at_once": at_once, "gather": gather_recordings}


def make_members(config, chunks: Spectrograms) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray]]:
    """Draws x learning rates: their names, part i8[M, I], draw i32[M] and learning_rate f32[M].

    Members of one draw share images and the head's first weights, in every network of the run.
    """
    asked = {"protocol": config.protocol, "names": config.split_folds, "seed": config.seed}
    split = partial(balanced_split, chunks, images=tuple(config.images), **asked)
    parts = [split(draw=draw) for draw in range(config.seeds)]
    pairs = tuple(product(range(config.seeds), config.rates))
    draws, rates = zip(*pairs, strict=True)
    return tuple({"model": config.model, "learning_rate": rate, "seed": draw} for draw, rate in pairs), {
        "part": np.repeat(parts, len(config.rates), axis=0),
        "draw": np.array(draws, np.int32),
        "learning_rate": np.array(rates, np.float32),
    }


def trained_network(config, num_classes: int) -> Network:
    """What a config trains, see `sejax.experiments.transfer.algorithm`."""
    if is_encoder(config.model):
        return encoders.encoder_network(encoders.checked(config, config.model_weights), config, num_classes)
    if config.trainable == "head":
        return head_network(num_classes, hidden=config.hidden)
    return image_network(_trunk(config), num_classes, hidden=config.hidden, image=_image(config))


def _trunk(config):
    return models.create(config.model, dtype=dtype_of(config), frozen=tuple(config.frozen))


def make_inputs(config, chunks: Spectrograms, rows: np.ndarray, variables: PyTree) -> tuple[np.ndarray, PyTree]:
    """The network's inputs [rows, ...], and the pre-trained variables that it starts from (of the trunk alone)."""
    if config.trainable == "all":
        return np.asarray(chunks.spectrogram[rows], np.float32), trunk_variables(config, variables)
    return pooled_features(config, chunks, rows, variables), {}


def pooled_features(
    config, chunks: Spectrograms, rows: np.ndarray, variables: PyTree, *, gain: float = 0.0
) -> np.ndarray:
    """Features [rows, D] of a frozen trunk, of the spectrograms so many dB louder; kept beside each corpus's set."""
    settings = {"model": config.model, "image": vars(_image(config)), "dtype": config.dtype}
    found = [
        trunk_features(
            frozen_trunk(config),
            variables,
            one.spectrogram,
            gain=gain,
            rows=own,
            cache=Path(one.folder) if one.folder else None,
            settings=settings | {"rows": own.tolist()},
        )
        for one, own in by_part(chunks, rows)
    ]
    return found[0] if len(found) == 1 else JoinedRows(found)


def trunk_variables(config, variables: PyTree) -> PyTree:
    """The variables that the trunk needs, without the network's own classifier."""
    model = _trunk(config)
    image = jnp.zeros((1, *_image(config).size, 3))
    used = jax.eval_shape(lambda: model.init(jax.random.key(0), image, method="features"))
    return {kind: {name: variables[kind][name] for name in layers} for kind, layers in used.items()}


def frozen_trunk(config) -> Callable[[PyTree, jax.Array], jax.Array]:
    """``trunk(variables, f32[B, bands, frames] in dB) -> f32[B, D]``: the maxima of the last feature map."""
    model, image = _trunk(config), _image(config)

    def trunk(variables, spectrogram):
        features = model.apply(variables, render(spectrogram, image), method="features")
        return features.max(axis=(1, 2)).astype(jnp.float32)

    return trunk


def _image(config) -> ImageSettings:
    """How images are rendered: at the network's own input size where the config's is 0."""
    size = config.image.size or models.INPUT_SIZE[config.model]
    return image_settings(config.image, config.model_weights, size=(size, size))


def posteriors(config, num_classes: int) -> Posteriors:
    """How a trained member classifies spectrograms; see `sejax.experiments.Posteriors`."""
    if is_encoder(config.model):
        return Posteriors(("params", "statistics"), {}, partial(encoders.refuse, config.model))
    network = trained_network(config, num_classes)
    head_only = config.trainable == "head"

    def apply(state, variables, images):
        inputs = frozen_trunk(config)(variables, images) if head_only else images
        return jax.nn.softmax(network.apply(state["params"], state["statistics"], inputs, False)[0])

    shared = load_weights(config.model, config.model_weights, seed=config.seed) if head_only else {}
    return Posteriors(("params", "statistics"), shared, apply)


def about(config, chunks: Spectrograms, part, variables: PyTree) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    if is_encoder(config.model):
        network = encoders.about(encoders.checked(config, config.model_weights))
    else:
        trunk = jax.tree.leaves(trunk_variables(config, variables)["params"])
        network = {
            "weights": describe_weights(config.model_weights),
            "input": "image of a chunk",
            "parameters": sum(int(leaf.size) for leaf in trunk),
            "image_size": _image(config).size[0],
        }
    trains, validates, tests = ((part[0] == kind) for kind in range(3))
    official = {}
    if config.protocol == SPLIT:  # of all chunks of the classes, of which draws take some
        labelled, folds = fifths(chunks, protocol=SPLIT, names=config.split_folds, seed=config.seed)
        rows = {name: getattr(chunks, name)[labelled] for name in ("label", "utterance", "speaker")}
        official = described(folds, replace(chunks, **rows))
    return {
        **named(config, chunks, config.protocol),
        "classes": list(chunks.classes),
        "unit": "chunk",
        "paper": {},  # its figures stand with the variants, one for each network and rate
        "data": {
            **class_facts(chunks),
            **counted(chunks),
            "images": {"training": int(trains.sum()), "validation": int(validates.sum()), "test": int(tests.sum())},
            "utterances": int((chunks.utterance_label >= 0).sum()),
            "speakers": len(chunks.speakers),
            **{name: {config.model: value} for name, value in network.items()},
            "settings": chunks.settings,
            "recordings": chunks.counts.get("recordings", {}),
            **heard(chunks),
            **official,
        },
    }


STUDY = Study(
    build=build,
    report=REPORT,
    variants=variants,
    member_fields={"learning_rate": "rates"},
    validation_figures=("valid/accuracy", "valid/loss"),
    posteriors=posteriors,
    held_out=held_out,
)
