"""Runs' posteriors at temperatures that validation parts chose, so that none counts for more by being surer.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2. A run that holds
nothing out (`validation=0`) is calibrated on the validation part of a sibling, a run of the same config that holds one
out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from sejax.core.stores import path_of
from sejax.engine.workdir import differences, read_claim
from sejax.errors import InputError
from sejax.experiments.ensembles import Answers, Place, answers
from sejax.experiments.pseudo_labelling.pseudo_labels import fit_temperature, tempered

# Siblings may differ in what means nothing without a validation part, and in how a run is computed.
IDLE = ("validation", "plateau_patience", "stop_patience", "factor", "minimum_rate")
COMPUTED = ("run", "data_dir")


def calibrated_answers(workdirs: Sequence[Path], siblings: Sequence[Path], data_dir: Path) -> list[Answers]:
    """What finished runs answer, each `calibrated` on itself or on its sibling.

    Raises:
      InputError: as `validation_runs`, `answers` and `temperatures`.
    """
    found = []
    for workdir, other in zip(workdirs, validation_runs(workdirs, siblings), strict=True):
        run = answers(workdir, data_dir)
        found.append(calibrated(run, run if other == workdir else answers(other, data_dir, run.variant)))
    return found


def validation_runs(workdirs: Sequence[Path], siblings: Sequence[Path]) -> list[Path]:
    """For each run the one on whose validation part it is calibrated: itself, or its sibling where it has none.

    Configs alone are read, so that a wrong command fails at once.

    Raises:
      InputError: a run with `validation=0` without exactly one sibling, a sibling without a validation part or of no
        run given.
    """
    configs = {folder: read_claim(path_of(folder))["config"] for folder in (*workdirs, *siblings)}
    for sibling in siblings:
        if configs[sibling].get("validation") == 0:
            raise InputError(f"{sibling}: validation=0, so nothing of it calibrates; give a run that holds some out")
    found = []
    for workdir in workdirs:
        if configs[workdir].get("validation") != 0:
            found.append(workdir)
            continue
        other = {sibling: _otherwise(configs[workdir], configs[sibling]) for sibling in siblings}
        own = [sibling for sibling, differing in other.items() if not differing]
        if len(own) != 1:
            raise InputError(
                f"{workdir}: validation=0, so it is calibrated on a run of the same config with a validation part, and "
                f"{_found(own, other)}; give one with --calibrate_on"
            )
        found += own
    for sibling in siblings:
        if sibling not in found:
            raise InputError(f"{sibling} is of the config of no run with validation=0; leave it out of --calibrate_on")
    return found


def _found(own: Sequence[Path], other: Mapping[Path, Sequence[str]]) -> str:
    """Why siblings are not one: several of them, or none, and then in what the nearest of others differs."""
    if own:
        return f"{' and '.join(map(str, own))} are"
    nearest = min(other, key=lambda sibling: len(other[sibling]), default=None)
    return "none was given" + (f" ({nearest} differs in {'; '.join(other[nearest])})" if nearest else "")


def _otherwise(config: Mapping, sibling: Mapping) -> list[str]:
    """In what a sibling differs that a run of the same config would not."""
    kept = [{name: each[name] for name in each if name not in (*IDLE, *COMPUTED)} for each in (config, sibling)]
    return list(differences(*kept))


def temperatures(run: Answers, held_out: Answers) -> dict[Place, float]:
    """The temperature of each of a run's members, of the least negative log-likelihood of validation answers.

    Those of all members of ``held_out`` count, each utterance by its mean posterior, but for utterances that the member
    itself tests: another fold's validation part may have them.

    Raises:
      InputError: runs of other classes or folds, or nothing that validates.
    """
    common = run.posterior.keys() & held_out.posterior.keys()
    same = all(run.posterior[place].keys() == held_out.posterior[place].keys() for place in common)
    if run.classes != held_out.classes or not common or not same:
        raise InputError(f"{held_out.name} has other folds or classes than {run.name}; train both on one prepared set")
    pooled = [(name, mean) for each in held_out.validated.values() for name, mean in each.items()]
    counted = np.array([[name not in tested for name, _ in pooled] for tested in run.posterior.values()])
    if not counted.any(axis=1).all():
        raise InputError(f"{held_out.name}: no validation part to calibrate on; leave --calibrate out")
    posterior = np.stack([mean for _, mean in pooled]).astype(np.float32)
    label = np.array([held_out.label[name] for name, _ in pooled], np.int32)
    fitted = jax.jit(jax.vmap(fit_temperature, in_axes=(None, None, 0)))(posterior, label, counted)
    return dict(zip(run.posterior, np.asarray(fitted).tolist(), strict=True))


def calibrated(run: Answers, held_out: Answers) -> Answers:
    """A run whose posteriors are at the `temperatures` that ``held_out``, itself or its sibling, gives."""
    found, posterior = temperatures(run, held_out), {}
    for place, tested in run.posterior.items():
        means = np.stack(list(tested.values())).astype(np.float32)
        posterior[place] = dict(zip(tested, np.asarray(tempered(means, found[place])), strict=True))
    ends = sorted({f"{end:.3f}" for end in (min(found.values()), max(found.values()))})
    count = sum(map(len, held_out.validated.values()))
    note = (
        f"{run.name}: posteriors at temperature {' to '.join(ends)}, fitted to {count} validation answers of "
        f"{held_out.name}, for each fold without the speech that it tests (Guo et al. 2017)."
    )
    return run._replace(posterior=posterior, note=note)
