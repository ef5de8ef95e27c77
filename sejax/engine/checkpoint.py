"""Checkpoints that hold the whole truth of a run and come back bit for bit.

Orbax writes them in the background, into a folder that gets its final name only when it is complete;
a run killed at any moment finds its last complete checkpoint. Among its files is one with the digests of the others,
which are checked before orbax reads them.

Orbax 0.12 writes to disks, and to gs:// alone of all stores. A run whose workdir is in a store therefore has them in a
temporary folder of this machine, and puts each there when it is complete, the digests last: a checkpoint without them
is none. Of several processes the first gathers and puts it whole.
"""

import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sejax.core.experiment import DIAGNOSTIC, HISTOGRAM, PyTree
from sejax.core.files import check_digests, damaged, missing, write_digests
from sejax.core.rng import KEY_IMPLEMENTATION
from sejax.core.stores import complete_in, delete_folder, get_folder, is_local, move_folder, path_of, put_folder
from sejax.engine.hosts import alone, by_all, by_first, is_first, place, whole
from sejax.errors import InputError, typed

DIGESTS = "digests.json"
LEFT = "left out"  # of a finished run: what its training alone has read
# Of a carry: what checkpoints of earlier versions lack, and no figure is computed of.
_LOOKED_AT = tuple(f"records/{prefix}" for prefix in (DIAGNOSTIC, HISTOGRAM))
CHANGED_LATER = ("_CHECKPOINT_METADATA", "commit_success.txt")  # by orbax; times, of no influence on what is restored
REMEDY = (
    "delete the checkpoint's folder, and results.json or finished.json where the run is finished: the same command of "
    f"{typed('train')} then goes on from the checkpoint before it, or from the start"
)


# What goes wrong in orbax's threads is raised here too; that a save waits for the one before is no news to anybody.
logging.getLogger("absl").addFilter(
    lambda record: "/orbax/" not in record.pathname or (record.levelno >= logging.ERROR and not record.exc_info)
)


class Parts(NamedTuple):
    """How each of several processes reads its part of a checkpoint.

    Attributes:
      wanted: the arrays that are asked for, by path.
      sharding: where an array of a shape is to lie.
    """

    wanted: dict[str, jax.ShapeDtypeStruct]
    sharding: Callable[[jax.ShapeDtypeStruct], jax.sharding.Sharding]

    def of(self, name: str, stored: Any, members: int) -> jax.ShapeDtypeStruct:
        """What to read of a stored array: as many rows as are wanted where only copies of the last member differ."""
        found, wanted = jax.ShapeDtypeStruct(tuple(stored.shape), stored.dtype), self.wanted.get(name)
        if wanted is not None and found.ndim and wanted.ndim and members <= min(found.shape[0], wanted.shape[0]):
            found = found.update(shape=(wanted.shape[0], *found.shape[1:]))
        return found.update(sharding=self.sharding(found))

    @staticmethod
    def filled_up(array: jax.Array, stored: Any, members: int) -> jax.Array:
        """What was read, with copies of the last member where there are more rows than were stored."""
        if array.shape == tuple(stored.shape):
            return array
        place = np.minimum(np.arange(len(array)), members - 1)
        return jax.jit(lambda rows: rows[place], out_shardings=array.sharding)(array)


def folder_of_members(folder: Path, start: int, stop: int) -> Path:
    """Where the members ``start:stop`` of what is trained in ``folder`` keep their checkpoints."""
    return path_of(folder) / "checkpoints" / f"members_{start}-{stop - 1}"


