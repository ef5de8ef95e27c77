"""The argument of a config file, ``corpus=emodb,scale=log,labelled=0.3``, typed by its defaults."""

from collections.abc import Mapping
from typing import Any

from sejax.errors import InputError

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def parse_arguments(
    argument: str | None, defaults: Mapping[str, Any], *, choices: Mapping[str, tuple] | None = None
) -> dict[str, Any]:
    """Defaults overridden by ``name=value`` pairs; a bare ``name`` sets a bool to True.

    Args:
      argument: what stands after the colon of ``--config=FILE:ARGUMENT``; values that are lists use
        ``+`` between entries.
      defaults: every known name with its default, whose type the value must have.
      choices: for some names, the values allowed.

    Raises:
      InputError: an unknown name (the known ones are listed), a value of the wrong type, or one that
        is not among the choices.
    """
    values = dict(defaults)
    for pair in filter(None, (argument or "").split(",")):
        name, has_value, text = pair.partition("=")
        if name not in defaults:
            raise InputError(f"config: unknown name {name!r} in {argument!r}; known are {', '.join(sorted(defaults))}")
        values[name] = converted(name, text if has_value else "true", defaults[name])
    for name, allowed in (choices or {}).items():
        if values[name] not in allowed:
            raise InputError(f"config: {name}={values[name]!r}; choose one of {', '.join(map(str, allowed))}")
    return values


def converted(name: str, text: str, default: Any) -> Any:
    """A text as a value of the type of ``default``; a list's entries are joined by ``+``.

    Raises:
      InputError: a text that is none.
    """
    try:
        if isinstance(default, bool):
            if text.lower() not in _TRUE + _FALSE:
                raise ValueError
            return text.lower() in _TRUE
        if isinstance(default, tuple):
            return tuple(type(default[0])(entry) for entry in text.split("+"))
        return type(default)(text)
    except ValueError:
        kind = "list joined by +" if isinstance(default, tuple) else type(default).__name__
        raise InputError(f"config: {name}={text!r} is not a {kind} (default: {default!r})") from None
