"""What a sweep may try, written in one line and checked against the config that it changes.

    SPACE  = ENTRY ["," ENTRY ...]
    ENTRY  = FIELD "=" DOMAIN           FIELD may have dots: image.level
    DOMAIN = VALUE ["|" VALUE ...]      one of these; a list's entries are joined by +
           | BOUND ".." BOUND [":" STEP]   whole numbers from the first on, the last included where a step ends on it
           | NUMBER "~" NUMBER          real numbers, uniform
           | "log:" NUMBER "~" NUMBER   real numbers, their logarithm uniform
    BOUND  = INTEGER | FIELD | FIELD "/" INTEGER | FIELD "*" INTEGER    another field's value, divided rounding down

For example ``width=64|128,side=2..width/8,filters=32..90:4,rate=log:1e-5~1e-2``.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sejax.engine.fields import converted
from sejax.errors import InputError

FIXED = ("experiment", "run")  # what a sweep may not change: the experiment, and how the engine drives it
LONGEST = 100_000  # whole numbers of a range
DIGITS = 4  # significant ones of a real number: what a command line should hold

_BOUND = re.compile(r"(?P<number>-?\d+)|(?P<field>[A-Za-z_][\w.]*?)(?:(?P<sign>[/*])(?P<by>\d+))?")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_INTERVAL = re.compile(rf"(?P<log>log:)?(?P<low>{_NUMBER})~(?P<high>{_NUMBER})")


class Bound(NamedTuple):
    """An end of a range: ``number``, or the value of ``field`` times or divided by it."""

    number: int
    field: str = ""
    divides: bool = False

    def at(self, values: Mapping[str, Any]) -> int:
        """The bound where the fields have these values."""
        if not self.field:
            return self.number
        return values[self.field] // self.number if self.divides else values[self.field] * self.number


class Choices(NamedTuple):
    """Values of any type."""

    values: tuple

    def at(self, values: Mapping[str, Any]) -> tuple:
        """The values, whatever the other fields hold."""
        del values
        return self.values


class Range(NamedTuple):
    """Whole numbers from ``low`` to ``high``, both included, ``step`` apart."""

    low: Bound
    high: Bound
    step: int

    def at(self, values: Mapping[str, Any]) -> range:
        """The numbers where the other fields have these values."""
        return range(self.low.at(values), self.high.at(values) + 1, self.step)


class Interval(NamedTuple):
    """Real numbers between ``low`` and ``high``, uniform or with a uniform logarithm."""

    low: float
    high: float
    logarithmic: bool

    def value(self, uniform: float) -> float:
        """The number at a place in [0, 1), with `DIGITS` significant digits."""
        if self.logarithmic:
            found = self.low * (self.high / self.low) ** uniform
        else:
            found = self.low + (self.high - self.low) * uniform
        return float(f"{found:.{DIGITS}g}")


Domain = Choices | Range | Interval


class Space(NamedTuple):
    """What may be tried.

    Attributes:
      domains: each swept field's, in the order in which the space names them.
      order: the same fields, those that others refer to first.
      given: values of config fields that are referred to and not swept.
      texts: each field's domain as it was written.
    """

    domains: dict[str, Domain]
    order: tuple[str, ...]
    given: dict[str, int]
    texts: dict[str, str]

    @property
    def finite(self) -> bool:
        """Whether there are no intervals of real numbers."""
        return not any(isinstance(domain, Interval) for domain in self.domains.values())

    def all(self, fields: tuple[str, ...] | None = None) -> Iterator[dict[str, Any]]:
        """Every combination of a finite space (of these fields, in the order of ``order``), the last fastest."""
        fields = self.order if fields is None else fields

        def extend(values: dict[str, Any], rest: tuple[str, ...]) -> Iterator[dict[str, Any]]:
            if not rest:
                yield values
                return
            for value in self.domains[rest[0]].at(self.given | values):
                yield from extend(values | {rest[0]: value}, rest[1:])

        yield from extend({}, fields)


def parse_space(text: str, config, member_fields: Mapping[str, str] | None = None) -> Space:
    """A space as the module's docstring writes it, for the fields of a config.

    Args:
      text: the space.
      config: whose fields are swept; their values give the types.
      member_fields: names that stand for one entry of a list field, as in ``{"learning_rate": "rates"}``.

    Raises:
      InputError: an entry that cannot be read, an unknown field or one that may not be swept, a value of another
        type, a range that is empty for some value of the field it refers to, fields that refer to each other.
    """
    domains, texts = {}, {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, is_assigned, written = (part.strip() for part in entry.partition("="))
        if not (name and is_assigned and written):
            raise InputError(f"space: {entry!r} is no FIELD=DOMAIN, such as batch_size=64|128 or filters=32..90:4")
        if name in domains:
            raise InputError(f"space: {name} is there twice; give all of its values in one entry")
        domains[name] = _domain(name, written, field_value(config, name, member_fields or {}))
        texts[name] = written
    if not domains:
        raise InputError("space: nothing to sweep; give --space, such as --space='batch_size=64|128,dropout=0.1~0.5'")
    given = _given(domains, config)
    space = Space(domains, _ordered(domains), given, texts)
    for name in space.order:
        _check_range(space, name)
    return space


def field_value(config, name: str, member_fields: Mapping[str, str]) -> Any:
    """What a config holds in a field that is to be swept.

    Raises:
      InputError: no such field, a section of them, one that may not be swept, or one whose value tells no type.
    """
    if name.partition(".")[0] in FIXED:
        raise InputError(f"space: {name} says what is run and how, not what is learned; sweep another field")
    if name in member_fields:
        entries = config[member_fields[name]]
        if not entries:
            raise InputError(f"space: {member_fields[name]} is empty in the config; give one value there first")
        return entries[0]
    place = config
    for number, part in enumerate(parts := name.split(".")):
        if not hasattr(place, "keys") or part not in place:
            above = ".".join(parts[:number])
            known = sorted(place.keys()) if hasattr(place, "keys") else ()
            known = [*known, *member_fields] if not above else [f"{above}.{entry}" for entry in known]
            raise InputError(f"space: the config has no field {name!r}; known are {', '.join(known) or 'none'}")
        place = place[part]
    if hasattr(place, "keys"):
        raise InputError(f"space: {name} is a section; sweep one of {', '.join(f'{name}.{key}' for key in place)}")
    if place is None or place == ():
        raise InputError(f"space: {name} is {place!r} in the config, which tells no type; give it a value there first")
    return place


def _domain(name: str, text: str, value: Any) -> Domain:
    """The domain that is written for a field that holds ``value``."""
    if match := _INTERVAL.fullmatch(text):
        if not isinstance(value, float):
            raise InputError(
                f"space: {name}={text}: real numbers where the config has {value!r}; give LOW..HIGH or A|B"
            )
        found = Interval(float(match["low"]), float(match["high"]), bool(match["log"]))
        if not found.low < found.high or (found.logarithmic and found.low <= 0):
            over = " above 0" if found.logarithmic else ""
            raise InputError(f"space: {name}={text} is empty; give LOW~HIGH with LOW{over} and below HIGH")
        return found
    if ".." in text and not isinstance(value, str):
        return _range(name, text, value)
    return Choices(_choices(name, text, value))


def _choices(name: str, text: str, value: Any) -> tuple:
    try:
        found = tuple(converted(choice.strip(), value) for choice in text.split("|"))
    except ValueError:
        raise InputError(
            f"space: {name}={text}: not all of these are like {value!r}, which the config holds; write A|B|C, "
            "whole numbers LOW..HIGH:STEP, or real ones LOW~HIGH"
        ) from None
    if any(isinstance(choice, float) and not math.isfinite(choice) for choice in found):
        raise InputError(f"space: {name}={text}: give finite numbers")
    if len(set(found)) < len(found):
        raise InputError(f"space: {name}={text}: give each value once")
    return found


def _range(name: str, text: str, value: Any) -> Range:
    ends, has_step, step = text.partition(":")
    low, _, high = ends.partition("..")
    if type(value) is not int:
        raise InputError(f"space: {name}={text}: whole numbers where the config has {value!r}; give LOW~HIGH or A|B")
    if has_step and not (step.strip().isdecimal() and int(step) > 0):
        raise InputError(f"space: {name}={text}: the step {step!r} is no whole number above 0")
    return Range(_bound(name, text, low.strip()), _bound(name, text, high.strip()), int(step) if has_step else 1)


def _bound(name: str, text: str, written: str) -> Bound:
    match = _BOUND.fullmatch(written)
    if not match or match["by"] == "0":
        raise InputError(f"space: {name}={text}: {written!r} is no bound; give a number, FIELD, FIELD/2 or FIELD*2")
    if match["number"]:
        return Bound(int(match["number"]))
    return Bound(int(match["by"] or 1), match["field"], match["sign"] == "/")


def _references(domain: Domain) -> tuple[str, ...]:
    """The fields that a domain's bounds refer to."""
    return tuple(b.field for b in (domain.low, domain.high) if b.field) if isinstance(domain, Range) else ()