class Checkpoints:
    """The checkpoints of one group of members, numbered by the updates done.

    Args:
      folder: where they lie; made when missing.
      keep: how many of the latest are kept.
    """

    def __init__(self, folder: Path, *, keep: int = 2):
        # Here, as below, and not above: prediction begins to compile before it reads a checkpoint, and importing orbax
        # takes a third as long as that.
        import orbax.checkpoint as ocp
        from orbax.checkpoint.checkpoint_managers import preservation_policy

        folder = path_of(folder)
        self._store, self._keep = None if is_local(folder) else folder, keep
        self._beside = None if self._store is None else tempfile.TemporaryDirectory()
        self.folder = Path(folder if self._beside is None else self._beside.name).resolve()
        self.where = self._store or self.folder  # for people
        alike = ocp.options.MultiprocessingOptions()
        if self._store is not None:
            index = jax.process_index()
            alike = ocp.options.MultiprocessingOptions(index, {index}, f"process-{index}")
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preservation_policy.LatestN(n=keep),
            enable_async_checkpointing=True,
            create=self._store is None,  # the temporary folder is there
            cleanup_tmp_directories=True,  # what a killed run was writing
            async_options=ocp.AsyncOptions(post_finalization_callback=self._write_digests),
            multiprocessing_options=alike,
        )
        self._saving: int | None = None
        self._with_first: set[int] = set()  # steps that the first process has saved for all
        handlers = {
            "carry": ocp.StandardCheckpointHandler(multiprocessing_options=alike),
            "about": ocp.JsonCheckpointHandler(multiprocessing_options=alike),
        }
        self.manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)

    def save(self, step: int, carry: PyTree, about: dict[str, Any]) -> None:
        """Starts writing; returns as soon as the arrays are copied. An existing step is left as it is."""
        import orbax.checkpoint as ocp

        if step in self._steps():
            return
        # Copied, since the next segment is given these buffers to write into: to the host, or, where processes hold
        # parts of them, on their devices, of which each process writes its own.
        if self._store is None or alone():
            copied = np.array if alone() else jnp.copy
            rows = {name: copied(x) for name, x in _flat(carry).items()}
        else:
            rows = whole(_flat(carry))
            self._with_first.add(step)
            if not is_first():  # orbax 0.12's signals between its threads would meet those of the first process
                return
        about = about | {"digests": DIGESTS}
        items = ocp.args.Composite(carry=ocp.args.StandardSave(rows), about=ocp.args.JsonSave(about))
        self.wait()
        self._saving = step
        with self._refusals():
            self.manager.save(step, args=items, force=True)

    def finish(self, carry: PyTree, about: dict[str, Any], *, without: frozenset[str]) -> None:
        """Saves the carry of what is finished, but for the arrays of these paths, and removes every other checkpoint.

        Only when it is there are they removed. What is left out comes back as zeros: it is what nobody reads.
        """
        step = (self.latest() or 0) + 1
        kept = {name: x for name, x in _flat(carry).items() if name not in without}
        self.save(step, kept, about | {LEFT: sorted(without)})
        self.wait()
        for other in self.manager.all_steps():
            if other != step:
                self.manager.delete(other)
        self._delete_stored(but=[step])

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the system refused tensorstore (room on the disk, say) as the OSError that it is."""
        try:
            yield
        except Exception as error:
            refused = re.search(r"os_error_code='(\d+)'", str(error))
            if not refused:
                raise
            raise OSError(int(refused[1]), os.strerror(int(refused[1])), str(self.folder)) from None

    def _write_digests(self) -> None:
        """Called in the background when all files of a checkpoint are there, before its folder gets its name."""
        if not is_first():
            return
        (folder,) = self.folder.glob(f"{self._saving}.orbax-checkpoint-tmp*")
        write_digests(folder / DIGESTS, but=CHANGED_LATER)
        if self._store is not None:
            put_folder(folder, self._store / str(self._saving), last=DIGESTS)
            self._delete_stored(but=sorted(self._stored())[-self._keep :])

    def latest(self) -> int | None:
        """The latest complete step, None when there is none."""
        return max(self._steps(), default=None)

    def _steps(self) -> set[int]:
        """All complete steps, here and in the store."""
        return {*self.manager.all_steps(), *self._stored(), *self._with_first}

    def _stored(self) -> list[int]:
        """The complete steps of the store; none where the folder is of this machine."""
        names = [] if self._store is None else complete_in(self._store, DIGESTS)
        return [int(name) for name in names if name.isdecimal()]

    def _delete_stored(self, but: list[int]) -> None:
        for step in self._stored() if is_first() else ():
            if step not in but:
                delete_folder(self._store / str(step), first=DIGESTS)

    def _fetch(self, step: int) -> None:
        """Copies a step of the store to this machine, unless it is here."""
        if step not in self.manager.all_steps():
            get_folder(self._store / str(step), self.folder / str(step))
            self.manager.reload()

    def restore(
        self,
        template: PyTree,
        step: int | None = None,
        *,
        fall_back: bool = False,
        sharding: Callable[[jax.ShapeDtypeStruct], jax.sharding.Sharding] | None = None,
    ) -> tuple[PyTree, dict[str, Any]]:
        """The carry of a step (the latest by default) in the template's structure, and what was said about it.

        Args:
          template: arrays or their shapes.
          step: which one.
          fall_back: where the latest is damaged, take the one before it, and say so.
          sharding: where an array of this shape is to lie, of which each of several processes then reads what its
            devices hold; one process reads it whole.

        Raises:
          InputError: no checkpoint, a damaged one, or one whose arrays are not the template's.
        """
        step, wanted = self._existing(step), jax.eval_shape(_flat, template)
        in_parts = not alone() and self._store is None and sharding is not None
        parts = Parts(wanted, sharding) if in_parts else None
        rows, about = self._latest_whole(parts) if fall_back else self._read(step, parts)
        if "members" in about:
            rows = {name: _filled_up(rows[name], about["members"], wanted.get(name)) for name in rows}
        left = {*about.get(LEFT, ()), *(name for name in wanted if name.startswith(_LOOKED_AT) and name not in rows)}
        unfit = list(_misfits(rows, {name: x for name, x in wanted.items() if name not in left}))
        if unfit:
            more = f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
            raise InputError(
                f"checkpoints: step {step} under {self.where} does not fit this experiment: "
                f"{'; '.join(unfit[:3])}{more}. Use the version of sejax that wrote it, or train in a new workdir"
            )
        return _unflat(rows, template), about

    def read(self, step: int | None = None) -> dict[str, np.ndarray]:
        """All arrays of a step (the latest by default) by their path, such as ``state/params/head/logits/kernel``.

        Needs no template: prediction reads the weights of a run without its data.

        Raises:
          InputError: no checkpoint, or a damaged one.
        """
        return self._read(self._existing(step))[0]

    def _latest_whole(self, parts: Parts | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The latest checkpoint that is not damaged; those after it are renamed, so that they are in nobody's way."""
        *later, first = sorted(self._steps(), reverse=True)
        passed = []
        for step in later:
            try:
                found = self._read(step, parts)
                break
            except InputError as error:
                print(f"{str(error).partition(';')[0]}; going on from the checkpoint before it", file=sys.stderr)
                passed.append(step)
        else:
            found = self._read(first, parts)
        if passed:
            if self._store is None:
                by_first(lambda: self._set_aside(passed))
            else:  # each process has copies of its own
                self._set_aside(passed)
            self.manager.reload()
        return found

    def _set_aside(self, steps: list[int]) -> None:
        for step in steps:
            aside = self.folder / f"damaged-{step}"
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(self.folder / str(step), aside)
            if self._store is not None and is_first():
                move_folder(self._store / str(step), self._store / aside.name, first=DIGESTS)

    def _checked(self, step: int) -> bool:
        """What `check_digests` says of a step, of which each process reads a share where all have the same files."""
        try:
            share = place() if self._store is None else (0, 1)
            return check_digests(self.folder / str(step) / DIGESTS, REMEDY, share=share)
        except InputError as error:
            raise InputError(str(error).replace(str(self.folder), str(self.where))) from None

    def _read(self, step: int, parts: Parts | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays of a step and what was said about it; InputError where they are not what was saved.

        Numpy, or the parts of them that this process's devices hold. Of its files each of several processes checks
        some.
        """
        import orbax.checkpoint as ocp

        self.wait()  # this very process may be writing it
        self._fetch(step)
        checked = by_all(lambda: self._checked(step))
        try:
            about = dict(self.manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))["about"])
            kept = self.manager.item_metadata(step)["carry"]
            start, stop = about.get("members", (0, 0))
            # Asked for as numpy where they are not asked for in parts: the devices on which they lay may not be here.
            shapes = (
                {name: np.broadcast_to(np.zeros((), x.dtype), x.shape) for name, x in kept.items()}
                if parts is None
                else {name: parts.of(name, x, stop - start) for name, x in kept.items()}
            )
            asked = ocp.args.StandardRestore(shapes, strict=parts is None)
            rows = dict(self.manager.restore(step, args=ocp.args.Composite(carry=asked))["carry"].items())
            if parts is None:
                rows = {name: np.asarray(array) for name, array in rows.items()}
            else:
                rows = {name: parts.filled_up(array, kept[name], stop - start) for name, array in rows.items()}
        except Exception as error:  # whatever orbax and tensorstore meet in files of an earlier version
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                raise
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            raise damaged(self.where / str(step), why, REMEDY) from None
        if about.pop("digests", None) and not checked:
            raise missing(self.where / str(step) / DIGESTS, REMEDY)
        return rows, about

    def _existing(self, step: int | None) -> int:
        step = self.latest() if step is None else step
        if step is None:
            raise InputError(f"checkpoints: none found under {self.where}; train first with {typed('train')}")
        return step

    def wait(self) -> None:
        """Returns when everything handed to `save` is on disk."""
        with self._refusals():
            self.manager.wait_until_finished()

    def close(self) -> None:
        """Waits and releases the manager's threads."""
        self.wait()
        with self._refusals():
            self.manager.close()
        if self._beside is not None:
            self._beside.cleanup()


def _is_key(x) -> bool:
    return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _flat(tree: PyTree) -> dict[str, jax.Array]:
    """Leaves by path; typed PRNG keys as their raw data, empty arrays left out (they hold nothing)."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    rows = {
        jax.tree_util.keystr(path, simple=True, separator="/"): jax.random.key_data(leaf) if _is_key(leaf) else leaf
        for path, leaf in leaves
    }
    return {name: array for name, array in rows.items() if array.size}


def _filled_up(array: np.ndarray, members: tuple[int, int], wanted: jax.ShapeDtypeStruct | None) -> np.ndarray:
    """A stacked array with as many copies of its last member as the devices here ask for, see `place`."""
    if wanted is None or not array.ndim or not wanted.ndim or len(array) == wanted.shape[0]:
        return array
    count = members[1] - members[0]
    return array[np.minimum(np.arange(wanted.shape[0]), count - 1)] if count <= wanted.shape[0] else array


def _misfits(rows: dict[str, np.ndarray], wanted: dict[str, jax.ShapeDtypeStruct]) -> Iterator[str]:
    """What differs between stored arrays and those that an experiment expects."""
    for name in sorted({*rows, *wanted}):
        stored, expected = (
            f"{tree[name].dtype}{list(tree[name].shape)}" if name in tree else "missing" for tree in (rows, wanted)
        )
        if stored != expected:
            yield f"{name} is {stored}, expected {expected}"


def _unflat(rows: dict[str, np.ndarray], template: PyTree) -> PyTree:
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)

    def leaf_of(path, leaf):
        array = rows.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        if array is None:
            return jnp.zeros(leaf.shape, leaf.dtype)
        array = array if isinstance(array, jax.Array) else jnp.array(array)
        return jax.random.wrap_key_data(array, impl=KEY_IMPLEMENTATION) if _is_key(leaf) else array

    return jax.tree_util.tree_unflatten(structure, [leaf_of(path, leaf) for path, leaf in leaves])
