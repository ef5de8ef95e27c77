"""Recompute a finished run's figures from its checkpoint and compare them with its results.json.

    sejax evaluate --workdir=runs/emodb-log-30 --data_dir=data

Ends with status 1 where a figure differs.
"""

import sys

from absl import flags
from ml_collections import ConfigDict

from sejax.core.results import read_results
from sejax.core.stores import path_of
from sejax.engine.joining import define_flags
from sejax.engine.run import evaluate, run_settings, use_compilation_cache
from sejax.engine.workdir import folder_of, read_claim, stage_folder
from sejax.experiments import study
from sejax.report import tables
from sejax.report.score_tables import recomputed_table

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
define_flags()
TOLERANCE = 1e-6


def main(argv):
    """Print every member's recomputed figures; stop with status 1 where results.json says otherwise."""
    del argv
    workdir = path_of(WORKDIR.value)
    results, config = read_results(workdir), ConfigDict(read_claim(workdir)["config"])
    use_compilation_cache(config.run.compilation_cache)
    experiment, entries = study(config.experiment), []
    for name, variant in experiment.variants(config).items():
        folder = folder_of(workdir, name)
        stages = {stage: stage_folder(folder, stage) for stage in experiment.stages(variant)}
        assembly = experiment.assembly(variant, path_of(DATA_DIR.value), stages)
        entries += evaluate(assembly, run_settings(variant), folder, seed=config.seed)
    differing = []
    for found, stored in zip(entries, results["members"], strict=True):
        for name, value in found["metrics"].items():
            kept = stored["metrics"].get(name)
            if value != value:  # nothing to measure, which is null in the file
                continue
            if not stored["failed"] and (kept is None or abs(value - kept) > TOLERANCE):
                differing.append(f"{title(found)} {name}: {value} here, {kept} in results.json")
    figures = len({name for entry in entries for name in entry["metrics"]})
    print(tables.plain_text(recomputed_table(entries, f"Recomputed from {workdir}")))
    if differing:
        print("\n".join(["differs from results.json:", *differing]), file=sys.stderr)
        sys.exit(1)
    print(f"agrees with {workdir / 'results.json'}: {len(entries)} members, {figures} figures each")


def title(entry):
    """A member's name in words: "fold 0 seed 1"."""
    return " ".join(f"{name} {value}" for name, value in entry.items() if name != "metrics")
