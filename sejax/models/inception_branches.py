"""The layers of Inception v3 as a table, under torchvision's names."""

from typing import NamedTuple


class Unit(NamedTuple):
    """A convolution with BatchNorm and ReLU: its name, filters, kernel (height, width), stride and padding."""

    name: str
    filters: int
    side: tuple
    stride: int = 1
    padding: tuple = (0, 0)


class Fork(NamedTuple):
    """Two units that see the same input, at the end of a branch; both add their channels to the block's output."""

    first: Unit
    second: Unit


STEM = (
    Unit("Conv2d_1a_3x3", 32, (3, 3), stride=2),
    Unit("Conv2d_2a_3x3", 32, (3, 3)),
    Unit("Conv2d_2b_3x3", 64, (3, 3), padding=(1, 1)),
    "pool1",
    Unit("Conv2d_3b_1x1", 80, (1, 1)),
    Unit("Conv2d_4a_3x3", 192, (3, 3)),
    "pool2",
)


def _same(name, filters, height, width):
    """A unit that keeps the size of the map."""
    return Unit(name, filters, (height, width), padding=(height // 2, width // 2))


def _halving(name, filters):
    """A 3x3 unit with stride 2 that stays inside the map."""
    return Unit(name, filters, (3, 3), stride=2)


def _a(pooled):
    """Paper, figure 5."""
    return (
        (_same("branch1x1", 64, 1, 1),),
        (_same("branch5x5_1", 48, 1, 1), _same("branch5x5_2", 64, 5, 5)),
        (
            _same("branch3x3dbl_1", 64, 1, 1),
            _same("branch3x3dbl_2", 96, 3, 3),
            _same("branch3x3dbl_3", 96, 3, 3),
        ),
        ("average", _same("branch_pool", pooled, 1, 1)),
    )


def _c(width):
    """Paper, figure 6, with n = 7."""
    return (
        (_same("branch1x1", 192, 1, 1),),
        (
            _same("branch7x7_1", width, 1, 1),
            _same("branch7x7_2", width, 1, 7),
            _same("branch7x7_3", 192, 7, 1),
        ),
        (
            _same("branch7x7dbl_1", width, 1, 1),
            _same("branch7x7dbl_2", width, 7, 1),
            _same("branch7x7dbl_3", width, 1, 7),
            _same("branch7x7dbl_4", width, 7, 1),
            _same("branch7x7dbl_5", 192, 1, 7),
        ),
        ("average", _same("branch_pool", 192, 1, 1)),
    )


# Paper, figure 7.
_E = (
    (_same("branch1x1", 320, 1, 1),),
    (
        _same("branch3x3_1", 384, 1, 1),
        Fork(_same("branch3x3_2a", 384, 1, 3), _same("branch3x3_2b", 384, 3, 1)),
    ),
    (
        _same("branch3x3dbl_1", 448, 1, 1),
        _same("branch3x3dbl_2", 384, 3, 3),
        Fork(_same("branch3x3dbl_3a", 384, 1, 3), _same("branch3x3dbl_3b", 384, 3, 1)),
    ),
    ("average", _same("branch_pool", 192, 1, 1)),
)

MIXED = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": (
        (_halving("branch3x3", 384),),
        (
            _same("branch3x3dbl_1", 64, 1, 1),
            _same("branch3x3dbl_2", 96, 3, 3),
            _halving("branch3x3dbl_3", 96),
        ),
        ("maximum",),
    ),
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": (
        (_same("branch3x3_1", 192, 1, 1), _halving("branch3x3_2", 320)),
        (
            _same("branch7x7x3_1", 192, 1, 1),
            _same("branch7x7x3_2", 192, 1, 7),
            _same("branch7x7x3_3", 192, 7, 1),
            _halving("branch7x7x3_4", 192),
        ),
        ("maximum",),
    ),
    "Mixed_7b": _E,
    "Mixed_7c": _E,
}
