"""The fields of a config: each is declared once, its default beside the values that it may hold.

    FIELDS = {
        "corpus": Field("emodb", name=True),
        "rates": Field((1e-4,), above=0),  # a list: every entry is above 0
        "image.level": Field(20.0, argument="level"),  # of the section image; --config=FILE:level=10 sets it
        **RUN,
    }

    def get_config(argument=None):
        return make_config("foo", FIELDS, argument)

A config carries its fields, so that `check_config` refuses a wrong value where work begins, whoever put it there: the
config's argument, ``--config.rates=...``, a sweep, a script. What is written to disk are the values alone.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any

from sejax.errors import InputError

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # of a corpus, and so of a folder
_INT32 = 2**31 - 1
_FLOAT32 = (2.0**-126, 3.4e38)  # what is smaller is 0 there, what is larger infinite


@dataclass(frozen=True)
class Field:
    """What a config's field may hold: values of the default's type, and of these the ones within all bounds.

    Numbers are finite and fit 32 bits. A text or a list may be empty where its default is.

    Attributes:
      default: the value where none is given. One that breaks the field's own rule stands for what ``get_config`` puts
        in its place, and may be given as an argument.
      least, above, most, below: bounds of a number: >=, >, <=, <. multiple: of what a whole number is one.
      zero: 0 is allowed too, whatever the bounds: it stands for something else, which the field's comment says.
      choices: the only values allowed.
      name: a text is the name of a corpus, and so of a folder. several: or names joined by +. empty: it may be "".
      of: the type of a list's entries where the default is an empty list.
      length: how many entries a list has, 0: any number. distinct: no entry twice. ordered: none before a smaller one.
      rule: raises InputError for what bounds and choices cannot say, of a value that they allow.
      argument: what the field is called behind the colon of ``--config=FILE:``, where that is not its name.
    """

    default: Any
    _: KW_ONLY
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    multiple: int = 1
    zero: bool = False
    choices: tuple = ()
    name: bool = False
    several: bool = False
    empty: bool = False
    of: type | None = None
    length: int = 0
    distinct: bool = False
    ordered: bool = False
    rule: Callable[[Any], Any] | None = None
    argument: str = ""

    @property
    def listed(self) -> bool:
        """Whether the field holds a list."""
        return isinstance(self.default, tuple)

    @property
    def kind(self) -> type:
        """The type of the value, of a list's entries."""
        if self.of is not None:
            return self.of
        return type(self.default[0] if self.listed else self.default)

    def allows(self, value: Any) -> bool:
        """Whether the field may hold a value."""
        if not self.listed:
            return self._allows_one(value)
        if not isinstance(value, tuple | list):
            return False
        number = len(value) == (self.length or len(value)) and (len(value) > 0 or not self.default)
        if not number or not all(map(self._allows_one, value)):
            return False
        return (not self.distinct or len(set(value)) == len(value)) and (not self.ordered or sorted(value) == [*value])

    def _allows_one(self, value: Any) -> bool:
        if not _is(value, self.kind) or (self.choices and value not in self.choices):
            return False
        if self.kind is str:
            may_be_empty = self.empty or (self.default == "" and not self.listed)
            return self._named(value) if value else may_be_empty
        return self.kind is bool or (self._in_bounds(value) and _fits(value))

    def _named(self, value: str) -> bool:
        names = value.split("+") if self.several else [value]
        return not self.name or (all(map(_NAME.fullmatch, names)) and len(set(names)) == len(names))

    def _in_bounds(self, value: float) -> bool:
        if self.zero and value == 0:
            return True
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
            and (self.multiple == 1 or value % self.multiple == 0)
        )

    def converted(self, text: str) -> Any:
        """A text as a value of the field's type. Raises ValueError for a text that is none."""
        if self.listed and not self.default:
            return converted(text, (self.kind(),)) if text else ()
        return converted(text, self.default)

    def wanted(self) -> str:
        """What to give, in words."""
        if not self.listed:
            return self._wanted_one()
        number = f"{self.length} entries" if self.length else "entries"
        if not self.default:
            number = "none, or entries"
        once = ", none twice" if self.distinct else ""
        smallest = ", the smallest first" if self.ordered else ""
        return f"{number} joined by +{once}{smallest}: each {self._wanted_one()}"

    def _wanted_one(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        if self.kind is str:
            text = "the name of a corpus (small letters, digits and _)" if self.name else "a text"
            text += ", or several joined by +" * self.several
            return text if self.default or self.empty else f"{text}, or nothing"
        if self.kind is bool:
            return "true or false"
        number = "a whole number" if self.kind is int else "a finite number"
        bounds = {"from": self.least, "above": self.above, "up to": self.most, "below": self.below}
        said = [f"{word} {bound:,}" for word, bound in bounds.items() if bound is not None]
        said = " and ".join(said) + " on" * (len(said) == 1 and self.least is not None)
        multiple = f", a multiple of {self.multiple}" if self.multiple > 1 else ""
        return f"{number}{' ' * bool(said)}{said}{multiple}{', or 0' * self.zero}"


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a field's type; a bool is no number."""
    if kind in (bool, str):
        return isinstance(value, kind)
    if not isinstance(value, Integral if kind is int else Real) or isinstance(value, bool):
        return False
    return math.isfinite(value)


def _fits(value: Any) -> bool:
    """Whether 32 bits hold a number."""
    if isinstance(value, Integral):
        return abs(value) <= _INT32
    return value == 0 or _FLOAT32[0] <= abs(value) <= _FLOAT32[1]


def check_value(name: str, value: Any, field: Field) -> None:
    """Raises InputError for a value that a field may not hold."""
    if not field.allows(value):
        entries = value if isinstance(value, tuple | list) else (value,)
        outsized = field.kind in (int, float) and any(_is(entry, field.kind) and not _fits(entry) for entry in entries)
        raise InputError(f"config: {name}={written(value)}; give {field.wanted()}{', in 32 bits' * outsized}")
    if field.rule is not None:
        field.rule(value)


def written(value: Any) -> str:
    """A value as it is given in an argument: the entries of a list are joined by +."""
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def parse_arguments(argument: str | None, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The fields' defaults overridden by ``name=value`` pairs; a bare ``name`` sets a bool to True.

    Args:
      argument: what stands after the colon of ``--config=FILE:ARGUMENT``; values that are lists use
        ``+`` between entries. It names the fields of no section, and those with an ``argument``.
      fields: every field.

    Raises:
      InputError: an unknown name (the known ones are listed), or a value that the field may not hold.
    """
    values = {name: field.default for name, field in fields.items()}
    known = {field.argument or name: name for name, field in fields.items() if field.argument or "." not in name}
    for pair in filter(None, (argument or "").split(",")):
        called, has_value, text = pair.partition("=")
        if called not in known:
            raise InputError(f"config: unknown name {called!r} in {argument!r}; known are {', '.join(sorted(known))}")
        name, field = known[called], fields[known[called]]
        try:
            values[name] = field.converted(text if has_value else "true")
        except ValueError:
            raise InputError(f"config: {called}={text}; give {field.wanted()}") from None
        if values[name] != field.default:
            check_value(called, values[name], field)
    return values


def converted(text: str, like: Any) -> Any:
    """A text as a value of the type of ``like``; a list's entries are joined by ``+``.

    Raises:
      ValueError: a text that is none.
    """
    if isinstance(like, bool):
        if text.lower() not in _TRUE + _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if isinstance(like, tuple):
        return tuple(type(like[0])(entry) for entry in text.split("+"))
    return type(like)(text)


def make_config(experiment: str, fields: Mapping[str, Field], argument: str | None = None) -> Any:
    """The ConfigDict of an experiment that holds the fields' values, and carries the fields for `check_config`.

    Args:
      experiment: its name, the config's field of that name.
      fields: all others; ``section.name`` is the field ``name`` of a section.
      argument: see `parse_arguments`.

    Raises:
      InputError: see `parse_arguments`.
    """
    from ml_collections import ConfigDict

    return _carrying(_with(ConfigDict({"experiment": experiment}), parse_arguments(argument, fields)), fields)


def check_config(config) -> None:
    """Checks every value of a config by its field; one that was not made from fields has none.

    Raises:
      InputError: the first wrong value, by its field's name, with what to give.
    """
    for name, field in fields_of(config).items():
        place, value = "", config
        for part in name.split("."):
            place = f"{place}.{part}".lstrip(".")
            if part not in value:
                raise InputError(f"config: {place} is missing; give {field.wanted()}")
            value = value[part]
        check_value(name, value, field)


def wanted(config, name: str) -> str:
    """What to give for a config's field, in words."""
    field = fields_of(config).get(name)
    return field.wanted() if field else "a value like the one that the config file has"


def config_with(config, values: Mapping[str, Any]) -> Any:
    """A copy of a config that holds other values in some fields, whose names may have dots."""
    return _carrying(_with(type(config)(config.to_dict()), values), fields_of(config))


def _with(config, values: Mapping[str, Any]) -> Any:
    for name, value in values.items():
        *sections, last = name.split(".")
        place = config
        for section in sections:
            if section not in place:
                place[section] = type(config)()
            place = place[section]
        place[last] = value
    return config


def fields_of(config) -> Mapping[str, Field]:
    """The fields that a config carries; none where it was not made from any."""
    return getattr(config, "_declared", {})


def _carrying(config, fields: Mapping[str, Field]) -> Any:
    """The config with its fields beside its values, where neither a file nor a comparison sees them."""
    object.__setattr__(config, "_declared", fields)
    return config
