"""The one exception that sejax raises for input that a user can mend, and how what it advises is typed."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

_SCRIPTS = {"convert": "convert_weights"}  # in launch/, where they are not called as the commands are


class InputError(ValueError):
    """Bad user input: the message names the file or field, the value found and the remedy.

    Commands print it as one line and exit with status 2, without a traceback.
    """


class NotInstalled(InputError, ImportError):
    """A package of one of sejax's extras is missing; the message names the extra."""


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around an import of an optional package: raises NotInstalled, which names the extra, where it is missing."""
    try:
        yield
    except ImportError as error:
        raise NotInstalled(f"{error}; pip install 'sejax[{extra}]'") from error


def typed(command: str) -> str:
    """A command of sejax as whoever reads it types one: as this process was called.

    That is ``python launch/train.py`` beside another script of launch/, ``python -m sejax train`` in the module's form,
    and ``sejax train`` everywhere else, as where sejax is used as a library.
    """
    called = Path(sys.argv[0]) if sys.argv else Path()
    if called.parent.name == "launch" and called.suffix == ".py":
        return f"python {shlex.quote(str(called.with_name(_SCRIPTS.get(command, command) + '.py')))}"
    return f"python -m sejax {command}" if sys.argv[:1] and sys.argv[0].startswith("python -m ") else f"sejax {command}"
