"""One run from its config to results.json: stages, variants, members; what is finished is kept, the rest goes on."""

import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sejax.core.experiment import Assembly
from sejax.core.files import plain
from sejax.core.results import FILE, read_results, summaries, write_results
from sejax.core.stores import exists, path_of
from sejax.data.held_out import held_out_parts
from sejax.engine import hosts
from sejax.engine.ensemble import place
from sejax.engine.fields import check_config
from sejax.engine.run import groups, run, run_settings
from sejax.engine.validation import validation_part
from sejax.engine.workdir import (
    claim,
    claimed,
    environment,
    folder_of,
    merged,
    moved,
    only_run,
    read_finished,
    stage_folder,
    write_finished,
)
from sejax.errors import InputError, typed
from sejax.experiments import report_of, study
from sejax.experiments.anchors import anchors_on
from sejax.report.html import FILE as PAGE
from sejax.report.html import write_examples, write_report


def finished_run(config, workdir: Path) -> dict[str, Any] | None:
    """The results of a config whose run in ``workdir`` is finished; None where it is not.

    Where the run was stopped before report.html was written, that is made up for.

    Raises:
      InputError: the results of another config.
    """
    if not hosts.by_first(lambda: exists(path_of(workdir) / FILE)):
        return None
    results = read_results(workdir)
    claim(workdir, config.to_dict(), results["environment"])
    if hosts.is_first() and not exists(path_of(workdir) / PAGE):
        _write_page(workdir, results)
    return results


def train_run(config, workdir: Path, data_dir: Path, *, command: str) -> dict[str, Any]:
    """Trains a config in ``workdir`` or goes on there, and writes results.json and report.html.

    Args:
      config: an experiment's.
      workdir: the run's folder.
      data_dir: where the prepared sets are.
      command: what the results say that was typed.

    Returns:
      The results.

    Raises:
      InputError: whatever is wrong with config, data or workdir.
      Interrupted: after a SIGTERM or SIGINT, once everything is saved.
    """
    check_config(config)
    began = time.monotonic()
    variants = study(config.experiment).variants(config)  # refuses many a config, before there is a folder
    with hosts.held_by_first(only_run(workdir)):
        found, examples = _train_variants(config, variants, workdir, data_dir)
        beside, tested = _held_out(config, variants, data_dir)
        found["data"] = found.get("data", {}) | beside
        results = found | tested | {
            "experiment": config.experiment,
            "config": config.to_dict(),
            "command": command,
            "seconds": time.monotonic() - began,
        }
        results |= summaries(results["members"], paper=partial(report_of(results).published, results))
        # results.json says that the run is finished: what needs more than it comes before, and what does not after it.
        hosts.by_first(lambda: write_examples(workdir, examples))
        hosts.by_first(lambda: write_results(workdir, results))
        if hosts.is_first():
            _write_page(workdir, results)
    return results


