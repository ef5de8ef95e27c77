"""The command line: one line of progress, and how a mistake ends.

A user's mistake, and whatever the system refuses, is one line on stderr and status 2, never a traceback; SIGINT and
SIGTERM are one line too.
"""

import contextlib
import difflib
import errno
import os
import re
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

from absl import app, flags, logging
from tqdm import tqdm

from sejax.core.files import printable
from sejax.engine.fields import check_config, fields_of, wanted
from sejax.engine.help import command_help
from sejax.errors import InputError


class Bar(tqdm):
    """A line of progress whose rate and time left are without what was no work: compiling, say."""

    left_out = 0.0

    def leave_out(self, seconds: float) -> None:
        """Of the time since the last update, seconds that say nothing of the rate."""
        self.left_out += seconds
        self.last_print_t += seconds

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm writes a line from."""
        said = super().format_dict
        if said["rate"] is None and said["n"] > said["initial"]:  # else it is of the latest updates
            worked = max(said["elapsed"] - self.left_out, 1e-3)
            said["rate"] = (said["n"] - said["initial"]) / worked
        return said


def progress_bar(title: str, total: int | None, unit: str, *, done: int = 0) -> Bar:
    """A line with what is done, the rate, the time left and the current figures (``set_postfix_str``).

    On a terminal it is redrawn in place; in a log a new state appears every ten seconds.
    """
    terminal = sys.stderr.isatty()
    return Bar(
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
      status: that the command ends with; of SIGINT it is what a shell reads of a process that died of it.
    """

    def __init__(self, name: str):
        super().__init__(f"{name} received")
        self.outlook = "what was written is whole; give the same command again"
        self.status = 128 + signal.Signals[name]

    def saved(self, workdir: os.PathLike[str]) -> Self:
        """The same, of a command that goes on where it was: status 0 for SIGTERM, which schedulers take for done."""
        self.outlook = f"saved under {workdir}; the same command goes on from here"
        self.status = self.status if self.by_hand else 0
        return self

    @property
    def by_hand(self) -> bool:
        """Whether it was SIGINT."""
        return str(self).startswith("SIGINT")


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


def _parse(arguments: Sequence[str], *, module: str, config_file: Callable[[str], Path]) -> list[str]:
    """Parses flags, the config among them, and checks the config's values; whatever is wrong is an InputError.

    Where help is asked for it prints what there is to say of the module's command, and ends.
    """
    arguments, file = _with_config_file(arguments, config_file)
    if not _HELP.isdisjoint(arguments):
        asked = [word.removeprefix("--config=") for word in arguments if word.startswith("--config=")]
        try:
            print(command_help(module, *asked[-1:]), end="")
        except Exception as error:
            raise (error if isinstance(error, InputError) else InputError(_raised(error, file))) from None
        sys.exit(0)
    try:
        rest = flags.FLAGS(arguments)
    except flags.Error as error:
        raise InputError(_refusal(str(error), file)) from None
    except Exception as error:  # what the config file's code raises, or an override of a field that it has not
        raise InputError(_unknown(arguments, file) or _raised(error, file)) from None
    if (config := _config()) is not None:
        if not fields_of(config):
            raise InputError(
                f"--config={file}: its get_config returns what make_config of sejax.engine.fields did not make, so "
                "that no value can be checked; make it so, as in configs/transfer.py"
            )
        check_config(config)
    for name in {"workdir", "data_dir", "corpus"} & set(flags.FLAGS):
        value = flags.FLAGS[name].value
        if value == "" or value == [""]:
            raise InputError(f"--{name}= is empty; give --{name}=NAME")
    return rest


_HELP = {"--help", "-help", "-h", "--helpshort", "-helpshort"}


def _config():
    """What --config holds: a ConfigDict; None where the script has no such flag, or it is not given."""
    return flags.FLAGS["config"].value if "config" in flags.FLAGS else None


def _with_config_file(arguments: Sequence[str], config_file: Callable[[str], Path]) -> tuple[list[str], str]:
    """The arguments with the file of the config that --config names, and that file; "" where there is no such flag.

    Raises InputError where there is none of that name.
    """
    found, file, follows = list(arguments[:1]), "", False
    for word in arguments[1:]:
        flag, given, value = word.partition("=")
        asks = "config" in flags.FLAGS and flag in ("--config", "-config")
        if follows or (asks and given):
            name, colon, argument = (word if follows else value).partition(":")
            file = str(config_file(name))
            word = f"--config={file}{colon}{argument}"
        follows = asks and not given
        if not follows:
            found.append(word)
    return found + ["--config"] * follows, file


def _file_there(name: str) -> Path:
    """A config's file from its path."""
    if not Path(name).is_file():
        raise InputError(f"--config={name}: there is no such file; give one, as in configs/transfer.py")
    return Path(name)


# What Python and absl say of a flag's value, and what to say instead.
_PLAINER = {
    r"invalid literal for int\(\).*": "give a whole number",
    r"could not convert string to float.*": "give a number",
    r"\('Non-boolean.*": "give true or false",
}


