"""From a config and prepared sets of utterance spectrograms to one Assembly for each of the four models."""

from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from sejax.core.experiment import Assembly
from sejax.data.catalogue import find_utterance_spectrograms
from sejax.data.crops import crop_data, joined_crops
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.ratings import DIMENSIONS, POINTS, Ratings, fuzzy, ratings_of
from sejax.data.utterance_spectrograms import UtteranceSpectrograms
from sejax.engine.backend import streamed
from sejax.errors import InputError
from sejax.experiments.classification import valid_source, whole_batches, whole_source
from sejax.experiments.dcgan.algorithm import CRITERIA, UPDATES, Settings, make_experiment
from sejax.experiments.dcgan.batches import crop_source, evaluation_gather, stream_batches
from sejax.experiments.dcgan.gallery import Wall
from sejax.experiments.dcgan.members import make_members, rated_by
from sejax.experiments.dcgan.networks import MODELS, Networks, make_networks
from sejax.experiments.dcgan.results import CLASSES, summarise

MEMBER_FIELDS = {"learning_rate": "learning_rates"}
VALIDATION_FIGURES = ("valid/uar", "valid/accuracy", "valid/uar_3", "valid/pearson")
PARTS = {"train": TRAIN, "valid": VALIDATION, "test": TEST}
# Table 1: crop width, learning rate, batch size, filter size, filters.
TABLE_1 = {
    "basic_cnn": {"width": 128, "learning_rates": (1e-4,), "batch_size": 64, "side": 15, "filters": 84},
    "multitask_cnn": {"width": 64, "learning_rates": (1e-3,), "batch_size": 128, "side": 8, "filters": 32},
    "basic_dcgan": {"width": 128, "learning_rates": (1e-4,), "batch_size": 64, "side": 9, "filters": 72},
    "multitask_dcgan": {"width": 64, "learning_rates": (1e-4,), "batch_size": 128, "side": 6, "filters": 88},
}


def variants(config) -> dict[str, ConfigDict]:
    """A config for each model of a run, by its name; what is 0 in the config is the model's own value of Table 1.

    Raises:
      InputError: a model twice, or an unknown one.
    """
    models = tuple(config.models)
    if not models or len(set(models)) < len(models) or not set(models) <= set(MODELS):
        raise InputError(f"config: models={'+'.join(models)}; give each once, of {', '.join(MODELS)}")
    found = {}
    for name in models:
        found[name] = ConfigDict(config.to_dict())
        found[name].model = name
        for field, value in TABLE_1[name].items():
            if not config[field]:
                found[name][field] = value
        if "generator" not in MODELS[name]:
            found[name].unlabelled = ()  # nothing in it could learn from unlabelled speech
    return found


def build(config, data_dir: Path) -> Assembly:
    """One model (a config of `variants`) on the prepared sets that it asks for.

    Raises:
      InputError: no such prepared set, sets made in different ways, ratings or folds that cannot be had.
    """
    find = partial(find_utterance_spectrograms, data_dir, scale=config.scale)
    return assemble(config, find(config.corpus), [find(corpus) for corpus in config.unlabelled])