def _given(domains: Mapping[str, Domain], config) -> dict[str, int]:
    """Values of the fields that are referred to and not swept."""
    found = {}
    for name, domain in domains.items():
        for field in _references(domain):
            other = domains.get(field)
            if other is None:
                found[field] = field_value(config, field, {})
            values = other.values if isinstance(other, Choices) else () if other else (found[field],)
            if isinstance(other, Interval) or any(type(value) is not int for value in values):
                raise InputError(f"space: {name} refers to {field}, which does not hold whole numbers")
    return found


def _ordered(domains: Mapping[str, Domain]) -> tuple[str, ...]:
    """The fields, each behind those that it refers to."""
    order: list[str] = []
    while len(order) < len(domains):
        ready = [
            name
            for name, domain in domains.items()
            if name not in order and all(field in order or field not in domains for field in _references(domain))
        ]
        if not ready:
            rest = ", ".join(name for name in domains if name not in order)
            raise InputError(f"space: {rest} refer to each other in a circle; give one of them bounds of its own")
        order.append(ready[0])
    return tuple(order)


def _check_range(space: Space, name: str) -> None:
    """Refuses a range that holds nothing, or too much, for some values of the fields that it refers to."""
    needed, found = {name}, []
    for field in reversed(space.order):
        if field in needed:
            needed.update(reference for reference in _references(space.domains[field]) if reference in space.domains)
            found.insert(0, field)
    if not isinstance(space.domains[name], Range):
        return
    for values in space.all(tuple(field for field in found if field != name)):
        possible = space.domains[name].at(space.given | values)
        if len(possible) > LONGEST:
            raise InputError(
                f"space: {name}={space.texts[name]} has {len(possible):,} values, more than {LONGEST:,}; give a step, "
                "as in 0..1000000:1000"
            )
        if not possible:
            where = ", ".join(f"{field}={value}" for field, value in (space.given | values).items())
            where = f" where {where}" if where else ""
            raise InputError(f"space: {name}={space.texts[name]} is empty{where}; give LOW..HIGH with LOW up to HIGH")