def _held_out(config, variants, data_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What simple systems reach on the folds of a run, see `anchors_on`, and {"tested": the folds}.

    Two times {} where an experiment does not say what its members test.
    """
    held_out = study(config.experiment).held_out
    if held_out is None or not variants:
        return {}, {}
    held = held_out(next(iter(variants.values())), data_dir)  # the folds of a run are those of each variant
    tested = held_out_parts(held.speech, held.names, held.part, held.utterance, held.label, held.trained_on)
    return anchors_on(held, data_dir), {"tested": tested}


def _write_page(workdir: Path, results: dict[str, Any]) -> None:
    """Writes report.html; what goes wrong in it is said, and ends nothing."""
    try:
        write_report(workdir, plain(results), report_of(results))
    except OSError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(
            f"{path_of(workdir) / PAGE} cannot be made ({why}); the results are whole, and "
            f"{typed('report')} --workdir={workdir} says more about it",
            file=sys.stderr,
        )


class Trained(NamedTuple):
    """A variant's assembly, the entries of its members and of its stages in the results, and where it ran.

    update: seconds of one update of one member, evaluation at the ends of epochs included; None where none was done.
    """

    assembly: Assembly
    members: list[dict[str, Any]]
    stages: dict[str, Any]
    environment: dict[str, Any]
    update: float | None = None


def _train_variants(config, variants, workdir: Path, data_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trains the variants, but for those that are finished: (what the results file says, example images)."""
    examples: dict[str, Any] = {}
    if "" in variants:
        trained = _train(config, workdir, data_dir)
        about = trained.assembly.about | ({"stages": trained.stages} if trained.stages else {})
        return about | {"members": trained.members, "environment": trained.environment}, trained.assembly.examples()
    here, finished = environment(run_settings(config).backend, {}), []
    with hosts.held_by_first(claimed(workdir, config.to_dict(), here)):
        for name, variant in variants.items():
            folder = folder_of(workdir, name)
            if not _is_finished(folder):
                trained = _train(variant, folder, data_dir)
                if trained.update is not None:
                    trained.assembly.about.setdefault("data", {})["update_seconds"] = {name: trained.update}
                _finish(folder, trained)
                examples = trained.assembly.examples()
            finished.append(read_finished(folder))
    members = [member for members, _ in finished for member in members]
    return merged([about for _, about in finished]) | {"members": members, "environment": here}, examples


def _is_finished(folder: Path) -> bool:
    """Whether a variant or stage is, as the first process sees it."""
    return hosts.by_first(lambda: read_finished(folder) is not None)


def _finish(folder: Path, trained: Trained) -> None:
    """Says that a variant or stage is finished."""
    hosts.by_first(lambda: write_finished(folder, trained.members, trained.assembly.about))


def _train(config, folder: Path, data_dir: Path) -> Trained:
    """Trains one variant after its stages, or goes on with it."""
    experiment, stages, folders = study(config.experiment), {}, {}
    for name, stage in experiment.stages(config).items():
        folders[name] = stage_folder(folder, name)
        if not _is_finished(folders[name]):
            print(f"stage {name}", file=sys.stderr)
            trained = _train(stage, folders[name], data_dir)
            _finish(folders[name], trained)
        stages[name] = {"members": read_finished(folders[name])[0]}
    settings = run_settings(config)
    assembly = experiment.assembly(config, data_dir, folders)
    first, last = groups(len(assembly.names), settings.members_at_once)[0]
    here = environment(settings.backend, place(last - first, assembly.batch_size).description)

    def asked_for():
        classes = len(assembly.about.get("classes") or ())
        return experiment.posteriors(config, classes).subtrees if experiment.posteriors else ()

    with hosts.held_by_first(claimed(folder, config.to_dict(), here)) as known:
        if known:
            how = moved(folder, here)
            otherwise = f", computed otherwise ({how}): last bits may differ" if how else ""
            print(f"going on in {folder}{otherwise}", file=sys.stderr)
        timing: list[tuple[float, int]] = []
        members = run(assembly, settings, folder, seed=config.seed, asked_for=asked_for, timing=timing)
    seconds, updates = (sum(of) for of in zip((0.0, 0), *timing, strict=True))
    return Trained(assembly, members, stages, here, seconds / updates if updates else None)


def one_variant(config, swept: Iterable[str] = ()):
    """The config of the only variant that a config has, with all of its values filled in.

    Args:
      config: an experiment's.
      swept: names of `sejax.experiments.Study.member_fields` whose list holds a value for each trial.

    Raises:
      InputError: a config that compares several things. A sweep looks for the values of one: ask for that one.
    """
    found = study(config.experiment).variants(config)
    if len(found) > 1:
        raise InputError(
            f"the config compares {', '.join(found)}, and each has best values of its own: sweep one at a time, asking "
            "for it in --config, as in models=NAME"
        )
    (variant,) = found.values()
    for name, field in study(config.experiment).member_fields.items():
        if name not in swept and len(variant[field]) > 1:
            raise InputError(
                f"the config compares {field}={'+'.join(map(str, variant[field]))}; give one of them, or sweep {name}"
            )
    return variant


def train_members(config, folder: Path, data_dir: Path, *, command: str) -> list[dict[str, Any]]:
    """Trains a config in ``folder``, goes on there or reads what is finished; its members' validation parts.

    Raises:
      InputError, Interrupted: see `sejax.experiments.training.train_run`.
    """
    results = finished_run(config, folder) or train_run(config, folder, data_dir, command=command)
    names = study(config.experiment).member_fields
    return [validation_part(member, names) for member in results["members"]]
