"""How the answers of a finished run hold when recordings are quieter, noisy, narrow or compressed.

Each member judges utterances of its own test part, untouched and degraded, as in prediction:

    plan = chosen(workdir, data_dir, files=12, seed=0)      # which utterances, and which members judge them
    changes = conditions(talkers)                           # what becomes of a recording
    answers = judged(workdir, plan, speech, changes)        # posteriors; goes on where a killed one was
    write_robustness(workdir, plan, changes, answers, about)

`sejax.report.robustness` shows what is written. Where parts of an utterance train a member, as other protocols than
`speaker` let them, its answers say how they change and not how good they are; it is counted as `seen`.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from sejax.audio import degradations
from sejax.audio.level import levelled
from sejax.audio.samples import RATE
from sejax.core.files import plain, read_json, write_json
from sejax.core.results import read_results
from sejax.core.stores import path_of
from sejax.data.folds import TEST, TRAIN, VALIDATION
from sejax.data.ratings import expected
from sejax.data.store.joined import BETWEEN
from sejax.data.store.sets import ExampleSet, digest_of_samples
from sejax.engine.workdir import read_claim
from sejax.errors import InputError, NotInstalled
from sejax.experiments import HeldOut
from sejax.experiments.members import (
    best_variant,
    check_set,
    full_name,
    is_wanted,
    no_member,
    predicting,
    trained_variants,
)
from sejax.experiments.prediction import Predictor
from sejax.report.robustness import FILE, REMEDY, digest_of_run

UNFINISHED = "robustness.unfinished.json"
GAINS, RATIOS = (-6, -12, -20, -30), (20, 10, 0)  # dB
DIGITS = 5  # of a posterior that is kept

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Condition(NamedTuple):
    """What becomes of a recording.

    Attributes:
      name: in a table. kind: "untouched", "gain", "white", "babble", "band" or "mp3".
      change: waveform int16[T] at 16 kHz, random -> int16[T].
      decibels: of the gain, or the signal-to-noise ratio.
    """

    name: str
    kind: str
    change: Change
    decibels: int | None = None


def conditions(talkers: Sequence[np.ndarray]) -> tuple[Condition, ...]:
    """Untouched, four gains, white noise and babble of the talkers at three ratios, a band limit, a compression.

    Args:
      talkers: recordings int16[S] at 16 kHz that babble is mixed from.

    Raises:
      InputError: too few talkers, or a library that a condition needs is missing.
    """
    found = _planned(talkers)
    for condition in found:
        _try(condition)
    return found


def _planned(talkers: Sequence[np.ndarray]) -> tuple[Condition, ...]:
    found = [Condition("untouched", "untouched", lambda waveform, random: waveform)]
    found += [Condition(f"{-gain} dB quieter", "gain", partial(_gain, decibels=gain), gain) for gain in GAINS]
    found += [Condition(f"white noise, {snr} dB SNR", "white", partial(_white, snr=snr), snr) for snr in RATIOS]
    babble = partial(_babble, talkers=talkers)
    found += [Condition(f"babble, {snr} dB SNR", "babble", partial(babble, snr=snr), snr) for snr in RATIOS]
    found += [
        Condition("sampled at 8 kHz", "band", lambda waveform, random: degradations.narrow_band(waveform, RATE)),
        Condition("MP3, 32 kbit/s", "mp3", lambda waveform, random: degradations.mp3(waveform)),
    ]
    return tuple(found)


def _gain(waveform, random, *, decibels):
    del random
    return degradations.gain(waveform, decibels)


def _white(waveform, random, *, snr):
    return degradations.with_noise(waveform, degradations.white(len(waveform), random), snr)


def _babble(waveform, random, *, snr, talkers):
    return degradations.with_noise(waveform, degradations.babble(len(waveform), talkers, random), snr)


def _try(condition: Condition) -> None:
    """Raises InputError where a condition cannot be had here, before hours of work."""
    try:
        condition.change(np.arange(-800, 800, dtype=np.int16), np.random.default_rng(0))
    except NotInstalled as error:
        raise NotInstalled(f"{condition.name}: {error}") from None
    except InputError:
        raise
    except Exception as error:  # whatever a library says that is older, or was built without a format
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(
            f"{condition.name} cannot be made here ({why}); use newer packages: pip install --upgrade soundfile soxr"
        ) from None


class Judge(NamedTuple):
    """A member, and the utterances that it judges.

    Attributes:
      member: its full name, as in results.json.
      ids: of U utterances that it tests.
      label: the right class of each, -1 where there is none: of the rated dimensions by their names, in the order in
        which the member answers, or of its classes by "".
      seen: of each, whether parts of it trained or validated the member.
    """

    member: dict[str, Any]
    ids: tuple[str, ...]
    label: dict[str, list[int]]
    seen: list[bool]


class Plan(NamedTuple):
    """Who judges what.

    Attributes:
      judges: in the order in which they judge.
      corpus: what the utterances are of. level: what recordings were brought to before training.
      digests: of the prepared samples by the utterance's id; {} where the set keeps none.
      asked: what all of that follows from, for a run that goes on.
    """

    judges: tuple[Judge, ...]
    corpus: str
    level: str
    digests: dict[str, str]
    asked: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        """Every utterance, in the order in which they are judged."""
        return [name for judge in self.judges for name in judge.ids]


def chosen(
    workdir: Path, data_dir: Path, *, files: int, seed: int, only: Mapping[str, tuple[str, ...]] | None = None
) -> Plan:
    """Draws utterances of each member's own test part. Of members with one test part the first judges.

    Args:
      workdir: of a finished run. data_dir: where the prepared sets are.
      files: how many utterances of each test part, all where it has fewer.
      seed: of the choice.
      only: what the members are to be called, as `sejax.experiments.prediction.Predictor` takes it; where a run
        compared several things and this leaves more than one, the one that validated best.

    Raises:
      InputError: no finished run, one that classifies nothing or does not say what it tests, no member of these names,
        or another prepared set than the one that the run was trained on.
    """
    results, config = read_results(workdir), ConfigDict(read_claim(workdir)["config"])
    experiment = predicting(config.experiment)
    if experiment.held_out is None:
        raise InputError(
            f"{workdir}: the experiment {config.experiment} does not say which utterances its members test; give its "
            "Study held_out, as sejax.experiments.Study has it"
        )
    wanted = best_variant(results, dict(only or {}))
    random, judges, known, speech = np.random.default_rng(seed), [], set(), None
    for variant, _, members in trained_variants(workdir, results, config):
        if not any(is_wanted(member, wanted) for member in members):
            continue
        held = experiment.held_out(variant, data_dir)
        if any(label.dtype.kind == "f" for label in map(np.asarray, held.label.values())):
            raise InputError(
                f"{workdir}: its members give ratings that are numbers, and what is measured here are classes and "
                "points; give a run with target=points"
            )
        if held.normalised_by != "training":
            raise InputError(
                f"{workdir}: its members judge all recordings of a {held.normalised_by} together, not one at a time; "
                "give a run with normalise_by=training"
            )
        check_set(workdir, held, members)
        dimensions = ("",) if "" in held.label else experiment.posteriors(variant, len(results["classes"])).rated
        for member, part in zip(members, held.part, strict=True):
            tested = np.unique(held.utterance[part == TEST])
            if not is_wanted(member, wanted) or tested.tobytes() in known:
                continue
            known.add(tested.tobytes())
            rows = random.choice(tested, min(files, len(tested)), replace=False)
            judges.append(_judge(held, full_name(member), part, rows, dimensions))
        speech = held.speech
    if speech is None:
        raise no_member(workdir, results, wanted)
    asked = {"run": digest_of_run(results), "files": files, "seed": seed}
    asked["judges"] = [judge._asdict() for judge in judges]
    level = results["data"]["settings"].get("level", "none")
    corpus = BETWEEN.join(speech.tested) or speech.corpus
    return Plan(tuple(judges), corpus, level, _digests(speech), plain(asked))


def _judge(held: HeldOut, name: dict[str, Any], part: np.ndarray, rows: np.ndarray, dimensions) -> Judge:
    trained = np.unique(held.utterance[(part == TRAIN) | (part == VALIDATION)])
    label = {dimension: held.label[dimension][rows].tolist() for dimension in dimensions}
    ids = tuple(held.speech.utterance_ids[row] for row in rows)
    return Judge(name, ids, label, np.isin(rows, trained).tolist())


def _digests(speech: ExampleSet) -> dict[str, str]:
    return dict(zip(speech.utterance_ids, speech.digests, strict=True)) if speech.digests else {}


class Recording(NamedTuple):
    """An original recording, int16[T] at 16 kHz, and its transcript ("": none)."""

    waveform: np.ndarray
    transcript: str = ""


def check_recordings(plan: Plan, speech: Mapping[str, Recording]) -> None:
    """Raises InputError for a recording that is not the one that was prepared."""
    for name in plan.ids:
        digest, waveform = plan.digests.get(name), speech[name].waveform
        # Sets of functionals keep the digest of the recording as it was, others that of what it was brought to.
        known = map(digest_of_samples, (waveform, levelled(waveform, RATE, plan.level)))
        if digest and digest not in known:
            raise InputError(
                f"{name} of {plan.corpus}: other samples than those that were prepared; give the original recordings "
                "that the run was trained on"
            )


Answer = list[Any]  # of each condition: the posterior [C] or [D, C], None where there is no answer


def judged(
    workdir: Path,
    plan: Plan,
    speech: Mapping[str, Recording],
    changes: Sequence[Condition],
    *,
    report: Callable[[int], None] = lambda done: None,
) -> list[Answer]:
    """What the members of a plan answer about each utterance under each condition.

    Answers are kept in the workdir after every utterance, so that a killed run goes on. A condition under which nothing
    can be answered (no voice is found any more) has None.

    Args:
      report: told of the number of recordings judged so far.

    Raises:
      InputError: an untouched recording that the run cannot judge.
    """
    answers = kept_answers(workdir, plan, changes)
    report(len(answers) * len(changes))
    for judge, places in _places(plan):
        places = [place for place in places if place >= len(answers)]
        predict = _predictor(workdir, judge.member) if places else None
        for place in places:
            random = partial(np.random.default_rng, [plan.asked["seed"], place + 1])
            answers.append(_answers(predict, plan.ids[place], speech, changes, random))
            write_json(path_of(workdir) / UNFINISHED, _asked(plan, changes) | {"answers": answers})
            report(len(answers) * len(changes))
    return answers


def kept_answers(workdir: Path, plan: Plan, changes: Sequence[Condition]) -> list[Answer]:
    """The answers that a killed run of the same plan left in a workdir; [] without any."""
    path = path_of(workdir) / UNFINISHED
    if not path.is_file():
        return []
    found = read_json(path, "delete it, and the same command begins again")
    answers, asked = found.pop("answers", []), _asked(plan, changes)
    return answers if {name: found.get(name) for name in asked} == asked else []


def _asked(plan: Plan, changes: Sequence[Condition]) -> dict[str, Any]:
    return plan.asked | {"conditions": [change.name for change in changes]}


def _places(plan: Plan) -> Iterator[tuple[Judge, range]]:
    first = 0
    for judge in plan.judges:
        yield judge, range(first, first := first + len(judge.ids))


def _predictor(workdir: Path, member: Mapping[str, Any]) -> Predictor:
    return Predictor(workdir, only={name: (str(value),) for name, value in member.items()})


def _answers(predict, name: str, speech: Mapping[str, Recording], changes, random) -> Answer:
    """The posteriors of one recording under each condition, each with the same random numbers."""
    waveform, transcript = speech[name]
    text = transcript if predict.transcribed else ""
    found: Answer = []
    for change in changes:
        try:
            posterior = predict(change.change(waveform, random()), RATE, text, explain=False).utterance
        except InputError as error:
            if change.kind == "untouched":
                raise InputError(f"{name}: {error}") from None
            posterior = None
        found.append(None if posterior is None else np.round(posterior.astype(np.float64), DIGITS).tolist())
    return found


def scores(
    answers: Sequence[np.ndarray | None], untouched: Sequence[np.ndarray], label: Sequence[int], *, rated: bool
) -> dict[str, Any]:
    """What answers about N utterances are worth.

    Args:
      answers, untouched: posteriors [C] of each utterance, under a condition and as it is; None: no answer, which is
        neither right nor the same.
      label: index of the right class, -1 where there is none.
      rated: whether classes are points.

    Returns:
      "utterances" N, "labelled" and "unanswered" of them, "right" (the share of the labelled), "uar" over the classes
      that occur, "same" (the share with the same class as untouched) and, where rated, "moved" (the mean distance in
      points of the expected rating from that of untouched). None where there is nothing to measure.
    """
    top = np.array([-2 if answer is None else int(np.argmax(answer)) for answer in answers])
    truth, before = np.asarray(label), np.array([int(np.argmax(answer)) for answer in untouched])
    right, known = top == truth, truth >= 0
    recalls = [right[truth == number].mean() for number in np.unique(truth[known])]
    found = {
        "utterances": len(top),
        "labelled": int(known.sum()),
        "unanswered": int((top < 0).sum()),
        "right": float(right[known].mean()) if known.any() else None,
        "uar": float(np.mean(recalls)) if recalls else None,
        "same": float((top == before).mean()),
    }
    if rated:
        pairs = [(one, other) for one, other in zip(answers, untouched, strict=True) if one is not None]
        moved = [abs(expected(np.asarray(one)) - expected(np.asarray(other))) for one, other in pairs]
        found["moved"] = float(np.mean(moved)) if moved else None
    return found


def table_of(workdir: Path, plan: Plan, changes: Sequence[Condition], answers: Sequence[Answer]) -> dict[str, Any]:
    """What robustness.json holds of a finished plan, beside how it was made; the first condition is untouched."""
    results, rows = read_results(workdir), []
    for place, change in enumerate(changes):
        found = {}
        for number, name in enumerate(plan.judges[0].label):
            posteriors, before = ([_of(name, number, answer[at]) for answer in answers] for at in (place, 0))
            label = [right for judge in plan.judges for right in judge.label[name]]
            found[name] = scores(posteriors, before, label, rated=bool(name))
        row = {"condition": change.name, "kind": change.kind, "decibels": change.decibels, "scores": found}
        rows.append(row | {"posteriors": [answer[place] for answer in answers]})
    return {
        "run": plan.asked["run"],
        "experiment": results["experiment"],
        "corpus": plan.corpus,
        "protocol": results.get("protocol"),
        "seed": plan.asked["seed"],
        "files": plan.asked["files"],
        "judges": plan.asked["judges"],
        "conditions": rows,
    }


def _of(dimension: str, number: int, posterior):
    """The posterior [C] of a dimension of [D, C], or what there is of classes."""
    return posterior if posterior is None or not dimension else posterior[number]


def write_robustness(
    workdir: Path, plan: Plan, changes: Sequence[Condition], answers: Sequence[Answer], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes robustness.json, takes away what was kept for a killed run, and returns what is written.

    ``about``: how it was made, such as its command.
    """
    found = plain(dict(about) | table_of(workdir, plan, changes, answers))
    write_json(path_of(workdir) / FILE, found, indent=1, ascii=False)
    with contextlib.suppress(FileNotFoundError):
        (path_of(workdir) / UNFINISHED).unlink()
    return found


def finished_robustness(workdir: Path, plan: Plan) -> dict[str, Any] | None:
    """What robustness.json holds where it is of the same plan and of all `conditions`; None where it is not."""
    path = path_of(workdir) / FILE
    if not path.is_file():
        return None
    found = read_json(path, REMEDY)
    names = [row.get("condition") for row in found.get("conditions", [])]
    same = all(found.get(name) == value for name, value in plan.asked.items())
    return found if same and names == [condition.name for condition in _planned(())] else None
