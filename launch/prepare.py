"""Prepare a corpus: original files become a set to train on: `sejax prepare`, sejax/commands/prepare.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("prepare")
