"""The driver: restore, segments, save, log. One loop for every experiment.

Then a config's run section, what "auto" means in it, and the persistent compilation cache.
"""

import signal as signals
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax.traverse_util import unflatten_dict

from sejax.core.experiment import Assembly, PyTree
from sejax.core.rng import member_key, root_key
from sejax.core.stores import path_of
from sejax.engine import hosts
from sejax.engine.checkpoint import LEFT, Checkpoints, folder_of_members
from sejax.engine.command import Bar, Interrupted, progress_bar, signals_handled
from sejax.engine.compiling import Compiling
from sejax.engine.ensemble import over_members, place, take_members
from sejax.engine.events import EventFiles, is_shown
from sejax.engine.fields import Field
from sejax.engine.segment import Carry, Segment, active_members, finished, make_segment, unread_by_evaluation
from sejax.errors import InputError


class RunSettings(NamedTuple):
    """How a run is driven. None of it changes what is learned, but the backend its last bits.

    Attributes:
      backend: ``"scan"`` or ``"loop"``, see `sejax.engine.segment`.
      ensemble: ``"vmap"`` or ``"map"``, see `sejax.engine.ensemble`.
      members_at_once: members per group; groups train in turn. 0: all at once.
      save_seconds: about how long a segment takes; a kill loses no more than that.
      keep: latest checkpoints kept.
      tensorboard: write event files.
    """

    backend: str = "scan"
    ensemble: str = "vmap"
    members_at_once: int = 0
    save_seconds: float = 20.0
    keep: int = 2
    tensorboard: bool = True


class Group(NamedTuple):
    """Members ``start:stop``, which train together: their compiled pieces, data and checkpoints.

    ``left``: whether the checkpoint is that of a finished run, without what only training reads.
    """

    start: int
    stop: int
    segment: Segment
    data: PyTree
    carry: Carry
    checkpoints: Checkpoints
    left: bool = False


def run(
    assembly: Assembly,
    settings: RunSettings,
    workdir: Path,
    *,
    seed: int = 0,
    asked_for: Callable[[], tuple[str, ...]] = tuple,
    timing: list[tuple[float, int]] | None = None,
) -> list[dict[str, Any]]:
    """Trains every member to the end, or goes on where an earlier run in this workdir was cut off.

    Args:
      assembly: experiment, sources, members.
      settings: how to drive it.
      workdir: checkpoints and events go there.
      seed: root of every random stream; member i uses ``fold_in(root, i)`` however members are grouped, or
        ``fold_in(root, streams[i])`` where the assembly has streams.
      asked_for: the subtrees of the states that prediction reads (`trained_states`). A member that is finished keeps
        them, and what its evaluation reads.
      timing: takes of each segment the seconds without compiling, and the updates of all its members.

    Returns:
      One entry of ``results.json`` per member: name, failure if any, metrics, history, iterations.

    Raises:
      Interrupted: after a SIGTERM or SIGINT, once the state is saved.
    """
    entries, segments, board = [], {}, None
    if settings.tensorboard and hosts.is_first():
        board = EventFiles(path_of(workdir) / "events")
    try:
        for start, stop in groups(len(assembly.names), settings.members_at_once):
            how = {"seed": seed, "segments": segments, "trains": True}
            group = open_group(assembly, settings, workdir, start, stop, **how)
            try:
                carry = _train(assembly, settings, group, board, timing)
                if not group.left:
                    asked = tuple(f"state/{name}/" for name in asked_for())
                    unread = unread_by_evaluation(assembly, carry)
                    unread = frozenset(path for path in unread if not f"{path}/".startswith(asked))
                    group.checkpoints.finish(carry, {"members": [start, stop]}, without=unread)
            finally:
                group.checkpoints.close()
            entries += member_entries(assembly, carry, start, stop)
    finally:
        if board is not None:
            board.close()
    return entries


def groups(members: int, at_once: int) -> list[tuple[int, int]]:
    """Consecutive ranges of at most ``at_once`` members (0: one range of all)."""
    size = at_once or members
    return [(start, min(start + size, members)) for start in range(0, members, size)]


