"""From a config and prepared vectors to the Assembly of either stage."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from sejax.core.experiment import Assembly, Source
from sejax.data.folds import TRAIN, Instead
from sejax.data.labels import class_facts
from sejax.data.official_folds import SPLIT, described
from sejax.data.store.sets import check_apart, heard
from sejax.data.vectors.load import Vectors, emotional, find_vectors
from sejax.engine.ensemble import stack_members
from sejax.engine.fields import config_with
from sejax.engine.run import run_settings, trained_states
from sejax.errors import InputError, typed
from sejax.experiments import Study
from sejax.experiments.classification import whole_source
from sejax.experiments.cyclegan.algorithm import Method, Pretraining, Settings
from sejax.experiments.cyclegan.members import fold_arrays, reference_arrays, sample_rows
from sejax.experiments.cyclegan.networks import make_networks
from sejax.experiments.cyclegan.report import REPORT
from sejax.experiments.cyclegan.results import figure_columns, summarise, summarise_pretraining
from sejax.experiments.cyclegan.stage import Schedule, gather_source, pair_source
from sejax.experiments.feature_vectors import (
    Fold,
    Scaling,
    normalised_by,
    target_folds,
    transductive,
    vector_folds,
)
from sejax.experiments.methods import dtype_of, experiment_of, settings_of

PRETRAINING = "pretraining"
EVALUATION_BATCH = 256
_NETWORK_FIELDS = (
    *("dropout", "classifier_dropout", "slope"),
    *("generator_hidden", "discriminator_hidden", "classifier_hidden"),
)


def stages(config) -> dict[str, ConfigDict]:
    """What is trained before a config: the generators' first stage, unless it has no epochs."""
    if config.stage != "gan" or not config.pretraining.epochs:
        return {}
    return {PRETRAINING: config_with(config, {"stage": PRETRAINING})}


def build(config, data_dir: Path, stages: Mapping[str, Path] | None = None) -> Assembly:
    """A stage of the CycleGANs on prepared vectors; ``stages`` says where the first stage was trained.

    Raises:
      InputError: no such prepared set, a config that cannot be, a corpus that cannot be split.
    """
    find = partial(find_vectors, data_dir, features=config.features, level=config.level, trim=config.trim)
    targets = [find(name) for name in config.target]
    return assemble(config, find(config.source), targets, (stages or {}).get(PRETRAINING))


