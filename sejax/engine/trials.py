"""The trials of a sweep: which values each tries, and which of them train together as members of one run."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from sejax.engine.space import Interval, Space
from sejax.errors import InputError

SEARCHES = ("random", "grid")
REPEATS = 100  # equal draws one after the other, before what is left of a finite space is listed

Values = dict[str, Any]


def trial_values(space: Space, search: str, *, seed: int, count: int | None) -> list[Values]:
    """The values of the first ``count`` trials (None: of all that there are), fewer where the space has no more.

    Trial i's are a function of the space, the seed and i: more trials leave the first ones as they are. No two
    trials are equal.

    Raises:
      InputError: another search, a grid over real numbers, or all of an infinite space.
    """
    if search not in SEARCHES:
        raise InputError(f"search={search!r}; choose one of {', '.join(SEARCHES)}")
    if not space.finite and (search == "grid" or count is None):
        name = next(name for name, domain in space.domains.items() if isinstance(domain, Interval))
        raise InputError(
            f"space: {name}={space.texts[name]} has no end of values; give choices such as {name}=A|B, "
            "or --search=random with a number of --trials"
        )
    found = space.all() if search == "grid" else drawn(space, seed)
    return [{name: values[name] for name in space.domains} for values in islice(found, count)]


def drawn(space: Space, seed: int) -> Iterator[Values]:
    """Distinct values at random, until the space has no more."""
    seen: set[tuple] = set()
    place = repeats = 0
    while repeats < REPEATS:
        values = draw(space, seed, place)
        key = tuple(values.values())
        repeats = repeats + 1 if key in seen else 0
        place += 1
        if not repeats:
            seen.add(key)
            yield values
    if space.finite:
        rest = [values for values in space.all() if tuple(values.values()) not in seen]
        yield from sorted(rest, key=lambda values: uniform(seed, place, str(values)))


def draw(space: Space, seed: int, place: int) -> Values:
    """The values at a place of the sequence of draws; a field's do not depend on what else is swept."""
    values: Values = {}
    for name in space.order:
        domain, number = space.domains[name], uniform(seed, place, name)
        if isinstance(domain, Interval):
            values[name] = domain.value(number)
        else:
            possible = domain.at(space.given | values)
            values[name] = possible[int(number * len(possible))]
    return values


def uniform(seed: int, place: int, name: str) -> float:
    """A number in [0, 1) with 53 bits: the start of a SHA-256, equal in every process and every version."""
    digest = hashlib.sha256(f"{seed}/{place}/{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


class Run(NamedTuple):
    """What trains at once: one trial, or several as members.

    Attributes:
      name: of its folder.
      trials: their numbers.
      values: what its config holds; lists of the trials' values for the field that the members differ in.
    """

    name: str
    trials: tuple[int, ...]
    values: Values


def plan(trials: Sequence[Values], asked: Sequence[int], member_fields: Mapping[str, str]) -> list[Run]:
    """The runs of a sweep, in the order of their first trials.

    Trials that differ in nothing but the first swept field of ``member_fields`` (``{"learning_rate": "rates"}``) are
    members of one run. Trials that were asked for later do not join the runs of earlier ones.

    Args:
      trials: every trial's values.
      asked: how many trials there were each time that more were asked for; the last is all of them.
      member_fields: swept names that stand for one entry of a list field.
    """
    shared = next((name for name in (trials[0] if trials else ()) if name in member_fields), None)
    groups: dict[tuple, list[int]] = {}
    for number, values in enumerate(trials):
        time = sum(number >= count for count in asked)
        rest = tuple(value for name, value in values.items() if name != shared) if shared else number
        groups.setdefault((time, rest), []).append(number)
    return [run_of(trials, numbers, shared, member_fields) for numbers in groups.values()]


def run_of(
    trials: Sequence[Values], numbers: Sequence[int], shared: str | None, member_fields: Mapping[str, str]
) -> Run:
    """The run of these trials, which differ in no field but ``shared``."""
    name = f"{numbers[0]:04}" + (f"_and_{len(numbers) - 1}_more" if len(numbers) > 1 else "")
    values = {}
    for field, value in trials[numbers[0]].items():
        if field == shared:
            values[member_fields[field]] = tuple(trials[number][field] for number in numbers)
        else:
            values[member_fields.get(field, field)] = (value,) if field in member_fields else value
    return Run(name, tuple(numbers), values)


def config_with(config, values: Mapping[str, Any]) -> ConfigDict:
    """A copy of a config that holds other values in some fields, whose names may have dots."""
    copy = ConfigDict(config.to_dict())
    for name, value in values.items():
        *sections, last = name.split(".")
        place = copy
        for section in sections:
            place = place[section]
        place[last] = value
    return copy
