"""How launch scripts end: a user's mistake is one line on stderr and status 2, never a traceback."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags, logging

from sejax.errors import InputError


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
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
