"""The command line: the argument of a config file, one line of progress, and how a mistake ends.

The argument is as in ``corpus=emodb,scale=log,labelled=0.3``, typed by its defaults. A user's mistake is one line on
stderr and status 2, never a traceback.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging
from tqdm import tqdm

from sejax.core.files import printable
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


def progress_bar(title: str, total: int | None, unit: str, *, done: int = 0) -> tqdm:
    """A line with what is done, the rate, the time left and the current figures (``set_postfix_str``).

    On a terminal it is redrawn in place; in a log a new state appears every ten seconds.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=f" {unit}",
        mininterval=0.2 if terminal else 10.0,
        dynamic_ncols=terminal,
        ncols=None if terminal else 120,
        smoothing=0.1,
    )


def _parse(arguments: Sequence[str]) -> list[str]:
    """Parses flags; of what a config file refuses only the message is kept, not ml_collections' traceback."""
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        _, refused, message = str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")
        raise InputError(message.strip() if refused else f"{error}; --helpshort lists the flags") from None


def run_command(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Parses absl flags, runs ``main(argv)`` and turns an InputError into one line and status 2.

    Libraries that log through absl are heard from warnings on; ``--verbosity=0`` shows everything.
    """

    def quiet_main(argv):
        if not any(argument.lstrip("-").startswith(("verbosity", "v=")) for argument in sys.argv[1:]):
            logging.set_verbosity(logging.WARNING)
        main(argv)

    try:
        app.run(quiet_main, flags_parser=_parse)
    except InputError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        sys.exit(2)
    except UnicodeEncodeError as error:
        around = error.object[max(error.start - 80, 0) : error.end + 80]
        if printable(around) == around:
            raise
        print(f"error: {printable(around)}: a name that is no UTF-8; rename the file or folder", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
