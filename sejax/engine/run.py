"""The driver: restore, segments, save, log. One loop for every experiment."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax.traverse_util import unflatten_dict
from tqdm import tqdm

from sejax.core.experiment import Assembly, PyTree
from sejax.core.rng import member_key, root_key
from sejax.engine import placement
from sejax.engine.checkpoint import Checkpoints, folder_of_members
from sejax.engine.ensemble import over_members, take_members
from sejax.engine.events import TensorBoard, progress_bar
from sejax.engine.segment import Carry, Segment, active_members, finished, make_segment
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
    keep: int = 1
    tensorboard: bool = True


class Interrupted(Exception):
    """SIGTERM or SIGINT arrived; everything done so far is saved."""


class Group(NamedTuple):
    """Members ``start:stop``, which train together: their compiled pieces, data and checkpoints."""

    start: int
    stop: int
    segment: Segment
    data: PyTree
    carry: Carry
    checkpoints: Checkpoints


def run(assembly: Assembly, settings: RunSettings, workdir: Path, *, seed: int = 0) -> list[dict[str, Any]]:
    """Trains every member to the end, or goes on where an earlier run in this workdir was cut off.

    Args:
      assembly: experiment, sources, members.
      settings: how to drive it.
      workdir: checkpoints and events go there.
      seed: root of every random stream; member i uses ``fold_in(root, i)`` however members are grouped, or
        ``fold_in(root, streams[i])`` where the assembly has streams.

    Returns:
      One entry of ``results.json`` per member: name, failure if any, metrics, history, iterations.

    Raises:
      Interrupted: after a SIGTERM or SIGINT, once the state is saved.
    """
    entries, segments = [], {}
    board = TensorBoard(workdir) if settings.tensorboard else None
    try:
        with _Signals() as signals:
            for start, stop in groups(len(assembly.names), settings.members_at_once):
                group = open_group(assembly, settings, workdir, start, stop, seed=seed, segments=segments)
                carry = _train(assembly, settings, group, signals, board)
                entries += [member_entry(assembly, carry, i, start + i) for i in range(stop - start)]
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
) -> Group:
    """A group with its latest checkpoint, or at its first state when there is none.

    ``segments`` holds those of earlier groups by their number of members, which need not be traced and compiled again;
    this group's is added where it is new.
    """
    place = placement.place(stop - start, assembly.batch_size)
    data = place.shared(assembly.data)
    members = place.members(take_members(assembly.members, start, stop))
    streams = np.arange(stop) if assembly.streams is None else np.asarray(assembly.streams)
    keys = jax.vmap(lambda i: member_key(root_key(seed), i))(streams[start:stop].astype(np.int32))
    segments = {} if segments is None else segments
    if stop - start not in segments:
        segments[stop - start] = make_segment(
            assembly, backend=settings.backend, how=settings.ensemble, constrain=place.constrain
        )
    segment = segments[stop - start]
    checkpoints = Checkpoints(folder_of_members(workdir, start, stop), keep=settings.keep)
    if checkpoints.latest() is None:
        carry = segment.start(keys, members, data)
    else:
        carry, _ = checkpoints.restore(jax.eval_shape(segment.start, keys, members, data))
    return Group(start, stop, segment, data, place.members(carry), checkpoints)


def _train(
    assembly: Assembly, settings: RunSettings, group: Group, signals: "_Signals", board: TensorBoard | None
) -> Carry:
    carry, checkpoints = group.carry, group.checkpoints
    budget, logged = 1, _epochs_done(carry, assembly)
    title = ", ".join(f"{k} {v}" for k, v in assembly.names[group.start].items())
    if group.stop - group.start > 1:
        title = f"{group.stop - group.start} members"
    with progress_bar(title, assembly.iterations * assembly.epochs, "epochs", done=logged) as bar:
        while not finished(carry, assembly.iterations):
            began = time.monotonic()
            carry = jax.block_until_ready(group.segment.advance(group.data, carry, budget))
            seconds = time.monotonic() - began
            logged = _log(assembly, group, carry, logged, bar, board)
            # The loop may be left only after this: what a segment did is in a checkpoint before anything can end it.
            checkpoints.save(_counter(carry), carry, {"members": [group.start, group.stop]})
            if signals.received:
                checkpoints.close()
                raise Interrupted(f"{signals.received} received")
            # Segments grow until they take about save_seconds; how a run is cut changes no result.
            budget = int(np.clip(budget * settings.save_seconds / max(seconds, 1e-3), 1, 8 * budget))
    checkpoints.close()
    return carry


def _counter(carry: Carry) -> int:
    """A number that grows with every segment: all members' updates, and iterations closed."""
    return int(jax.device_get(carry.state.step).sum()) + int(carry.iteration)


