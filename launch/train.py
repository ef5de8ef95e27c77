"""Train an experiment, or go on with one that was interrupted: `sejax train`, sejax/commands/train.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("train")
