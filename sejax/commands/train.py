"""Train an experiment, or go on with one that was interrupted.

    sejax train --config=pseudo_labelling:corpus=emodb,scale=log,labelled=0.3,protocol=image \\
        --data_dir=data --workdir=runs/emodb-log-30

Started again in the same workdir it continues from the last checkpoint, bit for bit; in a finished one it
prints the results. SIGTERM and SIGINT save and exit with status 0 and 130 (start it again to go on). A run that
compares several things (the networks of transfer) trains one after the other and keeps what is finished; so
does one that trains in stages (the generators of cyclegan).
"""

import sys

from absl import flags
from ml_collections import config_flags

from sejax.core.results import FILE
from sejax.core.stores import path_of
from sejax.engine import submitting
from sejax.engine.command import Interrupted
from sejax.engine.joining import define_flags
from sejax.engine.run import use_compilation_cache
from sejax.experiments import report_of
from sejax.experiments.training import finished_run, train_run
from sejax.report import tables
from sejax.report.score_tables import headline

CONFIG = config_flags.DEFINE_config_file("config", None, "a config's name or file, and its argument after a colon")
WORKDIR = flags.DEFINE_string("workdir", None, "folder for checkpoints, results.json, report.html", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
define_flags()
submitting.define_flags()
flags.mark_flag_as_required("config")


def main(argv):
    """Train, write results.json and report.html, print the headline table."""
    del argv
    config, workdir = CONFIG.value, path_of(WORKDIR.value)
    use_compilation_cache(config.run.compilation_cache)
    results = finished_run(config, workdir)
    if results:
        print(f"{workdir} is finished; its results:")
        return show(results, workdir)
    if submitting.submitted(workdir, workdir / FILE, sys.argv[1:]):
        return None
    try:
        results = train_run(config, workdir, path_of(DATA_DIR.value), command=" ".join(sys.argv))
    except Interrupted as stop:
        raise stop.saved(workdir) from None
    return show(results, workdir)


def show(results, workdir):
    """Print the headline table, and on stderr what went wrong in parts of it."""
    own = report_of(results)
    print(tables.plain_text(headline(results, own)))
    sys.stdout.flush()
    print("".join(f"warning: {text}\n" for text in own.warnings(results)), end="", file=sys.stderr)
    print(f"results: {workdir / FILE}\nreport: {workdir / 'report.html'}")
