"""Parts of the states that a finished run left: what prediction, synthesis and later stages take from it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from flax.traverse_util import unflatten_dict

from sejax.core.experiment import PyTree
from sejax.engine.checkpoint import Checkpoints
from sejax.engine.run import groups


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
            checkpoints = Checkpoints(folder / "checkpoints" / f"members_{start}-{stop - 1}")
            arrays = checkpoints.read()
            checkpoints.close()
            kept = {k: v for k, v in arrays.items() if f"{k}/".startswith(tuple(f"state/{name}/" for name in subtrees))}
            found |= {row: {name: array[row - start] for name, array in kept.items()} for row in inside}
    stacked = {name.removeprefix("state/"): np.stack([found[row][name] for row in rows]) for name in found[rows[0]]}
    return dict.fromkeys(subtrees, {}) | unflatten_dict(stacked, sep="/")
