"""From a config and prepared sets of utterance spectrograms to one Assembly for each of the four models."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from sejax.core.experiment import Assembly
from sejax.core.rng import root_key
from sejax.data.crops import crop_data, joined_crops, oversampled
from sejax.data.cross_folds import cross_folds
from sejax.data.folds import LEFT_OUT, TEST, TRAIN, VALIDATION, Folds
from sejax.data.labels import choose_classes, class_facts
from sejax.data.official_folds import SPLIT, described, official_folds
from sejax.data.pair_folds import pair_folds
from sejax.data.ratings import DIMENSIONS, POINTS, Ratings, fuzzy, on_scale, ratings_of, unit
from sejax.data.store.joined import JoinedRows, corpora_of, corpora_tested, find_corpora
from sejax.data.store.sets import check_apart, heard
from sejax.data.utterances.load import UtteranceSpectrograms, find_utterance_spectrograms
from sejax.engine.run import streamed
from sejax.errors import InputError
from sejax.experiments import HeldOut, Posteriors, Study
from sejax.experiments.classification import valid_source, whole_batches, whole_source
from sejax.experiments.corpora import corpus_masks, counted, named
from sejax.experiments.dcgan.algorithm import Method, Settings, answers
from sejax.experiments.dcgan.batches import crop_source, evaluation_gather, stream_batches
from sejax.experiments.dcgan.gallery import Wall
from sejax.experiments.dcgan.networks import MODELS, Networks, make_networks
from sejax.experiments.dcgan.report import POINT_NAMES, REPORT
from sejax.experiments.dcgan.results import summarise
from sejax.experiments.methods import compared, dtype_of, experiment_of, rate_members, settings_of


def make_members(
    config, speech: UtteranceSpectrograms, ratings: Ratings
) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray]]:
    """Names of the members, and their arrays: part i8[M, U], rows i32[M, L], count, draw i32[M], learning_rate f32[M].

    Raises:
      InputError: folds that the corpus does not allow.
    """
    parts = make_parts(config, speech, ratings).part
    tables = [training_rows(part, ratings, balance=config.balance) for part in parts]
    length = max(map(len, tables))
    folds = [
        {"part": part, "rows": np.resize(rows, length).astype(np.int32), "count": np.int32(len(rows))}
        for part, rows in zip(parts, tables, strict=True)
    ]
    return rate_members({"model": config.model}, folds, seeds=config.seeds, rates=config.learning_rates)


# Of the speakers that train, where a corpus's own division has no development part, or all of another is tested.
HELD_OUT = 0.1


def make_parts(config, speech: UtteranceSpectrograms, ratings: Ratings) -> Folds:
    """The folds of a run: two speakers left out at a time, or the corpus's own.

    Raises:
      InputError: folds that the corpus does not allow.
    """
    rated = rated_by(ratings)
    if config.swap and (config.protocol == SPLIT or speech.tested):
        given = "protocol=split takes the corpus's own parts"
        given = f"test={'+'.join(speech.tested)} tests all of a corpus" if speech.tested else given
        raise InputError(
            f"config: swap=True exchanges the two speakers of a fold, and {given}; leave one of the two out"
        )
    if speech.tested:
        seen = replace(speech, label=np.where(rated, 0, -1).astype(np.int32), classes=("rated",))
        found = cross_folds(seen, protocol=config.protocol, validation=HELD_OUT, seed=config.seed)
        return replace(found, part=np.where(rated, found.part, LEFT_OUT).astype(np.int8))
    if config.protocol == SPLIT:
        return official_folds(speech, names=config.split_folds, validation=HELD_OUT, seed=config.seed, rated=rated)
    if config.split_folds:
        raise InputError(
            f"config: split_folds={'+'.join(config.split_folds)} are a corpus's own folds; give protocol=split with it"
        )
    part = pair_folds(speech, rated, folds=config.folds, seed=config.seed, swap=config.swap)
    return Folds(part, config.protocol)


def rated_by(ratings: Ratings) -> np.ndarray:
    """bool[U], the utterances with ratings."""
    return ~np.isnan(ratings.values).any(-1)


def training_rows(part: np.ndarray, ratings: Ratings, *, balance: float) -> np.ndarray:
    """The utterances of an epoch, i32[L]: the training part's, rare valences repeated.

    Valences are binned by their nearest point, the upper one of a perfect split.
    """
    trains = np.flatnonzero(part == TRAIN)
    return trains[oversampled(nearest_points(ratings.values[trains, 0]), balance=balance)].astype(np.int32)


def nearest_points(values: np.ndarray) -> np.ndarray:
    """Ratings f32[...] from 1 to 5 as places i32[...], 0 to 4, of their nearest points; 0 where unrated."""
    return np.floor(np.nan_to_num(values, nan=1.0).clip(1, POINTS) + 0.5).astype(np.int32) - 1


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
    if (config.target == "regression") != (config.criterion == "ccc"):
        raise InputError(
            f"config: criterion={config.criterion} with target={config.target}; give criterion=ccc with "
            "target=regression, and another one with target=points"
        )
    found = compared(config, "models", "model", known=MODELS)
    for name, own in found.items():
        for field, value in TABLE_1[name].items():
            if not config[field]:
                own[field] = value
        if "generator" not in MODELS[name]:
            own.unlabelled = ()  # nothing in it could learn from unlabelled speech
    return found


def build(config, data_dir: Path) -> Assembly:
    """One model (a config of `variants`) on the prepared sets that it asks for.

    Raises:
      InputError: no such prepared set, sets made in different ways, ratings or folds that cannot be had.
    """
    find = _finding(config, data_dir)
    speech = find_corpora(find, config.corpus, config.test)
    return assemble(config, speech, [find(corpus) for corpus in config.unlabelled])


def _finding(config, data_dir: Path) -> Callable[[str], UtteranceSpectrograms]:
    """What finds the prepared set of a corpus that a config means."""
    asked = {name: config[name] for name in ("scale", "level", "word_times")}
    return partial(find_utterance_spectrograms, data_dir, **asked)


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; right is the nearest point, the upper one of a perfect split, or the rating itself."""
    speech = with_classes(config, find_corpora(_finding(config, data_dir), config.corpus, config.test))
    ratings = ratings_of(speech, scale=tuple(config.rating_scale))
    names, members = make_members(config, speech, ratings)
    points = np.where(rated_by(ratings)[:, None], nearest_points(ratings.values), -1)
    if config.target == "regression":
        points = np.where(rated_by(ratings)[:, None], ratings.values, np.float32(-1))
    label = dict(zip(DIMENSIONS, points.T, strict=True))
    return HeldOut(speech, names, members["part"], speech.utterance, label)


