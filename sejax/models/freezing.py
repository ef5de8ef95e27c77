"""Which layers a training leaves as they are: glob patterns over layer paths, matched in one place."""

from fnmatch import fnmatchcase

import jax

from sejax.errors import InputError


def below(patterns, name):
    """The patterns that hold inside the layer `name`, relative to it: tuple of str; ("*",) where all of it is frozen.

    A pattern is compared part by part, parts separated by "/" as in "layer1_*/bn?"; one that ends at a layer
    freezes everything in that layer. So "*" freezes a whole network, and "*/bn?" its blocks' normalisations.
    """
    inside = []
    for pattern in patterns:
        first, _, rest = pattern.partition("/")
        if fnmatchcase(name, first):
            inside.append(rest or "*")
    return ("*",) if "*" in inside else tuple(inside)


def is_frozen(path, patterns):
    """Whether a pattern matches the layer or parameter at `path` ("layer1_0/bn1/scale") or a layer above it."""
    for name in path.split("/"):
        patterns = below(patterns, name)
        if "*" in patterns:
            return True
    return False


def trainable(params, patterns):
    """A tree like `params` with False at every parameter that `patterns` freeze and True elsewhere.

    For optax: `optax.masked(optimiser, mask)` beside `optax.masked(optax.set_to_zero(), frozen mask)`, or
    `optax.multi_transform`. Raises InputError for a pattern that matches no layer of `params`.
    """
    check(params, patterns)
    return jax.tree_util.tree_map_with_path(lambda path, _: not is_frozen(_joined(path), patterns), params)


def check(params, patterns):
    """Raise InputError unless `patterns` is a tuple or list of which each matches a layer in the tree `params`."""
    if isinstance(patterns, str):
        raise InputError(f"models: frozen={patterns!r} is one text; give a tuple of patterns: ({patterns!r},)")
    paths = [_joined(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for pattern in patterns:
        if not any(is_frozen(path, (pattern,)) for path in paths):
            layers = dict.fromkeys(path.split("/")[0] for path in paths)
            raise InputError(f"models: frozen pattern {pattern!r} matches no layer; there are {', '.join(layers)}")


def _joined(path):
    return "/".join(str(entry.key) for entry in path)
