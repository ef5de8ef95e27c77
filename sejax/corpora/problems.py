"""Everything that is wrong with a corpus, gathered first and told in one error."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from sejax.errors import InputError

SHOWN = 100  # an error that lists thousands of rows helps nobody


@dataclass(frozen=True)
class Problem:
    """One unusable input: where (file, row), what was found there, and how to mend it."""

    where: str
    what: str
    remedy: str

    def __str__(self):
        return f"{self.where}: {self.what}; {self.remedy}"


class BadRecording(InputError):
    """An audio file that cannot be used; `what` and `remedy` are the two halves of its message."""

    def __init__(self, where: str, what: str, remedy: str):
        super().__init__(f"{where}: {what}; {remedy}")
        self.problem = Problem(str(where), what, remedy)


class Problems:
    """A growing list of problems in one corpus."""

    def __init__(self, corpus: str):
        self.corpus = corpus
        self.found: list[Problem] = []

    def add(self, where: str, what: str, remedy: str) -> None:
        """Note one problem and go on."""
        self.found.append(Problem(str(where), what, remedy))

    def settle(self, *, allow_partial: bool) -> tuple[Problem, ...]:
        """Return the problems when the user accepts a partial corpus, else raise one InputError that lists them."""
        if self.found and not allow_partial:
            raise InputError(describe(self.corpus, self.found))
        return tuple(self.found)


def describe(corpus: str, problems: list[Problem]) -> str:
    """One line that names every problem (the first hundred of them), its remedy, and the way round it."""
    them = "it" if len(problems) == 1 else "them"
    return f"corpora/{corpus}: {listed(problems)} (or pass --allow_partial to leave {them} out)"


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
    rows.writerow(["where", "what", "remedy"])
    rows.writerows([problem.where, problem.what, problem.remedy] for problem in problems)
    return text.getvalue()