def assemble(config, speech: UtteranceSpectrograms, others: Sequence[UtteranceSpectrograms]) -> Assembly:
    """As `build`, from prepared sets at hand: labelled speech, and corpora of unlabelled speech."""
    check(config, speech, others)
    speech = with_classes(config, speech)
    ratings = ratings_of(speech, scale=tuple(config.rating_scale))
    check_points(speech, ratings)
    names, members = make_members(config, speech, ratings)
    networks = trained_networks(config)
    unlabelled = round(config.share * config.batch_size) if others else 0  # crops in a batch
    others = others if unlabelled else []
    parts = {"labelled": crop_data(speech)}
    if others:
        parts["unlabelled"] = joined_crops([crop_data(other) for other in others], copied=not streamed(config))
    labels = label_arrays(ratings)
    valid_length, batch = valid_batches(config, members["part"])
    crops = {"width": config.width, "dynamic_range": config.dynamic_range}
    gather = evaluation_gather(crops=config.eval_crops, **crops)
    utterances = len(parts["unlabelled"]["length"]) if unlabelled else 0
    stream = partial(stream_batches, parts=parts, labels=labels, **crops) if streamed(config) else None
    return Assembly(
        experiment=experiment_of(Method(networks, settings_of(Settings, config), config.batch_size, valid_length)),
        train=crop_source(config.batch_size, unlabelled, utterances=utterances, stream_batches=stream, **crops),
        valid=valid_source(valid_length, batch, gather=gather),
        whole=whole_source(len(speech.label), batch, gather=gather),
        data=resident(config, parts) | labels | corpus_masks(speech),
        members=members,
        names=names,
        streams=tuple(int(draw) for draw in members["draw"]),
        iterations=1,
        epochs=config.epochs,
        batch_size=config.batch_size,
        summarise=partial(
            summarise,
            rated=networks.rated,
            corpora=tuple(corpora_tested(speech)),
            wall=Wall([speech, *others], members["part"][0], **crops),
            unit=unit(tuple(config.rating_scale)) if config.target == "regression" else None,
        ),
        about=about(config, speech, others, ratings, members["part"]),
    )


def with_classes(config, speech: UtteranceSpectrograms) -> UtteranceSpectrograms:
    """The labelled corpus with the classes of a config: what is of none of them is unrated, whoever rated it."""
    if not any(config.classes):  # labels of several corpora may differ, what they are rated need not
        return speech
    made = choose_classes(speech, tuple(config.classes))
    return replace(made, **{name: np.where(made.label < 0, np.nan, getattr(made, name)) for name in DIMENSIONS})


def check(config, speech: UtteranceSpectrograms, others: Sequence[UtteranceSpectrograms]) -> None:
    """Raises InputError for sets that do not go together."""
    known = {*corpora_of(speech.corpus)}
    for other in others:
        if other.corpus in known:
            raise InputError(
                f"config: unlabelled={'+'.join(one.corpus for one in others)} beside corpus={speech.corpus}: give each "
                "corpus once; the labelled one's training speakers are among the real crops already, and the others "
                "are held out"
            )
        known.add(other.corpus)
        check_apart(speech, other)
        if other.settings != speech.settings:
            raise InputError(
                f"{other.corpus} and {speech.corpus} were prepared with different settings, {other.settings} and "
                f"{speech.settings}; prepare both alike"
            )


