"""Cases of the second tier among those of the first (see optimised.py)."""

from collections.abc import Collection, Iterable

import pytest


def tiered(names: Iterable[str], *, slow: Collection[str]) -> list:
    """Parameters by name, those in ``slow`` marked so: what takes long and guards what seldom changes."""
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in slow)) for name in names]
