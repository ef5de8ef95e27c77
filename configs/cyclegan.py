"""N parallel CycleGANs: unlabelled feature vectors become angry, happy, neutral and sad ones (Bao, Neumann, Vu 2019).

    python launch/prepare.py --corpus=emodb --source=DIR --data_dir=data --features=emobase2010
    python launch/prepare.py --corpus=manifest --name=unlabelled --source=CSV --data_dir=data --features=emobase2010
    python launch/train.py --config=configs/cyclegan.py:source=unlabelled,target=emodb --data_dir=data \\
        --workdir=runs/cyclegan-emodb
    python launch/synthesise.py --workdir=runs/cyclegan-emodb --data_dir=data

The generators are pre-trained first, in workdir/stages/pretraining. Time, machine and figures of every configuration
stand in docs/cyclegan.md.
"""

from ml_collections import ConfigDict

from sejax.engine.command import parse_arguments
from sejax.engine.run import run_section

ARGUMENTS = {
    "source": "unlabelled",  # the corpus whose vectors are transferred
    "target": ("emodb",),  # corpora with emotions; several are trained on together
    "features": "emobase2010",
    "normalisation": "leak_free",
    "folds": 5,  # leave one group of sessions (or speakers) out, 5 times
    "whole": True,  # beside them a model of all labelled vectors, for tests on another corpus
    "seeds": 1,
    "lambdas": (0.0, 2.0),  # weights of the classification loss; all are trained
    "epochs": 2000,
    "pretraining": 10000,  # epochs of the first stage; 0: none
    "objective": "cycle",  # of the first stage, see sejax.experiments.cyclegan.algorithm
    "row_epochs": 0,  # epochs to a row of the history; 0: a fortieth of them
    "members_at_once": 0,  # 0: all members (folds x seeds x lambdas) in one program
    "input": "resident",
    "runlocal": False,
}
CHOICES = {
    "normalisation": ("leak_free", "as_published"),
    "features": ("emobase2010", "is10"),
    "input": ("resident", "grain"),
    "objective": ("cycle", "identity"),
}
ROWS = 40  # of a history: enough to see how a loss goes


def get_config(argument: str | None = None) -> ConfigDict:
    """The paper's section 4.1 where it states a value; the rest is listed as assumptions in the docs.

    ``runlocal`` shrinks the run to seconds, to see whether it works.
    """
    given = parse_arguments(argument, ARGUMENTS, choices=CHOICES)
    config = ConfigDict({"experiment": "cyclegan", "stage": "gan", "seed": 0} | given)
    del config.members_at_once, config.input, config.pretraining, config.objective
    config.batch_size = 64
    config.learning_rate = 2e-4
    config.decay = 0.8
    config.decay_epochs = 50
    config.discriminator_speed = 1.0  # their learning rate as a multiple of the generators'
    config.b1 = 0.9
    config.lambda_cycle = 5.0
    config.generator_updates = 2
    config.real_label = 0.9
    config.dropout = 0.2
    config.classifier_dropout = 0.5
    config.slope = 0.2
    config.generator_hidden = (1000, 500, 1000)
    config.discriminator_hidden = (1000, 1000)
    config.classifier_hidden = (100, 100)
    config.sample = 256
    config.pretraining = ConfigDict({"epochs": given["pretraining"], "row_epochs": 0, "learning_rate": 2e-4})
    config.pretraining.objective = given["objective"]
    config.run = ConfigDict(run_section(convolutions=False, save_seconds=120.0))
    config.run.members_at_once, config.run.input = given["members_at_once"], given["input"]
    if given["input"] == "grain":
        config.run.backend = "loop"  # a scanned segment cannot wait for the host
    if given["runlocal"]:
        config.folds, config.lambdas, config.epochs, config.sample = 2, (2.0,), 4, 8
        config.pretraining.epochs, config.batch_size, config.run.tensorboard = 4, 8, False
        config.generator_hidden, config.discriminator_hidden, config.classifier_hidden = (8, 4, 8), (8, 8), (4, 4)
    config.row_epochs = given["row_epochs"] or -(-config.epochs // ROWS)
    config.pretraining.row_epochs = given["row_epochs"] or max(1, -(-config.pretraining.epochs // ROWS))
    return config
