"""A sweep: trials of one config with other values, run after run, and their table.

What is on disk says how far a sweep is: a run that is finished has its results, the one at hand its checkpoints. The
same sweep goes on from there, whenever it was cut off. Trials of equal shapes train together as members of one run.
Several processes train every run together; the first of them keeps the table, and what it decides the others hear.
"""

import csv
import hashlib
import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import jax

from sejax.core.files import damaged, read_json, write_json, write_text
from sejax.core.stores import path_of
from sejax.engine import hosts
from sejax.engine.command import Interrupted, signals_handled
from sejax.engine.space import Interval, Space
from sejax.engine.validation import lower_is_better, ranking, scored
from sejax.engine.workdir import claim, environment, only_run, release
from sejax.errors import InputError

SEARCHES = ("random", "grid")
MOST_TRIALS = 100_000
REPEATS = 100  # equal draws one after the other, before what is left of a finite space is listed

Values = dict[str, Any]


def trial_values(space: Space, search: str, *, seed: int, count: int | None) -> list[Values]:
    """The values of the first ``count`` trials (None: of all that there are), fewer where the space has no more.

    Trial i's are a function of the space, the seed and i: more trials leave the first ones as they are. No two
    trials are equal.

    Raises:
      InputError: another search, a grid over real numbers, all of an infinite space, or more than `MOST_TRIALS`.
    """
    if search not in SEARCHES:
        raise InputError(f"search={search!r}; choose one of {', '.join(SEARCHES)}")
    if not space.finite and (search == "grid" or count is None):
        name = next(name for name, domain in space.domains.items() if isinstance(domain, Interval))
        raise InputError(
            f"space: {name}={space.texts[name]} has no end of values; give choices such as {name}=A|B, "
            "or --search=random with a number of --trials"
        )
    found = space.all() if search == "grid" else drawn(space, seed)
    trials = [{name: values[name] for name in space.domains} for values in islice(found, count or MOST_TRIALS + 1)]
    if len(trials) > MOST_TRIALS:
        raise InputError(f"space: it has more than {MOST_TRIALS:,} combinations; give fewer, or a number of --trials")
    return trials


def drawn(space: Space, seed: int) -> Iterator[Values]:
    """Distinct values at random, until the space has no more."""
    seen: set[tuple] = set()
    place = repeats = 0
    while repeats < REPEATS:
        values = draw(space, seed, place)
        key = tuple(values.values())
        repeats = repeats + 1 if key in seen else 0
        place += 1
        if not repeats:
            seen.add(key)
            yield values
    if space.finite:
        rest = [values for values in space.all() if tuple(values.values()) not in seen]
        yield from sorted(rest, key=lambda values: uniform(seed, place, str(values)))


def draw(space: Space, seed: int, place: int) -> Values:
    """The values at a place of the sequence of draws; a field's do not depend on what else is swept."""
    values: Values = {}
    for name in space.order:
        domain, number = space.domains[name], uniform(seed, place, name)
        if isinstance(domain, Interval):
            values[name] = domain.value(number)
        else:
            possible = domain.at(space.given | values)
            values[name] = possible[int(number * len(possible))]
    return values


