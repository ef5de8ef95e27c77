"""Train an experiment, or go on with one that was interrupted.

    python launch/train.py --config=configs/pseudo_labelling.py:corpus=emodb,scale=log,labelled=0.3,protocol=image \\
        --data_dir=data --workdir=runs/emodb-log-30

Started again in the same workdir it continues from the last checkpoint, bit for bit; in a finished one it
prints the results. SIGTERM saves and exits with status 0 (start it again to go on). A run that compares several
things (the networks of configs/transfer.py) trains one after the other and keeps what is finished; so does one that
trains in stages (the generators of configs/cyclegan.py).
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from ml_collections import config_flags

from sejax import experiments
from sejax.core.experiment import Assembly
from sejax.core.files import plain
from sejax.engine.backend import run_settings, use_compilation_cache
from sejax.engine.command import run_command
from sejax.engine.placement import place
from sejax.engine.run import Interrupted, groups, run
from sejax.engine.variants import folder_of, merged, read_finished, stage_folder, write_finished
from sejax.engine.workdir import claim, environment, release
from sejax.errors import InputError
from sejax.report import published, run_tables, tables
from sejax.report.html import write_report
from sejax.report.results import FILE, read_results, summaries, write_results

CONFIG = config_flags.DEFINE_config_file("config", None, "config file, with its argument after a colon")
WORKDIR = flags.DEFINE_string("workdir", None, "folder for checkpoints, results.json, report.html", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")


def main(argv):
    """Train, write results.json and report.html, print the headline table."""
    del argv
    config, workdir = CONFIG.value, Path(WORKDIR.value)
    use_compilation_cache(config.run.compilation_cache)
    if (workdir / FILE).exists():
        claim(workdir, config.to_dict(), read_results(workdir)["environment"])
        print(f"{workdir} is finished; its results:")
        return show(read_results(workdir), workdir)
    began = time.monotonic()
    try:
        found, examples = train_all(config, workdir)
    except Interrupted as signal:
        print(f"{signal}: saved under {workdir}; the same command goes on from here", file=sys.stderr)
        return None
    results = found | {
        "experiment": config.experiment,
        "config": config.to_dict(),
        "command": " ".join(sys.argv),
        "seconds": time.monotonic() - began,
    }
    results |= summaries(results["members"], paper=partial(published.figures, results))
    # results.json says that the run is finished, so it comes last.
    write_report(workdir, plain(results), images=examples)
    write_results(workdir, results)
    return show(results, workdir)


class Trained(NamedTuple):
    """A variant's assembly, the entries of its members and of its stages in the results, and where it ran."""

    assembly: Assembly
    members: list[dict[str, Any]]
    stages: dict[str, Any]
    environment: dict[str, Any]


def train_all(config, workdir):
    """Train the config's variants, but for those that are finished: (what the results file says, example images)."""
    variants, examples = experiments.variants(config), {}
    if "" in variants:
        assembly, members, stages, here = train(config, workdir)
        about = assembly.about | ({"stages": stages} if stages else {})
        return about | {"members": members, "environment": here}, assembly.examples()
    here = environment(run_settings(config).backend, {})
    known, finished = claim(workdir, config.to_dict(), here), []
    for name, variant in variants.items():
        folder = folder_of(workdir, name)
        if read_finished(folder) is None:
            try:
                trained = train(variant, folder)
            except InputError:
                if not (known or finished):
                    release(workdir)  # nothing was trained: the corrected command may have the folder
                raise
            write_finished(folder, trained.members, trained.assembly.about)
            examples = trained.assembly.examples()
        finished.append(read_finished(folder))
    members = [member for members, _ in finished for member in members]
    return merged([about for _, about in finished]) | {"members": members, "environment": here}, examples


def train(config, folder):
    """Train one variant after its stages, or go on with it."""
    stages, folders = {}, {}
    for name, stage in experiments.stages(config).items():
        folders[name] = stage_folder(folder, name)
        if read_finished(folders[name]) is None:
            print(f"stage {name}", file=sys.stderr)
            trained = train(stage, folders[name])
            write_finished(folders[name], trained.members, trained.assembly.about)
        stages[name] = {"members": read_finished(folders[name])[0]}
    settings = run_settings(config)
    assembly = experiments.build(config, Path(DATA_DIR.value), folders)
    first, last = groups(len(assembly.names), settings.members_at_once)[0]
    here = environment(settings.backend, place(last - first, assembly.batch_size).description)
    if claim(folder, config.to_dict(), here):
        print(f"going on in {folder}", file=sys.stderr)
    return Trained(assembly, run(assembly, settings, folder, seed=config.seed), stages, here)


def show(results, workdir):
    """Print the headline table."""
    print(tables.plain_text(run_tables.headline(results)))
    print(f"results: {workdir / FILE}\nreport: {workdir / 'report.html'}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    run_command(main)