def open_group(
    assembly: Assembly,
    settings: RunSettings,
    workdir: Path,
    start: int,
    stop: int,
    *,
    seed: int = 0,
    segments: dict[int, Segment] | None = None,
    trains: bool = False,
) -> Group:
    """A group with its latest checkpoint, or at its first state when there is none.

    One that ``trains`` goes on from the checkpoint before a damaged one, and gets to the same end.
    ``segments`` holds those of earlier groups by their number of members, which need not be traced and compiled again;
    this group's is added where it is new.
    """
    placed = place(stop - start, assembly.batch_size)
    data = placed.shared(assembly.data)
    members = placed.members(take_members(assembly.members, start, stop))
    streams = np.arange(stop) if assembly.streams is None else np.asarray(assembly.streams)
    keys = placed.members(jax.vmap(lambda i: member_key(root_key(seed), i))(streams[start:stop].astype(np.int32)))
    segments = {} if segments is None else segments
    if stop - start not in segments:
        segments[stop - start] = make_segment(
            assembly,
            backend=settings.backend,
            how=settings.ensemble,
            constrain=placed.constrain,
            share=placed.share,
        )
    segment = segments[stop - start]
    checkpoints = Checkpoints(folder_of_members(workdir, start, stop), keep=settings.keep)
    if checkpoints.latest() is None:
        carry, about = segment.start(keys, members, data), {}
    else:
        template = jax.eval_shape(segment.start, keys, members, data)
        carry, about = checkpoints.restore(template, fall_back=trains, sharding=placed.sharding)
    return Group(start, stop, segment, data, placed.members(carry), checkpoints, LEFT in about)


def _train(assembly: Assembly, settings: RunSettings, group: Group, board, timing: list | None) -> Carry:
    """The group's last carry; `Interrupted` where a signal arrived during a segment, once that is saved."""
    carry, received = group.carry, []
    before = int(hosts.whole(carry.state.step)[: group.stop - group.start].sum())
    budget, logged = 1, _epochs_done(carry, assembly)
    title = ", ".join(f"{k} {v}" for k, v in assembly.names[group.start].items())
    if group.stop - group.start > 1:
        title = f"{group.stop - group.start} members"
    bar = progress_bar(title + _COMPILING, assembly.iterations * assembly.epochs, "epochs", done=logged)
    with bar, Compiling(partial(_say, bar)) as compiling:
        while not finished(carry, assembly.iterations):
            with signals_handled(received.append):
                began, compiled = time.monotonic(), compiling.seconds
                carry = jax.block_until_ready(group.segment.advance(group.data, carry, budget))
                compiled = compiling.seconds - compiled
                seconds = time.monotonic() - began - compiled
                bar.leave_out(compiled)
                logged = _log(assembly, group, carry, logged, bar, board)
                # The loop may be left only after this: what a segment did is in a checkpoint before anything can end
                # it. Its number grows with every segment: all members' updates, and iterations closed.
                steps = hosts.whole(carry.state.step)[: group.stop - group.start]
                number = int(steps.sum()) + int(carry.iteration)
                if timing is not None:
                    timing.append((seconds, int(steps.sum()) - before))
                before = int(steps.sum())
                group.checkpoints.save(number, carry, {"members": [group.start, group.stop]})
                # A signal that one process has received stops all of them here.
                signal = hosts.any_of(signals.Signals[received[-1]] if received else 0)
            if signal:
                raise Interrupted(signals.Signals(signal).name)
            # Segments grow until they take about save_seconds; how a run is cut changes no result.
            slowest = hosts.any_of(round(1000 * seconds)) / 1000
            budget = int(np.clip(budget * settings.save_seconds / max(slowest, 1e-3), 1, 8 * budget))
    return carry


def _say(bar: Bar, compiling: bool) -> None:
    """Says whether what a bar shows stands still because programs compile, where a line is drawn over the last.

    Before anything was trained it says so all the time, in a log too.
    """
    if sys.stderr.isatty() and bar.desc.endswith(_COMPILING) != compiling and " training" in bar.desc:
        bar.set_description_str(bar.desc.removesuffix(_COMPILING) + _COMPILING * compiling)


_COMPILING = ", compiling"


def _epochs_done(carry: Carry, assembly: Assembly) -> int:
    return int(carry.iteration) * assembly.epochs + int(carry.epoch)


