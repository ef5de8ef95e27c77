"""A finished run's model as one file to carry: `sejax export`, sejax/commands/export.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("export")
