"""How a finished run's answers hold in noise or quieter: `sejax robustness`, sejax/commands/robustness.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("robustness")