def _log(assembly: Assembly, group: Group, carry: Carry, logged: int, bar: Bar, board) -> int:
    """Shows the epochs since ``logged``, and writes their finite figures to TensorBoard's ``board``, if there is one.

    So it does with the records of iterations that ended. Returns the number of epochs now done.
    """
    done, names = _epochs_done(carry, assembly), assembly.names[group.start : group.stop]
    history = {name: rows[: len(names)] for name, rows in hosts.whole(carry.history).items()}
    for flat in range(logged, done):
        iteration, epoch = divmod(flat, assembly.epochs)
        rows = {name: values[:, iteration, epoch] for name, values in history.items()}
        if np.isnan(rows.get("train/loss", np.zeros(1))).all():
            continue  # every member had stopped before this epoch
        shown = [name for name in ("train/loss", "valid/accuracy") if name in rows]
        bar.set_postfix_str(", ".join(f"{name} {np.nanmean(rows[name]):.3f}" for name in shown), refresh=False)
        if board is not None:
            board.epoch(rows, names, flat)
    ended = range(logged // assembly.epochs, int(carry.iteration))
    if ended and (board is not None or not hosts.alone()):  # all processes fetch what the first writes
        shown = {name: rows for name, rows in carry.records.items() if is_shown(name)}
        shown, failed_at = hosts.whole((shown, carry.failed_at))
        live = np.flatnonzero(failed_at[: len(names)] < 0)
        for iteration in ended if board is not None else ():
            records = {name: rows[live, iteration] for name, rows in shown.items()}
            classes, step = assembly.about.get("classes") or (), (iteration + 1) * assembly.epochs - 1
            board.iteration(records, [names[row] for row in live], step, classes=classes)
    training = int(hosts.whole(active_members(carry))[: len(names)].sum())
    bar.set_description_str(
        f"iteration {min(int(carry.iteration) + 1, assembly.iterations)}/{assembly.iterations},"
        f" {training} of {group.stop - group.start} members training",
        refresh=False,
    )
    bar.update(done - logged)
    return done


def member_entries(assembly: Assembly, carry: Carry, start: int, stop: int) -> list[dict[str, Any]]:
    """Entries of members ``start:stop`` in ``results.json``: names, failures, what the experiment makes of arrays."""
    figures, kept, failures = hosts.whole((carry.history, carry.records, carry.failed_at))
    entries = []
    for row, name in enumerate(assembly.names[start:stop]):
        history = []
        for iteration, epoch in np.ndindex(assembly.iterations, assembly.epochs):
            values = {figure: float(rows[row, iteration, epoch]) for figure, rows in figures.items()}
            if not np.isnan(list(values.values())).all():
                history.append({"iteration": iteration + 1, "epoch": epoch + 1} | values)
        iterations = range(assembly.iterations)
        records = [{field: np.asarray(rows[row, i]) for field, rows in kept.items()} for i in iterations]
        entries.append(name | {"failed": _failure(int(failures[row]))} | assembly.summarise(history, records))
    return entries


def _failure(step: int) -> dict[str, Any] | None:
    """What ``results.json`` says of a member that failed at an update; None for -1."""
    if step < 0:
        return None
    return {
        "step": step,
        "reason": f"a loss or output was not finite at update {step}; the other members went on. "
        "Lower learning_rate or look at the inputs of this fold.",
    }


def evaluate(assembly: Assembly, settings: RunSettings, workdir: Path, *, seed: int = 0) -> list[dict[str, Any]]:
    """Evaluates every member's latest checkpoint on the whole data, as at an iteration's end.

    Returns one entry per member: its name and ``metrics``, those of the iteration that the checkpoint is in.
    """
    entries = []
    conclude = jax.jit(
        over_members(assembly.experiment.conclude, how=settings.ensemble, member_args=(True, True, False))
    )
    for group, metrics in _evaluated(assembly, settings, workdir, seed):
        _, records = conclude(group.carry.state, metrics, group.data)
        records = hosts.whole(records)
        for row, name in enumerate(assembly.names[group.start : group.stop]):
            record = {field: np.asarray(values[row]) for field, values in records.items()}
            figures = assembly.summarise([], [record])["metrics"]
            figures = {figure: value for figure, value in figures.items() if not figure.startswith("iteration_")}
            entries.append(name | {"metrics": figures})
    return entries


def posteriors(assembly: Assembly, settings: RunSettings, workdir: Path, *, seed: int = 0) -> np.ndarray | None:
    """What every member's latest checkpoint answers for the whole data: f32[M, N, C].

    It is the evaluation's metric "posterior", a `sejax.core.metrics.Scatter` of N examples; None where it has none.
    """
    found = []
    for _, metrics in _evaluated(assembly, settings, workdir, seed):
        if "posterior" not in metrics:
            return None
        found.append(hosts.whole(jax.vmap(lambda scattered: scattered.compute())(metrics["posterior"])))
    return np.concatenate(found)


def _evaluated(assembly: Assembly, settings: RunSettings, workdir: Path, seed: int) -> Iterator[tuple[Group, PyTree]]:
    """Every group of members at its latest checkpoint, and its metrics on the whole data."""
    segments: dict[int, Segment] = {}
    for start, stop in groups(len(assembly.names), settings.members_at_once):
        group = open_group(assembly, settings, workdir, start, stop, seed=seed, segments=segments)
        if group.checkpoints.latest() is None:
            raise InputError(f"{workdir} has no checkpoint of members {start} to {stop - 1}; train them first")
        yield group, group.segment.evaluate(group.data, group.carry)
        group.checkpoints.close()


def trained_states(
    folder: Path, at_once: int, rows: Sequence[int], count: int, subtrees: tuple[str, ...]
) -> dict[str, PyTree]:
    """The subtrees of the states of members ``rows``, in that order, stacked, from their checkpoints.

    Args:
      folder: where the run (or variant, or stage) was trained.
      at_once: members of a group, as the run was driven (0: all).
      rows: members, repeated where a member is wanted more than once.
      count: members of the run.
      subtrees: fields of the state, or parts of one, such as "generators/target".
    """
    found: dict[int, dict[str, np.ndarray]] = {}
    for start, stop in groups(count, at_once):
        inside = {row for row in rows if start <= row < stop}
        if inside:
            checkpoints = Checkpoints(folder_of_members(folder, start, stop))
            arrays = checkpoints.read()
            checkpoints.close()
            kept = {k: v for k, v in arrays.items() if f"{k}/".startswith(tuple(f"state/{name}/" for name in subtrees))}
            found |= {row: {name: array[row - start] for name, array in kept.items()} for row in inside}
    stacked = {name.removeprefix("state/"): np.stack([found[row][name] for row in rows]) for name in found[rows[0]]}
    return dict.fromkeys(subtrees, {}) | unflatten_dict(stacked, sep="/")


# The section ``run`` of a config: how the engine drives it, and none of what is learned.
RUN = {
    # "auto": scan, but loop for convolutions on a CPU (their gradients are slow inside XLA loops).
    "run.backend": Field("auto", choices=("auto", "scan", "loop")),
    "run.convolutions": Field(False),  # whether any are trained
    "run.ensemble": Field("vmap", choices=("vmap", "map")),
    "run.members_at_once": Field(0, least=0),  # 0: all
    # "resident" on the device, or "tfdata": read as it is needed; auto: resident, but what convolutions train on in the
    # loop backend is read
    "run.input": Field("auto", choices=("auto", "resident", "tfdata")),
    "run.save_seconds": Field(20.0, least=0),  # about how long a segment takes; a kill loses no more than that
    "run.keep": Field(2, least=1),  # the latest, and the one before it, should the latest be damaged
    "run.tensorboard": Field(True),
    "run.compilation_cache": Field("~/.cache/sejax/xla", empty=True),  # "": none
}
# Where convolutions are trained members train one after the other: vmapped, their convolutions become grouped ones,
# which are slow.
CONVOLUTIONS = {"convolutions": True, "ensemble": "map", "members_at_once": 1}


def run_settings(config) -> RunSettings:
    """The driver's settings of a config; ``backend="auto"`` is decided by platform and network.

    Convolution gradients inside XLA loops run many times slower on a CPU, so a config whose ``run.convolutions``
    says that it trains some uses the loop backend there; so does one whose ``run.input`` is read as it is needed. It is
    scan everywhere else.
    """
    settings = RunSettings(**{name: getattr(config.run, name) for name in RunSettings._fields})
    if settings.backend != "auto":
        return settings
    looped = config.run.convolutions and jax.default_backend() == "cpu"
    return settings._replace(backend="loop" if looped or config.run.input == "tfdata" else "scan")


def streamed(config) -> bool:
    """Whether what is trained on (spectrograms, features of a frozen trunk) is read as it is needed.

    ``run.input="auto"`` streams so where the loop backend trains convolutions.
    """
    if config.run.input != "auto":
        return config.run.input == "tfdata"
    return config.run.convolutions and run_settings(config).backend == "loop"


def use_compilation_cache(folder: str) -> None:
    """Keeps compiled programs on disk, so that a resumed run trains within seconds. "" turns it off."""
    if not folder:
        return
    jax.config.update("jax_compilation_cache_dir", str(Path(folder).expanduser()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
