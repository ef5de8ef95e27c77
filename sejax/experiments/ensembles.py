"""Several finished runs asked together: the mean of their posteriors for each utterance, on the folds that all tested.

Every run counts alike, so that no figure of a test part decides anything; how sure each is can be corrected first, by
validation parts (`sejax.experiments.calibration`). Posteriors come from the runs' checkpoints, and the figures that
follow from them must be those of results.json.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from sejax.core import metrics
from sejax.core.results import REPEATS, read_results, spread
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.engine.run import posteriors, run_settings
from sejax.engine.workdir import read_claim, stage_folder
from sejax.errors import InputError
from sejax.experiments import study
from sejax.experiments.members import best_variant, check_set, is_wanted, trained_variants
from sejax.report.inference import infer
from sejax.report.tables import Table, mean_std, number, signed

CHECKED = 1e-4  # a figure may differ by so much: one more answer is right or wrong from 10,000 utterances on

Place = tuple[Any, Any]  # fold and seed


class Answers(NamedTuple):
    """What a run's members answer for the utterances that they test.

    Attributes:
      name: the run's. classes: the C names.
      posterior: {(fold, seed): {utterance's id: f32[C], the mean over its tested examples}}.
      label: {utterance's id: its class, an index into classes}.
      ratio: the size of a test part over that of its training part, the mean over folds.
      anchor: what `sejax.data.anchor` says of the run's folds; {} where it says nothing.
      validated: as posterior, of the validation parts.
      variant: the name of what answers, where the run compared several things.
      note: what was done to the posteriors, a sentence.
    """

    name: str
    classes: tuple[str, ...]
    posterior: Mapping[Place, Mapping[str, np.ndarray]]
    label: Mapping[str, int]
    ratio: float
    anchor: Mapping[str, Any]
    validated: Mapping[Place, Mapping[str, np.ndarray]] = {}
    variant: Mapping[str, tuple[str, ...]] = {}
    note: str = ""


def answers(workdir: Path, data_dir: Path, variant: Mapping[str, tuple[str, ...]] | None = None) -> Answers:
    """What the members of a finished run answer; of a run that compared several things those that validated best.

    Args:
      variant: that of another run's `Answers`, to have the same one of the things compared.

    Raises:
      InputError: no finished run, an experiment whose evaluation keeps no posteriors or that does not say what it
        tests, another prepared set than that of the training, or other figures than those of results.json.
    """
    workdir = Path(workdir)
    results, config = read_results(workdir), ConfigDict(read_claim(workdir)["config"])
    experiment, wanted = study(config.experiment), best_variant(results, dict(variant or {}))
    trained = trained_variants(workdir, results, config)
    found = next((one for one in trained if any(is_wanted(member, wanted) for member in one[2])), None)
    if found is None:
        raise InputError(f"{workdir}: every member failed; give another run")
    own_config, folder, members = found
    held = experiment.held_out(own_config, data_dir) if experiment.held_out else None
    if held is None or "" not in held.label:
        raise InputError(f"{workdir}: {config.experiment} does not say what class its members test; leave it out")
    check_set(workdir, held, members)
    stages = {stage: stage_folder(folder, stage) for stage in experiment.stages(own_config)}
    assembly = experiment.assembly(own_config, data_dir, stages)
    whole = posteriors(assembly, run_settings(own_config), folder, seed=config.seed)
    if whole is None:
        raise InputError(f"{workdir}: evaluations of {config.experiment} keep no posteriors; leave the run out")
    label, ids = held.label[""], held.speech.utterance_ids
    own, validated, ratios = {}, {}, []
    for member, part, posterior in zip(members, held.part, whole, strict=True):
        if not is_wanted(member, wanted):
            continue
        tested, validates = ((part == each) & (label[held.utterance] >= 0) for each in (TEST, VALIDATION))
        by_utterance = _means(posterior, held.utterance, tested)
        _check_figures(workdir, member, by_utterance, label)
        place = tuple(member.get(field) for field in REPEATS)
        own[place] = {ids[row]: mean for row, mean in by_utterance.items()}
        validated[place] = {ids[row]: mean for row, mean in _means(posterior, held.utterance, validates).items()}
        ratios.append(tested.sum() / max((part == TRAIN).sum(), 1))
    asked = {name for answered in (own, validated) for each in answered.values() for name in each}
    return Answers(
        name=workdir.absolute().name,
        classes=tuple(results["classes"]),
        posterior=own,
        label={name: int(label[row]) for row, name in enumerate(ids) if name in asked},
        ratio=float(np.mean(ratios)),
        anchor=(results.get("data") or {}).get("anchor") or {},
        validated=validated,
        variant=wanted,
    )


def _means(posterior: np.ndarray, utterance: np.ndarray, tested: np.ndarray) -> dict[int, np.ndarray]:
    """{utterance: mean f32[C] of its tested examples}, of f32[N, C], i32[N] and bool[N]."""
    own, place, count = np.unique(utterance[tested], return_inverse=True, return_counts=True)
    sums = np.zeros((len(own), posterior.shape[1]), np.float64)
    np.add.at(sums, place, posterior[tested])
    return dict(zip(own.tolist(), sums / count[:, None], strict=True))


def _check_figures(workdir: Path, member: Mapping[str, Any], posterior: Mapping[int, np.ndarray], label) -> None:
    """Raises InputError where answers give another UAR by utterance than the member's in results.json."""
    found = float(uar(confusion(np.stack(list(posterior.values())), label[list(posterior)])))
    names = ("test_utterance/uar", "test/uar")
    kept = next((member["metrics"][name] for name in names if member["metrics"].get(name) is not None), None)
    if kept is None or abs(found - kept) > CHECKED:
        raise InputError(
            f"{workdir}: a UAR of {found:.4f} by utterance here and {kept} in results.json; give the --data_dir that "
            "the run was trained with, and a run that counts utterances"
        )


def confusion(posterior: np.ndarray, label: np.ndarray) -> np.ndarray:
    """f32[..., C, C] of posteriors [..., U, C] of utterances whose classes are i32[U]."""
    classes = np.eye(posterior.shape[-1], dtype=np.float32)
    return np.einsum("ut,...up->...tp", classes[label], classes[posterior.argmax(-1)])


def uar(counts: np.ndarray) -> np.ndarray:
    """Unweighted average recall f64[...] of confusions [..., C, C]."""
    return np.asarray(metrics.uar(counts), np.float64)


class Ensemble(NamedTuple):
    """Scores of some runs and of all of them together; the last column of each array is theirs.

    Attributes:
      names: of the runs.
      folds: F folds. seeds: S seeds that each of them has.
      each: f64[F, R + 1], UAR by utterance, the mean over a fold's seeds.
      together: f64[F, R + 1], UAR of the mean posterior of a fold's seeds.
      pooled: f64[S, R + 1], UAR of the answers of all folds together.
    """

    names: tuple[str, ...]
    folds: tuple[Any, ...]
    seeds: tuple[Any, ...]
    each: np.ndarray
    together: np.ndarray
    pooled: np.ndarray


def ensemble(runs: Sequence[Answers]) -> Ensemble:
    """What runs reach alone and together, on the folds and seeds that all of them have.

    Raises:
      InputError: one run, runs of other classes, of other utterances or labels in a fold, or with no fold in common.
    """
    if len(runs) < 2:
        raise InputError("an ensemble is of two runs or more; give several")
    first = runs[0]
    for other in runs[1:]:
        if other.classes != first.classes:
            raise InputError(f"{first.name} and {other.name} have other classes; give runs of the same")
    places = [place for place in first.posterior if all(place in run.posterior for run in runs)]
    folds, seeds = (tuple(dict.fromkeys(place[number] for place in places)) for number in (0, 1))
    seeds = tuple(seed for seed in seeds if all((fold, seed) in places for fold in folds))
    if not seeds:
        raise InputError(f"{', '.join(run.name for run in runs)}: no seed that all have in each common fold")
    counts, together = [], []
    for fold in folds:
        own = [(fold, seed) for seed in seeds]
        ids = _tested(runs, own)
        label = np.array([first.label[name] for name in ids])
        stacked = np.array([[[run.posterior[place][name] for name in ids] for place in own] for run in runs])
        stacked = np.concatenate([stacked, stacked.mean(0, keepdims=True)])  # [R + 1, S, U, C]
        counts.append(confusion(stacked, label))
        together.append(uar(confusion(stacked.mean(1), label)))
    each = np.mean([uar(fold) for fold in counts], axis=-1)
    return Ensemble(tuple(run.name for run in runs), folds, seeds, each, np.array(together), uar(np.sum(counts, 0)).T)


def _tested(runs: Sequence[Answers], places: Sequence[Place]) -> list[str]:
    """The utterances that all runs test at some places of a fold."""
    first = runs[0].posterior[places[0]]
    for run in runs:
        for place in places:
            differ = first.keys() ^ run.posterior[place].keys()
            others = [name for name in first.keys() & run.label.keys() if run.label[name] != runs[0].label[name]]
            if differ or others:
                what = f"{min(differ)} is tested by one alone" if differ else f"{min(others)} has another label"
                raise InputError(
                    f"{run.name} and {runs[0].name} test other speech in fold {place[0]}: {what} "
                    f"({len(differ or others)} such); give runs of the same folds"
                )
    return sorted(first)


def ensemble_table(runs: Sequence[Answers]) -> Table:
    """UAR by utterance of runs alone and together, and how far the ensemble is from each of them.

    Raises:
      InputError: as `ensemble`.
    """
    found = ensemble(runs)
    several = len(found.seeds) > 1
    columns = ["run", "UAR", *(["UAR, seeds together"] if several else []), "UAR, folds together", "ensemble − run"]
    rows = []
    for place, name in enumerate((*found.names, "ensemble")):
        scores = [found.each, *([found.together] if several else []), found.pooled]
        gain = found.each[:, -1] - found.each[:, place]
        last = _difference(gain, runs[0].ratio) if place < len(runs) else ("", "", "")
        rows.append((name, *(mean_std(spread(score[:, place])) for score in scores), *last))
    seeds = f", of each fold the mean over {len(found.seeds)} seeds; seeds together: of their mean posterior" * several
    notes = [
        f"UAR by utterance, mean ± sample standard deviation over folds{seeds}.",
        "Folds together: recalls of all folds' answers as one" + ", mean ± deviation over seeds." * several,
        "Ensemble: the mean of the runs' posteriors of an utterance, all counted alike, seed by seed.",
        *dict.fromkeys(run.note for run in runs if run.note),
        "Interval: bias-corrected bootstrap of folds; p: corrected resampled t-test (docs/comparing.md).",
        *dict.fromkeys(filter(None, (_anchor_note(run) for run in runs))),
    ]
    caption = f"Ensemble of {', '.join(found.names)}: {len(found.folds)} folds"
    return Table(caption, (*columns, "95 % interval", "p"), tuple(rows), tuple(notes))


def _difference(gain: np.ndarray, ratio: float) -> tuple[str, str, str]:
    found = infer(gain.tolist(), ratio)
    interval = " to ".join(signed(number(end)) for end in found.bootstrap) if found.bootstrap else found.why
    return signed(number(found.mean)), interval, number(found.p)


def _anchor_note(run: Answers) -> str:
    score = run.anchor.get("scores", {}).get("", {}).get("uar")
    return f"openSMILE + linear SVM: UAR {mean_std(score)} where {run.name} was trained and tested." if score else ""
