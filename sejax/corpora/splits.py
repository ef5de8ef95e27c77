"""A corpus's own division into training, validation and test parts, or several such by name, as a recording holds it.

`Recording.split` is "train", "valid" or "test" where the corpus has one division; where it has several (official folds,
several test sets), each is named, as in "fold_1=test;fold_2=train". A part without a name holds in all of them. "" and
a fold that is not named: the recording belongs to no part.
"""

import re
from collections.abc import Mapping

TRAIN, VALID, TEST = PARTS = ("train", "valid", "test")
_SPELLINGS = {
    **{name: TRAIN for name in ("train", "training")},
    **{name: VALID for name in ("valid", "validation", "val", "dev", "devel", "development")},
    TEST: TEST,
}
_NUMBERED = re.compile(r"test[ _-]?(\d+)")  # MSP-Podcast has three test sets
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
WANTED = "train, valid, test, or such of each fold as in fold_1=test;fold_2=train"


def read_split(text: str) -> str:
    """What a table says of a recording, in this module's words: "Development" is "valid", "Test2" is "test2=test".

    Raises ValueError for what is no part, a name that is none, and a fold that is there twice.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(";"))):
        name, named, part = (word.strip() for word in entry.rpartition("="))
        if not named and (numbered := _NUMBERED.fullmatch(part.lower())):
            name, named, part = f"test{numbered[1]}", "=", TEST
        if part.lower() not in _SPELLINGS or (named and not _NAME.fullmatch(name)) or name in found:
            raise ValueError(entry)
        found[name] = _SPELLINGS[part.lower()]
    return joined(found)


def joined(parts: Mapping[str, str]) -> str:
    """The text of the part in each fold; the name "" stands for all of them."""
    return ";".join(f"{name}={part}" if name else part for name, part in sorted(parts.items()))


def parts_of(split: str) -> dict[str, str]:
    """The part in each fold of a recording's split, by name; "" for all folds."""
    entries = (entry.rpartition("=") for entry in split.split(";") if entry)
    return {name: part for name, _, part in entries}