def uniform(seed: int, place: int, name: str) -> float:
    """A number in [0, 1) with 53 bits: the start of a SHA-256, equal in every process and every version."""
    digest = hashlib.sha256(f"{seed}/{place}/{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


class Run(NamedTuple):
    """What trains at once: one trial, or several as members.

    Attributes:
      name: of its folder.
      trials: their numbers.
      values: what its config holds; lists of the trials' values for the field that the members differ in.
    """

    name: str
    trials: tuple[int, ...]
    values: Values


def plan(trials: Sequence[Values], asked: Sequence[int], member_fields: Mapping[str, str]) -> list[Run]:
    """The runs of a sweep, in the order of their first trials.

    Trials that differ in nothing but the first swept field of ``member_fields`` (``{"learning_rate": "rates"}``) are
    members of one run. Trials that were asked for later do not join the runs of earlier ones.

    Args:
      trials: every trial's values.
      asked: how many trials there were each time that more were asked for; the last is all of them.
      member_fields: swept names that stand for one entry of a list field.
    """
    shared = next((name for name in (trials[0] if trials else ()) if name in member_fields), None)
    groups: dict[tuple, list[int]] = {}
    for number, values in enumerate(trials):
        time = sum(number >= count for count in asked)
        rest = tuple(value for name, value in values.items() if name != shared) if shared else number
        groups.setdefault((time, rest), []).append(number)
    return [run_of(trials, numbers, shared, member_fields) for numbers in groups.values()]


def run_of(
    trials: Sequence[Values], numbers: Sequence[int], shared: str | None, member_fields: Mapping[str, str]
) -> Run:
    """The run of these trials, which differ in no field but ``shared``."""
    name = f"{numbers[0]:04}" + (f"_and_{len(numbers) - 1}_more" if len(numbers) > 1 else "")
    values = {}
    for field, value in trials[numbers[0]].items():
        if field == shared:
            values[member_fields[field]] = tuple(trials[number][field] for number in numbers)
        else:
            values[member_fields.get(field, field)] = (value,) if field in member_fields else value
    return Run(name, tuple(numbers), values)


FILE, TABLE, ASKED, TRIALS = "sweep.json", "sweep.csv", "asked.json", "trials"

# (values, folder) -> members of a run's results, of which `sejax.engine.validation.validation_part` alone is left.
Train = Callable[[dict[str, Any], Path], list[dict[str, Any]]]


class Sweep(NamedTuple):
    """What is swept.

    Attributes:
      config: of the experiment; a trial's config is this one with other values.
      space, search, seed: which values, see `sejax.engine.sweep.trial_values`.
      metric: the validation figure that ranks the trials.
      member_fields: names that stand for one entry of a list field, see `sejax.engine.sweep.plan`.
    """

    config: Any
    space: Space
    search: str
    seed: int
    metric: str
    member_fields: Mapping[str, str]

    def values(self, count: int | None) -> list[dict[str, Any]]:
        """Values of the first ``count`` trials."""
        return trial_values(self.space, self.search, seed=self.seed, count=count)


def run_sweep(
    sweep: Sweep,
    workdir: Path,
    count: int | None,
    train: Train,
    *,
    command: Callable[[dict[str, Any]], str],
    publish: Callable[[dict[str, Any]], None] = lambda found: None,
) -> dict[str, Any]:
    """Trains every trial that is not finished, and keeps the table up to date.

    Args:
      sweep: what is swept.
      workdir: the sweep's folder; runs are in its folder ``trials``.
      count: of trials (None: all of the space). Those that were asked for earlier are done in any case.
      train: trains the config with a run's values in a folder, goes on there, or reads what is finished.
      command: the command that trains a run of one trial, from the values of its config.
      publish: is called with the table whenever it has grown.

    Returns:
      What `FILE` holds.

    Raises:
      InputError: the workdir belongs to another sweep, or no trial could be trained at all.
      Interrupted: SIGTERM or SIGINT arrived, everything done so far is saved.
    """
    with hosts.held_by_first(only_run(workdir)):
        return _run_sweep(sweep, path_of(workdir), count, train, command, publish)


def _run_sweep(sweep: Sweep, workdir: Path, count: int | None, train: Train, command, publish) -> dict[str, Any]:
    space = {"space": sweep.space.texts, "order": list(sweep.space.texts)}  # a grid's trials depend on the order
    identity = space | {"search": sweep.search, "seed": sweep.seed}
    here = environment(sweep.config.run.backend, {"devices": jax.device_count()})
    hosts.by_first(lambda: claim(workdir, sweep.config.to_dict() | {"sweep": identity}, here))
    asked = hosts.by_first(lambda: remember(workdir, len(sweep.values(count))))
    trials = sweep.values(asked[-1])
    outcomes: dict[int, dict[str, Any]] = {}
    progress = Progress(len(trials), sweep.metric)

    def save() -> dict[str, Any]:
        found = table(sweep, trials, outcomes, command)
        if hosts.is_first():  # nobody waits for it: a signal may have come to this process alone
            write_tables(workdir, found)
            publish(found)
        return found

    def stop(received: str) -> None:
        raise Interrupted(received)

    try:
        with signals_handled(stop):  # between updates too: while data are read, or a table written
            for run in plan(trials, asked, sweep.member_fields):
                progress.begin(run, trials, outcomes)
                outcomes |= _outcomes(sweep, workdir, run, trials, train)
                progress.end(run)
                if progress.timed:
                    save()  # what was only read was written before
    except Interrupted:
        save()
        raise
    if all(outcome["run"] is None for outcome in outcomes.values()):
        if hosts.is_first():
            release(workdir)  # nothing was trained: the corrected command may have the folder
            for name in (ASKED, FILE, TABLE):
                (workdir / name).unlink(missing_ok=True)
        raise InputError(f"no trial could be trained; the first one's error: {outcomes[0]['failed']}")
    return save()


def remember(workdir: Path, count: int) -> list[int]:
    """How many trials there were each time that more were asked for, this time included."""
    path = path_of(workdir) / ASKED
    asked, remedy = [], "delete it to ask for this many --trials alone, or sweep again in another --workdir"
    if path.is_file():
        asked = read_json(path, remedy).get("trials")
        if not isinstance(asked, list) or not all(type(number) is int for number in asked):
            raise damaged(path, "it has no numbers of trials", remedy)
    if not asked or count > asked[-1]:
        asked = [*asked, count]
        write_json(path, {"trials": asked})
    return asked


def _outcomes(sweep: Sweep, workdir: Path, run: Run, trials, train: Train) -> dict[int, dict[str, Any]]:
    """What became of each trial of a run; of one that cannot be trained, why.

    Where several trials cannot be trained as members of one run, each is tried by itself.
    """
    folder = f"{TRIALS}/{run.name}"
    try:
        members = train(run.values, workdir / folder)
    except (InputError, jax.errors.JaxRuntimeError) as error:
        if not hosts.alone() and not isinstance(error, InputError):
            raise  # it may be this process's alone, for which the others wait
        if len(run.trials) == 1:
            (number,) = run.trials
            outcome = scored([], sweep.metric) | {"failed": " ".join(str(error).split())}
            return {number: {"trial": number, "values": trials[number], "run": None, **outcome}}
        alone = [run_of(trials, (number,), None, sweep.member_fields) for number in run.trials]
        return {k: v for one in alone for k, v in _outcomes(sweep, workdir, one, trials, train).items()}
    found = {}
    for number in run.trials:
        values = trials[number]
        told_by = [field for field in sweep.member_fields if field in values]
        own = [m for m in members if all(m.get(field, values[field]) == values[field] for field in told_by)]
        found[number] = {"trial": number, "values": values, "run": folder, **scored(own, sweep.metric)}
    return found


def table(sweep: Sweep, trials, outcomes: Mapping[int, Mapping[str, Any]], command) -> dict[str, Any]:
    """What `FILE` holds: the trials that are done, in their order and ranked, and how to train the best again."""
    order = ranking(outcomes.values(), sweep.metric)
    best = None
    if order and not outcomes[order[0]]["failed"]:
        first = outcomes[order[0]]
        values = run_of(trials, (order[0],), None, sweep.member_fields).values
        best = {name: first[name] for name in ("trial", "values", "score", "std", "n")} | {"command": command(values)}
    return {
        "experiment": sweep.config.experiment,
        "metric": sweep.metric,
        "lower_is_better": lower_is_better(sweep.metric),
        "space": sweep.space.texts,
        "search": sweep.search,
        "seed": sweep.seed,
        "asked": len(trials),
        "trials": [outcomes[number] for number in sorted(outcomes)],
        "ranking": order,
        "best": best,
        "config": sweep.config.to_dict(),
    }


def write_tables(workdir: Path, found: Mapping[str, Any]) -> None:
    """Writes `FILE` and, from the best trial to the worst, `TABLE`."""
    write_json(path_of(workdir) / FILE, found, indent=1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "trial", *found["space"], found["metric"], "std", "n", "failed", "run"])
    done = {trial["trial"]: trial for trial in found["trials"]}
    for rank, number in enumerate(found["ranking"], start=1):
        trial = done[number]
        rest = [trial[name] for name in ("score", "std", "n", "failed", "run")]
        writer.writerow([rank, number, *(_cell(trial["values"][name]) for name in found["space"]), *rest])
    write_text(path_of(workdir) / TABLE, text.getvalue())