def assemble(config, speech: UtteranceSpectrograms, others: list[UtteranceSpectrograms]) -> Assembly:
    """As `build`, from prepared sets at hand: labelled speech, and corpora of unlabelled speech."""
    for other in others:
        if other.settings != speech.settings:
            raise InputError(
                f"{other.corpus} and {speech.corpus} were prepared with different settings, {other.settings} and "
                f"{speech.settings}; prepare both alike"
            )
    ratings = ratings_of(speech, scale=tuple(config.rating_scale))
    names, members = make_members(config, speech, ratings)
    networks = trained_networks(config)
    labelled = crop_data(speech)
    unlabelled = joined_crops([crop_data(other) for other in others]) if others else None
    labels = label_arrays(ratings)
    crops = {"width": config.width, "dynamic_range": config.dynamic_range}
    share = round(config.share * config.batch_size) if others else 0
    parts = {"labelled": labelled} | ({"unlabelled": unlabelled} if share else {})
    stream = partial(stream_batches, parts=parts, labels=labels, **crops) if streamed(config) else None
    kept = {name: part if stream is None or name == "labelled" else first_frames(part) for name, part in parts.items()}
    batch = max(1, config.batch_size // config.eval_crops)
    validates = int((members["part"] == VALIDATION).sum(1).max())
    batch = min(batch, validates)
    valid_length = whole_batches(validates, batch)
    gather = evaluation_gather(crops=config.eval_crops, **crops)
    count = len(unlabelled["length"]) if share else 0
    wall = Wall([speech, *others], members["part"][0], **crops)
    return Assembly(
        experiment=make_experiment(
            networks, method_settings(config), batch_size=config.batch_size, valid_length=valid_length
        ),
        train=crop_source(config.batch_size, share, utterances=count, stream_batches=stream, **crops),
        valid=valid_source(valid_length, batch, gather=gather),
        whole=whole_source(len(speech.label), batch, gather=gather),
        data=kept | labels,
        members=members,
        names=names,
        streams=tuple(int(draw) for draw in members["draw"]),
        iterations=1,
        epochs=config.epochs,
        batch_size=config.batch_size,
        summarise=partial(summarise, rated=networks.rated, wall=wall),
        about=about(config, speech, others, ratings, members["part"]),
    )


def trained_networks(config) -> Networks:
    """The networks of a config (one of `variants`).

    Raises:
      InputError: sizes that the networks cannot have.
    """
    if not 0.0 <= config.share <= 1.0:
        raise InputError(f"config: share={config.share}; give the share of unlabelled crops, 0 to 1")
    return make_networks(
        config.model,
        filters=config.filters,
        side=config.side,
        width=config.width,
        hidden=config.hidden,
        slope=config.slope,
        latent=config.latent,
        dtype=None if config.dtype == "float32" else jnp.dtype(config.dtype),
    )


def method_settings(config) -> Settings:
    """The method's numbers of a config."""
    for field, known in (("updates", UPDATES), ("criterion", CRITERIA)):
        if config[field] not in known:
            raise InputError(f"config: {field}={config[field]!r}; choose one of {', '.join(known)}")
    return Settings(**{name: config[name] for name in Settings._fields})


def label_arrays(ratings: Ratings) -> dict[str, np.ndarray]:
    """Fuzzy labels f32[U, D, 5], mean ratings f32[U, D] and bool[U, D] which there are; zeros where there are none."""
    rated = ~np.isnan(ratings.values)
    values = np.where(rated, ratings.values, 1.0).astype(np.float32)
    return {"target": fuzzy(values) * rated[..., None], "rating": values, "rated": rated}


def first_frames(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a part with one frame only: those that a stream reads from disk need not be on the device."""
    return part | {"frames": np.asarray(part["frames"][:1])}


def about(config, speech: UtteranceSpectrograms, others, ratings: Ratings, part) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    points = np.clip(np.floor(ratings.values[rated_by(ratings)] + 0.5), 1, POINTS).astype(int) - 1
    counts = {name: np.bincount(points[:, row], minlength=POINTS).tolist() for row, name in enumerate(DIMENSIONS)}
    sessions = len({*speech.session[rated_by(ratings)].tolist()}) > 1
    return {
        "corpus": config.corpus,
        "unlabelled": [other.corpus for other in others],
        "protocol": "session" if sessions else "speaker",
        "ratings": "derived" if ratings.derived else "rated",
        "classes": list(CLASSES),
        "unit": "utterance",
        "paper": {},
        "data": {
            "utterances": int(rated_by(ratings).sum()),
            "speakers": len(speech.speakers),
            "points": counts,  # utterances by their nearest point, from 1 to 5
            "with_word_times": int(speech.aligned.sum()),
            "unlabelled": {
                other.corpus: {"utterances": len(other.label), "seconds": float(other.seconds.sum())}
                for other in others
            },
            "parts": [
                {name: int((row == kind).sum()) for name, kind in PARTS.items()} for row in np.unique(part, axis=0)
            ],
            "settings": speech.settings,
        },
    }
