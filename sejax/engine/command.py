"""The command line: the argument of a config file, one line of progress, and how a mistake ends.

The argument is as in ``corpus=emodb,scale=log,labelled=0.3``, typed by its defaults. A user's mistake, and whatever the
system refuses, is one line on stderr and status 2, never a traceback; SIGINT and SIGTERM are one line too.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Self

from absl import app, flags, logging
from tqdm import tqdm

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


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGINT arrived; everything done so far is saved. Its text is "SIGTERM received".

    Attributes:
      outlook: what is there and what to do, for the person who stopped the command.
      status: that the command ends with.
    """

    def __init__(self, name: str):
        super().__init__(f"{name} received")
        self.outlook = "what was written is whole; give the same command again"
        self.status = 128 + signal.Signals[name]

    def saved(self, workdir: os.PathLike[str]) -> Self:
        """The same, of a command that goes on where it was."""
        self.outlook, self.status = f"saved under {workdir}; the same command goes on from here", 0
        return self


@contextlib.contextmanager
def signals_handled(handle: Callable[[str], None]) -> Iterator[None]:
    """Tells SIGTERM and SIGINT to ``handle`` by name, instead of dying: the segment at hand can be saved."""
    previous = {}
    try:
        for kind in _SIGNALS:
            previous[kind] = signal.signal(kind, lambda number, _: handle(signal.Signals(number).name))
    except ValueError:  # not the main thread: whoever runs us there handles signals
        pass
    try:
        yield
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _interrupt(name: str) -> NoReturn:
    raise Interrupted(name)


def _unraisable(what) -> None:
    """Python's hook for what is raised where nothing can be raised, a library's callback or a finaliser.

    A signal that arrived there arrives again a moment later. Not said: when one of a checkpoint's arrays cannot be
    written orbax raises that, and the answers about the others come to a loop of asyncio that has ended.
    """
    if isinstance(what.exc_value, Interrupted):
        again = what.exc_value.status - 128
        threading.Timer(0.05, os.kill, (os.getpid(), again)).start()
    elif str(what.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(what)


def _parse(arguments: Sequence[str]) -> list[str]:
    """Parses flags; of what a config file refuses only the message is kept, not ml_collections' traceback."""
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        _, refused, message = str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")
        raise InputError(message.strip() if refused else f"{error}; --helpshort lists the flags") from None


def run_command(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Parses absl flags, runs ``main(argv)`` and ends with one line on stderr where it does not get to its end.

    Status 2: an InputError, or an OSError (a full disk, a folder that may not be written). Status 128 and the signal's
    number: SIGINT or SIGTERM, but 0 where ``main`` says that the work is saved. Libraries that log through absl are
    heard from warnings on; ``--verbosity=0`` shows everything.
    """

    def quiet_main(argv):
        if not any(argument.lstrip("-").startswith(("verbosity", "v=")) for argument in sys.argv[1:]):
            logging.set_verbosity(logging.WARNING)
        main(argv)

    status: Any = 2
    sys.unraisablehook = _unraisable
    try:
        with signals_handled(_interrupt):
            app.run(quiet_main, flags_parser=_parse)
    except SystemExit as end:
        status = end.code
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {_in_words(error)}", file=sys.stderr)
        if isinstance(error, BrokenPipeError):  # nobody reads what is left in the buffer
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as stop:
        stop = stop if isinstance(stop, Interrupted) else Interrupted("SIGINT")
        print(f"{stop}: {stop.outlook}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(stop.status)  # at once: XLA's threads may be at work, and Python's end takes what they need
    for kind in _SIGNALS:  # all is done
        signal.signal(kind, lambda *_: os._exit(status if isinstance(status, int) else bool(status)))
    sys.exit(status)


_REMEDIES = {
    errno.ENOSPC: "make room on the disk, and the same command goes on",
    errno.EDQUOT: "make room on the disk, and the same command goes on",
    errno.EACCES: "give yourself the permission, or name another folder",
    errno.EPERM: "give yourself the permission, or name another folder",
    errno.EROFS: "name a folder that can be written",
}


def _in_words(error: OSError) -> str:
    """What the system refused, where, and what to do."""
    where = [str(name) for name in (error.filename, error.filename2) if name is not None]
    parts = [" -> ".join(where)] if where else []
    text = ": ".join([*parts, error.strerror or " ".join(str(error).split()) or type(error).__name__])
    return text + (f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else "")
