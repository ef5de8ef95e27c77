"""Everything that is wrong with a corpus, gathered first and told in one error, and what is passed over on purpose."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sejax.core.files import printable
from sejax.errors import InputError

SHOWN = 100  # an error that lists thousands of rows helps nobody


class Problem(NamedTuple):
    """One unusable input: where (file, row), what was found there, and how to mend it."""

    where: str
    what: str
    remedy: str

    def __str__(self):
        return f"{self.where}: {self.what}; {self.remedy}"


class BadRecording(InputError):
    """An audio file that cannot be used; `problem` is what a corpus says about it."""

    def __init__(self, where: str | Path, what: str, remedy: str):
        self.problem = Problem(printable(where), printable(what), remedy)
        super().__init__(str(self.problem))


class Problems:
    """What comes up while one corpus is looked through: problems, and notes on what is passed over on purpose."""

    def __init__(self, corpus: str):
        self.corpus = corpus
        self.found: list[Problem] = []
        self._notes: dict[str, int | None] = {}

    def add(self, where: str | Path, what: str, remedy: str) -> None:
        """Note one problem and go on."""
        self.found.append(Problem(printable(where), printable(what), remedy))

    def add_names(self, where: str | Path, what: str, names: Sequence[str], remedy: str) -> None:
        """Note in one problem what holds for all of `names` (missing a, b and 3 more), if there are any."""
        if names:
            self.add(where, f"{what} {shortened(names)}", remedy)

    @contextlib.contextmanager
    def at(self, where: str | Path, remedy: str) -> Iterator[None]:
        """Note the ValueError that the body raises, which says what was found at `where`."""
        try:
            yield
        except ValueError as error:
            self.add(where, str(error), remedy)

    def note(self, text: str, count: int | None = None) -> None:
        """Say what is passed over on purpose; counts of the same text are added up, and told unless they are 0."""
        text = printable(text)
        self._notes[text] = None if count is None else (self._notes.get(text) or 0) + count

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes in the order in which they came up, each behind its count."""
        return tuple(text if count is None else f"{count} {text}" for text, count in self._notes.items() if count != 0)

    def settle(self, *, allow_partial: bool, left: int) -> tuple[Problem, ...]:
        """Return the problems when the user accepts a partial corpus, else raise one InputError that lists them.

        left: how many recordings can be used; where none can, there is no part to accept.
        """
        if self.found and not left:
            raise InputError(f"corpora/{self.corpus}: no recording can be used: {listed(self.found)}")
        if self.found and not allow_partial:
            raise InputError(
                f"corpora/{self.corpus}: {listed(self.found)} (or pass --allow_partial to go on with what can be used)"
            )
        return tuple(self.found)


def listed(problems: list[Problem]) -> str:
    """One line that names every problem (the first hundred of them) and its remedy."""
    if len(problems) == 1:
        return str(problems[0])
    shown = " | ".join(str(problem) for problem in problems[:SHOWN])
    more = f" | and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return f"{len(problems)} inputs cannot be used: {shown}{more}"


def shortened(names: Sequence[str], shown: int = 10) -> str:
    """The first names of a list that may be long, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def as_csv(problems: tuple[Problem, ...]) -> str:
    """The text of left_out.csv: one row per problem with the columns where, what, remedy."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(Problem._fields)
    rows.writerows(problems)
    return text.getvalue()