def check_points(speech: UtteranceSpectrograms, ratings: Ratings) -> None:
    """Raises InputError where all utterances have one valence, to the nearest point: there is nothing to tell apart."""
    points = np.floor(ratings.values[rated_by(ratings), 0] + 0.5)
    if len(points) and (points == points[0]).all():
        raise InputError(
            f"{speech.corpus}: every rated utterance has valence {points[0]:g} of 1 to {POINTS}, and a model tells at "
            "least two points apart; give a corpus of more emotions, or rated otherwise"
        )


def valid_batches(config, part: np.ndarray) -> tuple[int, int]:
    """Places of a pass over the validation utterances of any member, and utterances of a batch.

    As many crops as a training batch has, of whole utterances, and no more than validate.
    """
    validates = int((part == VALIDATION).sum(1).max())
    batch = min(max(1, config.batch_size // config.eval_crops), validates)
    return whole_batches(validates, batch), batch


def resident(config, parts) -> dict[str, dict[str, np.ndarray]]:
    """The parts as they are on the device: labelled frames are evaluated there; streamed unlabelled ones are not."""
    found = {
        name: part | {"frames": np.asarray(part["frames"][:1])} if name == "unlabelled" and streamed(config) else part
        for name, part in parts.items()
    }
    several = {name: part for name, part in found.items() if isinstance(part["frames"], JoinedRows)}
    return found | {name: part | {"frames": np.asarray(part["frames"])} for name, part in several.items()}


def trained_networks(config) -> Networks:
    """The networks of a config (one of `variants`).

    Raises:
      InputError: sizes that the networks cannot have.
    """
    sizes = {name: config[name] for name in ("filters", "side", "width", "hidden", "slope", "latent")}
    points = 1 if config.target == "regression" else POINTS
    networks = make_networks(config.model, **sizes, points=points, dtype=dtype_of(config))
    jax.eval_shape(networks.init, root_key(0))  # sizes are checked here, before anything is trained
    return networks


RATING = ("rating",)  # of a rated dimension whose answer is the rating itself, see `sejax.experiments.Posteriors`


def posteriors(config, num_classes: int) -> Posteriors:
    """How a trained member rates crops; see `sejax.experiments.Posteriors`."""
    del num_classes  # five, always
    networks = trained_networks(config)

    def apply(state, shared, crops):
        del shared
        given = answers(networks.rate_crops(state["params"], state["statistics"], crops))
        return on_scale(given, tuple(config.rating_scale)) if config.target == "regression" else given

    rating = tuple(f"params/{name}" for name in ("trunk", "shared", *networks.rated))
    crops = {"count": config.eval_crops, "width": config.width, "dynamic_range": config.dynamic_range}
    points = {name: RATING if config.target == "regression" else POINT_NAMES[name] for name in networks.rated}
    return Posteriors((*rating, "statistics/trunk"), {}, apply, rated=points, crops=crops)


def label_arrays(ratings: Ratings) -> dict[str, np.ndarray]:
    """Fuzzy labels f32[U, D, 5], mean ratings f32[U, D] and bool[U, D] which there are; zeros where there are none."""
    rated = ~np.isnan(ratings.values)
    values = np.where(rated, ratings.values, 1.0).astype(np.float32)
    return {"target": fuzzy(values) * rated[..., None], "rating": values, "rated": rated}


def about(config, speech: UtteranceSpectrograms, others, ratings: Ratings, part) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    rated = rated_by(ratings)
    points = nearest_points(ratings.values[rated])
    counts = {name: np.bincount(points[:, row], minlength=POINTS).tolist() for row, name in enumerate(DIMENSIONS)}
    sessions = len({*speech.session[rated].tolist()}) > 1
    folds = part[np.sort(np.unique(part, axis=0, return_index=True)[1])]
    official = config.protocol == SPLIT
    return {
        **named(config, speech, SPLIT if official else "session" if sessions else "speaker"),
        "unlabelled": [other.corpus for other in others],
        "ratings": "derived" if ratings.derived else "rated",
        "classes": list(RATING if config.target == "regression" else POINT_NAMES["valence"]),
        "unit": "utterance",
        "paper": {},
        "data": {
            "utterances": int(rated.sum()),
            "speakers": len({*speech.speaker[rated].tolist()}),
            "points": counts,  # utterances by their nearest point, from 1 to 5
            "with_word_times": int(speech.aligned[rated].sum()),
            "unlabelled": {
                other.corpus: {"utterances": len(other.label), "seconds": round(float(other.seconds.sum()), 1)}
                for other in others
            },
            "parts": {name: (folds == kind).sum(1).tolist() for name, kind in PARTS.items()},  # utterances, by fold
            "settings": speech.settings,
            "recordings": speech.counts.get("recordings", {}),
            **class_facts(speech),
            **counted(speech),
            **heard(speech),
            **(described(make_parts(config, speech, ratings), speech) if official else {}),
        },
    }


CLASSIFIED = ("valid/uar", "valid/accuracy", "valid/uar_3", "valid/pearson")
REGRESSED = ("valid/ccc", "valid/pearson")
STUDY = Study(
    build=build,
    report=REPORT,
    variants=variants,
    member_fields={"learning_rate": "learning_rates"},
    validation_figures=lambda config: REGRESSED if config.target == "regression" else CLASSIFIED,
    posteriors=posteriors,
    held_out=held_out,
)
