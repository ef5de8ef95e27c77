"""One parameter of an original file: what it is called there and here, and how its axes become ours."""

from typing import NamedTuple

import numpy as np


class Parameter(NamedTuple):
    """One parameter or running statistic of a source file: its names, its shape there, and how it becomes ours.

    axes: a permutation of the source's axes (of the array reshaped to `view`, where that is given); after it
    the array is reshaped to `shape`, ours. Names are flat, as in "params/fire2/squeeze1x1/kernel".
    """

    name: str
    shape: tuple
    source_name: str
    source_shape: tuple
    axes: tuple
    view: tuple | None = None

    def to_ours(self, array):
        """The source's array, of shape `source_shape`, in our layout: contiguous float32 of shape `shape`."""
        array = np.asarray(array, dtype=np.float32).reshape(self.view or self.source_shape)
        return np.ascontiguousarray(array.transpose(self.axes)).reshape(self.shape)
