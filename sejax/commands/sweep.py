"""Look for the best values of an experiment's config, by its validation part alone.

    sejax sweep --config=transfer:corpus=emodb,models=squeezenet1_1,trainable=head \\
        --data_dir=data --workdir=runs/sweep --trials=20 --space="batch_size=16|32|64,learning_rate=log:1e-4~1"

The space is written as in docs/sweep.md; without --space it is the one that the config file publishes. Every trial is a
run of sejax train in WORKDIR/trials, the table is sweep.json, sweep.csv and sweep.html. The same command goes on
where it was interrupted; with more --trials it adds some.
"""

import re
import runpy
import shlex
import sys
from functools import partial

from absl import flags
from ml_collections import config_flags

from sejax.core.files import plain
from sejax.core.stores import path_of
from sejax.engine.command import Interrupted
from sejax.engine.fields import check_config, config_with
from sejax.engine.joining import define_flags
from sejax.engine.run import use_compilation_cache
from sejax.engine.space import parse_space
from sejax.engine.sweep import FILE, MOST_TRIALS, SEARCHES, Sweep, plan, run_sweep
from sejax.engine.validation import check_metric
from sejax.errors import InputError, typed
from sejax.experiments import study
from sejax.experiments.training import one_variant, train_members
from sejax.report import tables
from sejax.report.sweep import FILE as PAGE
from sejax.report.sweep import trial_table, write_sweep

CONFIG = config_flags.DEFINE_config_file("config", None, "a config's name or file, and its argument after a colon")
WORKDIR = flags.DEFINE_string("workdir", None, "folder for the trials' runs and the sweep's table", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "folder that holds the prepared sets")
SPACE = flags.DEFINE_string("space", None, "what to try, as FIELD=DOMAIN,... (default: the config file's own space)")
SEARCH = flags.DEFINE_enum("search", "random", SEARCHES, "values at random, or all of them in turn")
TRIALS = flags.DEFINE_integer("trials", None, "how many (default: 20 at random, a whole grid)", 1, MOST_TRIALS)
METRIC = flags.DEFINE_string("metric", None, "validation figure that ranks the trials (default: the run's criterion)")
SEED = flags.DEFINE_integer("seed", 0, "of the values drawn; the runs' own is --config.seed")
define_flags()
flags.mark_flag_as_required("config")


def main(argv):
    """Check everything, train the trials, print the table and the best trial's command."""
    del argv
    config, workdir = CONFIG.value, path_of(WORKDIR.value)
    count = TRIALS.value or (20 if SEARCH.value == "random" else None)
    sweep = make_sweep(config, count)
    use_compilation_cache(config.run.compilation_cache)

    def train(values, folder):
        command = train_command(values, workdir=folder)
        return train_members(config_with(config, values), folder, path_of(DATA_DIR.value), command=command)

    try:
        found = run_sweep(
            *(sweep, workdir, count, train),
            command=partial(train_command, workdir=workdir / "best"),
            publish=lambda found: write_sweep(workdir, plain(found)),
        )
    except Interrupted as stop:
        raise stop.saved(workdir) from None
    print(tables.plain_text(trial_table(plain(found))))
    if count and len(found["trials"]) < count:
        print(f"The space has {len(found['trials'])} combinations, and all of them are here.")
    if found["best"]:
        print(f"best: {found['best']['command']}")
    print(f"table: {workdir / FILE}\nreport: {workdir / PAGE}")


def make_sweep(config, count):
    """The sweep that the flags ask for, checked before anything is trained."""
    experiment = study(config.experiment)
    metric = METRIC.value or experiment.criterion(config)
    check_metric(metric, experiment.validated(config))
    fields, text = experiment.member_fields, SPACE.value or published_space(config)
    swept = {entry.partition("=")[0].strip() for entry in text.split(",")}
    space = parse_space(text, one_variant(config, swept), fields)
    sweep = Sweep(config, space, SEARCH.value, SEED.value, metric, fields)
    trials = sweep.values(count)
    for run in plan(trials, [len(trials)], fields):
        trial = config_with(config, run.values)
        check_config(trial)
        one_variant(trial, swept)
    return sweep


def published_space(config):
    """The space in the config file: what its ``get_space(config)`` returns, or its ``SPACE``."""
    file = config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")[0]
    module = runpy.run_path(file)
    text = module["get_space"](config) if "get_space" in module else module.get("SPACE")
    if not text:
        raise InputError(f"{file} publishes no space; give --space, such as --space='batch_size=16|32|64'")
    return text


def train_command(values, *, workdir):
    """The command that trains this sweep's config with other values in some fields."""
    words, follows = [], False
    for word in sys.argv[1:]:
        asked = re.match(r"--?(?:no)?config(?:\.(?P<field>[\w.]+))?(?:=|$)", word)
        # What is swept is left out: ml_collections joins a list that is given twice, and does not replace it.
        kept = asked and asked["field"] not in values
        if kept or (follows and not word.startswith("-")):
            words.append(word)
        follows = kept and "=" not in word
    words += [f"--config.{name}={value if isinstance(value, str) else repr(value)}" for name, value in values.items()]
    return shlex.join([*shlex.split(typed("train")), *words, f"--data_dir={DATA_DIR.value}", f"--workdir={workdir}"])
