"""How launch scripts end: a user's mistake is one line on stderr and status 2, never a traceback."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, logging

from sejax.errors import InputError


def run_command(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Parses absl flags, runs ``main(argv)`` and turns an InputError into one line and status 2.

    Libraries that log through absl are heard from warnings on; ``--verbosity=0`` shows everything.
    """


    def quiet_main(argv):
        if not any(argument.lstrip("-").startswith(("verbosity", "v=")) for argument in sys.argv[1:]):
            logging.set_verbosity(logging.WARNING)
        main(argv)

    try:
        app.run(quiet_main)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
