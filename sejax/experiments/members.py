"""Which members of a finished run answer: chosen by name, or by what validated best."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sejax.core.results import REPEATS, name_of
from sejax.core.stores import path_of
from sejax.data.folds import TEST
from sejax.engine.workdir import folder_of, read_finished
from sejax.errors import InputError, typed
from sejax.experiments import HeldOut, Study, report_of, study
from sejax.report.terms import validated_by


def predicting(experiment: str) -> Study:
    """The Study of an experiment by its name; InputError for one whose runs classify nothing."""
    found = study(experiment)
    if found.posteriors is None:
        raise InputError(
            f"a run of {experiment} classifies nothing: make vectors with {typed('synthesise')}, train "
            "classifiers with --config=augmentation, and give the workdir of that run"
        )
    return found


def trained_variants(
    workdir: Path, results: Mapping[str, Any], config
) -> Iterator[tuple[Any, Path, Sequence[Mapping[str, Any]]]]:
    """The config, the folder and the members of each variant of a finished run."""
    for name, variant in study(config.experiment).variants(config).items():
        folder = folder_of(path_of(workdir), name)
        yield variant, folder, read_finished(folder)[0] if name else results["members"]


def best_variant(results: Mapping[str, Any], only: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """``only``, narrowed to one variant where a run has several that fit: the one that validates best.

    Best is by the figure that the run itself validates by. Where none was validated it is the first of the run: what
    the test part says may choose nothing.
    """
    fitting = [variant for variant in results.get("variants", ()) if _fits(variant["name"], only, partly=True)]
    if len(fitting) < 2:
        return only
    best = fitting[0]
    for metric in validated_by(results, report_of(results)):
        scored = [variant for variant in fitting if metric in variant["summary"]]
        if scored:
            best = max(scored, key=lambda variant: variant["summary"][metric]["mean"])
            break
    return {name: (str(value),) for name, value in best["name"].items()} | only


def check_set(workdir: Path, held: HeldOut, members: Sequence[Mapping[str, Any]]) -> None:
    """Raises InputError where a prepared set gives other folds than those that the members were trained on."""
    for member, name, part in zip(members, held.names, held.part, strict=True):
        tested = held.utterance[part == TEST]
        counts = (len(tested), len(np.unique(tested)))  # experiments count examples, or utterances
        scored = np.sum((member.get("confusion") or {}).get("test", counts[0]))
        other = member["failed"] is None and all(abs(scored - count) > 0.5 for count in counts)
        if other or any(member.get(field) != value for field, value in name.items()):
            raise InputError(
                f"{workdir}: its test parts are none of those of {held.speech.folder or held.speech.corpus} "
                f"({counts[0]} examples of {counts[1]} utterances there, {scored:g} scored in the run); give the "
                "--data_dir that the run was trained with"
            )


def members_named(pairs: Sequence[str], *, flag: str) -> dict[str, tuple[str, ...]]:
    """What members are to be called: {name: values}, from NAME=VALUE as given with a flag.

    Raises:
      InputError: what is no pair.
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--{flag}={pair}: give NAME=VALUE, such as seed=0")
        found[name] = (*found.get(name, ()), value)
    return found


def full_name(member: Mapping[str, Any]) -> dict[str, Any]:
    """What a member is called, its fold and seed included."""
    return name_of(member) | {field: member[field] for field in REPEATS if field in member}


def is_wanted(member: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a member did not fail and is called as wanted."""
    return not member["failed"] and _fits(member, wanted)


def _fits(name: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], *, partly: bool = False) -> bool:
    """Whether a member or variant is called as wanted; ``partly`` lets it lack a name (a variant has no seed)."""
    return all((partly and key not in name) or str(name.get(key)) in values for key, values in wanted.items())


def no_member(workdir: Path, results: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> InputError:
    """The error for names that no trained member of a run has."""
    known = "; ".join(", ".join(f"{k} {v}" for k, v in full_name(m).items()) for m in results["members"])
    return InputError(f"{workdir}: no trained member is {dict(wanted)}; its members are {known}")