def _refusal(message: str, file: str) -> str:
    """One line for what absl says, which may hold ml_collections' traceback of what a config file raised."""
    if missing := re.match(r"flag --(\w+)=None: ", message):
        returned = ", or its get_config returned nothing" if missing[1] == "config" else ""
        return f"--{missing[1]} is missing{returned}; give --{missing[1]}=..., --helpshort lists the flags"
    if override := re.match(r"flag --config\.([\w.]+)=(.*?): ", message):
        return f"config: {override[1]}={override[2]}; give {wanted(_config(), override[1])}"
    if "Traceback (most" in message:
        refused, own = message.strip().splitlines()[-1], f"{InputError.__module__}.{InputError.__name__}: "
        return refused.removeprefix(own) if own in refused else f"--config={file}: {refused}; mend the file"
    for theirs, plainer in _PLAINER.items():
        message = re.sub(theirs, plainer, message)
    return f"{' '.join(message.split())}; --helpshort lists the flags"


def _unknown(arguments: Sequence[str], file: str) -> str:
    """One line for the first ``--config.NAME`` that names no field of the file; "" where all do."""
    names = [found[1] for word in arguments if (found := re.match(r"--?(?:no)?config\.([^=]*)", word))]
    if not names or not file:
        return ""
    try:
        known = [*fields_of(runpy.run_path(file)["get_config"]())]
    except Exception:  # there is more wrong with the file
        return ""
    for name in names:
        if known and name not in known:
            last = f".{name.rpartition('.')[2]}"
            near = difflib.get_close_matches(name, known, n=1) or [one for one in known if one.endswith(last)]
            inside = [one for one in known if one.startswith(f"{name}.")]
            hint = f"give one that it has, such as {known[0]}"
            hint = f"did you mean {(inside or near)[0]}?" if inside or near else hint
            return f"config: {file} has no field {name!r}; {hint}"
    return ""


def _raised(error: Exception, file: str) -> str:
    """One line for what loading a config, or setting one of its fields, raised."""
    message = " ".join(str(error).replace("\\n", " ").replace("\\'", "'").split())
    return f"--config={file}: {type(error).__name__}: {message[:500]}; mend the file"


def run_command(
    main: Callable[[Sequence[str]], None], *, takes: str = "", config_file: Callable[[str], Path] = _file_there
) -> NoReturn:
    """Parses absl flags, runs ``main(argv)`` and ends with one line on stderr where it does not get to its end.

    Status 2: an InputError, or an OSError (a full disk, a folder that may not be written). Status 130: SIGINT, of which
    the process dies in the end, since a shell goes on with its loop or script where a command takes a Ctrl-C for
    itself. Status 143: SIGTERM, but 0 where ``main`` says that the work is saved. Libraries that log through absl are
    heard from warnings on, TensorFlow from errors on; ``--verbosity=0`` shows everything.

    Args:
      takes: what further arguments without a flag are, as in "audio files"; "": there are none.
      config_file: the file of a config from what ``--config`` names; raises InputError where there is none.
    """

    def quiet_main(argv):
        if not any(argument.lstrip("-").startswith(("verbosity", "v=")) for argument in sys.argv[1:]):
            logging.set_verbosity(logging.WARNING)
            # TensorFlow, imported later, has lines of its own about the CPU and oneDNN, whose kernels we do not use: it
            # only moves rows.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        if len(argv) > 1 and not takes:
            raise InputError(f"{printable(argv[1])!r} belongs to no flag; flags are written --name=value")
        if "coordinator_address" not in flags.FLAGS:
            return main(argv)
        from sejax.engine.joining import taking_part  # here, since most commands need no JAX

        with taking_part():
            main(argv)

    status: Any = 2
    sys.unraisablehook = _unraisable
    try:
        logging.set_verbosity(logging.ERROR)  # until flags are parsed
        with signals_handled(_interrupt):
            app.run(quiet_main, flags_parser=partial(_parse, module=main.__module__, config_file=config_file))
    except SystemExit as end:
        status = end.code
    except InputError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
    except UnicodeEncodeError as error:
        around = error.object[max(error.start - 80, 0) : error.end + 80]
        if printable(around) == around:
            raise
        print(f"error: {printable(around)}: a name that is no UTF-8; rename the file or folder", file=sys.stderr)
    except OSError as error:
        print(f"error: {printable(in_words(error))}", file=sys.stderr)
        if isinstance(error, BrokenPipeError):  # nobody reads what is left in the buffer
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as stop:
        stop = stop if isinstance(stop, Interrupted) else Interrupted("SIGINT")
        print(f"{stop}: {stop.outlook}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        if stop.by_hand:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
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
    errno.EEXIST: "name another folder, since a file is there",
    errno.ENOTDIR: "name another folder, since a file is there",
}


def in_words(error: OSError) -> str:
    """What the system refused, where, and what to do."""
    where = [str(name) for name in (error.filename, error.filename2) if name is not None]
    parts = [" -> ".join(where)] if where else []
    text = ": ".join([*parts, error.strerror or " ".join(str(error).split()) or type(error).__name__])
    return text + (f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else "")
