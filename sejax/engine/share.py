"""Which part of each streamed batch a process reads, where several train as one: what its devices need, and no more."""

from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from sejax.core.experiment import Batch, Plan
from sejax.engine.hosts import put


class Share:
    """The members and rows of batches [M, B, ...] that the devices of this process hold.

    Members lie where the mesh has them. Rows are cut where the data axis divides those of every array of a plan; where
    it does not, each process reads all rows of its members.

    Args:
      mesh: with the axes "member" and "data", over all processes.
      members: M, copies that fill the member axis included.
    """

    def __init__(self, mesh: Mesh, members: int):
        self._mesh, self._count, self._parts = mesh, members, mesh.shape["data"]
        placed = NamedSharding(mesh, P("member", "data")).addressable_devices_indices_map((members, self._parts))
        self._members, self._own = (
            np.unique([np.arange(size)[place[axis]] for place in placed.values()])
            for axis, size in enumerate((members, self._parts))
        )

    def read(self, stream: Callable[[Iterator[Plan]], Iterator[Batch]], plans: Sequence[Plan]) -> Iterator[Batch]:
        """What a stream makes of plans of all members and rows, as arrays over the mesh; each process reads its part.

        Args:
          stream: of a `sejax.core.experiment.Source`.
          plans: numpy [M, B, ...], the same in every process, of one shape.
        """
        leaves = jax.tree.leaves(list(plans[:1]))
        cuts = all(leaf.shape[1] % self._parts == 0 for leaf in leaves if leaf.ndim > 1)

        def own(array):
            array = array[self._members]
            return array[:, self._rows(array.shape[1])] if cuts and array.ndim > 1 else array

        for batch in stream(jax.tree.map(own, plan)._replace(whole=plan) for plan in plans):
            yield jax.tree.map(lambda array: self._joined(np.asarray(array), cuts and np.ndim(array) > 1), batch)

    def read_whole(
        self, stream: Callable[[Iterator[Plan]], Iterator[Batch]], plans: Sequence[Plan]
    ) -> Iterator[Batch]:
        """The same of plans [B, ...] that members share, as arrays that every device has; each process reads all."""
        everywhere = NamedSharding(self._mesh, P())
        for batch in stream(iter(plans)):
            yield jax.tree.map(lambda array: put(np.asarray(array), everywhere), batch)

    def _rows(self, count: int) -> np.ndarray:
        """Which of ``count`` rows of a whole batch are this process's, ascending."""
        return np.arange(count).reshape(self._parts, -1)[self._own].ravel()

    def _joined(self, own: np.ndarray, cut: bool) -> jax.Array:
        """The whole array of which this is the process's part."""
        shape, places = [self._count, *own.shape[1:]], [self._members]
        if cut:
            shape[1] = shape[1] // len(self._own) * self._parts
            places.append(self._rows(shape[1]))
        sharding = NamedSharding(self._mesh, P("member", "data") if cut else P("member"))

        def part(index):  # of one device: slices of the whole array's places
            local = [
                slice(begin := int(np.searchsorted(place, at.start or 0)), begin + len(range(*at.indices(size))))
                for place, at, size in zip(places, index, shape, strict=False)
            ]
            return own[tuple(local)]

        return jax.make_array_from_callback(tuple(shape), sharding, part)
