"""Weights that show where each of them goes."""

from functools import partial

import jax
import numpy as np


def random_like(tree, random: np.random.Generator):
    """Random numbers in a tree's shapes: biases are not 0, nor scales 1, so that their places are seen."""
    draw = {"var": partial(random.uniform, 0.5, 2.0)}
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: draw.get(path[-1].key, random.standard_normal)(size=leaf.shape), tree
    )
