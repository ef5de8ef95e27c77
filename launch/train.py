"""Train an experiment, or go on with one that was interrupted.

    python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb,scale=log,labelled=0.3,protocol=image \\
        --data_dir=data --workdir=runs/emodb-log-30

Started again in the same workdir it continues from the last checkpoint, bit for bit; in a finished one it
prints the results. SIGTERM saves and exits with status 0 (start it again to go on).
"""

import sys
import time
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from sejax import experiments
from sejax.engine.backend import run_settings, use_compilation_cache
from sejax.engine.command import run_command
from sejax.engine.placement import place
from sejax.engine.run import Interrupted, groups, run
from sejax.engine.workdir import claim, environment
from sejax.report import run_tables, tables
from sejax.report.html import write_report
from sejax.report.results import FILE, plain, read_results, summarise, write_results

CONFIG = config_flags.DEFINE_config_file("config", None, "config file, with its argument after a colon")
WORKDIR = flags.DEFINE_string("workdir", None, "folder for checkpoints, results.json, report.html", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")


def main(argv):
    """Train, write results.json and report.html, print the headline table."""
    del argv
    config, workdir = CONFIG.value, Path(WORKDIR.value)
    use_compilation_cache(config.run.compilation_cache)
    settings = run_settings(config)
    if (workdir / FILE).exists():
        claim(workdir, config.to_dict(), read_results(workdir)["environment"])
        print(f"{workdir} is finished; its results:")
        return show(read_results(workdir), workdir)
    began = time.monotonic()
    assembly = experiments.build(config, Path(DATA_DIR.value))
    first, last = groups(len(assembly.names), settings.members_at_once)[0]
    here = environment(settings.backend, place(last - first, assembly.batch_size).description)
    if claim(workdir, config.to_dict(), here):
        print(f"going on in {workdir}", file=sys.stderr)
    try:
        members = run(assembly, settings, workdir, seed=config.seed)
    except Interrupted as signal:
        print(f"{signal}: saved under {workdir}; the same command goes on from here", file=sys.stderr)
        return None
    results = assembly.about | {
        "experiment": config.experiment,
        "config": config.to_dict(),
        "environment": here,
        "command": " ".join(sys.argv),
        "seconds": time.monotonic() - began,
        "summary": summarise(members),
        "members": members,
    }
    # results.json says that the run is finished, so it comes last.
    write_report(workdir, plain(results), images=assembly.examples())
    write_results(workdir, results)
    return show(results, workdir)


def show(results, workdir):
    """Print the headline table."""
    print(tables.plain_text(run_tables.headline(results)))
    print(f"results: {workdir / FILE}\nreport: {workdir / 'report.html'}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    run_command(main)
