"""From a config, prepared vectors and a synthetic set to one Assembly for each training."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from sejax.core.experiment import Assembly
from sejax.data.folds import TEST, VALIDATION
from sejax.data.labels import class_facts
from sejax.data.official_folds import SPLIT, described
from sejax.data.store.joined import check_cross, corpora_of, join
from sejax.data.store.sets import heard
from sejax.data.vectors.load import Vectors, emotional, find_vectors
from sejax.data.vectors.synthetic import SyntheticVectors
from sejax.data.vectors.synthetic import load as load_synthetic
from sejax.engine.ensemble import stack_members
from sejax.errors import InputError, typed
from sejax.experiments import HeldOut, Posteriors, Study
from sejax.experiments.augmentation.algorithm import (
    CHANGES,
    TRAININGS,
    Method,
    Schedule,
    Settings,
    gather_test,
    make_network,
    schedule,
    training_source,
)
from sejax.experiments.augmentation.members import (
    Made,
    Split,
    anchor,
    check_folds,
    cross_splits,
    made_vectors,
    member,
    within_splits,
)
from sejax.experiments.augmentation.report import REPORT
from sejax.experiments.classification import confusion_metrics, whole_source
from sejax.experiments.corpora import corpus_figures, corpus_masks, counted
from sejax.experiments.feature_vectors import Scaling, normalised_by, transductive, vector_folds
from sejax.experiments.methods import compared, experiment_of, settings_of


def summarise(
    history: Sequence[Mapping[str, float]], records: Sequence[Mapping[str, Any]], *, test: Vectors
) -> dict[str, Any]:
    """UAR, macro-F1 and accuracy of the test part, and of the development part where there is one.

    Of several corpora that are tested (see `sejax.data.store.joined.corpora_tested`) there are the figures of each too.
    """
    confusions = {name: np.asarray(records[-1][f"confusion/{name}"], np.float32) for name in ("test", "valid")}
    confusions = {name: counts for name, counts in confusions.items() if counts.any()}
    figures: dict[str, float] = {}
    for name, counts in confusions.items():
        figures |= confusion_metrics(counts, f"{name}/")
    by_corpus, matrices = corpus_figures(records[-1], test, ("test",))
    figures |= by_corpus
    kept = ("iteration", "epoch", "train/loss", "train/accuracy", "train/uar")
    return {
        "metrics": figures,
        "confusion": {name: counts.astype(int).tolist() for name, counts in confusions.items()} | matrices,
        "history": [{name: row[name] for name in kept} for row in history],
    }


EVALUATION_BATCH = 1024
EXTRA = 1000  # vectors changed by noise or mixup for each emotion, where there is no synthetic set to equal


def variants(config) -> dict[str, ConfigDict]:
    """A config for each training of a run, by its name.

    Raises:
      InputError: an unknown training, one that is there twice, or synthetic vectors wanted and none given.
    """
    found = compared(config, "trainings", "training", known=TRAININGS)
    if (config.evaluation == "cross") != bool(config.test):
        raise InputError(f"config: evaluation={config.evaluation} with test={config.test!r}; give test=CORPUS alone")
    if not config.synthetic and any("syn" in name for name in found):
        raise InputError(
            f"config: trainings with syn need synthetic=DIR, made by {typed('synthesise')}; give it, or other trainings"
        )
    return found


def build(config, data_dir: Path) -> Assembly:
    """One training of the comparison (a config of `variants`) on prepared vectors and a synthetic set.

    Raises:
      InputError: no such prepared or synthetic set, or one that does not fit.
    """
    synthetic = load_synthetic(config.synthetic) if config.synthetic else None
    return assemble(config, *_find(config, data_dir), synthetic)


def _find(config, data_dir: Path) -> tuple[list[Vectors], Vectors | None]:
    find = partial(find_vectors, data_dir, features=config.features, level=config.level, trim=config.trim)
    others = [find(name) for name in corpora_of(config.test)]
    return [find(name) for name in config.real], join(others) if others else None


def held_out(config, data_dir: Path) -> HeldOut:
    """What each member tests; see `sejax.experiments.HeldOut`."""
    sets, other = _find(config, data_dir)
    real, test, splits = _split(config, sets, other)
    weighted = "syn" in config.training
    places = list(_places(config, splits, weighted=weighted))
    names = tuple(_name(config, *place) for place in places)
    part = np.stack([split.part for _, split, _ in places])
    trained_on = None if config.evaluation == "within" else real
    return HeldOut(test, names, part, test.utterance, {"": test.label}, trained_on, config.normalise_by)


def _split(config, sets: list[Vectors], other: Vectors | None) -> tuple[Vectors, Vectors, list[Split]]:
    """The real vectors, those of the test, and the folds."""
    classes = tuple(config.classes) or ("four",)
    sets = [normalised_by(one, config.normalise_by) for one in sets]
    other = normalised_by(other, config.normalise_by) if other else None
    real = emotional(sets, classes, others=[other] if other else [])
    test = emotional([other], classes, others=sets) if other else real
    if real.classes != test.classes:
        raise InputError(
            f"config: {real.corpus} has the classes {', '.join(real.classes)} and {test.corpus} "
            f"{', '.join(test.classes)}; give classes=CLASS:LABEL/LABEL+..., the same for both"
        )
    setting = {"normalisation": config.normalisation, "seed": config.seed}
    if config.evaluation == "within":
        setting |= {name: config[name] for name in ("folds", "protocol", "split_folds")}
        return real, test, within_splits(real, **setting)
    if config.protocol == SPLIT:
        raise InputError(
            f"config: protocol=split with test={config.test}: all of {real.corpus} trains and another corpus tests;"
            " leave one of the two out"
        )
    return real, test, cross_splits(real, test, development=config.development, **setting)


def assemble(config, sets: list[Vectors], other: Vectors | None, synthetic: SyntheticVectors | None) -> Assembly:
    """As `build`, from vectors at hand; ``other`` is the test corpus of a cross-corpus comparison."""
    _check(config, sets, other, synthetic)
    real, test, splits = _split(config, sets, other)
    uses_synthetic = "syn" in config.training
    # Noise and mixup make as many vectors of each emotion as a generator does.
    extra = config.extra or (len(synthetic.source_ids) if synthetic is not None else EXTRA)
    names, members = make_members(config, splits, real, synthetic if uses_synthetic else None, extra)
    plan = schedule(
        config.training,
        config.evaluation,
        vectors=int(max(member["count"] + member["made"] for member in members)),
        updates=config.updates,
    )
    rows = math.ceil(plan.updates / config.rows)
    batch = min(EVALUATION_BATCH, len(test.label))
    change = config.training.removeprefix("real+")
    own = {"schedule": plan, "row_updates": rows, "change": change if change in CHANGES else ""}
    settings = settings_of(Settings, config, num_classes=len(real.classes), **own)
    vectors, label = real.features, real.label
    if uses_synthetic:
        vectors, label = (np.concatenate(pair) for pair in ((vectors, synthetic.features), (label, synthetic.label)))
    return Assembly(
        experiment=experiment_of(Method(settings)),
        train=training_source(plan.batch_size, changed=bool(settings.change)),
        valid=whole_source(len(test.label), batch, gather=gather_test, batches=0),
        whole=whole_source(len(test.label), batch, gather=gather_test),
        data={"vectors": vectors, "label": label, "test": test.features, "test_label": test.label}
        | corpus_masks(test),
        members=stack_members(members),
        names=names,
        iterations=1,
        epochs=math.ceil(plan.updates / rows),
        batch_size=plan.batch_size,
        summarise=partial(summarise, test=test),
        about=about(config, real, test, splits, plan),
    )


def _check(config, sets: list[Vectors], other: Vectors | None, synthetic: SyntheticVectors | None) -> None:
    if other is not None:
        check_cross(sets, other.joined_from or (other,))
    for one in [*sets, *([other] if other else []), *([synthetic] if synthetic else [])]:
        if one.names != sets[0].names:
            raise InputError(f"{one.folder} has other features than {sets[0].folder}; prepare both alike")
    if synthetic is not None:
        check_folds(synthetic, config)


def make_members(config, splits: list[Split], real: Vectors, synthetic: SyntheticVectors | None, extra: int):
    """Splits x repeats (x weights of the generators) of one training: their names and arrays."""
    uses_real, changes = config.training != "syn", config.training.removeprefix("real+") in CHANGES
    names, members, cache = [], [], {}
    for weight, split, repeat in _places(config, splits, weighted=synthetic is not None):
        if synthetic is None:
            made = Made(0, extra * len(real.classes) if changes else 0, split.real_scaling)
        else:
            key = (weight, split.number, repeat % synthetic.about["seeds"])
            if key not in cache:  # fitting the normalisation reads all of the generator's vectors
                cache[key] = made_vectors(synthetic, split, weight=weight, repeat=repeat, offset=len(real.label))
            made = cache[key]
        names.append(_name(config, weight, split, repeat))
        members.append(member(split, real, made, uses_real=uses_real))
    return tuple(names), members


def _places(config, splits: list[Split], *, weighted: bool) -> Iterator[tuple[float | None, Split, int]]:
    """Weight of the generators (None without any), split and repeat of each member."""
    return product(map(float, config.lambdas) if weighted else (None,), splits, range(config.repeats))


def _name(config, weight: float | None, split: Split, repeat: int) -> dict[str, Any]:
    name = {"training": config.training, "fold": split.number, "seed": repeat}
    return name if weight is None else name | {"lambda_cls": weight}


def posteriors(config, num_classes: int) -> Posteriors:
    """How a trained member classifies functionals; see `sejax.experiments.Posteriors`."""
    network = make_network(num_classes, schedule(config.training, config.evaluation, vectors=1), slope=config.slope)

    def apply(state, shared, vectors):
        del shared
        inputs = Scaling(**state["test_scaling"]).apply_to_others(vectors)
        return jax.nn.softmax(network.apply({"params": state["params"]}, inputs))

    together = "" if config.normalise_by == "training" else config.normalise_by
    return Posteriors(("params", "test_scaling"), {}, apply, together=together)


def about(config, real: Vectors, test: Vectors, splits: list[Split], plan: Schedule) -> dict[str, Any]:
    """What the results file says about the data, the protocol and the anchor."""
    counts = {
        name: int(np.mean([(one.part == kind).sum() for one in splits]))
        for name, kind in (("development", VALIDATION), ("test", TEST))
    }
    found = {
        "corpus": real.corpus,
        "test_corpus": test.corpus,
        "protocol": config.evaluation,
        **transductive(config),
        "classes": list(real.classes),
        "unit": "utterance",
        "paper": {},  # its figures stand with the variants
        "data": {
            "vectors": {"training": int(np.mean([one.trains.sum() for one in splits]))} | counts,
            "features": len(real.names),
            "schedules": {config.training: str(plan)},
            "settings": real.settings,
            "recordings": real.counts.get("recordings", {}),
            **class_facts(real, *([test] if test is not real else [])),
            **heard(real),
            **counted(test),
        },
    }
    official = config.protocol == SPLIT
    if official:
        asked = {name: config[name] for name in ("folds", "seed", "protocol", "split_folds")}
        found["data"] |= described(vector_folds(real, **asked), real)
    if config.training == config.trainings[0]:  # the same for every training
        by = "" if config.normalise_by == "training" else f", normalised by {config.normalise_by}"
        within = "the corpus's own folds" if official else "leave one group out"
        what = within if config.evaluation == "within" else f"trained on {real.corpus}"
        found["anchor"] = anchor(splits, real, test, protocol=f"{what}, {config.normalisation}{by}")
    return found


STUDY = Study(
    build=build,
    report=REPORT,
    variants=variants,
    member_fields={"lambda_cls": "lambdas"},
    validation_figures=("valid/uar", "valid/accuracy", "valid/macro_f1"),
    posteriors=posteriors,
    held_out=held_out,
)
