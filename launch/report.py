"""Make a run's report.html again, or set many runs in one table: `sejax report`, sejax/commands/report.py."""

from sejax.commands import run

if __name__ == "__main__":
    run("report")
