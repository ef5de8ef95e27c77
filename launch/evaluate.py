"""Recompute a finished run's figures from its checkpoint and compare them with its results.json.

    python launch/evaluate.py --workdir=runs/emodb-log-30 --data_dir=data

Ends with status 1 where a figure differs.
"""

import sys
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from sejax import experiments
from sejax.engine.backend import run_settings, use_compilation_cache
from sejax.engine.command import run_command
from sejax.engine.run import evaluate
from sejax.engine.workdir import read_claim
from sejax.report import tables
from sejax.report.results import read_results

WORKDIR = flags.DEFINE_string("workdir", None, "a finished run's folder", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "where launch/prepare.py put the prepared sets")
TOLERANCE = 1e-6


def main(argv):
    """Print every member's recomputed figures; stop with status 1 where results.json says otherwise."""
    del argv
    workdir = Path(WORKDIR.value)
    results, config = read_results(workdir), ConfigDict(read_claim(workdir)["config"])
    use_compilation_cache(config.run.compilation_cache)
    entries = evaluate(
        experiments.build(config, Path(DATA_DIR.value)), run_settings(config), workdir, seed=config.seed
    )
    differing = []
    for found, stored in zip(entries, results["members"], strict=True):
        for name, value in found["metrics"].items():
            kept = stored["metrics"].get(name)
            if not stored["failed"] and (kept is None or abs(value - kept) > TOLERANCE):
                where = f"fold {found['fold']} seed {found['seed']} {name}"
                differing.append(f"{where}: {value} here, {kept} in results.json")
    columns = list(entries[0]["metrics"])
    rows = tuple(
        (str(entry["fold"]), str(entry["seed"]), *(f"{entry['metrics'][name]:.4f}" for name in columns))
        for entry in entries
    )
    table = tables.Table(f"Recomputed from {workdir}", ("fold", "seed", *columns), rows, stubs=2)
    print(tables.plain_text(table))
    if differing:
        print("\n".join(["differs from results.json:", *differing]), file=sys.stderr)
        sys.exit(1)
    print(f"agrees with {workdir / 'results.json'}: {len(entries)} members, {len(columns)} figures each")


if __name__ == "__main__":
    run_command(main)
