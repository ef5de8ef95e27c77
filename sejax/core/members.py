"""How the members of a run are told apart: by what was trained, and by which repetition of it they are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

REPEATS = ("fold", "seed")  # members that differ in these alone are repetitions of one variant, or of one trial
OUTCOMES = ("failed", "epochs", "best_epoch", "utterances")  # what became of a member, which names nothing


def name_of(member: Mapping[str, Any]) -> dict[str, Any]:
    """The variant that a member belongs to: its fields that hold text or a number, but for REPEATS and OUTCOMES."""
    named = {field: value for field, value in member.items() if field not in (*REPEATS, *OUTCOMES)}
    return {field: value for field, value in named.items() if isinstance(value, str | int | float | np.generic)}
