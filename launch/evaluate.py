"""Recompute a finished run's figures and compare them with its own: `sejax evaluate`, sejax/commands/evaluate.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("evaluate")