def assemble(config, source: Vectors, sets: list[Vectors], pretrained: Path | None = None) -> Assembly:
    """As `build`, from vectors at hand; ``pretrained`` is the first stage's folder."""
    _check(config, source, sets)
    source, *sets = (normalised_by(one, config.normalise_by) for one in (source, *sets))
    target = emotional(sets, tuple(config.classes) or ("four",))
    vectors = np.asarray(source.features, np.float32)
    asked = {name: config[name] for name in ("normalisation", "folds", "whole", "seed", "protocol", "split_folds")}
    folds = target_folds(target, **asked, instead=Instead(others=("folds=0,whole=True",)))
    sample = min(config.sample, len(vectors))
    names, members = make_members(config, folds, vectors, target, sample=sample)
    rows = sample_rows(len(vectors), sample, config.seed)
    slot = np.full(len(vectors), -1, np.int32)
    slot[rows] = np.arange(len(rows), dtype=np.int32)
    if config.stage == "gan" and config.pretraining.epochs:
        members |= {"generators": pretrained_generators(config, pretrained, names)}
    batch = min(EVALUATION_BATCH, len(vectors))
    method, summary, schedule = make_method(config, target, sample=sample)
    return Assembly(
        experiment=experiment_of(method),
        train=_training_source(config, vectors, target.features),
        valid=whole_source(len(vectors), batch, gather=gather_source, batches=0),
        whole=whole_source(len(vectors), batch, gather=gather_source),
        data={"source": vectors, "target": target.features, "slot": slot, "sample_source": rows},
        members=members,
        names=names,
        iterations=1,
        epochs=-(-schedule.epochs // schedule.row_epochs),
        batch_size=config.batch_size,
        summarise=summary,
        about=about(config, source, target, folds),
    )


def _check(config, source: Vectors, sets: list[Vectors]) -> None:
    if source.corpus in config.target:
        raise InputError(
            f"config: source={source.corpus} is among the targets {'+'.join(config.target)}; its vectors would teach "
            "generators their own test part: give another corpus as source"
        )
    for one in sets:
        check_apart(source, one)
        if one.names != source.names:
            raise InputError(f"config: {one.corpus} and {source.corpus} have other features; prepare both alike")


def make_members(config, folds: list[Fold], source: np.ndarray, target: Vectors, *, sample: int):
    """Folds x seeds (x lambdas in the second stage): their names, and their arrays stacked [M, ...]."""
    length = max(int(np.bincount(target.label[fold.part == TRAIN]).max()) for fold in folds)
    arrays = {fold.number: fold_arrays(fold, source, target, rows=length) for fold in folds}
    if config.stage == "gan":
        for fold in folds:
            own = arrays[fold.number]
            scaling = Scaling(own["shift"], own["scale"])
            own["reference"] = reference_arrays(fold, source, target, scaling, sample=sample, seed=config.seed)
    rate = config.pretraining.learning_rate if config.stage == PRETRAINING else config.learning_rate
    names, members = [], []
    for weight, fold, seed in product(config.lambdas if config.stage == "gan" else (None,), folds, range(config.seeds)):
        name = {"fold": fold.number, "seed": seed}
        draw = config.seed * 10**6 + (fold.number + 1) * 1000 + seed
        numbers = {"learning_rate": np.float32(rate), "draw": np.int32(draw)}
        if weight is not None:
            name |= {"lambda_cls": float(weight)}
            fixed = ("lambda_cycle", "discriminator_speed")
            numbers |= {"lambda_cls": np.float32(weight)} | {x: np.float32(config[x]) for x in fixed}
        names.append(name)
        members.append(arrays[fold.number] | numbers)
    return tuple(names), stack_members(members)


def pretrained_generators(config, folder: Path | None, names) -> Any:
    """The first stage's generators for each member [M, E, ...]: those of its fold and seed."""
    if folder is None:
        raise InputError(f"config: the generators' first stage is not trained; use {typed('train')}, or pretraining=0")
    first = list(dict.fromkeys((name["fold"], name["seed"]) for name in names))
    rows = [first.index((name["fold"], name["seed"])) for name in names]
    at_once = run_settings(config).members_at_once
    return trained_states(folder, at_once, rows, len(first), ("generators",))["generators"]


def make_method(config, target: Vectors, *, sample: int) -> tuple[Pretraining | Method, Callable, Schedule]:
    """What a config's stage trains, what turns its arrays into results, and how long it goes on."""
    classes, features = target.classes, len(target.names)
    sizes = {name: config[name] for name in _NETWORK_FIELDS}
    networks = make_networks(features, len(classes), **sizes, dtype=dtype_of(config))
    if config.stage == PRETRAINING:
        first = config.pretraining
        schedule = Schedule(first.epochs, first.row_epochs, b1=config.b1)
        method = Pretraining(networks, schedule, classes, config.batch_size, first.objective)
        return method, partial(summarise_pretraining, classes=classes), schedule
    schedule = Schedule(config.epochs, config.row_epochs, config.decay, config.decay_epochs, config.b1)
    settings = settings_of(Settings, config, classes=classes, schedule=schedule, sample=sample)
    summary = partial(summarise, classes=classes, columns=figure_columns(target.names))
    return Method(networks, settings), summary, schedule


def _training_source(config, source: np.ndarray, target: np.ndarray) -> Source:
    stream = None
    if config.run.input == "grain":
        from sejax.data.streams import stream_pairs

        stream = partial(stream_pairs, source=source, target=target)
    return pair_source(config.batch_size, len(source), stream_batches=stream)


def about(config, source: Vectors, target: Vectors, folds: list[Fold]) -> dict[str, Any]:
    """What the results file says about the data and the paper."""
    counts = np.bincount(target.label, minlength=len(target.classes))
    columns = figure_columns(target.names)
    official = {}
    if config.protocol == SPLIT:
        asked = {name: config[name] for name in ("folds", "seed", "protocol", "split_folds")}
        official = described(vector_folds(target, **asked), target)
    return {
        "corpus": target.corpus,
        "protocol": config.normalisation,
        **transductive(config),
        "classes": list(target.classes),
        "unit": "utterance",
        "paper": {},  # its figures stand with the variants, one for each weight of the classification loss
        "figure_features": [{name: entry[name] for name in ("category", "name")} for entry in columns],
        "data": {
            "source": {"corpus": source.corpus, "vectors": len(source.label), "speakers": len(source.speakers)},
            "target": {name: int(count) for name, count in zip(target.classes, counts, strict=True)},
            "speakers": len(set(target.speaker.tolist())),
            "folds": [fold.number for fold in folds],
            "features": len(target.names),
            "settings": source.settings,
            "recordings": source.counts.get("recordings", {}),
            **class_facts(target),
            **heard(source, target),
            **official,
        },
    }


STUDY = Study(
    build=build,
    report=REPORT,
    stages=stages,
    member_fields={"lambda_cls": "lambdas"},
    validation_figures=(),  # nothing says how good generators are before classifiers learn from them
)
