"""Make the synthetic set of a finished CycleGAN run: `sejax synthesise`, sejax/commands/synthesise.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("synthesise")