def _cell(value: Any) -> Any:
    """A value as it is written in a space."""
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else value


class Progress:
    """One line on stderr before each run: which trials, the best so far, the time left."""

    def __init__(self, count: int, metric: str):
        self.count, self.metric = count, metric
        self.done, self.timed, self.seconds, self.began = 0, 0, 0.0, 0.0

    def begin(self, run: Run, trials, outcomes) -> None:
        """Says what is trained next."""
        self.began = time.monotonic()
        first = run.trials[0]
        also = f" and {len(run.trials) - 1} more that train with it" if len(run.trials) > 1 else ""
        values = ", ".join(f"{name}={_cell(value)}" for name, value in trials[first].items())
        text = [f"trial {first}{also} ({self.done} of {self.count} done): {values}"]
        order = ranking(outcomes.values(), self.metric)
        if order and outcomes[order[0]]["score"] is not None:
            text.append(f"best so far: {self.metric} {outcomes[order[0]]['score']:.4f} by trial {order[0]}")
        if self.timed:
            text.append(f"about {_duration(self.seconds / self.timed * (self.count - self.done))} left")
        print("; ".join(text), file=sys.stderr, flush=True)

    def end(self, run: Run) -> None:
        """Counts a run; one that was only read tells nothing about how long the others take."""
        seconds = time.monotonic() - self.began
        self.done += len(run.trials)
        if seconds > 1.0:
            self.timed, self.seconds = self.timed + len(run.trials), self.seconds + seconds


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{round(seconds)} s"