def _epochs_done(carry: Carry, assembly: Assembly) -> int:
    return int(carry.iteration) * assembly.epochs + int(carry.epoch)


def _log(assembly: Assembly, group: Group, carry: Carry, logged: int, bar: tqdm, board: TensorBoard | None) -> int:
    """Shows and writes the epochs since ``logged``; returns the number of epochs now done."""
    done = _epochs_done(carry, assembly)
    history = {name: np.asarray(rows) for name, rows in carry.history.items()}
    for flat in range(logged, done):
        iteration, epoch = divmod(flat, assembly.epochs)
        rows = {name: values[:, iteration, epoch] for name, values in history.items()}
        if np.isnan(rows.get("train/loss", np.zeros(1))).all():
            continue  # every member had stopped before this epoch
        shown = [name for name in ("train/loss", "valid/accuracy") if name in rows]
        bar.set_postfix_str(", ".join(f"{name} {np.nanmean(rows[name]):.3f}" for name in shown), refresh=False)
        if board is not None:
            board.write(
                {
                    f"{name}/" + "_".join(f"{k}{v}" for k, v in assembly.names[group.start + i].items()): value
                    for name, values in rows.items()
                    for i, value in enumerate(values)
                },
                flat,
            )
    training = int(active_members(carry).sum())
    bar.set_description_str(
        f"iteration {min(int(carry.iteration) + 1, assembly.iterations)}/{assembly.iterations},"
        f" {training} of {group.stop - group.start} members training",
        refresh=False,
    )
    bar.update(done - logged)
    return done


def member_entry(assembly: Assembly, carry: Carry, row: int, index: int) -> dict[str, Any]:
    """Entry of one member in ``results.json``: its name, failure, and what the experiment makes of its arrays."""
    history = [
        {"iteration": iteration + 1, "epoch": epoch + 1}
        | {name: float(values[row, iteration, epoch]) for name, values in jax.device_get(carry.history).items()}
        for iteration in range(assembly.iterations)
        for epoch in range(assembly.epochs)
    ]
    history = [entry for entry in history if not all(v != v for k, v in entry.items() if "/" in k)]
    records = [
        {name: np.asarray(values[row, i]) for name, values in jax.device_get(carry.records).items()}
        for i in range(assembly.iterations)
    ]
    failed_at = int(carry.failed_at[row])
    failed = None
    if failed_at >= 0:
        failed = {
            "step": failed_at,
            "reason": f"a loss or output was not finite at update {failed_at}; the other members went on. "
            "Lower learning_rate or look at the inputs of this fold.",
        }
    return assembly.names[index] | {"failed": failed} | assembly.summarise(history, records)


def evaluate(assembly: Assembly, settings: RunSettings, workdir: Path, *, seed: int = 0) -> list[dict[str, Any]]:
    """Evaluates every member's latest checkpoint on the whole data, as at an iteration's end.

    Returns one entry per member: its name and ``metrics``, those of the iteration that the checkpoint is in.
    """
    entries, segments = [], {}
    conclude = jax.jit(
        over_members(assembly.experiment.conclude, how=settings.ensemble, member_args=(True, True, False))
    )
    for start, stop in groups(len(assembly.names), settings.members_at_once):
        group = open_group(assembly, settings, workdir, start, stop, seed=seed, segments=segments)
        if group.checkpoints.latest() is None:
            raise InputError(f"{workdir} has no checkpoint of members {start} to {stop - 1}; train them first")
        _, records = conclude(group.carry.state, group.segment.evaluate(group.data, group.carry), group.data)
        for row in range(stop - start):
            record = {name: np.asarray(values[row]) for name, values in records.items()}
            figures = assembly.summarise([], [record])["metrics"]
            figures = {name: value for name, value in figures.items() if not name.startswith("iteration_")}
            entries.append(assembly.names[start + row] | {"metrics": figures})
        group.checkpoints.close()
    return entries


class _Signals:
    """Remembers SIGTERM and SIGINT instead of dying, so that the segment at hand can be saved."""

    def __enter__(self) -> "_Signals":
        self.received: str | None = None
        self.previous = {}
        for kind in (signal.SIGTERM, signal.SIGINT):
            try:
                self.previous[kind] = signal.signal(kind, self._note)
            except ValueError:  # not the main thread: whoever runs us there handles signals
                break
        return self

    def _note(self, number, frame) -> None:
        del frame
        self.received = signal.Signals(number).name

    def __exit__(self, *exc) -> None:
        for kind, handler in self.previous.items():
            signal.signal(kind, handler)


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
