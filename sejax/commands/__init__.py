"""The commands: `sejax NAME`, `python -m sejax NAME` and, in a checkout, launch/NAME.py.

Each is a module with its flags and `main(argv)`; its docstring is what ``--help`` says. A process runs one of them, and
imports that alone: modules define absl's flags, which are global.
"""

import os
import sys
from importlib import import_module

COMMANDS = {
    "prepare": "original recordings become a prepared set",
    "train": "train an experiment, or go on with one that was interrupted",
    "evaluate": "recompute a finished run's figures from its checkpoint",
    "predict": "posteriors of audio files, a stream or a microphone",
    "report": "a run's report.html, or many runs in one table",
    "sweep": "look for the best values of a config",
    "synthesise": "the synthetic set of a finished CycleGAN run",
    "convert": "ImageNet weights of others become a file for sejax",
    "export": "a finished run's model as one file to carry",
    "robustness": "how answers hold in noise, at other levels, compressed",
}


def run(name: str) -> None:
    """Parses the process's arguments as flags of a command, runs it and ends the process."""
    from sejax.core.xla import share_convolutions
    from sejax.engine.command import run_command

    share_convolutions()
    command = import_module(f"sejax.commands.{name}")
    run_command(command.main, takes=getattr(command, "TAKES", ""), config_file=_config_file)


def _config_file(name: str):
    from sejax.experiments.configs import config_file  # here, since most commands take no config

    return config_file(name)


def main() -> None:
    """`sejax`: says which commands there are, or runs the one that is named first."""
    name, *rest = sys.argv[1:] or [""]
    called = "python -m sejax" if os.path.basename(sys.argv[0]) == "__main__.py" else "sejax"
    if name in COMMANDS:
        sys.argv = [f"{called} {name}", *rest]
        run(name)
    if name in ("", "help", "--help", "-h"):
        print(f"Speech emotion recognition in JAX and Flax.\n\n    {called} COMMAND --flag=value ...\n")
        print(*(f"  {command:11} {says}" for command, says in COMMANDS.items()), sep="\n")
        print(f"\n{called} COMMAND --help shows its flags, and with --config=NAME the fields of that config.")
        sys.exit(0 if name else 2)
    import difflib  # here, since `sejax --help` is to be quick

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    print(f"error: {called} {name}: there is no such command; {hint}there are {', '.join(COMMANDS)}", file=sys.stderr)
    sys.exit(2)
