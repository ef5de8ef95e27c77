"""Look for the best values of an experiment's config: `sejax sweep`, sejax/commands/sweep.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("sweep")
